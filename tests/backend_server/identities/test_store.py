import hashlib
import json
import os
from pathlib import Path

import numpy as np
import platformdirs
import pytest

from backend_server.identities.store import IdentityStore, data_folder, identity_folder, identity_id
from backend_server.identity import file_id, save_identity
from shared.errors import ErrorCode, NoSpaceError, SpeechFaceError, ValueRangeError

NAME = "ab" * 32


def test_save_list_load_delete(store, face):
    assert store.names() == [] and store.record(NAME) is None and not store.is_damaged(NAME)
    written = face(NAME, image_names=("me.jpg", "you.png"), held_out_psnrs=(26.0, 27.123456), seed=3)
    store.save(written)
    assert store.names() == [NAME]
    assert store.record(NAME) == written.record
    loaded = store.load(NAME)
    assert loaded.record == written.record
    np.testing.assert_array_equal(loaded.weights["layer"], written.weights["layer"])
    np.testing.assert_array_equal(loaded.references.mattes, written.references.mattes)
    size = store.size_bytes(NAME)
    assert size == sum(path.stat().st_size for path in store.folder.iterdir())
    assert store.delete(NAME) == size
    assert store.names() == [] and list(store.folder.iterdir()) == []
    with pytest.raises(SpeechFaceError, match="adapt the images again") as caught:
        store.load(NAME)
    assert caught.value.code is ErrorCode.UNKNOWN_IDENTITY
    assert store.delete(NAME) == 0


def test_faces_come_oldest_first(store, face):
    names = [digit * 64 for digit in "cab"]
    for age, name in enumerate(names):
        store.save(face(name))
        for path in store.folder.glob(f"{name}.*"):
            os.utime(path, ns=(10**18 + age, 10**18 + age))
    assert store.names() == names


@pytest.mark.parametrize("part", ["safetensors", "json"])
@pytest.mark.parametrize("damage", ["cut", "emptied", "changed", "removed"])
def test_damage_is_noticed_and_repaired_by_learning_again(store, face, part, damage):
    store.save(face(NAME))
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
    store.save(face(NAME, 0.25))
    assert store.has(NAME) and not store.is_damaged(NAME)
    assert store.load(NAME).weights["layer"][0, 0] == 0.25


def test_one_changed_byte_of_the_weights_is_noticed(store, face):
    store.save(face(NAME))
    assert store.has(NAME)
    content = bytearray(store.path(NAME).read_bytes())
    content[-1] ^= 1
    store.path(NAME).write_bytes(content)
    os.utime(store.path(NAME), ns=(10**18, 10**18))
    assert not store.has(NAME)


def test_digits_name_a_face_when_only_one_has_them(store, face):
    names = ["abcdef" + digit * 58 for digit in "01"] + ["012345" + "7" * 58]
    for name in names:
        store.save(face(name))
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


def test_other_files_of_the_folder_are_left_alone(store, face):
    store.save(face(NAME))
    (store.folder / "notes.json").write_text("mine")
    (store.folder / f".{NAME}.json.123").write_text("half")
    assert store.names() == [NAME]


def test_a_folder_that_cannot_be_made_is_named(tmp_path, face):
    (tmp_path / "file").write_text("")
    store = IdentityStore(tmp_path / "file" / "identities")
    assert store.names() == []
    with pytest.raises(ValueRangeError, match="SPEECH_FACE_DATA"):
        store.save(face(NAME))


def test_a_full_disk_is_named_and_leaves_nothing(store, face, monkeypatch):
    def full(path, content):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(NoSpaceError, match="is full"):
        store.save(face(NAME))
    assert list(store.folder.iterdir()) == []


def test_faces_that_earlier_versions_kept_are_found(store, face):
    """They have their record in the JSON file alone."""
    store.prepare()
    save_identity(store.path(NAME), face())
    seal = {
        "record": {
            "identity": NAME,
            "learnt_at": "2025-11-30T03:40:10Z",
            "weights_version": "e1c746cc0b13",
            "image_count": 3,
            "image_names": ["me.jpg"],
            "seed": 4,
            "epochs": 1,
            "losses": [0.75],
            "held_out_psnrs": [],
            "held_out_psnr": None,
            "neutral": [[1.5, 2.5]] * 68,
            "crop": [[1, 0, 0], [0, 1, 0]],
        },
        "size_bytes": store.path(NAME).stat().st_size,
        "sha256": file_id(store.path(NAME)),
    }
    (store.folder / f"{NAME}.json").write_text(json.dumps(seal))
    found = store.load(NAME)
    assert (found.record.identity, found.record.seed, found.record.losses) == (NAME, 4, (0.75,))
    np.testing.assert_array_equal(found.weights["layer"], face().weights["layer"])


IMAGE = np.arange(72, dtype=np.uint8).reshape(4, 6, 3)


def name_of(images=(IMAGE, IMAGE), landmarks=None, epochs=10, seed=0, weights_version="v1"):
    return identity_id(images, landmarks, epochs=epochs, seed=seed, weights_version=weights_version)


def test_the_id_is_the_sha256_of_what_counts():
    written = b"speech_face 2 v1 10 0" + b" |u1 (4, 6, 3) " + IMAGE.tobytes()
    assert name_of((IMAGE,)) == hashlib.sha256(written).hexdigest()


def test_the_id_changes_with_everything_that_counts():
    landmarks = np.zeros((2, 68, 2), np.float32)
    names = [
        name_of(),
        name_of(weights_version="v2"),
        name_of(epochs=3),
        name_of(seed=1),
        name_of((IMAGE, IMAGE, IMAGE)),
        name_of(landmarks=landmarks),
        name_of(landmarks=landmarks + 1),
        name_of((IMAGE,)),
        name_of((IMAGE.reshape(6, 4, 3),)),
        name_of((IMAGE + 1,)),
        name_of((IMAGE, IMAGE + 1)),
        name_of((IMAGE + 1, IMAGE)),
    ]
    assert len(set(names)) == len(names)
    assert name_of() == names[0]


def test_a_view_has_the_id_of_its_copy():
    turned = IMAGE[:, ::-1]
    assert name_of((turned,)) == name_of((turned.copy(),))


def test_the_data_folder_is_the_users_unless_told_otherwise(monkeypatch, tmp_path):
    monkeypatch.setenv("SPEECH_FACE_DATA", str(tmp_path))
    assert data_folder() == tmp_path
    assert identity_folder(data_folder()) == tmp_path / "identities"
    monkeypatch.delenv("SPEECH_FACE_DATA")
    assert data_folder() == Path(platformdirs.user_data_dir("speech_face", appauthor=False))
