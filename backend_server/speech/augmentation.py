"""Turns one recording into many: other tempo, voice, silence, room, noise and bandwidth, all in log-mel frames.

On frames instead of samples this costs almost nothing; powers of sound and noise add. Gain is not varied, because the
features do not depend on it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.signal import lfilter

from backend_server.articulation.phones import PHONES, SILENCE
from backend_server.config import SAMPLE_RATE, SpeechConfig
from backend_server.speech.dataset import Features
from backend_server.speech.features import POWER_FLOOR, log_mel

_LEAST_POWER = 1e-7  # of a frame, summed over its bands; a weaker frame is silence and does not count


@dataclass(frozen=True)
class Augmentation:
    """How much to vary; the defaults are those of the shipped weights."""

    tempo: float = 0.12  # +- share
    vocal_tract: float = 0.08  # +- share by which bands shift (Jaitly and Hinton 2013)
    silence_probability: float = 0.3  # at either end
    silence_seconds: float = 0.6  # mean, drawn from an exponential distribution
    longest_silence: float = 2.5  # seconds
    room_probability: float = 0.3
    reverberation_seconds: tuple[float, float] = (0.15, 0.9)  # until it is 60 dB weaker
    direct_db: tuple[float, float] = (-3.0, 15.0)  # direct over reverberant power
    noise_probability: float = 0.7
    babble_share: float = 0.6  # of the noise is other people talking
    babble_voices: tuple[int, int] = (2, 8)
    snr_db: tuple[float, float] = (-5.0, 40.0)  # of speech over noise
    band_limit_probability: float = 0.2
    time_masks_per_second: float = 0.5  # SpecAugment (Park et al. 2019)
    longest_time_mask: int = 15  # frames
    band_masks: int = 2
    widest_band_mask: int = 9


class NoiseBank:
    """White and pink noise and mains hum, some 30 s each, and voices for babble, all as log-mel frames.

    Args:
        voices: log-mel frames of people talking, (F, bands) each; without them there is no babble.
        config: of the frames.
        rng: of the noise.
    """

    def __init__(self, voices: Sequence[NDArray[np.floating]], config: SpeechConfig, rng: np.random.Generator) -> None:
        count = 30 * SAMPLE_RATE
        white = rng.standard_normal(count).astype(np.float32) * 0.1
        spectrum = np.fft.rfft(white)
        pink = np.fft.irfft(spectrum / np.sqrt(np.maximum(np.arange(len(spectrum)), 40)), count).astype(np.float32)
        seconds = np.arange(count) / SAMPLE_RATE
        overtones = np.arange(1, 12)[:, None]
        hums = [(np.sin(2 * np.pi * mains * overtones * seconds) / overtones).sum(0) for mains in (50, 60)]
        sounds = (white, pink * 30, *(hum.astype(np.float32) * 0.1 + white * 0.01 for hum in hums))
        self._steady = [log_mel(torch.from_numpy(noise), config).numpy() for noise in sounds]
        self._voices = voices

    def draw(self, count: int, settings: Augmentation, rng: np.random.Generator) -> NDArray[np.float32]:
        """Noise of `count` frames, (count, bands): other people talking, equally strong, or steady noise."""
        if not self._voices or rng.random() >= settings.babble_share:
            noise = self._steady[rng.integers(len(self._steady))]
            return noise[(rng.integers(len(noise)) + np.arange(count)) % len(noise)]
        power = np.full((count, self._steady[0].shape[1]), POWER_FLOOR, np.float32)
        for index in rng.integers(len(self._voices), size=rng.integers(*settings.babble_voices, endpoint=True)):
            voice = np.exp(np.asarray(self._voices[index], np.float32))
            rows = (rng.integers(len(voice)) + np.arange(count)) % len(voice)
            power += voice[rows] / max(float(voice.sum(1).mean()), 1e-9)
        return np.log(power)


def add_noise(mel: NDArray[np.float32], noise: NDArray[np.float32], snr_db: float) -> NDArray[np.float32]:
    """Adds noise frames of the same shape at a signal-to-noise ratio.

    Frames of digital silence are no part of the speech.
    """
    speech_power, noise_power = np.exp(mel), np.exp(noise)
    loudness = speech_power.sum(1)
    loudness = loudness[loudness > _LEAST_POWER]
    level = float(loudness.mean()) if len(loudness) else 0.0
    gain = level / max(float(noise_power.sum(1).mean()), 1e-12) * 10.0 ** (-snr_db / 10.0)
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


def _interpolate(rows: NDArray[np.float32], positions: NDArray[np.floating]) -> NDArray[np.float32]:
    positions = positions.clip(0, len(rows) - 1)
    lower = np.minimum(positions.astype(np.int64), max(len(rows) - 2, 0))
    share = (positions - lower).astype(np.float32)[:, None]
    return np.asarray(rows[lower] * (1 - share) + rows[np.minimum(lower + 1, len(rows) - 1)] * share, np.float32)


def vary_voice(mel: NDArray[np.float32], settings: Augmentation, rng: np.random.Generator) -> NDArray[np.float32]:
    """The same words in another voice and tempo: log-mel frames (F, bands) to (F', bands)."""
    tempo = 1.0 + rng.uniform(-settings.tempo, settings.tempo)
    mel = _interpolate(mel, np.arange(int((len(mel) - 1) / tempo) + 1) * tempo)
    warp = 1.0 + rng.uniform(-settings.vocal_tract, settings.vocal_tract)
    return _interpolate(np.ascontiguousarray(mel.T), np.arange(mel.shape[1]) * warp).T


def surround(item: Features, before: int, after: int) -> Features:
    """An utterance between mel frames of digital silence; the mouth is unknown there."""
    mel = np.pad(item.mel, np.array([(before, after), (0, 0)]), constant_values=math.log(POWER_FLOOR))
    phones, begins, mouth = item.phones, item.begins, item.mouth
    if len(begins):
        silent = PHONES.index(SILENCE)
        phones = np.concatenate([[silent], phones, [silent]])
        begins = np.concatenate([[0], begins + before, [before + len(item.mel)]]).astype(np.float32)
    if mouth is not None:
        rate = (len(mouth) - 1) / max(len(item.mel) - 1, 1)
        rows = np.array([(round(before * rate), round(after * rate)), (0, 0)])
        mouth = np.pad(mouth, rows, constant_values=np.nan)
    return replace(item, mel=mel, phones=phones, begins=begins, mouth=mouth)


def silences(settings: Augmentation, rng: np.random.Generator) -> tuple[int, int]:
    """How many mel frames of silence come before and after an utterance."""
    drawn = rng.exponential(settings.silence_seconds, 2).clip(max=settings.longest_silence)
    before, after = np.where(rng.random(2) < settings.silence_probability, 100 * drawn, 0).astype(int).tolist()
    return before, after


def vary_place(
    mel: NDArray[np.float32], bank: NoiseBank, settings: Augmentation, rng: np.random.Generator
) -> NDArray[np.float32]:
    """The same sound in another room, in noise, with other bandwidth; log-mel frames (F, bands), not normalised."""
    if rng.random() < settings.room_probability:
        mel = add_room(mel, rng.uniform(*settings.reverberation_seconds), rng.uniform(*settings.direct_db))
    if rng.random() < settings.noise_probability:
        mel = add_noise(mel, bank.draw(len(mel), settings, rng), rng.uniform(*settings.snr_db))
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
