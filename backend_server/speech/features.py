"""Computes log-mel frames, and how loud the speech of a recording is."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from functools import lru_cache

import torch
import torch.nn.functional as F
from torch import Tensor

from backend_server.config import SAMPLE_RATE

MEL_BANDS = 64
WINDOW_SAMPLES = 400  # 25 ms
HOP_SAMPLES = 160  # 100 frames a second
FFT_SIZE = 512
LOWEST_HZ, HIGHEST_HZ = 60.0, 7600.0
POWER_FLOOR = 1e-10  # below the quantisation noise of 16-bit sound
FLOOR = -10.0  # natural-log units below the level of the clip's speech: 43 dB, everything quieter is silence
SPREAD = 3.0  # natural-log units, about the standard deviation of speech around its level
_BLOCK_FRAMES = 3000  # bounds the memory of the Fourier transform


def hz_to_mel(hertz: Tensor) -> Tensor:
    """The mel scale of O'Shaughnessy 1987: 1000 Hz is 1000 mel."""
    return 2595.0 * torch.log10(1.0 + hertz / 700.0)


def mel_to_hz(mel: Tensor) -> Tensor:
    """The inverse of `hz_to_mel`."""
    return 700.0 * (10.0 ** (mel / 2595.0) - 1.0)


@lru_cache(maxsize=4)
def mel_filters(bands: int) -> Tensor:
    """Triangles of height 1, evenly spaced on the mel scale, (bands, FFT_SIZE / 2 + 1)."""
    ends = hz_to_mel(torch.tensor([LOWEST_HZ, HIGHEST_HZ], dtype=torch.float64))
    corners = mel_to_hz(torch.linspace(float(ends[0]), float(ends[1]), bands + 2, dtype=torch.float64))
    bins = torch.arange(FFT_SIZE // 2 + 1, dtype=torch.float64) * SAMPLE_RATE / FFT_SIZE
    left, centre, right = corners[:-2, None], corners[1:-1, None], corners[2:, None]
    rising, falling = (bins - left) / (centre - left), (right - bins) / (right - centre)
    return torch.minimum(rising, falling).clamp(min=0.0).float()


def log_mel_blocks(blocks: Iterable[Tensor]) -> Iterator[Tensor]:
    """`log_mel` of a 16 kHz waveform that comes in blocks (S,) of any length: the same frames, (n, bands) at a time."""
    kept: Tensor | None = None
    for block in blocks:
        kept = F.pad(block, (FFT_SIZE // 2, 0)) if kept is None else torch.cat([kept, block])
        count = max((len(kept) - FFT_SIZE) // HOP_SAMPLES + 1, 0)
        if count:
            yield _log_mel_frames(kept)
            kept = kept[count * HOP_SAMPLES :]
    if kept is not None:
        yield _log_mel_frames(F.pad(kept, (0, FFT_SIZE // 2)))


def _log_mel_frames(padded: Tensor) -> Tensor:
    window = torch.hann_window(WINDOW_SAMPLES, device=padded.device)
    margin = (FFT_SIZE - WINDOW_SAMPLES) // 2
    window = F.pad(window, (margin, FFT_SIZE - WINDOW_SAMPLES - margin))
    filters = mel_filters(MEL_BANDS).to(padded.device)
    frames = padded.unfold(0, FFT_SIZE, HOP_SAMPLES)  # (F, FFT_SIZE), a view
    blocks = []
    for block in frames.split(_BLOCK_FRAMES):
        power = torch.fft.rfft(block * window).abs().square()
        blocks.append((power @ filters.T + POWER_FLOOR).log())
    return torch.cat(blocks)


def log_mel(waveform: Tensor) -> Tensor:
    """Natural logarithm of the mel power of a 16 kHz waveform.

    Args:
        waveform: (S,), [-1, 1].

    Returns:
        (1 + S // 160, 64); frame i is centred on sample 160 i.
    """
    return torch.cat(list(log_mel_blocks([waveform])))


class LevelMeter:
    """Measures the speech level of frames that come in blocks, as `speech_level` does for all at once."""

    def __init__(self) -> None:
        self._loudest = -math.inf
        self._weight = 0.0
        self._sum: Tensor | float = 0.0

    def add(self, mel: Tensor) -> None:
        """Takes in further frames, (n, bands)."""
        loudness = 0.5 * mel.double().logsumexp(1)  # the square root of power is amplitude
        loudest = max(self._loudest, float(loudness.max()))
        weights, fade = (loudness - loudest).exp(), math.exp(self._loudest - loudest)
        self._weight = fade * self._weight + float(weights.sum())
        self._sum = fade * self._sum + weights @ mel.double()
        self._loudest = loudest

    @property
    def level(self) -> Tensor:
        """Of all frames so far, (bands,)."""
        return torch.as_tensor(self._sum / self._weight).float()


def speech_level(mel: Tensor) -> Tensor:
    """The level of the speech in each band, (bands,): the mean over frames, weighted by their amplitude.

    Silence has no weight, so the length of pauses does not change the level; a gain of the waveform
    adds the same number to every band.
    """
    meter = LevelMeter()
    meter.add(mel)
    return meter.level


def normalise(mel: Tensor, level: Tensor) -> Tensor:
    """Log-mel frames (F, bands) relative to a level (bands,), about in [-3.3, 2].

    The level may come from the clip itself or, in a stream, from what was heard so far.
    """
    return (mel - level).clamp(min=FLOOR) / SPREAD
