import math

import pytest
import torch

from backend_server.blink import losses
from shared.errors import ShapeError


@pytest.fixture
def samples() -> torch.Tensor:
    return torch.randn(40, 6, generator=torch.Generator().manual_seed(0))


def test_kernel_by_hand():
    first, second = torch.tensor([[0.0, 0.0]]), torch.tensor([[1.0, 1.0], [0.0, 0.0]])
    assert losses.gaussian_kernel(first, second, [0.5])[0].tolist() == pytest.approx([math.exp(-2), 1])
    two = (math.exp(-2 / 1) + math.exp(-2 / 4)) / 2
    assert losses.gaussian_kernel(first, second, [0.5, 2.0])[0, 0] == pytest.approx(two)


def test_mmd_by_hand():
    near = math.exp(-1 / 2)
    real, generated = torch.tensor([[0.0], [1.0]]), torch.tensor([[0.0]])
    expected = (2 + 2 * near) / 4 + 1 - 2 * (1 + near) / 2
    assert losses.mmd_loss(real, generated, [1.0]) == pytest.approx(expected)


def test_mmd_is_zero_for_the_same_samples_in_any_order_and_grows_with_distance(samples):
    order = torch.randperm(40, generator=torch.Generator().manual_seed(1))
    assert losses.mmd_loss(samples, samples[order], [1.0]) == pytest.approx(0, abs=1e-6)
    values = [float(losses.mmd_loss(samples, samples + shift, [5.0])) for shift in (0.1, 0.5, 2.0)]
    assert 0 < values[0] < values[1] < values[2]


def test_mmd_sees_a_spread_that_the_mean_does_not(samples):
    assert losses.mmd_loss(samples, 0.2 * samples, [1.0]) > 0.05


def test_median_bandwidths_by_hand():
    assert losses.median_bandwidths(torch.tensor([[0.0], [1.0], [3.0]]), [0.5, 1.0]) == [2.0, 4.0]  # of 1, 4, 9


def test_range_by_hand():
    motion = torch.zeros(2, 3, 1, 2)
    motion[0, :, 0, 0] = torch.tensor([0.0, 3.0, 1.0])
    motion[1, :, 0, 0] = torch.tensor([-1.0, 0.0, 0.0])
    assert losses.motion_range(motion).tolist() == [[2, 0]]
    assert losses.range_loss(motion, 0 * motion) == 4
    assert losses.range_loss(motion, motion.flip(1) + 5) == 0


def test_samples_of_other_sizes_are_refused(samples):
    with pytest.raises(ShapeError, match="40, 5"):
        losses.mmd_loss(samples, samples[:, :5], [1.0])
