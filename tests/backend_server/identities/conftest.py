import numpy as np
import pytest

from backend_server.identities.record import record_of
from backend_server.identities.store import IdentityStore
from backend_server.texture.identity import Identity


@pytest.fixture
def face():
    """Makes identities that differ in their weights."""

    def make(value=0.5, epochs=2, **changes):
        return Identity(
            **{
                "neutral_landmarks": np.linspace(20, 230, 136, dtype=np.float32).reshape(68, 2),
                "crop": np.array([[1.5, 0, 7], [0, 1.5, 0.1]], np.float32),
                "reference_images": np.full((2, 256, 256, 3), 90, np.uint8),
                "reference_landmarks": np.zeros((2, 68, 2), np.float32),
                "mattes": np.full((2, 256, 256), 255, np.uint8),
                "foreground": np.zeros((256, 256, 3), np.uint8),
                "weights": {"layer": np.full((3, 4), value, np.float16)},
                "losses": tuple(1 / (e + 3) for e in range(epochs)),
                "held_out_psnr": 27.123456,
                "weights_version": "v1",
                "epochs": epochs,
                **changes,
            }
        )

    return make


@pytest.fixture
def record():
    """Makes records of faces."""

    def make(name, face, **facts):
        return record_of(name, face, **{"weights_version": face.weights_version, "image_count": 2, **facts})

    return make


@pytest.fixture
def store(tmp_path):
    return IdentityStore(tmp_path / "data" / "identities")
