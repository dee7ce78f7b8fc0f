import dataclasses
import math

import pytest
import torch

from backend_server.config import MotionConfig
from backend_server.motion import losses
from shared.errors import ShapeError


@pytest.fixture
def motion() -> torch.Tensor:
    return torch.randn(2, 5, 68, 2, generator=torch.Generator().manual_seed(0))


def one_point(*values: float) -> torch.Tensor:
    """A sequence (1, T, 68, 2) in which the x of point 3 takes these values and all else is zero."""
    sequence = torch.zeros(1, len(values), 68, 2)
    sequence[0, :, 3, 0] = torch.tensor(values)
    return sequence


def test_distance_by_hand():
    assert losses.distance_loss(one_point(1, 3), one_point(1, 1)) == pytest.approx(4 / 2)  # two frames


def test_distance_is_zero_at_the_target_alone(motion):
    assert losses.distance_loss(motion, motion) == 0
    assert losses.distance_loss(motion + 0.1, motion) == pytest.approx(136 * 0.01, rel=1e-4)
    with pytest.raises(ShapeError, match="4"):
        losses.distance_loss(motion[:, :4], motion)


def test_regularisation_by_hand():
    assert losses.regularisation_loss(one_point(0, 2, 5)) == pytest.approx((4 + 9) / 2)


def test_regularisation_ignores_a_constant_shift_and_stays_inside_a_sequence(motion):
    assert losses.regularisation_loss(motion + 7) == pytest.approx(float(losses.regularisation_loss(motion)), rel=1e-4)
    jump = torch.cat([torch.zeros(1, 5, 68, 2), torch.ones(1, 5, 68, 2)])
    assert losses.regularisation_loss(jump) == 0


def test_smooth_sign_tends_to_the_sign():
    steps = torch.tensor([-2.0, -0.1, 0.0, 0.1, 2.0])
    assert losses.smooth_sign(steps, 1e-3).tolist() == [-1, -1, 0, 1, 1]
    assert losses.smooth_sign(torch.tensor([0.5]), 0.5) == pytest.approx(math.tanh(1))


def test_direction_by_hand():
    rising, falling = one_point(0, 1, 2), one_point(0, 1, 0)
    assert losses.direction_loss(rising, falling, 1e-3) == pytest.approx(1 / 2)  # they differ in one of two steps
    assert losses.direction_loss(rising, falling, 1.0) == pytest.approx(math.tanh(1) ** 2 / 2)


def test_direction_ignores_place_and_passes_a_gradient(motion):
    assert losses.direction_loss(motion + 5, motion, 0.5) == pytest.approx(0, abs=1e-9)
    moving = (0.5 * motion).requires_grad_()
    losses.direction_loss(moving, motion, 0.5).backward()
    assert moving.grad is not None
    assert moving.grad.abs().sum() > 0


def test_gan_losses_by_hand():
    undecided, sure = torch.zeros(4), torch.tensor([math.log(3.0)])  # D = 1/2 and 3/4
    assert losses.discriminator_loss(undecided, undecided) == pytest.approx(2 * math.log(2))
    assert losses.discriminator_loss(sure, undecided) == pytest.approx(-math.log(3 / 4) - math.log(1 / 2))
    assert losses.adversarial_loss(sure) == pytest.approx(math.log(1 / 4))


def test_the_generator_gains_when_the_discriminator_is_fooled():
    logits = torch.tensor([-1.0, 0.0, 2.0], requires_grad=True)
    losses.adversarial_loss(logits).backward()
    assert (logits.grad < 0).all()


def test_the_objective_weighs_its_terms(motion):
    weights = {"lambda_dist": 1.0, "lambda_reg": 0.5, "lambda_dir": 0.5, "lambda_gan": 1.0}
    weights |= {"lambda_mouth": 0.0, "lambda_closure": 0.0, "lambda_spread": 0.0}
    config = MotionConfig(loss_unit=0.5, **weights)
    target, logits, modelled = motion.flip(0), torch.zeros(2, 5), torch.tensor([False, True])
    terms = losses.motion_losses(motion, target, logits, modelled, config)
    assert terms.distance == pytest.approx(float(losses.distance_loss(2 * motion, 2 * target)))
    expected = terms.distance + 0.5 * terms.regularisation + 0.5 * terms.direction - math.log(2)
    assert terms.total == pytest.approx(float(expected))
    weighted = losses.motion_losses(motion, target, logits, modelled, dataclasses.replace(config, lambda_mouth=3.0))
    assert weighted.total == pytest.approx(float(expected + 3 * losses.mouth_loss(2 * motion, 2 * target)))
    weighted = losses.motion_losses(motion, target, logits, modelled, dataclasses.replace(config, lambda_spread=3.0))
    assert weighted.total == pytest.approx(float(expected + 3 * losses.spread_loss(2 * motion, 2 * target)))


def test_the_spread_loss_by_hand():
    still = torch.zeros(1, 4, 68, 2)
    moved = still.clone()
    moved[0, ::2, 66, 1] = 2.0  # opens by 2 in every second frame: a spread of 1
    later = moved.roll(1, dims=1) + 5.0
    assert losses.spread_loss(moved, still) == pytest.approx(1.0)
    assert losses.spread_loss(2 * moved, moved) == pytest.approx(1.0)
    assert losses.spread_loss(later, moved) == pytest.approx(0.0)  # when and where does not count


def test_the_spread_loss_moves_a_damped_mouth_and_harms_no_resting_one(motion):
    damped = (0.5 * motion).requires_grad_()
    losses.spread_loss(damped, motion).backward()
    assert losses.spread_loss(damped.detach() - 0.1 * damped.grad, motion) < losses.spread_loss(damped, motion)
    resting = torch.zeros_like(motion, requires_grad=True)  # its spread has no slope
    losses.spread_loss(resting, motion).backward()
    assert resting.grad.isfinite().all()


def test_the_mouth_loss_by_hand():
    still, moved = torch.zeros(2, 3, 68, 2), torch.zeros(2, 3, 68, 2)
    moved[..., 66, 1], moved[..., 54, 0], moved[..., 33, :] = (
        2.0,
        3.0,
        9.0,
    )  # opens by 2, widens by 3; the nose is no mouth
    assert losses.mouth_loss(moved, still) == pytest.approx(4.0 + 9.0)
    assert losses.mouth_loss(moved + 1.0, moved) == pytest.approx(0.0)


def test_the_closure_loss_by_hand():
    still, moved = torch.zeros(2, 3, 68, 2), torch.zeros(2, 3, 68, 2)
    moved[..., 66, 1] = 2.0
    modelled, recorded = torch.tensor([True, True]), torch.tensor([False, False])
    assert losses.closure_loss(moved, still, modelled, closed_below=1.0) == pytest.approx(1.5**2)
    assert losses.closure_loss(moved, still, torch.tensor([False, True]), closed_below=1.0) == pytest.approx(1.5**2 / 2)
    assert losses.closure_loss(moved, still, recorded, closed_below=1.0) == 0.0
    assert losses.closure_loss(still, moved, modelled, closed_below=1.0) == 0.0  # open lips may close
    assert losses.closure_loss(still + 0.1, still, modelled, closed_below=1.0) == 0.0
