"""How does the shipped generator make a picture (preset `warp`)?

The base reference is warped by the motion of the landmarks; a small U-net sees it beside the drawn landmarks and
repaints what a warp cannot show (the inside of the mouth, lids, wrinkles), with a mask that says where.

The paper carries the whole identity through one AdaIN bottleneck. That code is here too, but most of what a person
looks like arrives with the warped picture.
"""

from __future__ import annotations

from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from backend_server.config import TextureConfig
from backend_server.layers import SLOPE, AdaptiveResidualBlock, convolution
from backend_server.texture.raster import line_images, opening_images, opening_measures
from backend_server.texture.synthesis import References, Synthesis, TextureGenerator
from backend_server.texture.warp import at_full_size, landmark_flow, sample

# The network paints in this square of the crop, which holds brows to chin with a margin; around it the warp stays.
WINDOW_TOP, WINDOW_LEFT, WINDOW_SIZE = 56, 32, 192
_TAPER = 12  # pixels over which the mask fades at the window's edge
_MEASURES = 8  # four of the target, four of the reference
_INPUTS = 3 + 3 + 2 + 2 + 2 + 1  # warped, lines, openings, warped openings, motion, stretch


class TextureEncoder(nn.Module):
    """E_I: reference pictures with their line images to one code.

    Args:
        channels: of the layers, each half as large as the one before.
        code_size: of the code.
    """

    def __init__(self, channels: tuple[int, ...], code_size: int) -> None:
        super().__init__()
        sizes = zip((6, *channels), channels, strict=False)
        self.layers = nn.ModuleList(convolution(a, b, stride=2) for a, b in sizes)
        self.out = nn.Linear(channels[-1], code_size)

    def forward(self, references: References) -> Tensor:
        """The mean code of N people's references, (N, code_size)."""
        images, landmarks = references.images, references.landmarks
        drawn = line_images(landmarks.flatten(0, 1))
        x = F.avg_pool2d(torch.cat([images.flatten(0, 1), drawn], 1), 2)
        for layer in self.layers:
            x = F.leaky_relu(layer(x), SLOPE)
        return self.out(x.mean((2, 3))).unflatten(0, images.shape[:2]).mean(1)


class PlainBlock(nn.Module):
    """Two convolutions beside a shortcut, without normalisation: it keeps colours as they are."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = convolution(channels, channels)
        self.second = convolution(channels, channels)
        nn.init.zeros_(self.second.weight)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) to the same shape."""
        return x + self.second(F.leaky_relu(self.first(F.leaky_relu(x, SLOPE)), SLOPE))


class LandmarkAutoencoder(nn.Module):
    """E_L: a U-net whose bottleneck the identity code steers by AdaIN.

    Args:
        inputs: channels of the picture.
        outputs: channels of the result.
        channels: at half the picture's size, a quarter, and so on.
        code_size: of the code.
    """

    def __init__(self, inputs: int, outputs: int, channels: tuple[int, ...], code_size: int) -> None:
        super().__init__()
        pairs = list(pairwise(channels))
        self.stem = convolution(4 * inputs, channels[0])
        self.encoders = nn.ModuleList(PlainBlock(c) for c in channels[:-1])
        self.downs = nn.ModuleList(convolution(a, b, stride=2) for a, b in pairs)
        self.bottleneck = AdaptiveResidualBlock(channels[-1], code_size, spectral=False)
        self.ups = nn.ModuleList(convolution(b, a, 1) for a, b in reversed(pairs))
        self.decoders = nn.ModuleList(PlainBlock(c) for c in reversed(channels[:-1]))
        self.out = convolution(channels[0], 4 * outputs)
        with torch.no_grad():
            self.out.weight.mul_(0.1)

    def forward(self, x: Tensor, code: Tensor) -> Tensor:
        """(N, inputs, H, W) and (N, code_size) to (N, outputs, H, W)."""
        # Full-size layers cost more in memory traffic than in arithmetic, so the network starts at half the size.
        x = self.stem(F.pixel_unshuffle(x, 2).contiguous(memory_format=torch.channels_last))
        skips = []
        for encoder, down in zip(self.encoders, self.downs, strict=True):
            x = encoder(x)
            skips.append(x)
            x = down(F.leaky_relu(x, SLOPE))
        x = self.bottleneck(x, code)
        for up, decoder, skip in zip(self.ups, self.decoders, reversed(skips), strict=True):
            x = decoder(F.interpolate(up(x), scale_factor=2.0, mode="nearest") + skip)
        return F.pixel_shuffle(self.out(F.leaky_relu(x, SLOPE)), 2)


