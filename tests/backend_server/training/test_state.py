import numpy as np
import pytest
import torch

from backend_server.config import MotionConfig
from backend_server.training.state import TrainingState, settings_of, state_path
from shared.errors import WeightsError


@pytest.fixture
def make_parts():
    def make(seed=0):
        network = torch.nn.Linear(2, 1)
        optimiser = torch.optim.Adam(network.parameters(), lr=0.1)
        generators = {"drawn": np.random.default_rng(seed), "noise": torch.Generator().manual_seed(seed)}
        return {"network": network, "optimiser": optimiser, "prior": torch.zeros(3), "start": {}, **generators}

    return make


def step(parts):
    shift = float(parts["drawn"].random()) + float(torch.rand((), generator=parts["noise"]))
    parts["network"](torch.full((1, 2), shift)).sum().backward()
    parts["optimiser"].step()
    parts["optimiser"].zero_grad()
    parts["prior"] += shift


def test_the_next_step_is_the_same_after_a_rest_on_disk(make_parts, tmp_path):
    path = state_path(tmp_path / "weights.safetensors")
    parts, others = make_parts(1), make_parts(2)
    step(parts)
    parts["start"]["weight"] = torch.ones(2)
    TrainingState(path, parts).save(step=1, seconds=2.5)
    assert TrainingState(path, others).load() == {"step": 1, "seconds": 2.5}
    assert torch.equal(others["start"]["weight"], torch.ones(2))
    for _ in range(2):
        step(parts)
        step(others)
    assert torch.equal(parts["network"].weight, others["network"].weight)
    assert torch.equal(parts["prior"], others["prior"])
    TrainingState(path, parts).remove()
    assert not list(tmp_path.iterdir())


def test_no_state_is_a_start_and_a_damaged_one_an_error(make_parts, tmp_path):
    path = tmp_path / "weights.training"
    state = TrainingState(path, make_parts())
    assert state.load() == {}
    for content in (b"damaged", b".", b"hello world", b""):
        path.write_bytes(content)
        with pytest.raises(WeightsError, match="; move it away"):
            state.load()
    torch.save([1], path)
    with pytest.raises(WeightsError, match="; move it away"):
        state.load()
    TrainingState(path, {**make_parts(), "network": torch.nn.Linear(5, 5)}).save()
    with pytest.raises(WeightsError, match="; move it away"):
        state.load()
    parts = make_parts()
    del parts["prior"]
    TrainingState(path, parts).save()
    with pytest.raises(WeightsError, match="; move it away"):
        state.load()


def test_a_run_may_be_made_longer_and_is_never_taken_for_another(make_parts, tmp_path):
    def state(config):
        return TrainingState(tmp_path / "weights.training", make_parts(), settings_of(config, "epochs"))

    state(MotionConfig(epochs=1)).save(epoch=1)
    assert state(MotionConfig(epochs=2)).load() == {"epoch": 1}
    with pytest.raises(WeightsError, match=r"\(dropout: 0\.3, now 0\.1\); move it away, or give another --out"):
        state(MotionConfig(dropout=0.1)).load()
