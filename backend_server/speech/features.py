"""What does the acoustic model hear: log-mel frames that do not depend on how loud the recording is."""

from __future__ import annotations

from functools import lru_cache

import torch
from torch import Tensor

from backend_server.config import SAMPLE_RATE, SpeechConfig

FFT_SIZE = 512
LOWEST_HZ, HIGHEST_HZ = 60.0, 7600.0
POWER_FLOOR = 1e-10  # below the quantisation noise of 16-bit sound
FLOOR = -10.0  # natural-log units below the level of the clip's speech: 43 dB, everything quieter is silence
SPREAD = 3.0  # natural-log units, about the standard deviation of speech around its level
SILENCE = FLOOR / SPREAD  # a normalised frame of silence
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


def log_mel(waveform: Tensor, config: SpeechConfig) -> Tensor:
    """Natural logarithm of the mel power of a 16 kHz waveform.

    Args:
        waveform: (S,), [-1, 1].
        config: gives window, hop and bands.

    Returns:
        (1 + S // hop, bands); frame i is centred on sample i * hop.
    """
    window = torch.hann_window(config.window_samples, device=waveform.device)
    margin = (FFT_SIZE - config.window_samples) // 2
    window = torch.nn.functional.pad(window, (margin, FFT_SIZE - config.window_samples - margin))
    filters = mel_filters(config.mel_bands).to(waveform.device)
    padded = torch.nn.functional.pad(waveform, (FFT_SIZE // 2, FFT_SIZE // 2))
    frames = padded.unfold(0, FFT_SIZE, config.hop_samples)  # (F, FFT_SIZE), a view
    blocks = []
    for block in frames.split(_BLOCK_FRAMES):
        power = torch.fft.rfft(block * window).abs().square()
        blocks.append((power @ filters.T + POWER_FLOOR).log())
    return torch.cat(blocks)


def speech_level(mel: Tensor) -> Tensor:
    """The level of the speech in each band, (bands,): the mean over frames, weighted by their amplitude.

    Silence weighs nothing, so the level is that of the speech however long the pauses are; a gain of the waveform
    adds the same number to every band.
    """
    loudness = mel.logsumexp(1)  # (F,)
    weights = torch.softmax(0.5 * loudness, 0)  # the square root of power is amplitude
    return weights @ mel


def normalise(mel: Tensor, level: Tensor) -> Tensor:
    """Log-mel frames (F, bands) relative to a level (bands,), about in [-3.3, 2].

    The level may come from the clip itself or, in a stream, from what was heard so far.
    """
    return (mel - level).clamp(min=FLOOR) / SPREAD
