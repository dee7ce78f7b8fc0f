import numpy as np
import pytest

from backend_server.texture.identity import Identity, load_identity, save_identity
from shared.errors import WeightsError


@pytest.fixture
def identity(drawn_faces):
    faces = drawn_faces(2)
    return Identity(
        neutral_landmarks=faces.neutral_landmarks,
        crop=faces.crop,
        reference_images=faces.crops,
        reference_landmarks=faces.landmarks,
        mattes=faces.mattes,
        foreground=faces.crops[1],
        weights={"a.b": np.array([1.5, -2.0], np.float16)},
        losses=(0.5, 0.25),
        held_out_psnr=None,
        weights_version="0123456789ab",
        epochs=2,
    )


def test_an_identity_survives_the_disk(tmp_path, identity):
    save_identity(tmp_path / "someone.safetensors", identity)
    loaded = load_identity(tmp_path / "someone.safetensors")
    for name in ("neutral_landmarks", "crop", "reference_images", "reference_landmarks", "mattes", "foreground"):
        np.testing.assert_array_equal(getattr(loaded, name), getattr(identity, name))
    np.testing.assert_array_equal(loaded.weights["a.b"], identity.weights["a.b"])
    for name in ("losses", "held_out_psnr", "weights_version", "epochs"):
        assert getattr(loaded, name) == getattr(identity, name)
    assert [path.name for path in tmp_path.iterdir()] == ["someone.safetensors"]


def test_damaged_missing_and_foreign_files_are_named(tmp_path, identity):
    path = tmp_path / "someone.safetensors"
    with pytest.raises(WeightsError, match=r"someone\.safetensors"):
        load_identity(path)
    save_identity(path, identity)
    path.write_bytes(path.read_bytes()[:5000])
    with pytest.raises(WeightsError, match="cannot read"):
        load_identity(path)
    from safetensors.numpy import save_file

    save_file({"x": np.zeros(3)}, path)
    with pytest.raises(WeightsError, match="not an identity"):
        load_identity(path)
