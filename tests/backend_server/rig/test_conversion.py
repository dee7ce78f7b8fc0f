"""Tests how weights of ARKit's shapes become the channels of a rig."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backend_server.rig.conversion import rig_weights
from shared.arkit import MIRROR, SHAPES
from shared.errors import ShapeError, ValueRangeError
from shared.rig import conversion
from shared.rig.mapping import Channel, RigMapping, Source
from shared.rig.presets import open_preset, preset_names

JAW, LEFT, RIGHT = (SHAPES.index(name) for name in ("jawOpen", "mouthSmileLeft", "mouthSmileRight"))


def times(count, rate=25):
    return np.arange(count) / rate


def frames(*poses):
    """Weights (T, 52), one frame for each dictionary of shapes."""
    weights = np.zeros((len(poses), 52), np.float32)
    for row, pose in zip(weights, poses, strict=True):
        for shape, weight in pose.items():
            row[SHAPES.index(shape)] = weight
    return weights


def converted(channels, weights, **options):
    return rig_weights(RigMapping("test", tuple(channels), **options), weights, times(len(weights)))


def poses_of(preset, method):
    """Names and frames of the poses of a preset."""
    channels = [c for c in open_preset(preset).channels if c.method == method]
    return [c.name for c in channels], frames(*({s.shape: s.gain for s in c.sources} for c in channels))


def test_arkit_is_what_it_was():
    weights = np.random.default_rng(0).random((7, 52), np.float32)
    np.testing.assert_array_equal(rig_weights(open_preset("arkit"), weights, times(7)), weights)


def test_sources_are_summed_then_scaled_moved_and_limited():
    smile = Channel("smile", (Source("mouthSmileLeft", 0.5), Source("jawOpen", -0.25)), 0.1, 2.0, 0.0, 0.9)
    weights = frames({"mouthSmileLeft": 0.4, "jawOpen": 0.4}, {"jawOpen": 1}, {"mouthSmileLeft": 1}, {})
    # 0.1 + 2 * 0.5 * (0.5 * 0.4 - 0.25 * 0.4), and so on, with a gain of 0.5 for all channels
    np.testing.assert_allclose(converted([smile], weights, gain=0.5)[:, 0], [0.2, 0, 0.6, 0.1], atol=1e-6)
    np.testing.assert_allclose(converted([smile], weights, gain=2)[:, 0], [0.5, 0, 0.9, 0.1], atol=1e-6)


def test_a_muted_channel_stays_at_its_offset():
    muted = Channel("smile", (Source("mouthSmileLeft"),), 0.3, is_muted=True)
    assert converted([muted], frames({"mouthSmileLeft": 1}, {})).tolist() == [[np.float32(0.3)]] * 2


@pytest.mark.parametrize(("whole", "one"), [(True, False), (False, True), (True, True), (False, False)])
def test_mirroring_swaps_left_and_right(whole, one):
    channel = Channel("smile", (Source("mouthSmileLeft"),), is_mirrored=one)
    made = converted([channel], frames({"mouthSmileLeft": 1}, {"mouthSmileRight": 1}), is_mirrored=whole)
    assert made[:, 0].tolist() == ([0, 1] if whole != one else [1, 0])


def test_a_mirrored_mapping_of_a_mirrored_face_is_the_mapping_of_the_face():
    weights = np.random.default_rng(1).random((5, 52), np.float32)
    oculus = open_preset("oculus")
    mirrored = RigMapping("mirrored", oculus.channels, is_mirrored=True)
    expected = rig_weights(oculus, weights, times(5))
    np.testing.assert_allclose(rig_weights(mirrored, weights[:, list(MIRROR)], times(5)), expected, atol=1e-6)


@pytest.mark.parametrize("preset", ["oculus", "vrm", "vrm0", "aiueo", "mmd", "cc_visemes", "sapi"])
def test_a_pose_returns_its_own_viseme_alone(preset):
    names, poses = poses_of(preset, "pose")
    made = rig_weights(open_preset(preset), poses, times(len(poses)))
    columns = [c.name for c in open_preset(preset).channels]
    for row, name in zip(made, names, strict=True):
        expected = [float(column == name) for column in columns]
        np.testing.assert_allclose(row, expected, atol=1e-3, err_msg=name)


def test_silence_is_the_viseme_of_silence():
    silent = frames({}, {"eyeBlinkLeft": 1})
    oculus = rig_weights(open_preset("oculus"), silent, times(2))
    assert oculus.tolist() == [[1] + [0] * 14] * 2
    rhubarb = rig_weights(open_preset("rhubarb"), silent, times(2))
    assert rhubarb.tolist() == [[0] * 8 + [1]] * 2
    assert rig_weights(open_preset("vrm"), silent, times(2))[0].tolist() == [0] * 12


def test_half_a_pose_is_half_the_viseme_and_half_silence():
    names, poses = poses_of("oculus", "pose")
    made = rig_weights(open_preset("oculus"), poses / 2, times(len(poses)))
    for row, name in zip(made[1:], names[1:], strict=True):
        assert row.sum() == pytest.approx(1, abs=1e-5)
        fitted = row @ poses
        wanted = poses[names.index(name)] / 2
        assert np.linalg.norm(fitted - wanted) < 0.1 * np.linalg.norm(wanted) + 0.01, name


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 2**32 - 1), st.sampled_from(["oculus", "sapi", "vrm", "cc_visemes"]))
def test_shares_are_bounded_and_follow_the_face_without_jumps(seed, preset):
    generator = np.random.default_rng(seed)
    _, poses = poses_of(preset, "pose")
    ends = generator.dirichlet(np.ones(len(poses)) / 3, 2) @ poses
    path = np.linspace(ends[0], ends[1], 60).astype(np.float32)
    columns = [n for n, c in enumerate(open_preset(preset).channels) if c.method == "pose"]
    made = rig_weights(open_preset(preset), path, times(60))[:, columns]
    assert made.min() >= 0
    assert made.sum(axis=1).max() <= 1 + 1e-5
    assert np.abs(made @ poses - path).max() < 0.03
    assert np.abs(np.diff(made, axis=0)).max() < 0.25


def test_a_mouth_wider_than_all_poses_is_the_widest_pose():
    made = converted([Channel("aa", (Source("jawOpen", 0.3),), method="pose")], frames({"jawOpen": 1}))
    assert made[0, 0] == pytest.approx(1, abs=0.01)


def test_gains_act_on_shares_too():
    aa = Channel("aa", (Source("jawOpen", 0.3),), method="pose", gain=2.0, most=0.8)
    made = converted([aa], frames({"jawOpen": 0.06}, {"jawOpen": 0.3}))[:, 0]
    assert made[0] == pytest.approx(0.4, abs=0.05)
    assert made[1] == np.float32(0.8)


def lengths_shown(made):
    return [len(list(run)) for _, run in itertools.groupby(made.argmax(axis=1).tolist())]


@settings(deadline=None, max_examples=50)
@given(
    st.integers(0, 2**32 - 1),
    st.integers(1, 80),
    st.sampled_from([(24, 0.08, 2), (30, 0.08, 3), (25, 0.0, 1), (60, 0.1, 6), (25, 0.08, 2)]),
)
def test_held_keys_never_flicker(seed, count, case):
    rate, hold_seconds, least = case
    _, poses = poses_of("rhubarb", "held")
    generator = np.random.default_rng(seed)
    weights = poses[generator.integers(0, 9, count)] + generator.normal(0, 0.02, (count, 52)).astype(np.float32)
    mapping = RigMapping("test", open_preset("rhubarb").channels, hold_seconds=hold_seconds)
    made = rig_weights(mapping, weights, times(count, rate))
    assert (made.sum(axis=1) == 1).all()
    assert set(made.ravel().tolist()) <= {0.0, 1.0}
    assert min(lengths_shown(made)) >= min(least, count)


def best_by_trying(distances, hold):
    """The least sum of distances of all ways to hold poses, by trying all."""
    count, poses = distances.shape
    ways = itertools.product(range(poses), repeat=count)
    return min(
        sum(distances[frame, pose] for frame, pose in enumerate(way))
        for way in ways
        if min(len(list(run)) for _, run in itertools.groupby(way)) >= min(hold, count)
    )


@pytest.mark.parametrize("hold", [1, 2, 3])
@pytest.mark.parametrize("seed", range(6))
def test_of_all_ways_to_hold_the_nearest_is_shown(hold, seed):
    generator = np.random.default_rng(seed)
    poses = ("jawOpen", "mouthPucker", "mouthClose")
    weights = generator.random((int(generator.integers(1, 8)), 52)).astype(np.float32)
    channels = [Channel(shape, (Source(shape),), method="held") for shape in poses]
    made = converted(channels, weights, hold_seconds=hold / 25 - 0.001)
    targets = np.eye(52)[[SHAPES.index(shape) for shape in poses]]
    distances = np.square(weights[:, None] - targets).sum(axis=2)
    assert (made * distances).sum() == pytest.approx(best_by_trying(distances, hold), abs=1e-4)


def test_a_single_frame_shows_the_nearest_mouth():
    _, poses = poses_of("rhubarb", "held")
    for number in range(9):
        made = rig_weights(open_preset("rhubarb"), poses[number : number + 1], times(1))
        assert made.argmax() == number


def test_no_frames_make_no_values():
    for preset in ("arkit", "oculus", "rhubarb"):
        made = rig_weights(open_preset(preset), np.zeros((0, 52), np.float32), times(0))
        assert made.shape == (0, len(open_preset(preset).channels))


@pytest.mark.parametrize("preset", preset_names())
def test_every_preset_stays_within_its_limits(preset):
    weights = np.random.default_rng(2).random((20, 52), np.float32) * 2
    mapping = open_preset(preset)
    made = rig_weights(mapping, weights, times(20))
    assert made.shape == (20, len(mapping.channels))
    assert made.dtype == np.float32
    assert (made >= [c.least - 1e-6 for c in mapping.channels]).all()
    assert (made <= [c.most + 1e-6 for c in mapping.channels]).all()


@pytest.mark.parametrize("preset", [n for n in preset_names() if n not in ("oculus", "sapi", "rhubarb")])
def test_a_face_at_rest_moves_nothing(preset):
    assert not rig_weights(open_preset(preset), frames({}), times(1)).any()


@pytest.mark.parametrize("preset", preset_names())
def test_a_jaw_that_opens_moves_every_rig(preset):
    made = rig_weights(open_preset(preset), frames({}, {}, {"jawOpen": 0.3}, {"jawOpen": 0.3}), times(4))
    assert np.abs(made[2] - made[0]).max() > 0.2


def test_what_cannot_be_converted_is_refused():
    with pytest.raises(ShapeError, match=r"expected weights of shape \(3, 52\), got \(3, 51\)"):
        rig_weights(open_preset("arkit"), np.zeros((3, 51), np.float32), times(3))
    with pytest.raises(ShapeError, match=r"expected weights of shape \(2, 52\), got \(3, 52\)"):
        rig_weights(open_preset("arkit"), np.zeros((3, 52), np.float32), times(2))
    bad = frames({}, {"jawOpen": np.nan})
    with pytest.raises(ValueRangeError, match="jawOpen is nan in frame 1; give finite weights"):
        rig_weights(open_preset("arkit"), bad, times(2))
    with pytest.raises(ValueRangeError, match="the frame times do not rise"):
        rig_weights(open_preset("arkit"), frames({}, {}), np.zeros(2))


@pytest.mark.parametrize("preset", preset_names())
def test_the_preview_without_scipy_shows_what_the_backend_makes(preset):
    weights = (np.random.default_rng(3).random((40, 52)) ** 4).astype(np.float32)
    weights[::7] = 0
    mapping = open_preset(preset)
    shown = conversion.rig_weights(mapping, weights, times(40))
    np.testing.assert_allclose(shown, rig_weights(mapping, weights, times(40)), atol=1e-6)


def test_the_solver_keeps_to_numbers_of_at_least_0():
    generator = np.random.default_rng(4)
    for _ in range(50):
        matrix, target = generator.normal(size=(9, 6)), generator.normal(size=9)
        found = conversion.non_negative(matrix, target)
        pull = matrix.T @ (target - matrix @ found)
        assert found.min() >= 0
        assert pull.max() < 1e-8  # no share that would help grows
        assert np.abs(pull[found > 0]).max(initial=0) < 1e-8  # and those that are there are the best
    assert conversion.non_negative(np.eye(3), np.array([1.0, -1.0, 2.0])).tolist() == [1, 0, 2]
