import os

import numpy as np
import pytest

from backend_server.identities.store import IdentityStore
from shared.errors import ErrorCode, NoSpaceError, SpeechFaceError, ValueRangeError

NAME = "ab" * 32


def test_save_list_load_delete(store, face, record):
    assert store.names() == [] and store.kept(NAME) is None and not store.is_damaged(NAME)
    written = record(NAME, face(), image_names=("me.jpg", "you.png"), held_out_psnrs=(26.0, 27.123456), seed=3)
    store.save(written, face())
    assert store.names() == [NAME]
    kept = store.kept(NAME)
    assert kept.record == written
    assert kept.size_bytes == store.path(NAME).stat().st_size
    np.testing.assert_array_equal(np.array(kept.record.neutral, np.float32), face().neutral_landmarks)
    np.testing.assert_array_equal(np.array(kept.record.crop, np.float32), face().crop)
    np.testing.assert_array_equal(store.load(NAME).weights["layer"], face().weights["layer"])
    size = store.size_bytes(NAME)
    assert size == sum(path.stat().st_size for path in store.folder.iterdir())
    assert store.delete(NAME) == size
    assert store.names() == [] and list(store.folder.iterdir()) == []
    with pytest.raises(SpeechFaceError, match="adapt the images again") as caught:
        store.load(NAME)
    assert caught.value.code is ErrorCode.UNKNOWN_IDENTITY
    assert store.delete(NAME) == 0


def test_faces_come_oldest_first(store, face, record):
    names = [digit * 64 for digit in "cab"]
    for age, name in enumerate(names):
        store.save(record(name, face()), face())
        for path in store.folder.glob(f"{name}.*"):
            os.utime(path, ns=(10**18 + age, 10**18 + age))
    assert store.names() == names


@pytest.mark.parametrize("part", ["safetensors", "json"])
@pytest.mark.parametrize("damage", ["cut", "emptied", "changed", "removed"])
def test_damage_is_noticed_and_mended_by_learning_again(store, face, record, part, damage):
    store.save(record(NAME, face()), face())
    assert store.has(NAME)
    path = store.folder / f"{NAME}.{part}"
    content = bytearray(path.read_bytes())
    if damage == "cut":
        path.write_bytes(content[: len(content) // 2])
    elif damage == "emptied":
        path.write_bytes(b"")
    elif damage == "changed":
        content[20] ^= 1
        path.write_bytes(content)
    else:
        path.unlink()
    if path.exists():
        os.utime(path, ns=(10**18, 10**18))  # the clock of files may stand still for a few milliseconds
    assert not store.has(NAME)
    assert store.is_damaged(NAME)
    assert store.names() == [NAME]
    with pytest.raises(SpeechFaceError, match="adapt the images again"):
        store.load(NAME)
    store.save(record(NAME, face(0.25)), face(0.25))
    assert store.has(NAME) and not store.is_damaged(NAME)
    assert store.load(NAME).weights["layer"][0, 0] == 0.25


def test_one_changed_byte_of_the_weights_is_noticed(store, face, record):
    store.save(record(NAME, face()), face())
    assert store.has(NAME)
    content = bytearray(store.path(NAME).read_bytes())
    content[-1] ^= 1
    store.path(NAME).write_bytes(content)
    os.utime(store.path(NAME), ns=(10**18, 10**18))
    assert not store.has(NAME)


def test_digits_name_a_face_when_only_one_has_them(store, face, record):
    names = ["abcdef" + digit * 58 for digit in "01"] + ["012345" + "7" * 58]
    for name in names:
        store.save(record(name, face()), face())
    assert store.resolve("012345") == names[2]
    assert store.resolve("ABCDEF0") == names[0]
    assert store.resolve(names[1]) == names[1]
    with pytest.raises(ValueRangeError, match=r"2 learnt faces begin with abcdef .*give more digits"):
        store.resolve("abcdef")
    with pytest.raises(ValueRangeError, match="begins with 999999"):
        store.resolve("999999")
    for text in ("01234", "0123456x", "", "a" * 65, "../../etc/passwd"):
        with pytest.raises(ValueRangeError, match="6 to 64 of its hexadecimal digits"):
            store.resolve(text)


def test_other_files_of_the_folder_are_left_alone(store, face, record):
    store.save(record(NAME, face()), face())
    (store.folder / "notes.json").write_text("mine")
    (store.folder / f".{NAME}.json.123").write_text("half")
    assert store.names() == [NAME]


def test_a_folder_that_cannot_be_made_is_named(tmp_path, face, record):
    (tmp_path / "file").write_text("")
    store = IdentityStore(tmp_path / "file" / "identities")
    assert store.names() == []
    with pytest.raises(ValueRangeError, match="SPEECH_FACE_DATA"):
        store.save(record(NAME, face()), face())


def test_a_full_disk_is_named_and_leaves_nothing(store, face, record, monkeypatch):
    def full(path, identity):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("backend_server.texture.identity.save_identity", full)
    with pytest.raises(NoSpaceError, match="is full"):
        store.save(record(NAME, face()), face())
    assert list(store.folder.iterdir()) == []
