from dataclasses import replace

import numpy as np
import pytest

from backend_server.data.corpus import Clip, ClipLandmarks
from backend_server.evaluation import frame_figures as ff
from backend_server.face.mesh_points import landmarks_of_mesh

MESHES = np.random.default_rng(0).uniform(60, 200, (6, 478, 3)).astype(np.float32)
MESHES[1:] = MESHES[0]
LANDMARKS = np.stack([landmarks_of_mesh(mesh) for mesh in MESHES])
REAL = ff.Frames(LANDMARKS, np.random.default_rng(1).integers(0, 200, (6, 256, 256, 3)).astype(np.uint8), np.arange(6))


class Finder:
    """Sees every face a pixel too low."""

    def forget(self) -> None:
        self.number = -1

    def find(self, image):
        self.number += 1
        return MESHES[self.number] + np.float32([0, 1, 0])


class NumberedClip(Clip):
    """Pictures and landmarks that tell their number."""

    def face(self, frame):
        return np.full((256, 256, 3), frame, np.uint8)

    def landmarks(self):
        numbers = np.arange(self.frame_count, dtype=np.float32)
        points = np.tile(numbers[:, None, None], (1, 68, 2))
        return ClipLandmarks(numbers / 25.0, points, points, points[0], np.eye(2, 3, dtype=np.float32))


def clip(count: int, folder) -> Clip:
    return NumberedClip(folder, "a", "0", "val", count / 25, count, "")


def mean_colour(pictures, landmarks):
    assert landmarks.shape == (len(pictures), 68, 2)
    return pictures.mean(axis=(1, 2))


def test_made_frames_five_levels_too_bright():
    made, still = replace(REAL, pictures=REAL.pictures + np.uint8(5)), replace(REAL, pictures=REAL.pictures[[0] * 6])
    figures = ff.Judge(Finder(), mean_colour).judge(made, REAL, still, REAL)
    assert figures.psnr == pytest.approx(10 * np.log10(255**2 / 25))
    assert figures.mouth_psnr == pytest.approx(figures.psnr)
    assert 0.9 < figures.ssim < 1
    assert figures.lips_lmd == pytest.approx(1, rel=1e-5)
    assert figures.real_lips_lmd == pytest.approx(0, abs=1e-4)  # the whole face is too low: a motion of the head
    assert figures.faces_found == 1
    assert figures.flicker == 0
    assert 0 <= figures.identity_distance < 0.01


def test_real_frames_have_no_figures_of_comparison():
    figures = ff.Judge(Finder()).judge_real(REAL, REAL)
    nothing = ("psnr", "ssim", "mouth_psnr", "content_distance", "identity_distance")
    assert all(np.isnan(getattr(figures, name)) for name in nothing)
    assert figures.lips_lmd == pytest.approx(1, rel=1e-5)
    weights = np.array([0.299, 0.587, 0.114])
    # Luminance of random colours is nearly normal; two of them lie 2 / sqrt(pi) deviations apart.
    assert figures.flicker == pytest.approx(2 / np.sqrt(np.pi) * 200 / np.sqrt(12) * np.linalg.norm(weights), rel=0.02)
    assert len(ff.COLUMNS) == len(ff.TextureFigures.__dataclass_fields__)


def test_frames_are_chosen_off_the_given_ones_and_side_by_side(tmp_path):
    spread = ff.spread_frames(clip(75, tmp_path), np.arange(0, 75, 2))
    numbers = spread.pictures[:, 0, 0, 0].astype(int)
    assert len(numbers) == 25
    assert (numbers % 2 == 1).all()
    assert (numbers[0], numbers[-1]) == (1, 73)
    assert (spread.landmarks[:, 0, 0] == numbers).all()
    assert ff.middle_run(clip(75, tmp_path)).pictures[:, 0, 0, 0].tolist() == list(range(25, 50))
    assert len(ff.middle_run(clip(10, tmp_path)).pictures) == 10
    assert len(ff.spread_frames(clip(10, tmp_path), np.arange(3)).pictures) == 7
