import pytest
import torch

from backend_server.training_state import load_state, save_state, state_path
from shared.errors import WeightsError


@pytest.fixture
def make_parts():
    def make():
        network = torch.nn.Linear(2, 1)
        return network, torch.optim.Adam(network.parameters(), lr=0.1)

    return make


def step(network, optimizer):
    network(torch.ones(1, 2)).sum().backward()
    optimizer.step()
    optimizer.zero_grad()


def test_the_next_step_is_the_same_after_a_rest_on_disk(make_parts, tmp_path):
    path = state_path(tmp_path / "weights.safetensors")
    parts, others = make_parts(), make_parts()
    step(*parts)
    save_state(path, 1, *parts)
    assert load_state(path, *others) == 1
    step(*parts)
    step(*others)
    assert torch.equal(parts[0].weight, others[0].weight)


def test_no_state_is_a_start_and_a_damaged_one_an_error(make_parts, tmp_path):
    path = tmp_path / "weights.training"
    assert load_state(path, *make_parts()) == 0
    path.write_bytes(b"damaged")
    with pytest.raises(WeightsError, match="delete it"):
        load_state(path, *make_parts())
    save_state(path, 3, torch.nn.Linear(5, 5), make_parts()[1])
    with pytest.raises(WeightsError):
        load_state(path, *make_parts())
