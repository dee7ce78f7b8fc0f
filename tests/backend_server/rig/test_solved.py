import numpy as np
import pytest

from backend_server.rig.head import load_sample_head
from backend_server.rig.landmarks import find_landmarks
from backend_server.rig.solved import observable, solve_channels, solve_rig
from shared.arkit import SHAPES
from shared.errors import ShapeError, ValueRangeError
from shared.rig.mapping import Channel, RigMapping
from shared.rig_messages import RigFace


@pytest.fixture(scope="module")
def face():
    """The sample head's face, its landmarks found on the mesh."""
    head = load_sample_head()
    found = find_landmarks(head.vertices, head.triangles)
    rest = found.view.project(head.vertices[found.vertices])[:, :2]
    basis = found.view.turn(head.deltas[:, found.vertices])[..., :2]
    return RigFace(rest.astype(np.float32), basis.astype(np.float32), found.confidence)


def canonical_of(face, weights):
    """The motion that the weights make, as if the canonical face were this one."""
    return face.rest + np.tensordot(weights, face.basis, 1)


def wandering(frames, random):
    """Weights of 52 channels that come and go."""
    kernel = np.hanning(9) / np.hanning(9).sum()
    noise = random.normal(size=(frames + 8, len(SHAPES)))
    calm = np.apply_along_axis(np.convolve, 0, noise, kernel, "valid")
    return np.clip(0.35 * calm / calm.std(0), 0, 1).astype(np.float32)


def test_weights_are_found_again_without_a_name(face):
    weights = wandering(120, np.random.default_rng(0))
    solved = solve_rig(canonical_of(face, weights), face.rest, face)
    seen = observable(face)
    assert seen.sum() > 25
    assert {SHAPES[i] for i in np.flatnonzero(seen)} >= {"jawOpen", "mouthFunnel", "mouthPucker", "eyeBlinkLeft"}
    assert not seen[SHAPES.index("eyeLookUpLeft")]  # gaze moves no landmark
    assert np.abs(solved.weights - weights)[:, seen].mean() < 0.03
    assert solved.residual.mean() < 0.003


def test_scale_and_order_of_the_channels_do_not_matter(face):
    weights = wandering(20, np.random.default_rng(1))
    canonical = canonical_of(face, weights)
    order = np.random.default_rng(2).permutation(len(SHAPES))
    large = RigFace(100 * face.rest, 100 * face.basis[order], face.confidence)
    first, second = solve_rig(canonical, face.rest, face), solve_rig(canonical, face.rest, large)
    assert first.weights[:, order] == pytest.approx(second.weights, abs=1e-3)
    assert first.residual == pytest.approx(second.residual, abs=1e-4)


def test_a_wrong_correspondence_is_seen_in_the_residual(face):
    weights = wandering(20, np.random.default_rng(1))
    canonical = canonical_of(face, weights)
    mixed = RigFace(face.rest, face.basis[:, np.random.default_rng(3).permutation(68)], face.confidence)
    right, wrong = (solve_rig(canonical, face.rest, one).residual.mean() for one in (face, mixed))
    assert wrong > 5 * right


def test_landmarks_without_confidence_do_not_count(face):
    weights = wandering(20, np.random.default_rng(1))
    canonical = canonical_of(face, weights)
    canonical[:, 40] += 30.0  # a lid that jumps away
    confidence = face.confidence.copy()
    confidence[40] = 0.0
    doubted = RigFace(face.rest, face.basis, confidence)
    wrong, right = (np.abs(solve_rig(canonical, face.rest, one).weights - weights).mean() for one in (face, doubted))
    assert right < 0.6 * wrong


def test_what_is_no_face_is_refused(face):
    canonical = face.rest[None]
    with pytest.raises(ShapeError, match="68"):
        solve_rig(canonical, face.rest, RigFace(face.rest[:67], face.basis[:, :67], face.confidence[:67]))
    with pytest.raises(ValueRangeError, match="no channel"):
        solve_rig(canonical, face.rest, RigFace(face.rest, 0 * face.basis, face.confidence))


def test_limits_gains_and_mutes_of_a_mapping_hold(face):
    weights = wandering(30, np.random.default_rng(4))
    canonical = canonical_of(face, weights)
    jaw = SHAPES.index("jawOpen")
    plain = RigMapping("nonsense", tuple(Channel(f"key {number}") for number in range(len(SHAPES))))
    names = [channel.name for channel in plain.channels]
    changed = list(plain.channels)
    changed[jaw] = Channel(names[jaw], most=0.3, gain=0.5)
    changed[0] = Channel(names[0], offset=0.2, is_muted=True)
    first, second = (
        solve_channels(RigMapping("nonsense", tuple(channels)), face, canonical, face.rest)
        for channels in (plain.channels, changed)
    )
    assert first.weights == pytest.approx(solve_rig(canonical, face.rest, face).weights)
    assert second.weights[:, jaw].max() == pytest.approx(0.15)
    assert (second.weights[:, 0] == np.float32(0.2)).all()
    with pytest.raises(ShapeError, match="51"):
        solve_channels(RigMapping("few", plain.channels[1:]), face, canonical, face.rest)
