from datetime import UTC, datetime

import numpy as np
import pytest

from backend_server.data.corpus import Clip, ClipLandmarks
from backend_server.evaluation.identities import Identities, Recipe, given_frames, recipe_frames
from backend_server.identity import Identity, IdentityRecord, rows


class DrawnClip(Clip):
    """75 frames whose mouth is least open in frame 43."""

    def face(self, frame):
        return np.full((256, 256, 3), frame, np.uint8)

    def landmarks(self):
        points = np.zeros((75, 68, 2), np.float32)
        points[:, 36:42, 0], points[:, 42:48, 0] = 80, 160
        points[:, 66, 1] = 5 + np.abs(np.arange(75) - 43)
        return ClipLandmarks(np.arange(75) / 25, points, points, points[0], np.eye(2, 3, dtype=np.float32))


class Network:
    """Counts how often it learns."""

    weights_version = "one"
    learnt = 0

    def fine_tune(self, references, *, epochs, seed):
        self.learnt += 1
        record = IdentityRecord(
            learnt_at=datetime.now(UTC),
            weights_version=self.weights_version,
            image_count=len(references.crops),
            epochs=epochs,
            losses=(0.5,) * epochs,
            held_out_psnr=None,
            neutral=rows(references.neutral_landmarks),
            crop=rows(references.crop),
        )
        return Identity(references, {"a": np.ones(3, np.float16)}, record)


@pytest.fixture
def clip(tmp_path):
    return DrawnClip(tmp_path, "a", "0", "val", 3.0, 75, "")


def test_images_are_some_of_twenty_and_one_is_the_nearest_to_rest(clip):
    given = given_frames(clip).tolist()
    assert len(given) == len(set(given)) == 20
    assert (given[0], given[-1]) == (0, 74)
    assert recipe_frames(clip, 1) == [43]
    for count in (5, 10, 20):
        frames = recipe_frames(clip, count)
        assert len(set(frames)) == count
        assert set(frames) <= set(given)


def test_a_face_is_learnt_once_for_the_same_weights(clip, tmp_path):
    network = Network()
    first = Identities(network, 0, tmp_path / "kept")(clip, Recipe(5, 2))  # pyright: ignore[reportArgumentType]
    again = Identities(network, 0, tmp_path / "kept")(clip, Recipe(5, 2))  # pyright: ignore[reportArgumentType]
    assert network.learnt == 1
    assert again.record.losses == first.record.losses == (0.5, 0.5)
    assert (again.references.crops == first.references.crops).all()
    assert first.references.crops[0, 0, 0, 0] in recipe_frames(clip, 5)
    for changed in (Recipe(5, 3), Recipe(10, 2)):
        Identities(network, 0, tmp_path / "kept")(clip, changed)  # pyright: ignore[reportArgumentType]
    network.weights_version = "two"
    Identities(network, 0, tmp_path / "kept")(clip, Recipe(5, 2))  # pyright: ignore[reportArgumentType]
    assert network.learnt == 4
    Identities(network, 0)(clip, Recipe(5, 2))  # pyright: ignore[reportArgumentType]
    assert network.learnt == 5
