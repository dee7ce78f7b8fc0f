"""Tests the gains of jaw, lips, brows and lids on motion that is worked out by hand, and on the real cascade."""

import numpy as np
import pytest
import soundfile

from backend_server.cascade import Cascade
from backend_server.commands.animate import SAMPLE_SPEECH
from backend_server.motion.controls import CLOSED_GAP, lip_gap
from backend_server.motion.regions import LID_PAIRS, by_region, eyes_by_region
from shared.arkit import SHAPES
from shared.landmarks import EYE_REGION, INNER_LIP_PAIRS
from shared.motion_controls import UNTOUCHED, MotionControls


@pytest.fixture
def neutral():
    """A face whose inner lips are 0.005 apart, and whose lids are 0.1 apart."""
    face = np.random.default_rng(0).normal(scale=0.5, size=(68, 2)).astype(np.float32)
    for pairs, gap in ((INNER_LIP_PAIRS, 0.005), (LID_PAIRS, 0.1)):
        for upper, lower in pairs:
            face[lower] = face[upper] + (0, gap)
    return face


def moved(frames=2, **points):
    displacements = np.zeros((frames, 68, 2), np.float32)
    for point, value in points.items():
        displacements[:, int(point[1:])] = value
    return displacements


def test_gains_of_one_return_what_they_were_given(neutral):
    motion, eyes = moved(p8=(0.1, 0.2)), np.ones((2, 22, 2), np.float32)
    assert by_region(motion, neutral, UNTOUCHED) is motion
    assert eyes_by_region(eyes, neutral, UNTOUCHED) is eyes


def test_the_jaw_carries_the_lower_lip_and_the_lips_are_what_is_left(neutral):
    motion = moved(p7=(0, 0.05), p8=(0, 0.05), p9=(0, 0.05), p66=(0, 0.14), p57=(0, 0.12), p48=(-0.03, 0.02))
    motion[:, [65, 67]] = (0, 0.12)
    wide = by_region(motion, neutral, MotionControls(jaw=2.0))
    np.testing.assert_allclose(wide[0, [8, 66, 57, 48]], [(0, 0.1), (0, 0.26), (0, 0.24), (-0.03, 0.04)], atol=1e-6)
    still = by_region(motion, neutral, MotionControls(jaw=0.0))
    np.testing.assert_allclose(still[0, [8, 66, 57, 48]], [(0, 0), (0, 0.02), (0, 0), (-0.03, 0)], atol=1e-6)
    wider = by_region(motion, neutral, MotionControls(lips=2.0))
    np.testing.assert_allclose(wider[0, [8, 66, 57, 48]], [(0, 0.05), (0, 0.16), (0, 0.12), (-0.06, 0.02)], atol=1e-6)


def test_lips_that_touch_stay_so_at_any_gain_and_never_cross(neutral):
    random = np.random.default_rng(1)
    motion = random.normal(scale=0.05, size=(200, 68, 2)).astype(np.float32)
    for upper, lower in INNER_LIP_PAIRS:
        motion[:100, lower, 1] = motion[:100, upper, 1] + random.uniform(-0.02, 0.004, 100)
        motion[100:, lower, 1] = motion[100:, upper, 1] + random.uniform(0.01, 0.2, 100)
    for jaw in (0.0, 0.6, 2.0):
        for lips in (0.0, 1.0, 2.0):
            made = neutral + by_region(motion, neutral, MotionControls(jaw=jaw, lips=lips))
            for upper, lower in INNER_LIP_PAIRS:
                before = (neutral + motion)[:, lower, 1] - (neutral + motion)[:, upper, 1]
                after = made[:, lower, 1] - made[:, upper, 1]
                np.testing.assert_allclose(after[:100], before[:100], atol=1e-6)
                assert after[100:].min() >= CLOSED_GAP - 1e-6


def test_brows_and_lids_have_gains_of_their_own_and_lids_never_cross(neutral):
    eyes = np.zeros((3, 22, 2), np.float32)
    eyes[:, :10, 1] = -0.02
    upper, lower = zip(*LID_PAIRS, strict=True)
    for frame, way in enumerate((0.02, 0.05, -0.02)):  # half shut, shut, wide
        eyes[frame, [EYE_REGION.index(point) for point in upper], 1] = way
        eyes[frame, [EYE_REGION.index(point) for point in lower], 1] = -way
    raised = eyes_by_region(eyes, neutral, MotionControls(brows=1.5, eyes=0.5))
    np.testing.assert_allclose(raised[:, :10, 1], -0.03)
    np.testing.assert_allclose(raised[:, 10:], eyes[:, 10:] / 2)
    wide = neutral[list(EYE_REGION)] + eyes_by_region(eyes, neutral, MotionControls(eyes=2.0))
    gaps = [wide[:, EYE_REGION.index(low), 1] - wide[:, EYE_REGION.index(high), 1] for high, low in LID_PAIRS]
    np.testing.assert_allclose(gaps, [(0.02, 0.0, 0.18)] * 4, atol=1e-6)


@pytest.mark.slow
def test_landmarks_and_blend_shapes_of_speech_follow_the_gains_together():
    speech, rate = soundfile.read(SAMPLE_SPEECH, dtype="float32")
    times, cascade = np.arange(154) / 25, Cascade.load("cpu")

    def said(**gains):
        motion = cascade.animate(speech, rate, times, controls=MotionControls(**gains))
        shapes = {name: float(motion.arkit[:, number].mean()) for number, name in enumerate(SHAPES)}
        return motion, shapes, lip_gap(motion.canonical)

    plain, shapes, gaps = said()
    closed = gaps < CLOSED_GAP
    assert closed.any()
    same, _, _ = said(jaw=1.0, lips=1.0, brows=1.0, eyes=1.0)
    assert same.canonical.tobytes() == plain.canonical.tobytes()
    assert same.arkit.tobytes() == plain.arkit.tobytes()
    for gains, name in (("jaw", "jawOpen"), ("lips", "mouthPucker"), ("eyes", "eyeBlinkLeft")):
        made = {gain: said(**{gains: gain}) for gain in (0.0, 0.5, 2.0)}
        levels = [made[0.0][1][name], made[0.5][1][name], shapes[name], made[2.0][1][name]]
        assert levels == sorted(levels), (gains, levels)
        assert levels[0] < 0.1 * levels[2], (gains, levels)
        assert levels[3] > 1.5 * levels[2], (gains, levels)
        for _, _, after in made.values():
            np.testing.assert_allclose(after[closed], gaps[closed], atol=1e-6)
    jaw, lips = said(jaw=2.0), said(lips=2.0)
    assert jaw[2].mean() > 1.5 * gaps.mean()
    assert abs(lips[1]["jawOpen"] - shapes["jawOpen"]) < 0.3 * shapes["jawOpen"]
    width = np.ptp(plain.canonical[:, 54, 0] - plain.canonical[:, 48, 0])
    assert np.ptp(lips[0].canonical[:, 54, 0] - lips[0].canonical[:, 48, 0]) == pytest.approx(2 * width, rel=1e-3)
    brows = [np.ptp(said(brows=gain)[0].canonical[:, 17:27, 1], axis=0).mean() for gain in (1.0, 2.0)]
    assert brows[1] == pytest.approx(2 * brows[0], rel=1e-3)
