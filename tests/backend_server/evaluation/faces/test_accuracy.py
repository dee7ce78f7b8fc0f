from dataclasses import replace

import numpy as np
import pytest

from backend_server.data.corpus import Clip, ClipLandmarks
from backend_server.evaluation.faces import accuracy
from backend_server.evaluation.faces.figures import COLUMNS, REAL, face_table, means_by_name, printed_figures
from backend_server.evaluation.faces.recipes import ONE_IMAGE, USUAL, Recipe

MADE = replace(printed_figures({}), psnr=30.0, ssim=0.9, lips_lmd=0.5)


class StillClip(Clip):
    """75 frames that all show the same."""

    def face(self, frame):
        return np.zeros((256, 256, 3), np.uint8)

    def landmarks(self):
        points = np.tile(np.float32(self.text), (75, 68, 2))
        return ClipLandmarks(np.arange(75) / 25, points, points, points[0], np.eye(2, 3, dtype=np.float32))


def clip(folder, speaker, name, brightness="0"):
    return StillClip(folder, speaker, name, "val", 3.0, 75, brightness)


class BrightFaces:
    """The identity of a face is the brightness of its clip plus the epochs."""

    def learn(self, clip, recipe):
        return int(clip.text) + recipe.epochs


class Judge:
    """The brightness that an identity stands for is its PSNR."""

    def read(self, clip):
        return clip

    def figures(self, clip, faces, identity, driving):
        assert (driving == float(clip.text)).all()
        return replace(MADE, psnr=float(identity))

    def judge_real(self, clip):
        return replace(MADE, psnr=float("nan"))


def test_each_clip_is_judged_by_each_recipe_and_by_other_clips_of_its_person(tmp_path):
    clips = [clip(tmp_path, "a", "0", "10"), clip(tmp_path, "b", "0", "20"), clip(tmp_path, "b", "1", "50")]
    told = []
    results = accuracy.judge_recipes(
        BrightFaces(),  # pyright: ignore[reportArgumentType]
        clips,
        Judge(),  # pyright: ignore[reportArgumentType]
        lambda *step: told.append(step),
        [ONE_IMAGE, USUAL],
    )
    made = [(one.clip.speaker + one.clip.name, one.name, one.figures.psnr) for one in results]
    assert [row for row in made if row[1] == accuracy.ANOTHER_CLIP] == [
        ("b0", accuracy.ANOTHER_CLIP, 60.0),  # learnt from the clip of brightness 50
        ("b1", accuracy.ANOTHER_CLIP, 30.0),
    ]
    assert ("b1", USUAL.name, 60.0) in made
    assert len(results) == 3 * 3 + 2
    assert told[-1] == ("faces", told[-1][2], told[-1][2])
    assert [step for _, step, _ in told] == sorted(step for _, step, _ in told)
    means = means_by_name(results)
    assert means[USUAL.name].psnr == pytest.approx((20 + (30 + 60) / 2) / 2)  # each person counts the same
    assert np.isnan(means[REAL].psnr)


def test_recipes_cover_the_papers_figure_and_table():
    assert [recipe.images for recipe in accuracy.BY_IMAGES if recipe.epochs] == [1, 5, 10, 20]
    assert [recipe.epochs for recipe in accuracy.BY_EPOCHS] == [0, 1, 5, 10]
    assert [Recipe(20, epochs).name for epochs in (0, 1, 10)] == [
        "K = 20, not tuned",
        "K = 20, 1 epoch",
        "K = 20, 10 epochs",
    ]


def test_a_table_names_every_figure_and_leaves_out_what_was_not_measured():
    rows = face_table("Faces", {"a": replace(MADE, psnr=float("nan"))}).document()
    assert list(rows["a"]) == list(COLUMNS)
    assert rows["a"]["PSNR, dB"] is None
    assert rows["a"]["lips LMD, px"] == 0.5


def test_goals_of_real_landmarks_are_our_own_and_never_the_papers():
    same = printed_figures({"psnr": 36.1, "ssim": 0.94, "mouth_psnr": 30.0, "cpbd": 0.19, "driving_lmd": 1.01})
    means = {USUAL.name: same, ONE_IMAGE.name: same, REAL: printed_figures({"cpbd": 0.2})}
    goals = {goal.name: goal for goal in accuracy.goals(means)}
    assert all("real landmarks" in name and goal.source == "ours" for name, goal in goals.items())
    of_usual = [goal.outcome for name, goal in goals.items() if name.endswith(USUAL.name)]
    assert of_usual == ["yes", "no", "yes", "yes", "no"]
    assert [goal.outcome for name, goal in goals.items() if name.endswith(accuracy.ANOTHER_CLIP)] == ["–", "–"]
