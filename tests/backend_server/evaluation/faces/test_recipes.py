from datetime import UTC, datetime

import numpy as np
import pytest

from backend_server.data.corpus import Clip, ClipLandmarks
from backend_server.evaluation.faces.recipes import Faces, Recipe, given_frames, other_clips, recipe_frames
from backend_server.evaluation.kept import Kept
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


class BrightClip(DrawnClip):
    """The same clip in another light."""

    def face(self, frame):
        return np.full((256, 256, 3), frame + 100, np.uint8)


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


def test_a_face_is_learnt_once_for_the_same_weights_recipe_and_pictures(clip, tmp_path):
    network = Network()

    def learn(recipe, of=clip):
        return Faces(network, 0, Kept(tmp_path / "kept")).learn(of, recipe)  # pyright: ignore[reportArgumentType]

    first, again = learn(Recipe(5, 2)), learn(Recipe(5, 2))
    assert network.learnt == 1
    assert again.record.losses == first.record.losses == (0.5, 0.5)
    assert (again.references.crops == first.references.crops).all()
    assert first.references.crops[0, 0, 0, 0] in recipe_frames(clip, 5)
    learn(Recipe(5, 3))
    learn(Recipe(10, 2))
    network.weights_version = "two"
    learn(Recipe(5, 2))
    assert network.learnt == 4
    learn(Recipe(5, 2), BrightClip(tmp_path, "a", "0", "val", 3.0, 75, ""))
    assert network.learnt == 5
    learn(Recipe(5, 0))  # takes no time
    learn(Recipe(5, 0))
    assert network.learnt == 7


def test_other_clips_of_a_person_are_three_at_most_and_all_serve_alike(tmp_path):
    clips = [
        DrawnClip(tmp_path, who, str(n), "val", 3.0, 75, "")
        for who, count in (("a", 1), ("b", 6))
        for n in range(count)
    ]
    others = {clip.name: [other.name for other in other_clips(clip, clips)] for clip in clips if clip.speaker == "b"}
    assert others["0"] == ["1", "2", "3"]
    assert others["4"] == ["5", "0", "1"]
    assert other_clips(clips[0], clips) == []
