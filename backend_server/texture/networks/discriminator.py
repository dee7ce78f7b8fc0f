"""Judges whether a picture of this person is real (D_T of Eq. 9).

Both forms see the picture beside a reference of the person, are spectrally normalised, and return their
activations, which are the features if no VGG file is given.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from backend_server.config import TextureConfig
from backend_server.layers import SLOPE, ResidualBlock, convolution


@dataclass(frozen=True)
class Verdict:
    """What a discriminator says.

    Attributes:
        score: logits, above 0 for real; (N, 1) or a map (N, 1, h, w).
        features: activations of its layers.
    """

    score: Tensor
    features: list[Tensor]


class TextureDiscriminator(nn.Module):
    """D_T of the paper: six residual blocks, a max pool and a linear layer (Section 4.3).

    Args:
        config: channels of the blocks.
    """

    def __init__(self, config: TextureConfig) -> None:
        super().__init__()
        channels = config.discriminator_channels
        pairs = zip((6, *channels), channels, strict=False)
        self.blocks = nn.ModuleList(ResidualBlock(a, b, scale="down", normalise=False) for a, b in pairs)
        self.out = nn.utils.parametrizations.spectral_norm(nn.Linear(channels[-1], 1))

    def forward(self, picture: Tensor, reference: Tensor) -> Verdict:
        """Judges pictures (N, 3, H, W) beside references of the same shape."""
        x = torch.cat([picture, reference], 1)
        features = []
        for block in self.blocks:
            x = block(x)
            features.append(x)
        return Verdict(self.out(F.leaky_relu(x, SLOPE).amax((2, 3))), features)


class PatchDiscriminator(nn.Module):
    """D_T of preset `warp`: judges overlapping patches (Isola et al. 2017); the reference is the warped one.

    The paper judges the whole picture with one number; with ten people that number soon memorises them all.

    Args:
        config: channels of the layers.
    """

    def __init__(self, config: TextureConfig) -> None:
        super().__init__()
        channels = config.discriminator_channels
        pairs = zip((24, *channels), channels, strict=False)
        self.layers = nn.ModuleList(
            convolution(a, b, stride=1 if depth == 0 else 2, spectral=True) for depth, (a, b) in enumerate(pairs)
        )
        self.out = convolution(channels[-1], 1, spectral=True)

    def forward(self, picture: Tensor, reference: Tensor) -> Verdict:
        """Judges pictures (N, 3, H, W) beside references of the same shape."""
        x = F.pixel_unshuffle(torch.cat([picture, reference], 1), 2).contiguous(memory_format=torch.channels_last)
        features = []
        for layer in self.layers:
            x = F.leaky_relu(layer(x), SLOPE)
            features.append(x)
        return Verdict(self.out(x), features)


def build_discriminator(config: TextureConfig) -> nn.Module:
    """The untrained discriminator of a preset."""
    return TextureDiscriminator(config) if config.preset == "paper" else PatchDiscriminator(config)
