from dataclasses import replace

import numpy as np
import pytest

from backend_server.data.corpus import Clip, ClipLandmarks
from backend_server.evaluation.faces import judge as judging
from backend_server.evaluation.faces.figures import COLUMNS, FaceFigures
from backend_server.face.mesh_points import landmarks_of_mesh
from shared.errors import ShapeError

MESHES = np.random.default_rng(0).uniform(60, 200, (6, 478, 3)).astype(np.float32)
MESHES[1:] = MESHES[0]
LANDMARKS = np.stack([landmarks_of_mesh(mesh) for mesh in MESHES])
PICTURES = np.random.default_rng(1).integers(0, 200, (6, 256, 256, 3)).astype(np.uint8)
REAL = judging.Frames(LANDMARKS, PICTURES, np.arange(6))


class Finder:
    """Sees every face a pixel too low; none in frames whose first pixel is 255."""

    def __init__(self):
        self.number = 99  # of another video

    def forget(self) -> None:
        self.number = -1

    def find(self, image):
        self.number += 1
        return None if image[0, 0, 0] == 255 else MESHES[self.number] + np.float32([0, 1, 0])


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


@pytest.fixture
def recorded(tmp_path):
    """A clip of six frames whose landmarks are found where they are."""
    return judging.JudgedClip(clip(6, tmp_path), REAL, LANDMARKS, REAL)


def test_made_frames_five_levels_too_bright(recorded):
    made, still = replace(REAL, pictures=PICTURES + np.uint8(5)), replace(REAL, pictures=PICTURES[[0] * 6])
    figures = judging.Judge(Finder(), mean_colour).judge(made, still, recorded)
    assert figures.psnr == pytest.approx(10 * np.log10(255**2 / 25))
    assert figures.mouth_psnr == pytest.approx(figures.psnr)
    assert 0.9 < figures.ssim < 1
    assert figures.gmsd == pytest.approx(0, abs=1e-9)  # brighter, but with the same edges
    assert figures.driving_lmd == figures.lips_lmd_in_picture == pytest.approx(1, rel=1e-5)
    assert figures.lips_lmd == pytest.approx(0, abs=1e-4)  # the whole face is too low: a motion of the head
    assert figures.lips_lmd_on_head == pytest.approx(0, abs=1e-4)
    assert figures.faces_found == 1
    assert figures.flicker == 0
    assert 0 <= figures.identity_distance < 0.01


def test_a_mouth_in_the_wrong_place_counts_once_heads_are_aligned(recorded):
    found = LANDMARKS.copy()
    found[:, 48:] -= (0, 4)
    figures = judging.Judge(Finder()).judge(REAL, REAL, replace(recorded, found=found))
    assert figures.lips_lmd == pytest.approx(0, abs=1e-4)
    assert figures.lips_lmd_on_head == pytest.approx(4, abs=1e-3)
    assert figures.lips_lmd_in_picture == pytest.approx(5, abs=1e-3)


def test_frames_without_a_face_do_not_count(recorded):
    pictures = PICTURES.copy()
    pictures[1:3] = 255
    figures = judging.Judge(Finder()).judge(replace(REAL, pictures=pictures), REAL, recorded)
    assert figures.faces_found == pytest.approx(4 / 6)
    assert figures.driving_lmd == pytest.approx(1, rel=1e-5)
    nobody = judging.Judge(Finder()).judge(replace(REAL, pictures=pictures * 0 + 255), REAL, recorded)
    assert nobody.faces_found == 0
    assert np.isnan([nobody.lips_lmd, nobody.lips_lmd_on_head, nobody.lips_lmd_in_picture, nobody.driving_lmd]).all()


def test_a_finder_begins_each_video_anew():
    found = judging.find_landmarks(Finder(), PICTURES)
    np.testing.assert_allclose(found, LANDMARKS + np.float32([0, 1]), atol=1e-4)


def test_only_the_lips_count_and_other_lengths_are_refused():
    found = LANDMARKS.copy()
    found[:, :48] += 50
    assert judging.found_distance(found, LANDMARKS) == 0
    found[:, 60] += (6, 8)  # one of twenty points by 10 pixels
    assert judging.found_distance(found, LANDMARKS) == pytest.approx(0.5, rel=1e-5)
    with pytest.raises(ShapeError):
        judging.found_distance(LANDMARKS, LANDMARKS[:3])


def test_recorded_frames_have_no_figures_of_comparison(recorded):
    figures = judging.Judge(Finder()).judge_real(recorded)
    nothing = (
        "lips_lmd",
        "lips_lmd_on_head",
        "psnr",
        "ssim",
        "gmsd",
        "mouth_psnr",
        "content_distance",
        "identity_distance",
    )
    assert all(np.isnan(getattr(figures, name)) for name in nothing)
    assert figures.driving_lmd == pytest.approx(1, rel=1e-5)
    weights = np.array([0.299, 0.587, 0.114])
    # Luminance of random colours is nearly normal; two of them lie 2 / sqrt(pi) deviations apart.
    assert figures.flicker == pytest.approx(2 / np.sqrt(np.pi) * 200 / np.sqrt(12) * np.linalg.norm(weights), rel=0.02)
    assert len(COLUMNS) == len(FaceFigures.__dataclass_fields__)


def test_frames_are_chosen_off_the_given_ones_and_side_by_side(tmp_path):
    spread = judging.spread_frames(clip(75, tmp_path), np.arange(0, 75, 2))
    numbers = spread.pictures[:, 0, 0, 0].astype(int)
    assert len(numbers) == 25
    assert (numbers % 2 == 1).all()
    assert (numbers[0], numbers[-1]) == (1, 73)
    assert (spread.landmarks[:, 0, 0] == numbers).all()
    assert judging.middle_run(clip(75, tmp_path)).pictures[:, 0, 0, 0].tolist() == list(range(25, 50))
    assert len(judging.middle_run(clip(10, tmp_path)).pictures) == 10
    assert len(judging.spread_frames(clip(10, tmp_path), np.arange(3)).pictures) == 7
