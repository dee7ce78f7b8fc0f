from datetime import UTC, datetime

import numpy as np
import pytest

from backend_server.identities.naming import file_id
from backend_server.identities.portable import hand_out, read_portable, take_in, write_portable
from backend_server.identities.store import IdentityStore
from backend_server.texture.identity import load_identity, save_identity
from shared.errors import ValueRangeError, WeightsError

NAME = "cd" * 32


def test_a_face_travels_with_its_record(store, face, record, tmp_path):
    written = record(NAME, face(), image_names=("me.jpg",), learnt_at=datetime(2026, 1, 2, 3, 4, tzinfo=UTC))
    store.save(written, face())
    path = tmp_path / "new folder" / "me.safetensors"
    assert hand_out(store, NAME[:8], path) == written
    np.testing.assert_array_equal(load_identity(path).weights["layer"], face().weights["layer"])
    assert [entry.name for entry in path.parent.iterdir()] == ["me.safetensors"]

    other = IdentityStore(tmp_path / "other")
    assert take_in(other, path) == written
    assert other.kept(NAME).record == written
    np.testing.assert_array_equal(other.load(NAME).mattes, face().mattes)


def test_a_file_without_a_record_is_named_by_its_content(store, face, tmp_path):
    path = tmp_path / "old.safetensors"
    save_identity(path, face())
    record = take_in(store, path)
    assert record.identity == file_id(path)
    assert (record.epochs, record.image_count, record.held_out_psnr) == (2, 2, 27.123456)
    assert record.learnt_at.timestamp() == int(path.stat().st_mtime)
    assert store.has(record.identity)


@pytest.mark.parametrize("content", [b"", b"not safetensors", None])
def test_what_is_no_identity_is_not_taken_in(store, tmp_path, content):
    path = tmp_path / "wrong.safetensors"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(WeightsError, match=r"wrong\.safetensors"):
        take_in(store, path)
    assert store.names() == []


def test_a_record_that_does_not_belong_to_its_file_is_refused(face, record, tmp_path):
    path = tmp_path / "forged.safetensors"
    write_portable(path, face(), record("../../evil", face()))
    with pytest.raises(WeightsError, match="names no id"):
        read_portable(path)
    write_portable(path, face(), record(NAME, face(), weights_version="v2"))
    with pytest.raises(WeightsError, match="weights 'v2'"):
        read_portable(path)


def test_a_place_that_cannot_be_written_is_named(face, record, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ValueRangeError, match=r"cannot write .*me\.safetensors"):
        write_portable(tmp_path / "file" / "me.safetensors", face(), record(NAME, face()))
