"""Averages by hand."""

import pytest
import torch

from backend_server.training.average import mix_in, running_average


class Network(torch.nn.Module):
    """One weight, one buffer that training changes, one that counts."""

    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.tensor(7.0))
        self.register_buffer("mean", torch.tensor(7.0))
        self.register_buffer("count", torch.tensor(3))

    def set(self, value, count=3):
        with torch.no_grad():
            self.weight.fill_(value)
            self.mean.fill_(value)
            self.count.fill_(count)
        return self


def averaged(average, values):
    for value in values:
        average.update_parameters(Network().set(value, count=int(value)))
    return average.module


def test_the_first_update_copies_and_later_ones_keep_the_decay():
    """0.5 of 1 and of 3: 2; 0.5 of 2 and of 8: 5."""
    module = averaged(running_average(Network(), 0.5), [1.0, 3.0, 8.0])
    assert module.weight.item() == module.mean.item() == 5.0
    assert module.count.item() == 8


def test_a_young_average_forgets_quickly():
    """After one update 2/11 of it stay, after two 3/12, and never more than the decay."""
    module = averaged(running_average(Network(), 0.998, is_quick_at_first=True), [1.0, 12.0, 0.0])
    assert module.weight.item() == pytest.approx(3 / 12 * (1 * 2 / 11 + 12 * 9 / 11))
    module = averaged(running_average(Network(), 0.1, is_quick_at_first=True), [1.0, 12.0])
    assert module.weight.item() == pytest.approx(0.1 * 1 + 0.9 * 12)


def test_whole_numbers_are_copied_and_not_rounded():
    module = averaged(running_average(Network(), 0.998), [3.0] * 5)
    assert module.count.item() == 3


def test_an_average_goes_on_from_its_state():
    first, second = (running_average(Network(), 0.998, is_quick_at_first=True) for _ in range(2))
    averaged(first, [1.0, 2.0])
    second.load_state_dict(first.state_dict())
    assert averaged(first, [5.0]).weight.item() == averaged(second, [5.0]).weight.item()


def test_weights_of_others_are_mixed_in_and_buffers_stay():
    network = Network().set(1.0)
    mix_in(network, Network().set(5.0).state_dict(), 0.25)
    assert network.weight.item() == 2.0
    assert network.mean.item() == 1.0
