import pytest
import torch

from backend_server.texture.learning.meta_learning import outer_gradient


def quadratic(weights, data):
    """0.5 * a * (w - c)^2."""
    a, c = data
    return (0.5 * a * (weights["w"] - c) ** 2).sum()


@pytest.mark.parametrize("is_second_order", [False, True])
def test_outer_gradient_by_hand(is_second_order):
    """One step from w=1 on support (a=2, c=0), size 0.1: w' = 1 - 0.1*2 = 0.8; query (a=3, c=5)."""
    weights = {"w": torch.tensor([1.0])}
    outer = outer_gradient(
        quadratic, weights, (2.0, 0.0), (3.0, 5.0), steps=1, step_size=0.1, is_second_order=is_second_order
    )
    slope = 3 * (0.8 - 5)
    # the second order adds dw'/dw = 1 - 0.1 * 2
    assert outer.gradients["w"].item() == pytest.approx(slope * (0.8 if is_second_order else 1.0), rel=1e-5)
    assert outer.loss.item() == pytest.approx(0.5 * 3 * (0.8 - 5) ** 2, rel=1e-5)
    assert weights["w"].item() == 1.0 and not weights["w"].requires_grad


def test_losses_of_all_steps_are_summed():
    """m = 2: w' = 0.8, w'' = 0.64; L = L^1 + L^2 (Fig. 3)."""
    outer = outer_gradient(quadratic, {"w": torch.tensor([1.0])}, (2.0, 0.0), (3.0, 5.0), steps=2, step_size=0.1)
    assert outer.loss.item() == pytest.approx(1.5 * ((0.8 - 5) ** 2 + (0.64 - 5) ** 2), rel=1e-5)
    assert outer.gradients["w"].item() == pytest.approx(3 * (0.8 - 5) + 3 * (0.64 - 5), rel=1e-5)


def test_the_second_order_is_the_derivative_of_the_summed_loss():
    network = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.Tanh(), torch.nn.Linear(3, 1)).double()
    random = torch.Generator().manual_seed(0)
    support, query = torch.rand(2, 5, 3, generator=random).double()

    def loss(weights, data):
        made = torch.func.functional_call(network, dict(weights), data[:, :2])
        return (made - data[:, 2:]).square().mean()

    weights = {name: p.detach() for name, p in network.named_parameters()}
    settings = {"steps": 3, "step_size": 0.2, "is_second_order": True}
    outer = outer_gradient(loss, weights, support, query, **settings)
    step = 1e-6
    for name, weight in weights.items():
        nudge = torch.zeros_like(weight).view(-1)
        nudge[0] = step
        nudge = nudge.view_as(weight)
        up, down = (
            outer_gradient(loss, {**weights, name: weight + sign * nudge}, support, query, **settings).loss
            for sign in (1, -1)
        )
        assert outer.gradients[name].view(-1)[0].item() == pytest.approx(
            ((up - down) / (2 * step)).item(), rel=1e-4, abs=1e-7
        )


def test_meta_training_finds_weights_that_adapt_in_one_step():
    """Tasks y = k x with k in {4, 6}: the best start lies between them, far from where it begins."""
    random = torch.Generator().manual_seed(0)
    weights = {"w": torch.tensor([0.0])}

    def loss(w, data):
        x, k = data
        return (w["w"] * x - k * x).square().mean()

    def judged():
        x = torch.linspace(-1, 1, 9)
        return sum(
            outer_gradient(loss, weights, (x, k), (x, k), steps=1, step_size=0.2).loss.item() for k in (4.0, 6.0)
        )

    before = judged()
    for _ in range(60):
        for k in (4.0, 6.0):
            x, y = torch.rand(2, 8, generator=random)
            gradient = outer_gradient(loss, weights, (x, k), (y, k), steps=2, step_size=0.2).gradients["w"]
            weights = {"w": weights["w"] - 0.1 * gradient}
    assert judged() < before / 10
    assert 4 < weights["w"].item() < 6
