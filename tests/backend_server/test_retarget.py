import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backend_server.retarget import (
    Similarity,
    extent,
    keep_lips_apart,
    lid_gains,
    mean_shape,
    normalise_shape,
    procrustes_align,
    retarget,
    stabilise,
    to_canonical,
)
from shared.errors import ShapeError, ValueRangeError
from shared.landmarks import INNER_LIP_PAIRS, LEFT_EYE, MIRROR, RIGHT_EYE, STABLE


def face(seed: int = 0) -> np.ndarray:
    """An asymmetric, upright stand-in for a face, eyes apart, in canonical units."""
    random = np.random.default_rng(seed)
    points = random.normal(0, 0.5, (68, 2))
    points[RIGHT_EYE] = np.array([-0.5, -0.3]) + random.normal(0, 0.05, (6, 2))
    points[LEFT_EYE] = np.array([0.5, -0.3]) + random.normal(0, 0.05, (6, 2))
    return normalise_shape(points)


def motion(seed: int = 1, frames: int = 4) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, 0.05, (frames, 68, 2))


similarities = st.builds(
    lambda angle, scale, x, y: Similarity(
        scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]), np.array([x, y])
    ),
    st.floats(-3, 3),
    st.floats(0.1, 300),
    st.floats(-500, 500),
    st.floats(-500, 500),
)


def test_alignment_of_a_quarter_turn_by_hand():
    source = np.array([[0.0, 0.0], [2.0, 0.0], [0.0, 1.0]])
    target = np.array([[5.0, 7.0], [5.0, 11.0], [3.0, 7.0]])  # (x, y) -> (5 - 2y, 7 + 2x)
    align = procrustes_align(source, target)
    np.testing.assert_allclose(align.matrix, [[0, -2], [2, 0]], atol=1e-12)
    np.testing.assert_allclose(align.offset, [5, 7], atol=1e-12)


@given(similarities, st.integers(0, 1000))
@settings(max_examples=40)
def test_alignment_finds_the_similarity_that_was_applied(applied, seed):
    points = face(seed)
    found = procrustes_align(points, applied.apply(points))
    np.testing.assert_allclose(found.matrix, applied.matrix, atol=1e-7 * 300)
    np.testing.assert_allclose(found.inverse().apply(applied.apply(points)), points, atol=1e-6)


def test_extent_is_height_then_width():
    assert extent(np.array([[1.0, 2.0], [4.0, 12.0]])) == (10.0, 3.0)


def test_eq_7_by_hand():
    """l_p is the canonical shape, twice as wide and three times as high: displacements are scaled by the same."""
    neutral = np.zeros((68, 2))
    neutral[0], neutral[1], neutral[2], neutral[3] = (-1, 0), (1, 0), (0, -1), (0, 1)
    person = neutral * (2, 3) + (100, 50)
    canonical = neutral[None].copy()
    canonical[0, 10] += (0.1, 0.1)
    landmarks = retarget(canonical, neutral, person)
    np.testing.assert_allclose(landmarks[0, 10], (100.2, 50.3), atol=1e-4)
    np.testing.assert_allclose(np.delete(landmarks[0], 10, axis=0), np.delete(person, 10, axis=0), atol=1e-4)


@given(similarities, st.integers(0, 1000))
@settings(max_examples=40)
def test_motion_follows_the_target_face_wherever_it_stands(placed, seed):
    neutral, person = face(seed), face(seed + 1)
    canonical = neutral + motion(seed)
    upright = retarget(canonical, neutral, person)
    moved = retarget(canonical, neutral, placed.apply(person))
    np.testing.assert_allclose(moved, placed.apply(upright), rtol=1e-4, atol=1e-4 * float(np.abs(moved).max()))


@given(st.floats(0.5, 2), st.floats(0.5, 2), st.integers(0, 1000))
@settings(max_examples=40)
def test_motion_grows_with_the_face_along_each_axis(wide, high, seed):
    """A symmetric face has no turn in its alignment, so that the ratios of the extents come out exactly."""
    neutral = mean_shape([face(seed)]).astype(np.float64)
    canonical = neutral + motion(seed)
    person = 90 * neutral * (wide, high) + 128
    expected = 90 * motion(seed) * (wide, high)
    np.testing.assert_allclose(retarget(canonical, neutral, person) - person, expected, atol=2e-3)


