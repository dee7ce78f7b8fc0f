"""The building blocks that the networks share.

Convolutions, residual blocks that halve or double the picture (Brock et al. 2019), adaptive instance normalisation
(Huang & Belongie 2017) and self-attention (Zhang et al. 2019).
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

SLOPE = 0.2  # of every leaky rectifier


def convolution(inputs: int, outputs: int, kernel: int = 3, *, stride: int = 1, spectral: bool = False) -> nn.Conv2d:
    """A padded convolution; with spectral normalisation (Miyato et al. 2018) on request."""
    layer = nn.Conv2d(inputs, outputs, kernel, stride, padding=kernel // 2)
    nn.init.kaiming_normal_(layer.weight, SLOPE)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
    if spectral:
        spectral_norm(layer)  # changes the layer itself
    return layer


class AdaptiveInstanceNorm(nn.Module):
    """Instance normalisation whose gain and bias a code decides (AdaIN).

    Args:
        channels: of the activation.
        code_size: of the code.
    """

    def __init__(self, channels: int, code_size: int) -> None:
        super().__init__()
        self.affine = nn.Linear(code_size, 2 * channels)
        nn.init.normal_(self.affine.weight, std=0.02)
        nn.init.zeros_(self.affine.bias)

    def forward(self, x: Tensor, code: Tensor) -> Tensor:
        """(N, C, H, W) and (N, code_size) to (N, C, H, W)."""
        gain, bias = self.affine(code)[:, :, None, None].chunk(2, 1)
        return F.instance_norm(x) * (1 + gain) + bias


class SelfAttention(nn.Module):
    """Lets every pixel of an activation look at every other (Zhang et al. 2019); an identity at the start."""

    def __init__(self, channels: int, *, spectral: bool = True) -> None:
        super().__init__()
        narrow, half = max(channels // 8, 1), max(channels // 2, 1)
        self.query = convolution(channels, narrow, 1, spectral=spectral)
        self.key = convolution(channels, narrow, 1, spectral=spectral)
        self.value = convolution(channels, half, 1, spectral=spectral)
        self.out = convolution(half, channels, 1, spectral=spectral)
        self.gain = nn.Parameter(torch.zeros(()))

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) to the same shape."""
        size = x.shape[2:]
        query = self.query(x).flatten(2)  # (N, C/8, HW)
        key = F.max_pool2d(self.key(x), 2).flatten(2)  # (N, C/8, HW/4)
        value = F.max_pool2d(self.value(x), 2).flatten(2)  # (N, C/2, HW/4)
        attention = (query.mT @ key).softmax(-1)
        return x + self.gain * self.out((value @ attention.mT).unflatten(2, size))


class ResidualBlock(nn.Module):
    """Two convolutions beside a shortcut: normalise, rectify, convolve, twice.

    Args:
        inputs: channels.
        outputs: channels.
        scale: "down" halves the sides, "up" doubles them, "same" keeps them.
        normalise: whether instance normalisation comes before each rectifier.
        spectral: whether the convolutions are spectrally normalised.
    """

    def __init__(
        self, inputs: int, outputs: int, *, scale: str = "same", normalise: bool = True, spectral: bool = True
    ) -> None:
        super().__init__()
        self.scale = scale
        self.normalise = normalise
        self.first = convolution(inputs, outputs, spectral=spectral)
        self.second = convolution(outputs, outputs, spectral=spectral)
        self.shortcut = convolution(inputs, outputs, 1, spectral=spectral)

    def _activate(self, x: Tensor) -> Tensor:
        # A single pixel has no variance to normalise by.
        x = F.instance_norm(x) if self.normalise and x.shape[2] * x.shape[3] > 1 else x
        return F.leaky_relu(x, SLOPE)

    def forward(self, x: Tensor) -> Tensor:
        """(N, inputs, H, W) to (N, outputs, H', W')."""
        y = self._activate(x)
        if self.scale == "up":
            x, y = (F.interpolate(z, scale_factor=2.0, mode="nearest") for z in (x, y))
        y = self.second(self._activate(self.first(y)))
        y = y + self.shortcut(x)
        return F.avg_pool2d(y, 2) if self.scale == "down" else y


class AdaptiveResidualBlock(nn.Module):
    """A residual block at constant size whose normalisation a code decides.

    Args:
        channels: in and out.
        code_size: of the code.
        spectral: whether the convolutions are spectrally normalised.
    """

    def __init__(self, channels: int, code_size: int, *, spectral: bool = True) -> None:
        super().__init__()
        self.first_norm = AdaptiveInstanceNorm(channels, code_size)
        self.first = convolution(channels, channels, spectral=spectral)
        self.second_norm = AdaptiveInstanceNorm(channels, code_size)
        self.second = convolution(channels, channels, spectral=spectral)

    def forward(self, x: Tensor, code: Tensor) -> Tensor:
        """(N, C, H, W) and (N, code_size) to (N, C, H, W)."""
        y = self.first(F.leaky_relu(self.first_norm(x, code), SLOPE))
        return x + self.second(F.leaky_relu(self.second_norm(y, code), SLOPE))
