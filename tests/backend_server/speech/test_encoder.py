"""The encoder's time and order: positions speak of their own moment, and attention knows distances alone."""

import numpy as np
import pytest
import torch

from backend_server.config import SpeechConfig
from backend_server.speech.encoder import LEAD, STEP, TAIL, SelfAttention, SpeechEncoder, rotations


@pytest.fixture(scope="module")
def encoder(tiny_config: SpeechConfig, tiny_encoder: dict[str, torch.Tensor]) -> SpeechEncoder:
    network = SpeechEncoder(tiny_config)
    network.load_state_dict(tiny_encoder)
    return network.eval()


@pytest.fixture
def attention(tiny_config: SpeechConfig) -> SelfAttention:
    torch.manual_seed(0)
    return SelfAttention(tiny_config).eval()


def noise(samples: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(1, samples, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize(
    ("samples", "positions"), [(895, 1), (1278, 1), (1279, 2), (16_000, 40), (895 + 99 * 384, 100)]
)
@torch.inference_mode()
def test_a_position_for_384_samples_once_895_are_there(encoder: SpeechEncoder, samples: int, positions: int):
    outputs = encoder(noise(samples))
    assert [tuple(output.shape) for output in outputs] == [(1, positions, 16)] * 3  # before, between, behind two layers
    assert LEAD + TAIL + (positions - 1) * STEP <= samples


@pytest.mark.parametrize("position", [3, 20, 36])
@torch.inference_mode()
def test_a_click_is_heard_around_its_own_time(encoder: SpeechEncoder, position: int):
    plain = noise(16_000)
    clicked = plain.clone()
    clicked[0, 384 * position + 447] += 3.0
    first, *deeper = (
        (one - other)[0].abs().sum(1) for one, other in zip(encoder(clicked), encoder(plain), strict=True)
    )
    assert np.flatnonzero(first > 1e-5).tolist() == [position - 1, position, position + 1]
    for layer in deeper:  # attention tells all positions of it
        assert int(layer.argmax()) == position
        assert layer[position] > 3 * layer.mean()


@torch.inference_mode()
def test_sound_that_changes_changes_what_is_heard_from_then_on(encoder: SpeechEncoder):
    one, other = noise(16_000), noise(16_000, seed=1)
    half = 384 * 20 + 447
    mixed = torch.cat([one[:, :half], other[:, half:]], 1)
    heard, first, second = (encoder(waveform, 0)[0][0] for waveform in (mixed, one, other))
    torch.testing.assert_close(heard[:19], first[:19])  # what ends 448 samples on is heard at 19 still
    torch.testing.assert_close(heard[22:], second[22:])
    assert not torch.allclose(heard[20], first[20], atol=1e-3)
    assert not torch.allclose(heard[20], second[20], atol=1e-3)


@torch.inference_mode()
def test_a_later_sound_is_heard_as_much_later(encoder: SpeechEncoder):
    waveform = noise(16_000)
    for whole, later in zip(encoder(waveform, 0), encoder(waveform[:, 5 * STEP :], 0), strict=True):
        torch.testing.assert_close(whole[:, 5:], later)


@torch.inference_mode()
def test_as_many_layers_as_are_asked_for(encoder: SpeechEncoder):
    waveform = noise(4000)
    whole = encoder(waveform)
    for count in (0, 1, 2):
        some = encoder(waveform, count)
        assert len(some) == 1 + count
        for one, same in zip(some, whole, strict=False):
            assert torch.equal(one, same)
    assert whole[2].mean(2).abs().max() < 1e-6  # only the very last is normalised
    torch.testing.assert_close(whole[2].var(2, correction=0), torch.ones(1, 9), atol=1e-2, rtol=0)
    assert whole[1].mean(2).abs().max() > 1e-3


def test_rotations_by_hand():
    angles = np.array([[0, 0], [1, 0.01], [2, 0.02]])  # 10,000 ** -(0 / 4) and 10,000 ** -(2 / 4) a position
    np.testing.assert_allclose(rotations(3, 4, 6)[:, :2], np.exp(1j * angles), atol=1e-6)
    np.testing.assert_array_equal(rotations(3, 4, 6)[:, 2], np.ones(3))  # the other dimensions do not turn


@torch.inference_mode()
def test_attention_by_complex_numbers(attention: SelfAttention):
    x = torch.randn(1, 7, 16, generator=torch.Generator().manual_seed(0))
    heads = []
    for head in (slice(0, 8), slice(8, 16)):
        parts = [(x[0] @ layer.weight.T)[:, head].double().numpy() for layer in (attention.query, attention.key)]
        turn = np.exp(1j * np.outer(np.arange(7), [1.0, 0.01]))
        # the first four of eight dimensions are two complex numbers that their position turns
        query, key = (np.hstack([turn * (part[:, 0:4:2] + 1j * part[:, 1:4:2]), part[:, 4:]]) for part in parts)
        likeness = np.exp((query @ key.conj().T).real / np.sqrt(8))
        value = (x[0] @ attention.value.weight.T)[:, head].double().numpy()
        heads.append(likeness / likeness.sum(1, keepdims=True) @ value)
    expected = np.hstack(heads) @ attention.out.weight.double().numpy().T
    np.testing.assert_allclose(attention(x, rotations(7, 4, 8))[0], expected, atol=1e-5)


@torch.inference_mode()
def test_attention_knows_distances_and_order_but_no_place(attention: SelfAttention):
    x = torch.randn(2, 12, 16, generator=torch.Generator().manual_seed(1))
    turns = rotations(40, 4, 8)
    here, there = attention(x, turns[:12]), attention(x, turns[28:])
    torch.testing.assert_close(here, there, atol=1e-5, rtol=0)
    backwards = attention(x.flip(1), turns[:12]).flip(1)
    assert (backwards - here).abs().max() > 1e-3


def test_who_was_heard_can_still_be_taught(encoder: SpeechEncoder):
    waveform = noise(LEAD + TAIL + 76 * STEP)  # a length that no other test has: its rotations are made here
    with torch.inference_mode():
        encoder(waveform)
    encoder(waveform)[-1].square().mean().backward()
    assert encoder.layers[0].attention.query.weight.grad is not None
    encoder.zero_grad()
