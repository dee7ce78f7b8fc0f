import hashlib
from dataclasses import replace

import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import save_file

from backend_server.face_photo import kept_photo
from backend_server.identity import file_id, load_identity, save_identity
from shared.errors import ValueRangeError, WeightsError

NAME = "cd" * 32


def assert_same(one, other):
    for field in ("crops", "landmarks", "mattes", "foreground", "neutral_landmarks", "crop"):
        np.testing.assert_array_equal(getattr(one.references, field), getattr(other.references, field))
    assert one.weights.keys() == other.weights.keys()
    for name, weight in one.weights.items():
        np.testing.assert_array_equal(other.weights[name], weight)


def test_a_face_travels_with_its_record(face, tmp_path):
    identity = face(NAME, weights={"a.b": np.array([1.5, -2.0], np.float16)}, image_names=("me.jpg",))
    path = tmp_path / "new folder" / "me.safetensors"
    save_identity(path, identity)
    loaded = load_identity(path)
    assert_same(loaded, identity)
    assert loaded.record == identity.record
    assert [entry.name for entry in path.parent.iterdir()] == ["me.safetensors"]


def test_a_file_without_a_record_is_named_by_its_content(face, tmp_path):
    path = tmp_path / "old.safetensors"
    identity = face()
    save_identity(path, identity)
    with safe_open(path, framework="np") as file:
        assert file.metadata() == {  # as earlier versions wrote it, and read it in every file
            "format": "speech-face-identity-2",
            "notes": '{"losses":[0.5,0.25],"held_out_psnr":27.123456,"weights_version":"v1","epochs":2}',
        }
        assert sorted(file.keys()) == [
            *("crop", "foreground", "mattes", "neutral_landmarks", "reference_images", "reference_landmarks"),
            "weights.layer",
        ]
    loaded = load_identity(path)
    assert_same(loaded, identity)
    record = loaded.record
    assert record.identity == file_id(path) == hashlib.sha256(path.read_bytes()).hexdigest()
    assert (record.epochs, record.image_count, record.held_out_psnr) == (2, 2, 27.123456)
    assert record.learnt_at.timestamp() == int(path.stat().st_mtime)
    assert (record.neutral, record.crop) == (identity.record.neutral, identity.record.crop)


def test_damaged_missing_and_foreign_files_are_named(tmp_path, face):
    path = tmp_path / "someone.safetensors"
    with pytest.raises(WeightsError, match=r"someone\.safetensors"):
        load_identity(path)
    save_identity(path, face())
    path.write_bytes(path.read_bytes()[:5000])
    with pytest.raises(WeightsError, match="cannot read"):
        load_identity(path)
    path.write_bytes(b"not safetensors")
    with pytest.raises(WeightsError, match="cannot read"):
        load_identity(path)
    save_file({"x": np.zeros(3)}, path)
    with pytest.raises(WeightsError, match="not an identity"):
        load_identity(path)


def test_the_photo_of_a_face_travels_with_it(face, tmp_path):
    crop = np.array([[2, 0, 0.5], [0, 2, 0.5]], np.float32)
    photo = kept_photo(np.random.default_rng(0).integers(0, 256, (512, 512, 3), np.uint8), crop)
    identity = face(NAME, photo_pixels=512)
    identity = replace(identity, references=replace(identity.references, photo=photo))
    path = tmp_path / "me.safetensors"
    save_identity(path, identity)
    loaded = load_identity(path)
    assert_same(loaded, identity)
    np.testing.assert_array_equal(loaded.references.photo, photo)
    assert loaded.record.photo_pixels == 512
    save_identity(path, face(NAME))
    assert load_identity(path).references.photo is None


@pytest.mark.parametrize(
    ("photo", "why"),
    [
        (np.zeros(40, np.uint8), "the photo of the face cannot be read"),
        (np.zeros(40, np.float32), r"photo is float32 \(40,\)"),
        (np.zeros((4, 10), np.uint8), r"photo is uint8 \(4, 10\)"),
    ],
)
def test_a_damaged_photo_is_named(face, tmp_path, photo, why):
    identity = face(NAME)
    path = tmp_path / "me.safetensors"
    save_identity(path, replace(identity, references=replace(identity.references, photo=photo)))
    with pytest.raises(WeightsError, match=rf"me\.safetensors is damaged: {why}"):
        load_identity(path)


def test_a_record_without_a_proper_id_is_refused(face, tmp_path):
    path = tmp_path / "forged.safetensors"
    save_identity(path, face("../../evil"))
    with pytest.raises(WeightsError, match="not an ID"):
        load_identity(path)


def test_a_place_that_cannot_be_written_is_named(face, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ValueRangeError, match=r"cannot write .*me\.safetensors"):
        save_identity(tmp_path / "file" / "me.safetensors", face(NAME))
