"""Hears speech that has holes: what small MP3 files and noise gates took away does not become motion.

A codec with few bits leaves out high bands, now and then or always; a noise gate silences what is quiet. Both fall off
a cliff that no room and no mouth makes: by more than 30 dB within 20 ms, to below silence. Where such cliffs are
frequent, the holes count neither for the level nor as silence. Sound without them is heard as ever.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from backend_server.speech.features import FLOOR, SPREAD, normalise

BINS_PER_UNIT = 4  # of a natural-log unit
LOWEST, HIGHEST = -24.0, 16.0  # of log-mel power
BINS = round((HIGHEST - LOWEST) * BINS_PER_UNIT)
CLIFF = 7.0  # natural-log units within `CLIFF_FRAMES`: 30 dB
CLIFF_FRAMES = 2  # of 10 ms
FEW_CLIFFS, MANY_CLIFFS = 0.002, 0.004  # share of all cells that end one: none is masked, all are masked
DEEPEST = 17.0  # below the loudest band's level: 74 dB; what lies deeper is a hole
LEAST_SHARE = 0.05  # of a band's weight that lies outside holes; a band with less is empty, and its level is a hole's
LIVE_SHARE = 0.3  # of the bands of a frame; with so many above the floor, the frame is within speech
MASK = -6.5  # natural-log units relative to the level: noise 28 dB below the speech that covers what a gate took
FILLED = -2.5  # natural-log units relative to the level, of a hole within speech


@dataclass(frozen=True)
class SpeechLevel:
    """How loud the speech of a clip is, and how much its holes are masked.

    Attributes:
        bands: level of each mel band, (bands,).
        masking: 0 for speech without holes, 1 for speech full of them.
    """

    bands: Tensor
    masking: float = 0.0

    def normalise(self, mel: Tensor) -> Tensor:
        """Log-mel frames (F, bands) relative to the level, about in [-3.3, 2]."""
        if self.masking == 0:
            return normalise(mel, self.bands)
        plain = normalise(mel, self.bands)
        is_hole = plain <= FLOOR / SPREAD
        is_live = (~is_hole).float().mean(1, keepdim=True) > LIVE_SHARE
        covered = torch.logaddexp(plain * SPREAD, torch.full_like(plain, MASK)) / SPREAD
        covered = torch.where(is_hole & is_live, FILLED / SPREAD, covered)
        return torch.lerp(plain, covered, self.masking)

    def to(self, device: torch.device) -> SpeechLevel:
        """The same on a device."""
        return SpeechLevel(self.bands.to(device), self.masking)


class SpeechLevelMeter:
    """Measures the level and the holes of frames that come in blocks."""

    def __init__(self) -> None:
        self._loudest = -math.inf
        self._frames = 0
        self._last: Tensor | None = None  # the last `CLIFF_FRAMES` frames
        self._weights = torch.zeros(0)  # histograms by level, (BINS, bands): of amplitude,
        self._sums = torch.zeros(0)  # of amplitude times level,
        self._cliffs = torch.zeros(0)  # and of how many cliffs end there

    def add(self, mel: Tensor) -> None:
        """Takes in further frames, (n, bands)."""
        mel = mel.double().cpu()
        if self._frames == 0:
            self._weights, self._sums, self._cliffs = torch.zeros(3, BINS, mel.shape[1], dtype=torch.double)
        loudness = 0.5 * mel.logsumexp(1)  # the square root of power is amplitude
        loudest = max(self._loudest, float(loudness.max()))
        fade = math.exp(self._loudest - loudest)
        self._loudest = loudest
        weights = (loudness - loudest).exp()[:, None].expand_as(mel)
        self._weights.mul_(fade).scatter_add_(0, _bins(mel), weights)
        self._sums.mul_(fade).scatter_add_(0, _bins(mel), weights * mel)
        self._frames += len(mel)
        joined = mel if self._last is None else torch.cat([self._last, mel])
        ends = joined[CLIFF_FRAMES:]
        is_cliff = ends - joined[: len(ends)] < -CLIFF
        self._cliffs.scatter_add_(0, _bins(ends), is_cliff.double())
        self._last = joined[-CLIFF_FRAMES:]

    @property
    def level(self) -> SpeechLevel:
        """Of all frames so far: the mean of each band, weighted by the frames' amplitude, as `features.speech_level`.

        Where speech has holes, they are left out of the mean.
        """
        total = self._weights.sum(0)
        plain = self._sums.sum(0) / total
        edges = LOWEST + torch.arange(BINS, dtype=torch.double)[:, None] / BINS_PER_UNIT  # the lower one of each bin
        is_sound = edges >= plain.max() - DEEPEST
        sound = (self._weights * is_sound).sum(0)
        full = torch.where(sound > LEAST_SHARE * total, (self._sums * is_sound).sum(0) / sound.clamp(min=1e-30), plain)
        ends = float((self._cliffs * (edges < full + FLOOR)).sum()) / max(self._cliffs.shape[1] * self._frames, 1)
        masking = min(max((ends - FEW_CLIFFS) / (MANY_CLIFFS - FEW_CLIFFS), 0.0), 1.0)
        return SpeechLevel(torch.lerp(plain, full, masking).float(), masking)


def speech_level_of(mel: Tensor) -> SpeechLevel:
    """The level of log-mel frames (F, bands) that are all there."""
    meter = SpeechLevelMeter()
    meter.add(mel)
    return SpeechLevel(meter.level.bands.to(mel.device), meter.level.masking)


def _bins(mel: Tensor) -> Tensor:
    return ((mel - LOWEST) * BINS_PER_UNIT).long().clamp(0, BINS - 1)
