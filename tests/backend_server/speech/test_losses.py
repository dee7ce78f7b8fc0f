"""CTC with a label prior against the sum over all paths."""

import itertools

import pytest
import torch

from backend_server.speech.decoding import BLANK
from backend_server.speech.losses import ctc_loss, mouth_loss, phone_loss


def by_all_paths(scores: torch.Tensor, target: list[int], prior: torch.Tensor, weight: float) -> torch.Tensor:
    adjusted = scores[0].log_softmax(1) - weight * (prior / prior[BLANK]).log()
    paths = []
    for path in itertools.product({*target, BLANK}, repeat=len(adjusted)):
        merged = [label for label, _ in itertools.groupby(path) if label != BLANK]
        if merged == target:
            paths.append(sum(adjusted[step, label] for step, label in enumerate(path)))
    return -torch.stack(paths).logsumexp(0) / len(target)


@pytest.mark.parametrize("weight", [0.0, 0.3, 1.0])
def test_value_and_gradient_are_those_of_all_paths(weight: float):
    generator = torch.Generator().manual_seed(0)
    scores = torch.randn(1, 5, 29, dtype=torch.double, generator=generator, requires_grad=True)
    prior = torch.rand(29, dtype=torch.double, generator=generator)
    prior /= prior.sum()
    numbers = torch.tensor([5]), torch.tensor([3, 4]), torch.tensor([2])
    loss, expected = ctc_loss(scores, *numbers, prior, weight), by_all_paths(scores, [3, 4], prior, weight)
    (gradient,) = torch.autograd.grad(loss, scores)
    (expected_gradient,) = torch.autograd.grad(expected, scores)
    torch.testing.assert_close(loss, expected)
    torch.testing.assert_close(gradient, expected_gradient)


def test_one_frame_of_one_class_by_hand():
    scores = torch.zeros(1, 1, 29)
    prior = torch.full((29,), 1 / 29)
    loss = ctc_loss(scores, torch.tensor([1]), torch.tensor([7]), torch.tensor([1]), prior, 0.3)
    assert float(loss) == pytest.approx(torch.tensor(29.0).log().item())


def test_silence_after_an_utterance_has_no_gradient():
    scores = torch.randn(1, 8, 29, generator=torch.Generator().manual_seed(1), requires_grad=True)
    prior = torch.linspace(1, 2, 29) / torch.linspace(1, 2, 29).sum()
    loss = ctc_loss(scores, torch.tensor([5]), torch.tensor([1]), torch.tensor([1]), prior, 0.3)
    (gradient,) = torch.autograd.grad(loss, scores)
    assert bool((gradient[0, 5:] == 0).all())
    assert bool((gradient[0, :5] != 0).any())


def test_the_loss_falls_to_nothing_for_a_certain_network():
    scores = torch.full((1, 3, 29), -50.0)
    for step, label in enumerate([4, BLANK, 9]):
        scores[0, step, label] = 50.0
    prior = torch.full((29,), 1 / 29)
    loss = ctc_loss(scores, torch.tensor([3]), torch.tensor([4, 9]), torch.tensor([2]), prior, 0.0)
    assert float(loss) == pytest.approx(0.0, abs=1e-5)


def test_utterances_without_labels_do_not_count():
    scores = torch.randn(2, 6, 29, generator=torch.Generator().manual_seed(2), requires_grad=True)
    prior = torch.full((29,), 1 / 29)
    both = ctc_loss(scores, torch.tensor([6, 6]), torch.tensor([4]), torch.tensor([0, 1]), prior, 0.3)
    alone = ctc_loss(scores[1:], torch.tensor([6]), torch.tensor([4]), torch.tensor([1]), prior, 0.3)
    torch.testing.assert_close(both, alone)
    none = ctc_loss(scores, torch.tensor([6, 6]), torch.tensor([]), torch.tensor([0, 0]), prior, 0.3)
    assert float(none.detach()) == 0.0


def test_only_known_phones_count():
    scores = torch.zeros(1, 3, 4)
    scores[0, 1, 2] = 100.0
    assert float(phone_loss(scores, torch.tensor([[-1, 2, -1]]))) == pytest.approx(0.0, abs=1e-6)
    assert float(phone_loss(scores, torch.tensor([[1, 2, -1]]))) == pytest.approx(torch.tensor(4.0).log() / 2)
    assert float(phone_loss(scores, torch.full((1, 3), -1))) == 0.0


def test_only_known_mouths_count():
    spans = torch.zeros(1, 2, 6)
    mouths = torch.full((1, 2, 6), torch.nan)
    assert float(mouth_loss(spans, mouths)) == 0.0
    mouths[0, 1, :2] = torch.tensor([1.0, 3.0])
    assert float(mouth_loss(spans, mouths)) == pytest.approx(5.0)
