from dataclasses import replace

import numpy as np
import pytest

from backend_server.data.corpus import Clip, ClipLandmarks
from backend_server.evaluation import texture
from backend_server.evaluation.frame_figures import COLUMNS, TextureFigures
from backend_server.evaluation.identities import Recipe
from backend_server.evaluation.texture_report import printed_figures, texture_table

MADE = replace(printed_figures({}), psnr=30.0, ssim=0.9, real_lips_lmd=0.5)


class StillClip(Clip):
    """75 frames that all show the same."""

    def face(self, frame):
        return np.zeros((256, 256, 3), np.uint8)

    def landmarks(self):
        points = np.tile(np.float32(self.text), (75, 68, 2))
        return ClipLandmarks(np.arange(75) / 25, points, points, points[0], np.eye(2, 3, dtype=np.float32))


def clip(folder, speaker, name, brightness="0"):
    return StillClip(folder, speaker, name, "val", 3.0, 75, brightness)


class Network:
    """Renders the number of the identity into every pixel."""

    weights_version = "none"

    def render(self, identity, landmarks):
        yield np.full((len(landmarks), 256, 256, 4), identity, np.uint8)


class Learning:
    """Gives the brightness of the clip plus the epochs as its identity."""

    network, seed = Network(), 0

    def __call__(self, clip, recipe):
        return int(clip.text) + recipe.epochs


class Judge:
    """The brightness of the rendered frames is their PSNR."""

    def judge(self, made, real, made_run, run):
        assert len(made.pictures) == len(made_run.pictures) == 25
        return replace(MADE, psnr=float(made.pictures.mean()))

    def judge_real(self, real, run):
        return replace(MADE, psnr=float("nan"))


def test_each_clip_is_judged_by_each_recipe_and_by_the_other_clips_of_its_person(tmp_path):
    clips = [clip(tmp_path, "a", "0", "10"), clip(tmp_path, "b", "0", "20"), clip(tmp_path, "b", "1", "50")]
    told = []
    results = texture.evaluate_texture(
        Learning(),  # pyright: ignore[reportArgumentType]
        clips,
        Judge(),  # pyright: ignore[reportArgumentType]
        lambda *step: told.append(step),
        [texture.ONE_IMAGE, texture.USUAL],
    )
    made = [(one.clip.speaker + one.clip.name, one.name, one.figures.psnr) for one in results]
    assert [row for row in made if row[1] == texture.ANOTHER_CLIP] == [
        ("b0", texture.ANOTHER_CLIP, 60.0),  # learnt from the clip of brightness 50
        ("b1", texture.ANOTHER_CLIP, 30.0),
    ]
    assert ("b1", texture.USUAL.name, 60.0) in made
    assert len(results) == 3 * 3 + 2
    assert told[-1] == ("faces", told[-1][2], told[-1][2])
    assert [step for _, step, _ in told] == sorted(step for _, step, _ in told)
    means = texture.means_by_name(results)
    assert means[texture.USUAL.name].psnr == pytest.approx((20 + (30 + 60) / 2) / 2)  # each person counts the same
    assert np.isnan(means[texture.REAL].psnr)


def test_recipes_cover_the_papers_figure_and_table():
    assert [recipe.images for recipe in texture.BY_IMAGES if recipe.epochs] == [1, 5, 10, 20]
    assert [recipe.epochs for recipe in texture.BY_EPOCHS] == [0, 1, 5, 10]
    assert [Recipe(20, epochs).name for epochs in (0, 1, 10)] == [
        "K = 20, not tuned",
        "K = 20, 1 epoch",
        "K = 20, 10 epochs",
    ]


def test_real_frames_stand_first_and_what_was_not_measured_is_left_out():
    means = {"b": MADE, texture.REAL: replace(MADE, psnr=float("nan"))}
    table = texture_table("Faces", texture.beside_real(means, ["a", "b"]))
    assert table.columns == COLUMNS
    rows = table.document()
    assert list(rows) == [texture.REAL, "b"]
    assert rows[texture.REAL]["PSNR, dB"] is None
    assert rows["b"]["lips LMD to the real, px"] == 0.5
    assert len(TextureFigures.__dataclass_fields__) == len(COLUMNS)
