"""Hears: a waveform to hidden layers that know what is said (F_t of Section 3.1).

The encoder of Moonshine (Jeffries et al. 2024, "Moonshine: Speech Recognition for Live Transcription and Voice
Commands"; tiny, English, MIT licence), where the paper takes a pre-trained DeepSpeech: convolutions straight on the
waveform, then a transformer with rotary positions (Su et al. 2021). Moonshine divides what the first filters say by its
deviation over the whole clip; here the waveform comes at a known level instead, which long sound needs.
"""

from __future__ import annotations

from functools import lru_cache

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from backend_server.config import SpeechConfig

_STRIDES, _KERNELS = (64, 3, 2), (127, 7, 3)  # of the three convolutions
STEP = 384  # samples from one position to the next
LEAD, TAIL = 447, 448  # samples that a position hears before and from its middle on


class SelfAttention(nn.Module):
    """Attention of every position to every other, over (N, U, width)."""

    def __init__(self, config: SpeechConfig) -> None:
        super().__init__()
        self.heads = config.heads
        self.query, self.key, self.value, self.out = (
            nn.Linear(config.width, config.width, bias=False) for _ in range(4)
        )

    def forward(self, x: Tensor, turns: Tensor) -> Tensor:
        """Keeps the shape; `turns` are `rotations`."""
        query, key, value = (
            part(x).unflatten(2, (self.heads, -1)).transpose(1, 2) for part in (self.query, self.key, self.value)
        )
        heard = F.scaled_dot_product_attention(_turned(query, turns), _turned(key, turns), value)
        return self.out(heard.transpose(1, 2).flatten(2))


class EncoderLayer(nn.Module):
    """Attention and a perceptron, each added to what it hears (N, U, width)."""

    def __init__(self, config: SpeechConfig) -> None:
        super().__init__()
        self.norm_attention = nn.LayerNorm(config.width, bias=False)
        self.attention = SelfAttention(config)
        self.norm_perceptron = nn.LayerNorm(config.width, bias=False)
        self.wide = nn.Linear(config.width, 4 * config.width)
        self.narrow = nn.Linear(4 * config.width, config.width)

    def forward(self, x: Tensor, turns: Tensor) -> Tensor:
        """Keeps the shape."""
        x = x + self.attention(self.norm_attention(x), turns)
        return x + self.narrow(F.gelu(self.wide(self.norm_perceptron(x))))


class SpeechEncoder(nn.Module):
    """A 16 kHz waveform to the outputs of its layers, 41.67 positions a second."""

    def __init__(self, config: SpeechConfig) -> None:
        super().__init__()
        self.config = config
        width = config.width
        self.first = nn.Conv1d(1, width, _KERNELS[0], stride=_STRIDES[0], bias=False)
        self.scale = nn.Parameter(torch.ones(width))
        self.shift = nn.Parameter(torch.zeros(width))
        self.second = nn.Conv1d(width, 2 * width, _KERNELS[1], stride=_STRIDES[1])
        self.third = nn.Conv1d(2 * width, width, _KERNELS[2], stride=_STRIDES[2])
        self.layers = nn.ModuleList(EncoderLayer(config) for _ in range(config.layers))
        self.norm = nn.LayerNorm(width, bias=False)

    def forward(self, waveform: Tensor, count: int | None = None) -> list[Tensor]:
        """Hears a waveform.

        Args:
            waveform: (N, S) at the level the network is used to, at least 895 samples; position u is centred on sample
                384 u + 447.
            count: of layers to go through; all when None.

        Returns:
            What goes into the first layer and what comes out of each, (N, U, width) each; that of the very last layer
            is normalised.
        """
        x = torch.tanh(self.first(waveform[:, None]))
        x = x * self.scale[:, None] + self.shift[:, None]
        x = F.gelu(self.third(F.gelu(self.second(x)))).transpose(1, 2)
        turns = rotations(x.shape[1], self.config.rotary_size, self.config.width // self.config.heads).to(x.device)
        outputs = [x]
        for layer in self.layers[:count]:
            outputs.append(layer(outputs[-1], turns))
        if len(outputs) > len(self.layers):
            outputs[-1] = self.norm(outputs[-1])
        return outputs


def _turned(x: Tensor, turns: Tensor) -> Tensor:
    """Each pair of dimensions of (N, heads, U, d), turned by its position."""
    pairs = torch.view_as_complex(x.float().unflatten(3, (-1, 2)))
    return torch.view_as_real(pairs * turns).flatten(3).to(x)


@lru_cache(maxsize=16)
@torch.inference_mode(False)  # what is kept must serve a training, too, also when it was first asked for outside of one
def rotations(count: int, size: int, dimensions: int) -> Tensor:
    """How `count` positions turn each pair of `dimensions`: complex numbers (count, dimensions / 2), base 10,000.

    Only the first `size` dimensions turn.
    """
    frequencies = 10_000.0 ** (-torch.arange(0, size, 2, dtype=torch.float32) / size)
    angles = torch.arange(count, dtype=torch.float32)[:, None] * frequencies
    return torch.polar(torch.ones(count, dimensions // 2), F.pad(angles, (0, (dimensions - size) // 2)))
