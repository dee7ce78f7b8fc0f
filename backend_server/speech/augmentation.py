"""How is one recording turned into many: other tempo, voice, room, noise and bandwidth, all in log-mel frames?

Working on frames instead of samples makes this nearly free; powers of sound and noise add. Gain needs no place here:
the features do not depend on it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.signal import lfilter

from backend_server.config import SAMPLE_RATE, SpeechConfig
from backend_server.speech.features import log_mel


@dataclass(frozen=True)
class Augmentation:
    """How much to vary; the defaults are those of the shipped weights."""

    tempo: float = 0.12  # +- share
    vocal_tract: float = 0.08  # +- share by which bands shift (Jaitly and Hinton 2013)
    room_probability: float = 0.3
    reverberation_seconds: tuple[float, float] = (0.15, 0.9)  # until it is 60 dB weaker
    direct_db: tuple[float, float] = (-3.0, 15.0)  # direct over reverberant power
    noise_probability: float = 0.6
    noise_db: tuple[float, float] = (-5.0, 40.0)  # signal to noise
    band_limit_probability: float = 0.2
    time_masks_per_second: float = 0.5  # SpecAugment (Park et al. 2019)
    longest_time_mask: int = 15  # frames
    band_masks: int = 2
    widest_band_mask: int = 9


def noise_bank(
    voices: Sequence[NDArray[np.float16]], config: SpeechConfig, rng: np.random.Generator
) -> list[NDArray[np.float32]]:
    """White and pink noise, mains hum and babble as log-mel frames, some 30 s each; babble is three to eight voices."""
    count = 30 * SAMPLE_RATE
    white = rng.standard_normal(count).astype(np.float32) * 0.1
    spectrum = np.fft.rfft(white)
    pink = np.fft.irfft(spectrum / np.sqrt(np.maximum(np.arange(len(spectrum)), 40)), count).astype(np.float32)
    seconds = np.arange(count) / SAMPLE_RATE
    overtones = np.arange(1, 12)[:, None]
    hums = [(np.sin(2 * np.pi * mains * overtones * seconds) / overtones).sum(0) for mains in (50, 60)]
    sounds = (white, pink * 30, *(hum.astype(np.float32) * 0.1 + white * 0.01 for hum in hums))
    bank = [log_mel(torch.from_numpy(noise), config).numpy() for noise in sounds]
    for _ in range(12 if voices else 0):
        power = np.zeros((30 * 100, config.mel_bands), np.float32)
        for index in rng.integers(len(voices), size=rng.integers(3, 9)):
            voice = np.exp(np.asarray(voices[index], np.float32))
            voice = np.resize(voice, power.shape) / max(float(voice.sum(1).mean()), 1e-9)
            power += np.roll(voice, int(rng.integers(len(voice))), axis=0)
        bank.append(np.log(power + 1e-10))
    return bank


def add_noise(mel: NDArray[np.float32], noise: NDArray[np.float32], ratio_db: float) -> NDArray[np.float32]:
    """Adds noise frames of the same shape at a ratio of mean speech power to mean noise power, in dB."""
    speech_power, noise_power = np.exp(mel), np.exp(noise)
    gain = speech_power.sum(1).mean() / max(float(noise_power.sum(1).mean()), 1e-12) * 10.0 ** (-ratio_db / 10.0)
    return np.log(speech_power + gain * noise_power)


def add_room(mel: NDArray[np.float32], reverberation_seconds: float, direct_db: float) -> NDArray[np.float32]:
    """Log-mel frames (F, bands), 100 a second, in a room whose echo dies away exponentially (Polack 1988).

    Args:
        mel: 100 frames a second.
        reverberation_seconds: until the echo is 60 dB weaker.
        direct_db: power of the direct sound over that of the echo.
    """
    power = np.exp(mel)
    decay = 10.0 ** (-0.06 / reverberation_seconds)  # of power, a frame of 10 ms
    echo = np.asarray(lfilter([0.0, 1.0 - decay], [1.0, -decay], power, axis=0))
    return np.log(power + 10.0 ** (-direct_db / 10.0) * echo).astype(np.float32)


def _interpolate(rows: NDArray[np.float32], positions: NDArray[np.float64]) -> NDArray[np.float32]:
    positions = positions.clip(0, len(rows) - 1)
    lower = np.minimum(positions.astype(np.int64), max(len(rows) - 2, 0))
    share = (positions - lower).astype(np.float32)[:, None]
    return rows[lower] * (1 - share) + rows[np.minimum(lower + 1, len(rows) - 1)] * share


def vary(
    mel: NDArray[np.float32], bank: Sequence[NDArray[np.float32]], settings: Augmentation, rng: np.random.Generator
) -> NDArray[np.float32]:
    """Another recording of the same words: log-mel frames (F, bands) to (F', bands), before normalisation."""
    tempo = 1.0 + rng.uniform(-settings.tempo, settings.tempo)
    mel = _interpolate(mel, np.arange(int((len(mel) - 1) / tempo) + 1) * tempo)
    warp = 1.0 + rng.uniform(-settings.vocal_tract, settings.vocal_tract)
    mel = _interpolate(np.ascontiguousarray(mel.T), np.arange(mel.shape[1]) * warp).T
    if rng.random() < settings.room_probability:
        mel = add_room(mel, rng.uniform(*settings.reverberation_seconds), rng.uniform(*settings.direct_db))
    if bank and rng.random() < settings.noise_probability:
        noise = bank[rng.integers(len(bank))]
        start = rng.integers(len(noise))
        rows = (start + np.arange(len(mel))) % len(noise)
        mel = add_noise(mel, noise[rows], rng.uniform(*settings.noise_db))
    if rng.random() < settings.band_limit_probability:
        mel = mel.copy()
        mel[:, rng.integers(mel.shape[1] * 2 // 3, mel.shape[1]) :] -= rng.uniform(4.0, 12.0)
        mel[:, : rng.integers(mel.shape[1] // 6)] -= rng.uniform(4.0, 12.0)
    return mel


def mask(mel: NDArray[np.float32], settings: Augmentation, rng: np.random.Generator) -> NDArray[np.float32]:
    """Blanks random spans of time and bands of normalised frames (F, bands), as SpecAugment does."""
    mel = mel.copy()
    for _ in range(rng.poisson(settings.time_masks_per_second * len(mel) / 100)):
        width = int(rng.integers(1, settings.longest_time_mask + 1))
        start = int(rng.integers(max(len(mel) - width, 1)))
        mel[start : start + width] = 0.0
    for _ in range(settings.band_masks):
        width = int(rng.integers(settings.widest_band_mask + 1))
        start = int(rng.integers(mel.shape[1] - width))
        mel[:, start : start + width] = 0.0
    return mel
