import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from backend_server.texture.learning.losses import (
    adversarial_loss,
    discriminator_loss,
    perceptual_loss,
    reconstruction_loss,
    region_weights,
    sharpness_loss,
    texture_loss,
)
from shared.errors import ShapeError, ValueRangeError


def test_reconstruction_by_hand():
    ours, theirs = torch.tensor([0.0, 1.0, 2.0, 5.0]).view(1, 1, 2, 2), torch.ones(1, 1, 2, 2)
    assert reconstruction_loss(ours, theirs) == pytest.approx((1 + 0 + 1 + 16) / 4)
    assert reconstruction_loss(ours, theirs, norm=1) == pytest.approx((1 + 0 + 1 + 4) / 4)
    weights = torch.tensor([1.0, 0.0, 0.0, 3.0]).view(1, 1, 2, 2)
    assert reconstruction_loss(ours, theirs, weights) == pytest.approx((1 + 3 * 16) / 4)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 1000), st.sampled_from([1, 2]))
def test_reconstruction_is_zero_at_the_target_and_symmetric(seed, norm):
    random = torch.Generator().manual_seed(seed)
    a, b = torch.rand(2, 2, 3, 4, 4, generator=random)
    assert reconstruction_loss(a, a, norm=norm) == 0
    assert reconstruction_loss(a, b, norm=norm) == reconstruction_loss(b, a, norm=norm) > 0


def test_adversarial_losses_by_hand():
    real, fake = torch.tensor([[2.0]]), torch.tensor([[-1.0]])
    sigmoid = lambda x: 1 / (1 + math.exp(-x))  # noqa: E731
    # Eq. 9: log D(real) + log(1 - D(fake))
    assert -discriminator_loss(real, fake) == pytest.approx(math.log(sigmoid(2)) + math.log(1 - sigmoid(-1)))
    assert adversarial_loss(fake) == pytest.approx(-math.log(sigmoid(-1)))
    assert adversarial_loss(torch.tensor([[9.0]])) < adversarial_loss(fake)


def test_perceptual_by_hand_and_without_gradient_into_the_real_features():
    ours = [[torch.ones(1, 2, 2, 2)], [torch.zeros(1, 1, 1, 1), torch.full((1, 1, 1, 1), 3.0)]]
    theirs = [[torch.zeros(1, 2, 2, 2)], [torch.zeros(1, 1, 1, 1), torch.ones(1, 1, 1, 1).requires_grad_()]]
    # 0.1 * 1 + 0.002 * mean(0, 4)
    loss = perceptual_loss(ours, theirs, (0.1, 0.002))
    assert loss == pytest.approx(0.1 + 0.002 * 2)
    assert not loss.requires_grad


def test_the_total_is_the_weighted_sum():
    parts = [torch.tensor(x) for x in (2.0, 3.0, 5.0)]
    assert texture_loss(*parts, 0.5, 1.0, 0.3) == pytest.approx(1 + 3 + 1.5)


def test_regions_weigh_more_where_mouth_and_eyes_are(face_landmarks):
    points = torch.from_numpy(face_landmarks())[None]
    weights = region_weights(points, 256, 4.0, 2.0)[0, 0]
    assert weights[182, 128] == pytest.approx(5)
    assert weights[96, 89] == pytest.approx(3)
    assert weights[30, 30] == 1 and weights[140, 60] == 1


def test_bad_input_is_named():
    with pytest.raises(ShapeError, match=r"\(1, 3, 2, 2\)"):
        reconstruction_loss(torch.zeros(1, 3, 2, 2), torch.zeros(1, 3, 2, 3))
    with pytest.raises(ValueRangeError, match="got 3"):
        reconstruction_loss(torch.zeros(1, 3, 2, 2), torch.zeros(1, 3, 2, 2), norm=3)


def test_sharpness_asks_how_much_detail_there_is_and_not_where():
    stripes = torch.tensor([1.0, 1.0, -1.0, -1.0]).repeat(16).expand(1, 3, 64, 64)
    assert sharpness_loss(stripes.roll(1, 3), stripes) == pytest.approx(0, abs=0.05)
    chequered = torch.tensor([1.0, -1.0]).repeat(32).expand(1, 3, 64, 64)
    assert sharpness_loss(chequered, stripes) == pytest.approx(1)
    assert sharpness_loss(torch.zeros_like(stripes), stripes) == pytest.approx(1)
    assert sharpness_loss(stripes / 2, stripes) == pytest.approx(0.5)


def test_scores_and_features_count_by_their_place():
    """Score maps of two cells, under weights of four columns: means 1 and 3."""
    weights = torch.tensor([0.0, 2.0, 3.0, 3.0]).expand(1, 1, 4, 4)
    scores = torch.tensor([0.0, 1.0]).expand(1, 1, 2, 2)
    softplus = lambda x: math.log1p(math.exp(x))  # noqa: E731
    expected = (softplus(0) + 3 * softplus(-1)) / 4
    assert adversarial_loss(scores, weights) == pytest.approx(expected)
    assert discriminator_loss(scores, -scores, weights) == pytest.approx(2 * expected)
    features = [[torch.tensor([2.0, 4.0]).expand(1, 5, 2, 2)]]
    zeros = [[torch.zeros(1, 5, 2, 2)]]
    assert perceptual_loss(features, zeros, [1.0], norm=1, weights=weights) == pytest.approx((2 + 3 * 4) / 4)
    assert adversarial_loss(torch.tensor([[0.0]]), weights) == pytest.approx(softplus(0))  # one score per picture
