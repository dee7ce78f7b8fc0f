import numpy as np
import pytest
from scipy.optimize import lsq_linear

from backend_server.rig import solver
from backend_server.rig.solver import SolveSettings, solve
from shared.errors import ShapeError, ValueRangeError

EXACT = SolveSettings(sparsity=0.0, evenness=0.0, smoothness=0.0)


def blobs(count, random, points=68):
    """Channels that each push the landmarks around some place somewhere."""
    places, middles = random.random((points, 2)), random.random((count, 1, 2))
    nearness = np.exp(-np.square(places - middles).sum(2) / 2 / random.uniform(0.1, 0.4, (count, 1)) ** 2)
    return (0.1 * nearness[:, :, None] * random.normal(size=(count, 1, 2))).astype(np.float32)


def wandering(frames, count, random):
    """Weights that wander between their bounds, half of the channels unused."""
    steps = 0.1 * random.normal(size=(frames, count)) * (random.random(count) < 0.5)
    return np.clip(np.cumsum(steps, 0), 0, 1).astype(np.float32)


@pytest.mark.parametrize("seed", range(3))
def test_it_finds_what_a_library_for_single_frames_finds(seed):
    random = np.random.default_rng(seed)
    basis, targets = blobs(20, random), random.normal(0, 0.05, (12, 68, 2)).astype(np.float32)
    least, most = random.uniform(-1, 0, 20), random.uniform(0.1, 1, 20)
    solved = solve(basis, targets, least=least, most=most, settings=EXACT)
    matrix = basis.reshape(20, -1).T.astype(float)
    for weights, target in zip(solved.weights, targets, strict=True):
        other = lsq_linear(matrix, target.ravel(), (least, most), tol=1e-12)
        mine = np.square(matrix @ weights - target.ravel()).sum() / 2
        assert mine <= other.cost * (1 + 1e-4)
    assert (solved.weights >= least.astype(np.float32)).all()
    assert (solved.weights <= most.astype(np.float32)).all()


def test_weights_that_made_a_motion_are_found_again():
    random = np.random.default_rng(5)
    basis, weights = blobs(30, random), wandering(100, 30, random)
    targets = np.tensordot(weights, basis, 1)
    solved = solve(basis, targets, settings=EXACT)
    assert np.abs(solved.weights - weights).mean() < 1e-3
    assert solved.residual.max() < 1e-5
    assert solve(basis, targets).residual.max() < 2e-3  # sparse, even and smooth costs little


def test_the_residual_by_hand_says_that_a_motion_cannot_be_made():
    basis = np.zeros((1, 2, 2), np.float32)
    basis[0, 0, 1] = 0.5
    targets = np.zeros((2, 2, 2), np.float32)
    targets[0, 0, 1], targets[1, 1, 0] = 0.25, 0.6  # half of the channel; a point that it does not move
    solved = solve(basis, targets, settings=EXACT)
    assert solved.weights[:, 0] == pytest.approx([0.5, 0.0])
    assert solved.residual == pytest.approx([0.0, 0.6 / 2**0.5])
    beyond = solve(basis, 4 * targets[:1], settings=EXACT)
    assert (beyond.weights[0, 0], beyond.residual[0]) == pytest.approx((1.0, 0.5 / 2**0.5))


def test_importance_decides_between_points_that_disagree():
    basis = np.ones((1, 2, 1), np.float32)
    targets = np.array([[[0.0], [1.0]]], np.float32)
    for importance, wanted in (([1, 1], 0.5), ([3, 1], 0.25), ([0, 1], 1.0)):
        solved = solve(basis, targets, importance=np.array(importance, np.float32), settings=EXACT)
        assert solved.weights[0, 0] == pytest.approx(wanted, abs=1e-6)


def test_sparsity_prefers_one_channel_and_smoothness_calms_them():
    random = np.random.default_rng(2)
    basis = np.repeat(blobs(8, random), 2, 0) * random.uniform(0.9, 1.1, (16, 1, 1)).astype(np.float32)
    targets = np.tensordot(wandering(60, 16, random), basis, 1)
    targets += random.normal(0, 0.002, targets.shape).astype(np.float32)

    def figures(**changes):
        weights = solve(basis, targets, settings=SolveSettings(**changes)).weights
        return (weights > 0.01).mean(), np.abs(np.diff(weights, axis=0)).mean()

    assert figures(sparsity=0.05)[0] < 0.8 * figures(sparsity=0.0, evenness=0.01)[0]
    assert figures(smoothness=0.1)[1] < 0.9 * figures(smoothness=0.0)[1]


def test_long_motion_has_no_seams(monkeypatch):
    random = np.random.default_rng(3)
    basis, weights = blobs(10, random), wandering(200, 10, random)
    targets = np.tensordot(weights, basis, 1)
    whole = solve(basis, targets).weights
    monkeypatch.setattr(solver, "BLOCK_FRAMES", 30)
    assert np.abs(solve(basis, targets).weights - whole).max() < 1e-5


def test_channels_that_move_nothing_stay_at_rest():
    random = np.random.default_rng(4)
    basis = blobs(400, random)
    basis[::2] = 0.0
    least = np.zeros(400)
    least[0] = 0.2
    solved = solve(basis, np.tensordot(wandering(20, 400, random), basis, 1), least=least)
    assert not solved.moves[::2].any()
    assert (solved.weights[:, 0] == np.float32(0.2)).all()
    assert (solved.weights[:, 2::2] == 0).all()
    assert solved.residual.max() < 2e-3


@pytest.mark.parametrize(
    ("changes", "error", "sentence"),
    [
        ({"targets": np.zeros((4, 67, 2), np.float32)}, ShapeError, "(4, 67, 2)"),
        ({"targets": np.full((4, 68, 2), np.nan, np.float32)}, ValueRangeError, "NaN"),
        ({"basis": np.zeros((3, 68, 2), np.float32)}, ValueRangeError, "no channel of the rig moves a landmark"),
        ({"least": np.array([0.0, 0.6, 0.0]), "most": 0.5}, ValueRangeError, "channel 1"),
    ],
)
def test_what_cannot_be_solved_is_said(changes, error, sentence):
    given = {"basis": blobs(3, np.random.default_rng(0)), "targets": np.zeros((4, 68, 2), np.float32), **changes}
    with pytest.raises(error) as caught:
        solve(**given)
    assert sentence in str(caught.value)
    empty = solve(blobs(3, np.random.default_rng(0)), np.zeros((0, 68, 2), np.float32))
    assert empty.weights.shape == (0, 3)