@given(similarities, st.integers(0, 1000))
@settings(max_examples=40)
def test_lips_never_cross_on_any_face(placed, seed):
    person = np.zeros((68, 2)) + face(seed)
    upper, lower = (list(points) for points in zip(*INNER_LIP_PAIRS, strict=True))
    person[lower] = person[upper] + (0, 0.02)  # closed but for a slit
    moved = person + motion(seed, 6)
    crossed = (moved[:, lower, 1] < moved[:, upper, 1]).any()
    kept = keep_lips_apart(placed.apply(moved), placed.apply(person)).astype(np.float64)
    upright = placed.inverse().apply(kept)
    rounding = 1e-5 + np.finfo(np.float32).eps * np.abs(kept).max() / np.sqrt(np.linalg.det(placed.matrix))
    assert (upright[:, lower, 1] - upright[:, upper, 1]).min() > -2 * rounding
    apart = moved[:, lower, 1] >= moved[:, upper, 1]
    np.testing.assert_allclose(upright[:, upper][apart], moved[:, upper][apart], atol=2 * rounding)
    others = np.setdiff1d(np.arange(68), [*upper, *lower])
    np.testing.assert_allclose(upright[:, others], moved[:, others], atol=2 * rounding)
    assert crossed or np.allclose(upright, moved, atol=2 * rounding)


def test_a_face_at_rest_is_the_persons_neutral_face():
    neutral, person = face(0), 80 * face(1) + 128
    np.testing.assert_allclose(retarget(neutral[None], neutral, person)[0], person, atol=1e-4)


def test_the_canonical_face_itself_keeps_its_motion():
    neutral = face(0)
    canonical = neutral + motion()
    np.testing.assert_allclose(retarget(canonical, neutral, neutral), canonical, atol=1e-6)


@given(similarities, st.integers(0, 1000))
@settings(max_examples=40)
def test_there_and_back_is_the_same_motion(placed, seed):
    neutral, person = face(seed), placed.apply(face(seed + 1))
    canonical = neutral + motion(seed)
    back = to_canonical(retarget(canonical, neutral, person).astype(np.float64), person, neutral)
    pixel = np.finfo(np.float32).eps * np.abs(person).max() / np.sqrt(abs(np.linalg.det(placed.matrix)))
    np.testing.assert_allclose(back, canonical, atol=max(1e-4, 20 * pixel))


def test_the_lids_of_larger_eyes_move_further():
    neutral = face(0)
    neutral[[37, 38, 43, 44], 1], neutral[[40, 41, 46, 47], 1] = -0.1, 0.1
    large = neutral.copy()
    large[[37, 38], 1] -= 0.05
    right, left = lid_gains(neutral, 80 * large + 128)
    np.testing.assert_allclose(left, 1, rtol=0.02)
    np.testing.assert_allclose(right, 1.25, rtol=0.02)
    large[[43, 44], 1] -= 9
    assert lid_gains(neutral, large)[1] <= 2


def test_stabilising_removes_the_head_but_not_the_lips():
    neutral = 100 * face(0) + 128
    still = np.repeat(neutral[None], 3, axis=0)
    still[1, 57] += (0, 9)
    assert 57 not in STABLE
    nod = Similarity(1.1 * np.array([[0.8, -0.6], [0.6, 0.8]]), np.array([20.0, -5.0]))
    moving = np.stack([still[0], nod.apply(still[1]), still[2] + 30])
    np.testing.assert_allclose(stabilise(moving, neutral), still, atol=1e-3)


def test_a_normal_shape_is_centred_level_and_of_unit_size():
    turned = Similarity(40 * np.array([[0.8, -0.6], [0.6, 0.8]]), np.array([200.0, 90.0])).apply(face(3))
    shape = normalise_shape(turned)
    np.testing.assert_allclose(shape.mean(0), 0, atol=1e-9)
    np.testing.assert_allclose(shape[LEFT_EYE].mean(0) - shape[RIGHT_EYE].mean(0), (1, 0), atol=1e-9)
    np.testing.assert_allclose(shape, face(3), atol=1e-9)


def test_the_mean_shape_is_its_own_mirror_image():
    mean = mean_shape([face(0), 70 * face(1) + 100])
    np.testing.assert_allclose(mean[MIRROR] * (-1, 1), mean, atol=1e-6)
    np.testing.assert_allclose(mean, mean_shape([face(1), face(0)]), atol=1e-6)


def test_faces_that_are_no_faces_are_refused():
    with pytest.raises(ShapeError, match="66"):
        normalise_shape(np.zeros((66, 2)))
    with pytest.raises(ShapeError, match="same shape"):
        procrustes_align(np.zeros((68, 2)), np.zeros((5, 2)))
    with pytest.raises(ValueRangeError, match="one point"):
        procrustes_align(np.ones((68, 2)), face())
    with pytest.raises(ValueRangeError, match="one point"):
        normalise_shape(np.ones((68, 2)))
    neutral, unknown = face(), face(1)
    unknown[30] = np.nan
    diagonal = np.linspace(0, 200, 68)[:, None] * (1.0, 0.7)
    for person, sentence in ((np.ones((68, 2)), "one line or point"), (diagonal, "one line"), (unknown, "not finite")):
        with pytest.raises(ValueRangeError, match=sentence):
            retarget(neutral[None], neutral, person)
    with pytest.raises(ShapeError, match="same shape"):
        retarget(neutral[None], neutral, face()[:66])
