import numpy as np
import pytest
import torch

from backend_server.arkit.network import (
    EYE_SHAPES,
    FACE_SHAPES,
    KIND,
    LEARNT,
    ArkitNetwork,
    load_arkit_network,
)
from backend_server.checkpoints import save_checkpoint
from backend_server.config import ArkitConfig
from shared.arkit import MIRROR as MIRROR_SHAPES
from shared.arkit import SHAPES
from shared.errors import ShapeError, WeightsError
from shared.landmarks import EYE_REGION, LIPS, MIRROR


@pytest.fixture
def network() -> ArkitNetwork:
    """Random weights, and different scores at rest."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = ArkitNetwork(ArkitConfig(hidden_size=16)).eval()
    network.usual_rest.copy_(torch.linspace(-4, 1, 52))
    return network


@pytest.fixture
def motion() -> torch.Tensor:
    return 0.05 * torch.randn(30, 68, 2, generator=torch.Generator().manual_seed(1))


def test_every_shape_is_learnt_but_gaze_and_tongue():
    left_out = {name for number, name in enumerate(SHAPES) if number not in LEARNT}
    assert left_out == {name for name in SHAPES if name.startswith("eyeLook")} | {"tongueOut"}
    assert len(LEARNT) == len(set(LEARNT)) == 43


def test_rest_is_0_exactly_and_no_weight_leaves_its_range(network, motion):
    assert not network.weights(torch.zeros(3, 68, 2)).any()
    weights = network.weights(100 * motion)
    assert weights.min() == 0
    assert 0.5 < weights.max() <= 1
    assert not weights[:, [number for number in range(52) if number not in LEARNT]].any()


@pytest.mark.parametrize("name", ["jawOpen", "mouthPucker"])
def test_weights_are_scores_relative_to_rest(network, motion, name):
    shape, rest = SHAPES.index(name), network.usual_rest.sigmoid()[SHAPES.index(name)]
    expected = ((network(motion)[:, shape] - rest) / (1 - rest)).clamp(0, 1)
    assert 0 < (expected > 0).sum() < len(motion)
    assert torch.allclose(network.weights(motion)[:, shape], expected, atol=1e-5)


def test_eyes_that_are_shut_for_the_tracker_are_shut_for_a_rig(network, motion):
    shape, rest = SHAPES.index("eyeBlinkRight"), network.usual_rest.sigmoid()[SHAPES.index("eyeBlinkRight")]
    above_rest = (network(motion)[:, shape] - rest) / (1 - rest)
    expected = (above_rest / network.config.shut_eyes).clamp(0, 1)
    assert torch.allclose(network.weights(motion)[:, shape], expected, atol=1e-5)


def test_a_change_is_added_to_the_logit_at_rest_or_is_a_tenth_of_the_way_to_1(network, motion):
    rest = torch.linspace(1, -1, 52)
    scores, changes = network(motion, rest), network.changes(motion)
    pucker, jaw = SHAPES.index("mouthPucker"), SHAPES.index("jawOpen")
    assert torch.allclose(torch.logit(scores[:, pucker]), changes[:, pucker] + rest[pucker], atol=1e-4)
    way = (scores[:, jaw] - rest[jaw].sigmoid()) / (1 - rest[jaw].sigmoid())
    assert torch.allclose(way, 0.1 * changes[:, jaw], atol=1e-4)


def test_eyes_move_no_lips_and_lips_no_eyes(network, motion):
    only_eyes, only_lips = torch.zeros_like(motion), torch.zeros_like(motion)
    only_eyes[:, list(EYE_REGION)], only_lips[:, LIPS] = motion[:, list(EYE_REGION)], motion[:, LIPS]
    assert not network.changes(only_eyes)[:, list(FACE_SHAPES)].any()
    assert not network.changes(only_lips)[:, list(EYE_SHAPES)].any()
    assert network.changes(only_eyes)[:, list(EYE_SHAPES)].any(0).all()
    assert network.changes(only_lips)[:, list(FACE_SHAPES)].any(0).all()


def test_a_mirrored_face_takes_mirrored_shapes(network, motion):
    mirrored = motion[:, MIRROR.copy()] * torch.tensor([-1.0, 1.0])
    network.usual_rest.copy_((network.usual_rest + network.usual_rest[list(MIRROR_SHAPES)]) / 2)
    made = network.weights(mirrored)[:, list(MIRROR_SHAPES)]
    assert torch.allclose(made, network.weights(motion), atol=1e-6)


def test_a_long_motion_in_blocks_is_the_same(network, motion, monkeypatch):
    whole = network.weights(motion)
    monkeypatch.setattr("backend_server.arkit.network.BLOCK_FRAMES", 7)
    assert torch.allclose(network.weights(motion), whole, atol=1e-6)


def test_weights_come_back_from_disk(network, motion, tmp_path):
    save_checkpoint(tmp_path / "arkit.safetensors", KIND, network.config, network.state_dict())
    assert torch.equal(load_arkit_network(tmp_path / "arkit.safetensors").weights(motion), network.weights(motion))
    with pytest.raises(WeightsError):
        load_arkit_network(tmp_path / "absent.safetensors")


def test_other_landmarks_are_refused(network):
    with pytest.raises(ShapeError, match=r"\(2, 67, 2\)"):
        network(torch.from_numpy(np.zeros((2, 67, 2), np.float32)))
