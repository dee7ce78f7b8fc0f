"""Makes a picture with the shipped generator (preset `warp`).

The references are warped by the motion of the landmarks and blended by learned attention (`attention.py`); a small
U-net sees the result beside the drawn landmarks. It corrects the warp by a smooth flow, shades it, and repaints what no
reference shows (the inside of the mouth, lids, wrinkles) where a mask says so.

The paper carries the whole identity through one AdaIN bottleneck. That code is here too, but most of what a person
looks like comes with the warped picture.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from backend_server.config import TextureConfig
from backend_server.layers import SLOPE, AdaptiveResidualBlock, convolution
from backend_server.texture.inner_mouth import MouthLight, drawn_share, paint_mouth
from backend_server.texture.synthesis import Code, References, Synthesis, TextureGenerator
from backend_server.texture.warping.attention import ReferenceAttention, strangeness
from backend_server.texture.warping.blending import Parts, blurred, box_of, moved_parts
from backend_server.texture.warping.raster import line_images, opening_measures
from backend_server.texture.warping.spline import places

# The network paints in this square of the crop, from brows to chin with a margin; outside it the warp stays.
WINDOW_TOP, WINDOW_LEFT, WINDOW_SIZE = 56, 32, 192
_TAPER = 12  # pixels over which the mask fades at the window's edge
_MEASURES = 8  # four of the target, four of the reference
_INPUTS = 3 + 3 + 2 + 2 + 2 + 1 + 1  # warped, lines, openings, warped openings, motion, stretch, doubt
_OUTPUTS = 3 + 3 + 1 + 2  # shading, painting, mask, flow
_FLOW_CELL = 8  # pixels


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
        # Half floats are faster on a GPU; on a CPU they were measured to be slower at this size.
        with torch.autocast("cuda", torch.float16, enabled=x.is_cuda and not torch.is_grad_enabled()):
            return self._repaint(x, code).float()

    def _repaint(self, x: Tensor, code: Tensor) -> Tensor:
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
        self.attention = ReferenceAttention()
        self.autoencoder = LandmarkAutoencoder(_INPUTS, _OUTPUTS, config.channels, config.code_size + _MEASURES)
        ramp = torch.ones(WINDOW_SIZE)
        ramp[:_TAPER] = torch.arange(_TAPER) / _TAPER
        ramp = torch.minimum(ramp, ramp.flip(0))
        self.register_buffer("taper", ramp[:, None] * ramp, persistent=False)

    def encode(self, references: References) -> Code:
        """e = E_I(I^n), and how strange each reference is compared with the first."""
        light = MouthLight.of(references.images[:, 0], references.landmarks[:, 0]) if self.config.draws_mouth else None
        return Code(self.encoder(references), strangeness(references.images), light)

    def forward(self, landmarks: Tensor, references: References, code: Code | None = None) -> Synthesis:
        """Pictures of the person with the given landmarks; see `TextureGenerator`."""
        code = self.encode(references) if code is None else code
        if not self.config.attends:
            references, code = references.only(slice(1)), replace(code, strangeness=code.strangeness[:, :1])
        shares = self.attention(landmarks, references.landmarks, code.strangeness)
        parts = moved_parts(
            self.following,
            landmarks,
            references,
            shares,
            has_teeth=self.config.has_teeth,
            slides_lids=self.config.slides_lids,
        )
        seen, changed, of_references = _seen(landmarks, parts.within(self.in_window), self.config.has_teeth)
        measures = torch.cat([opening_measures(landmarks), of_references], 1)
        out = self.autoencoder(seen, torch.cat([code.identity, 4 * measures], 1))

        # The flow and the shading are smooth, so they move and light the references' own detail and cannot blur it.
        # Paintings and masks are blurred, as `pixel_shuffle` can leave a pattern of single pixels.
        flow, shading, painted, mask = out[:, 7:], out[:, :3], torch.tanh(blurred(out[:, 3:6])), blurred(out[:, 6:7])
        shift = _smooth(flow, _FLOW_CELL).tanh() * self.config.flow_reach * self.taper
        parts = parts.shifted(shift, (WINDOW_LEFT, WINDOW_TOP))
        warped = parts.blended()
        # No warp can show what is shut in the references and opens here, or lids that shut over open eyes.
        prior = 4 * changed if self.config.has_mask_prior else 0
        mask = _placed((mask - 2 + prior).sigmoid() * self.taper)
        shaded = warped + _placed(_smooth(shading, self.config.shading_cell) * self.taper)
        painted = _placed(painted)
        picture, mouth = shaded + mask * (painted - shaded), parts.wanted[:, :1]
        if code.light is not None:
            picture, mouth = _with_mouth(picture, landmarks, parts, code.light)
        return Synthesis(picture, painted, mask, warped, parts.alpha(), mouth, parts.edge())


def _seen(landmarks: Tensor, parts: Parts, has_teeth: bool) -> tuple[Tensor, Tensor, Tensor]:
    """What E_L sees, (N, C, size, size); where mouth and lids change; measures of the references, (N, 4)."""
    moved = parts.pictures("bilinear")
    corner = parts.source.new_tensor([WINDOW_LEFT, WINDOW_TOP])
    displacement = (parts.source - places(parts.source) - corner[:, None, None]) / 16
    warped, base_openings, inside, displacement, stretch, squares = parts.mean(
        moved, parts.openings, parts.inside, displacement, parts.stretch, moved.square()
    )
    doubt = (squares - warped.square()).clamp_min(1e-6).sqrt().mean(1, keepdim=True)

    lines = line_images(landmarks - corner, WINDOW_SIZE)
    known = torch.cat([inside if has_teeth else base_openings[:, :1], base_openings[:, 1:]], 1)
    opened = (parts.wanted - known).clamp_min(0).sum(1, keepdim=True)
    seen = torch.cat([warped, lines, parts.wanted, base_openings, displacement, stretch, doubt], 1)
    own, measures = opening_measures(landmarks), parts.share.mean((2, 3)) * opening_measures(parts.landmarks)
    of_references = torch.zeros_like(own).index_add(0, parts.picture, measures)
    shut = (1 - own[:, 2:].sum(1) / of_references[:, 2:].sum(1).clamp_min(1e-3)).clamp_min(0).square()
    return seen, opened + shut[:, None, None, None] * base_openings[:, 1:], of_references


def _with_mouth(picture: Tensor, landmarks: Tensor, parts: Parts, light: MouthLight) -> tuple[Tensor, Tensor]:
    """Draws the insides of mouths that no reference shows; also returns what it did not draw, (N, 1, 256, 256)."""
    wanted = parts.wanted[:, :1]
    box = box_of(wanted)
    if box is None:
        return picture, wanted
    unseen = light.clearness[:, None, None, None] * drawn_share(wanted, parts.mean(parts.inside)[0])
    drawn = paint_mouth(landmarks, light, places(wanted)[box])
    result = picture.clone()  # backward needs the old values
    result[box] = picture[box].lerp(drawn, unseen[box])
    return result, wanted - unseen


def _smooth(x: Tensor, cell: int) -> Tensor:
    """Means over cells of `cell` pixels a side, interpolated linearly."""
    if cell == 1:
        return x
    return F.interpolate(F.avg_pool2d(x, cell), size=x.shape[-2:], mode="bilinear", align_corners=False)


def _placed(x: Tensor) -> Tensor:
    """The window's pictures in the whole crop, zero outside."""
    right, bottom = 256 - WINDOW_LEFT - WINDOW_SIZE, 256 - WINDOW_TOP - WINDOW_SIZE
    return F.pad(x, (WINDOW_LEFT, right, WINDOW_TOP, bottom))
