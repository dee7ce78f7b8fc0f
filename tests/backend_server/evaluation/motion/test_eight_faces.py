import cv2
import numpy as np
import pytest

from backend_server.blink.generator import load_blink_generator
from backend_server.checkpoints import WEIGHTS_DIR
from backend_server.evaluation.motion.eight_faces import (
    FACE_COUNT,
    caricature,
    child,
    eight_faces,
    on_face,
    telling_moments,
    write_face_sheet,
)
from backend_server.metrics.landmarks import eye_aspect_ratio, mouth_opening, mouth_width
from shared.landmarks import INNER_LIP_PAIRS

CHIN, LOWER_LIP, NOSE = 8, 57, 33


@pytest.fixture(scope="module")
def neutral() -> np.ndarray:
    """The mean face of the corpus, which the shipped blink weights carry."""
    return load_blink_generator(WEIGHTS_DIR / "blink.safetensors").neutral_canonical.numpy()


@pytest.fixture(scope="module")
def sentence(neutral) -> np.ndarray:
    """A mouth that opens, presses its lips together, rounds and spreads, and eyes that shut, (5, 68, 2)."""
    motion = np.repeat(neutral[None], 5, axis=0)
    motion[0, [*range(5, 12), *range(55, 60), *range(65, 68)], 1] += 0.2
    for upper, lower in INNER_LIP_PAIRS:
        motion[1, lower, 1] = motion[1, upper, 1] - 0.003  # a little through each other, as a network may
    motion[1, 66] = motion[1, 62]
    motion[2, 48:68, 0] *= 0.7
    motion[3, 48:68, 0] *= 1.3
    motion[4, [37, 38, 43, 44], 1] += 0.12
    return motion


def test_eight_faces_take_real_ones_first_and_need_none(neutral):
    made = eight_faces(neutral, {})
    assert len(made) == FACE_COUNT
    real = {f"person {number}": made["mean"] + number for number in range(9)}
    mixed = eight_faces(neutral, real)
    assert list(mixed)[:3] == ["mean", "person 0", "person 1"]
    assert {"child", "caricature"} <= set(mixed)
    assert len(mixed) == FACE_COUNT


def test_the_child_has_big_eyes_and_a_small_jaw_the_caricature_a_broad_mouth_and_a_long_chin(neutral):
    young, drawn = child(neutral), caricature(neutral)
    assert np.ptp(young[36:42, 1]) == pytest.approx(1.5 * np.ptp(neutral[36:42, 1]), rel=1e-3)
    assert young[CHIN, 1] - young[NOSE, 1] < 0.85 * (neutral[CHIN, 1] - neutral[NOSE, 1])
    assert np.ptp(drawn[48:68, 0]) == pytest.approx(1.5 * np.ptp(neutral[48:68, 0]), rel=1e-3)
    assert drawn[CHIN, 1] - drawn[LOWER_LIP, 1] > 1.4 * (neutral[CHIN, 1] - neutral[LOWER_LIP, 1])


def test_no_face_crosses_its_lips_or_swallows_its_chin(neutral, sentence):
    for name, face in eight_faces(neutral, {}).items():
        moved = on_face(sentence, neutral, face)
        gaps = [moved[:, lower, 1] - moved[:, upper, 1] for upper, lower in INNER_LIP_PAIRS]
        assert np.min(gaps) >= min(0, *(face[b, 1] - face[a, 1] for a, b in INNER_LIP_PAIRS)) - 0.02, name
        assert (moved[:, CHIN, 1] > moved[:, LOWER_LIP, 1] + 5).all(), name
        assert mouth_opening(moved)[0] > mouth_opening(face) + 0.05, name
        assert mouth_width(moved)[2] < mouth_width(face) < mouth_width(moved)[3], name
        assert eye_aspect_ratio(moved)[4] < 0.4 * eye_aspect_ratio(face), name


def test_the_sheet_shows_every_face_in_the_telling_moments(neutral, sentence, tmp_path):
    assert telling_moments(sentence) == {
        "widest open": 0,
        "most closed": 1,
        "narrowest": 2,
        "broadest": 3,
        "eyes shut": 4,
    }
    write_face_sheet(tmp_path / "faces.png", sentence, neutral, eight_faces(neutral, {}))
    picture = cv2.imread(str(tmp_path / "faces.png"))
    height, width = picture.shape[:2]
    assert height > width > 600
    rows = np.array_split((picture < 128).any(-1), FACE_COUNT)
    assert all(len(np.unique(np.flatnonzero(row.any(0)) // (width // 6))) >= 6 for row in rows)
