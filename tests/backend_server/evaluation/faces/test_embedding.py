import numpy as np
import pytest
import torch

from backend_server.evaluation.faces.embedding import aligned_face, load_embedding, mobile_face_net
from shared.errors import WeightsError

PLACES = {30: (48, 72), 48: (33.5, 92.3), 54: (62.7, 92.3)}


@pytest.fixture
def landmarks() -> np.ndarray:
    """A face as it stands in the aligned picture."""
    points = np.zeros((68, 2))
    points[36:42], points[42:48] = (30.3, 51.6), (65.5, 51.6)
    for number, place in PLACES.items():
        points[number] = place
    return points


@pytest.mark.parametrize(("scale", "degrees", "shift"), [(1, 0, (0, 0)), (1.5, 20, (90, 30)), (2, -35, (20, 140))])
def test_a_face_is_brought_to_its_place(landmarks, scale, degrees, shift):
    angle = np.radians(degrees)
    turn = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    moved = landmarks @ turn.T + shift
    picture = np.zeros((300, 300, 3), np.uint8)
    x, y = moved[30].round().astype(int)
    picture[y - 2 : y + 3, x - 2 : x + 3] = 255
    face = aligned_face(picture, moved)
    assert face.shape == (112, 96, 3)
    rows, columns = np.nonzero(face[..., 0] > 127)
    assert (columns.mean(), rows.mean()) == pytest.approx((48, 72), abs=0.8)


def test_weights_of_the_public_version_are_read(tmp_path, landmarks):
    torch.manual_seed(0)
    network = mobile_face_net()
    assert sum(parameter.numel() for parameter in network.parameters()) == pytest.approx(0.9996e6, rel=0.01)
    path = tmp_path / "068.ckpt"
    torch.save({"epoch": 68, "net_state_dict": network.state_dict()}, path)
    embed = load_embedding(path)
    pictures = np.random.default_rng(0).integers(0, 255, (3, 112, 96, 3)).astype(np.uint8)
    pictures[2] = pictures[0]
    embeddings = embed(pictures, np.stack([landmarks] * 3))
    assert embeddings.shape == (3, 128)
    directions = embeddings / np.linalg.norm(embeddings, axis=1, keepdims=True)  # untrained ones are tiny
    assert directions[2] @ directions[0] == pytest.approx(1, abs=1e-4)
    assert directions[1] @ directions[0] < 0.99
    assert embed(pictures[:0], np.empty((0, 68, 2))).shape == (0, 128)


def test_other_files_are_refused(tmp_path):
    other = tmp_path / "other.pt"
    torch.save({"weight": torch.zeros(3)}, other)
    (tmp_path / "text.pt").write_text("hello")
    torch.save(torch.zeros(3), tmp_path / "tensor.pt")
    for path in (other, tmp_path / "text.pt", tmp_path / "tensor.pt", tmp_path / "none.pt"):
        with pytest.raises(WeightsError, match=path.name):
            load_embedding(path)
