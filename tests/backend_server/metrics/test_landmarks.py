import numpy as np
import pytest

from backend_server.metrics import landmarks as m
from shared.errors import ShapeError


@pytest.fixture
def face() -> np.ndarray:
    """Eyes with centres 100 apart, each 30 wide and 9 open; lips 10 apart and 50 wide."""
    points = np.zeros((68, 2))
    for eye, x in ((36, 0.0), (42, 100.0)):
        points[eye : eye + 6] = [(x, 0), (x + 10, -4.5), (x + 20, -4.5), (x + 30, 0), (x + 20, 4.5), (x + 10, 4.5)]
    points[48], points[54] = (25, 60), (75, 60)
    points[62], points[66] = (50, 55), (50, 65)
    return points


def test_shapes_of_a_face_by_hand(face):
    assert m.inter_ocular(face) == 100
    assert m.mouth_opening(face) == pytest.approx(0.1)
    assert m.mouth_width(face) == pytest.approx(0.5)
    assert m.eye_aspect_ratio(face) == pytest.approx(9 * 2 / (2 * 30))
    wink = face.copy()
    wink[[37, 38, 40, 41], 1] = 0
    assert m.eye_aspect_ratios(wink) == pytest.approx([0.0, 0.3])


def test_shapes_ignore_scale_rotation_and_place(face):
    angle = 0.4
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    moved = np.stack([face, 2.5 * face @ turn.T + (7, -3)])
    for measure in (m.mouth_opening, m.mouth_width, m.eye_aspect_ratio):
        first, second = measure(moved)
        assert first == pytest.approx(second)


def test_66_points_are_refused():
    with pytest.raises(ShapeError, match="66"):
        m.mouth_opening(np.zeros((3, 66, 2)))


def test_the_spread_of_several_curves_by_hand():
    real = [np.array([0.0, 2.0]), np.array([5.0, 5.0, 8.0, 8.0])]  # squares about their means: 2 and 9
    made = [np.array([9.0, 9.0]), np.array([0.0, 0.0, 2.0, 2.0])]  # 0 and 4
    assert m.spread_ratio(made, real) == pytest.approx(np.sqrt(4 / 11))
    assert m.spread_ratio([2 * curve + 1 for curve in real], real) == pytest.approx(2)
    assert m.spread_ratio(real, [np.zeros(2), np.ones(4)]) == 0


def test_correlation_and_amplitude():
    curve = np.array([0.0, 1.0, 0.0, -1.0])
    assert m.correlation(3 * curve + 2, curve) == pytest.approx(1)
    assert m.correlation(-curve, curve) == pytest.approx(-1)
    assert m.correlation(np.array([1.0, 0, -1, 0]), curve) == pytest.approx(0)
    assert m.correlation(np.ones(4), curve) == 0
    assert m.correlation(1 + 1e-8 * curve, curve) == 0  # rounding of a still face is no motion
    assert m.amplitude_ratio(0.5 * curve, curve) == pytest.approx(0.5)


@pytest.mark.parametrize("delay", [-3, 0, 2])
def test_offset_is_positive_when_late(delay):
    target = np.random.default_rng(1).standard_normal(80).cumsum()
    assert m.offset_frames(np.roll(target, delay)[8:-8], target[8:-8], reach=5) == pytest.approx(delay, abs=0.2)


@pytest.mark.parametrize("delay", [-1.6, 0.4, 8.0])
def test_offset_is_read_between_frames(delay):
    frames = np.arange(75)
    curve = lambda moments: np.sin(0.4 * moments) + np.sin(0.23 * moments + 1)  # noqa: E731
    assert m.offset_frames(curve(frames - delay), curve(frames)) == pytest.approx(delay, abs=0.05)


def test_a_still_curve_has_no_offset():
    assert m.offset_frames(np.ones(20), np.sin(np.arange(20.0))) == 0


def test_distance_velocity_and_direction_by_hand():
    target = np.zeros((3, 68, 2))
    generated = target.copy()
    generated[:, :, 0] = 3
    generated[:, :, 1] = 4
    assert m.landmark_distance(generated, target) == 5
    assert m.velocity_error(generated, target) == 0
    generated[1, :, 0] += 1  # up by one, then down by one
    assert m.velocity_error(generated, target) == 1
    assert m.direction_agreement(generated, target) == pytest.approx(0.75)  # x of the first step of four coordinates
    with pytest.raises(ShapeError):
        m.landmark_distance(generated[:2], target)


def test_the_lips_differ_in_shape_once_their_middles_lie_on_one_another():
    target = np.zeros((2, 68, 2))
    target[:, 48:] = np.random.default_rng(0).uniform(0, 50, (20, 2))
    generated = target + np.array([(3.0, 4.0), (-9.0, 1.0)])[:, None]  # another place in each frame
    assert m.lip_shape_distance(generated, target) == pytest.approx(0, abs=1e-9)
    generated[:, 48:58, 1] -= 2  # ten of twenty points rise by 2, so each lies 1 from its place around the middle
    assert m.lip_shape_distance(generated, target) == pytest.approx(1)
    generated[:, :48] += 100
    assert m.lip_shape_distance(generated, target) == pytest.approx(1)
    with pytest.raises(ShapeError):
        m.lip_shape_distance(generated[:1], target)


def test_closure_recall():
    target = np.array([0.0, 0.01, 0.2, 0.0])
    assert m.closure_recall(np.array([0.0, 0.1, 0.0, 0.02]), target) == pytest.approx(2 / 3)
    assert np.isnan(m.closure_recall(target, np.ones(4)))