class WarpGenerator(TextureGenerator):
    """G_T of preset `warp`.

    Args:
        config: channels and code size.
    """

    taper: Tensor
    window = (WINDOW_TOP, WINDOW_LEFT, WINDOW_SIZE)

    def __init__(self, config: TextureConfig) -> None:
        super().__init__(config)
        self.encoder = TextureEncoder(config.encoder_channels, config.code_size)
        self.autoencoder = LandmarkAutoencoder(_INPUTS, 7, config.channels, config.code_size + _MEASURES)
        ramp = torch.ones(WINDOW_SIZE)
        ramp[:_TAPER] = torch.arange(_TAPER) / _TAPER
        ramp = torch.minimum(ramp, ramp.flip(0))
        self.register_buffer("taper", ramp[:, None] * ramp, persistent=False)

    def encode(self, references: References) -> Tensor:
        """e = E_I(I^n): (N, code_size)."""
        return self.encoder(references)

    def forward(self, landmarks: Tensor, references: References, code: Tensor | None = None) -> Synthesis:
        """Pictures of the person with the given landmarks; see `TextureGenerator`."""
        code = self.encode(references) if code is None else code
        base, base_landmarks = references.images[:, 0], references.landmarks[:, 0]
        flow = landmark_flow(base_landmarks, landmarks)
        motion = at_full_size(torch.cat([flow.source, flow.stretch], 1))
        source = motion[:, :2]
        warped = sample(base, source)

        here = self.in_window(source)
        base_openings = sample(opening_images(base_landmarks), here)
        in_window = landmarks - landmarks.new_tensor([WINDOW_LEFT, WINDOW_TOP])
        lines = line_images(in_window, WINDOW_SIZE)
        openings = opening_images(in_window, WINDOW_SIZE)
        displacement = self.in_window(source - _places(source)) / 16
        seen = [self.in_window(warped), lines, openings, base_openings, displacement, self.in_window(motion[:, 2:])]
        measures = torch.cat([opening_measures(landmarks), opening_measures(base_landmarks)], 1)
        out = self.autoencoder(torch.cat(seen, 1), torch.cat([code, 4 * measures], 1))

        def placed(x: Tensor) -> Tensor:
            right, bottom = 256 - WINDOW_LEFT - WINDOW_SIZE, 256 - WINDOW_TOP - WINDOW_SIZE
            return F.pad(x, (WINDOW_LEFT, right, WINDOW_TOP, bottom))

        # Shading moves every colour a little and keeps the detail of the warp; painting replaces it where masked.
        shading, painted, mask = placed(out[:, :3] * self.taper), placed(torch.tanh(out[:, 3:6])), out[:, 6:]
        # What opens here was shut in the reference, so no warp can show it: the mask starts there.
        opened = (openings - base_openings).clamp_min(0).sum(1, keepdim=True)
        mask = placed((mask - 2 + 4 * opened).sigmoid() * self.taper)
        shaded = warped + shading
        picture = shaded + mask * (painted - shaded)
        return Synthesis(picture, painted, mask, warped, source)


def _places(like: Tensor) -> Tensor:
    rows = torch.arange(like.shape[-2], device=like.device, dtype=like.dtype)[:, None].expand(like.shape[-2:])
    columns = torch.arange(like.shape[-1], device=like.device, dtype=like.dtype).expand(like.shape[-2:])
    return torch.stack([columns, rows])
