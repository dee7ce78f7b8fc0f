"""Log-mel frames: known frequencies, exact times, and no dependence on loudness."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from backend_server.speech.features import (
    FLOOR,
    SPREAD,
    LevelMeter,
    hz_to_mel,
    log_mel,
    log_mel_blocks,
    mel_filters,
    mel_to_hz,
    normalise,
    speech_level,
)


def noise(count: int, seed: int = 0) -> torch.Tensor:
    return 0.1 * torch.randn(count, generator=torch.Generator().manual_seed(seed))


def test_mel_scale_by_hand():
    mel = hz_to_mel(torch.tensor([0.0, 700.0, 1000.0], dtype=torch.float64))
    np.testing.assert_allclose(mel, [0.0, 2595 * np.log10(2), 999.985], atol=1e-2)
    np.testing.assert_allclose(mel_to_hz(mel), [0.0, 700.0, 1000.0], atol=1e-6)


def test_every_filter_has_its_peak_above_the_last_one():
    filters = mel_filters(64)
    assert filters.shape == (64, 257)
    assert bool((filters.sum(1) > 0).all())
    peaks = filters.argmax(1)
    assert bool((peaks.diff() >= 0).all())


@pytest.mark.parametrize("hertz", [250.0, 1000.0, 4000.0])
def test_a_tone_is_loudest_in_the_band_of_its_frequency(hertz: float):
    tone = torch.sin(2 * torch.pi * hertz * torch.arange(16000) / 16000)
    band = int(log_mel(tone)[20:80].mean(0).argmax())
    low, high = hz_to_mel(torch.tensor([60.0, 7600.0]))
    centre = float(mel_to_hz(low + (high - low) * (band + 1) / 65))
    assert centre == pytest.approx(hertz, rel=0.06)


def test_a_click_is_in_the_frame_of_its_time():
    click = torch.zeros(16000)
    click[8000] = 1.0
    mel = log_mel(click)
    assert mel.shape == (101, 64)
    assert int(mel.sum(1).argmax()) == 50


def test_white_noise_power_is_that_of_the_window():
    mel = log_mel(noise(16000 * 20)).exp().mean(0)
    window_power = float(torch.hann_window(400).square().sum())
    expected = 0.01 * window_power * mel_filters(64).sum(1)
    np.testing.assert_allclose(mel, expected, rtol=0.1)


def test_long_sound_is_computed_in_pieces_without_seams():
    long = noise(16000 * 35)
    np.testing.assert_allclose(log_mel(long)[2900:3100], log_mel(long[16000 * 20 :])[900:1100], atol=1e-5)


@given(st.floats(0.01, 5.0))
def test_gain_changes_nothing(gain: float):
    speech = noise(8000) * torch.sin(torch.arange(8000) / 1000)
    plain, louder = log_mel(speech), log_mel(gain * speech)
    np.testing.assert_allclose(
        normalise(louder, speech_level(louder)), normalise(plain, speech_level(plain)), atol=0.02
    )


def test_the_level_is_that_of_the_speech_however_long_the_silence():
    speech = noise(16000)
    alone = log_mel(speech)
    padded = log_mel(torch.cat([speech, 1e-5 * noise(16000 * 60)]))
    np.testing.assert_allclose(speech_level(padded), speech_level(alone), atol=0.15)
    assert bool((normalise(padded, speech_level(padded))[200:] == FLOOR / SPREAD).all())


def test_level_by_hand():
    # two frames of amplitude 1 and e: weights 1 / (1 + e) and e / (1 + e) for powers 1 and e^2 in one band
    mel = torch.tensor([[0.0], [2.0]])
    assert float(speech_level(mel)) == pytest.approx(2.0 * np.e / (1 + np.e), rel=1e-5)


@given(st.lists(st.integers(0, 1500), min_size=1, max_size=8))
@settings(deadline=None)
def test_sound_that_comes_in_blocks_has_the_same_frames_and_the_same_level(lengths: list[int]):
    waveform = noise(sum(lengths))
    frames = list(log_mel_blocks(waveform.split(lengths)))
    np.testing.assert_allclose(torch.cat(frames), log_mel(waveform), atol=1e-4)
    meter = LevelMeter()
    for part in frames:
        meter.add(part)
    np.testing.assert_allclose(meter.level, speech_level(log_mel(waveform)), atol=1e-4)
