"""Builds the generator that the paper describes (preset `paper`, Section 4.3).

E_I and the encoder of E_L have six residual blocks that halve the picture, the decoder of E_L six that double it;
instance normalisation in the blocks, AdaIN from the code in the bottleneck, self-attention at 32 x 32 on the way
down and up, spectral normalisation everywhere.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from backend_server.config import TextureConfig
from backend_server.layers import SLOPE, AdaptiveResidualBlock, ResidualBlock, SelfAttention, convolution
from backend_server.texture.synthesis import Code, References, Synthesis, TextureGenerator
from backend_server.texture.warping.raster import line_images, opening_images

BLOCKS_TO_32_PIXELS = 3  # 256, 128, 64, 32


def down_path(inputs: int, channels: tuple[int, ...], *, normalise: bool = True) -> nn.Sequential:
    """Residual blocks that halve the picture, with self-attention at 32 x 32 pixels."""
    layers: list[nn.Module] = []
    for depth, (a, b) in enumerate(zip((inputs, *channels), channels, strict=False), 1):
        layers.append(ResidualBlock(a, b, scale="down", normalise=normalise and depth > 1))
        if depth == BLOCKS_TO_32_PIXELS:
            layers.append(SelfAttention(b))
    return nn.Sequential(*layers)


class TextureEncoder(nn.Module):
    """E_I: pictures, concatenated with their line images, to a code.

    Args:
        channels: of the six blocks.
        code_size: of the code.
    """

    def __init__(self, channels: tuple[int, ...], code_size: int) -> None:
        super().__init__()
        self.blocks = down_path(6, channels)
        self.out = nn.Linear(channels[-1], code_size)

    def forward(self, references: References) -> Tensor:
        """The mean code of N people's R references, (N, code_size)."""
        drawn = line_images(references.landmarks.flatten(0, 1))
        x = self.blocks(torch.cat([references.images.flatten(0, 1), drawn], 1))
        code = self.out(F.leaky_relu(x, SLOPE).mean((2, 3)))
        return code.unflatten(0, references.images.shape[:2]).mean(1)


class LandmarkAutoencoder(nn.Module):
    """E_L: line images of the new landmarks to a picture, steered by the code in its bottleneck.

    Args:
        channels: of the six blocks down; the six up mirror them.
        code_size: of the code.
    """

    def __init__(self, channels: tuple[int, ...], code_size: int) -> None:
        super().__init__()
        self.down = down_path(3, channels)
        self.bottleneck = AdaptiveResidualBlock(channels[-1], code_size)
        up: list[nn.Module] = []
        outputs = (*reversed(channels[:-1]), channels[0])
        for depth, (a, b) in enumerate(zip(reversed(channels), outputs, strict=True), 1):
            up.append(ResidualBlock(a, b, scale="up"))
            if len(channels) - depth == BLOCKS_TO_32_PIXELS:
                up.append(SelfAttention(b))
        self.up = nn.Sequential(*up)
        self.out = convolution(channels[0], 3, spectral=True)

    def forward(self, drawn: Tensor, code: Tensor) -> Tensor:
        """(N, 3, 256, 256) and (N, code_size) to (N, 3, 256, 256) in [-1, 1]."""
        x = self.up(self.bottleneck(self.down(drawn), code))
        return torch.tanh(self.out(F.leaky_relu(x, SLOPE)))


class PaperGenerator(TextureGenerator):
    """G_T of preset `paper`.

    Args:
        config: six channels for E_L and for E_I, and the code size.
    """

    def __init__(self, config: TextureConfig) -> None:
        super().__init__(config)
        self.encoder = TextureEncoder(config.encoder_channels, config.code_size)
        self.autoencoder = LandmarkAutoencoder(config.channels, config.code_size)

    def encode(self, references: References) -> Code:
        """e = E_I(I^n)."""
        return Code(self.encoder(references), torch.zeros_like(references.landmarks[:, :, 0, 0]))

    def forward(self, landmarks: Tensor, references: References, code: Code | None = None) -> Synthesis:
        """Pictures of the person with the given landmarks; see `TextureGenerator`."""
        code = self.encode(references) if code is None else code
        picture = self.autoencoder(line_images(landmarks), code.identity)
        whole = torch.ones_like(picture[:, :1])
        alpha = whole if references.mattes is None else references.mattes[:, 0]
        mouth = opening_images(landmarks)[:, :1]
        return Synthesis(picture, picture, whole, torch.zeros_like(picture), alpha, mouth)
