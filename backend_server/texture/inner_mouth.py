"""Paints the inside of a mouth that no picture of the person shows.

A network that saw few open mouths paints them all as one grey blur. What lies between lips is known better than that:
teeth that hang from the skull, teeth that stand on the jaw, a tongue, and darkness between and beside them. So they are
drawn, in layers whose edges follow from the lips, at any size, in the light of the person's picture.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from backend_server.config import CROP_SIZE
from backend_server.texture.colours import LUMINANCE
from backend_server.texture.mouth_colours import skin_colours
from backend_server.texture.warping.raster import MOUTH_EDGES, along_edge
from shared.landmarks import LEFT_EYE, RIGHT_EYE

# Lengths are distances of the outer eye corners, some 90 mm. They and the shares below were chosen by hand, the teeth's
# widths by anatomy, all else on the open mouths of the validation people: docs/training_diary.md.
_WIDTHS = (0.090, 0.068, 0.066, 0.052, 0.046, 0.040)  # of the teeth as they are seen, from the middle to the side
_SHORTER = (0.0, 0.006, 0.0, 0.004, 0.010, 0.016)  # than the first
_ROUNDING = 0.009  # of a tooth's corners
_GAP = 0.004  # between two teeth
_UPPER, _UPPER_REACHES = 0.100, 0.07  # how far upper teeth show below the lip, and the opening at which nearly so
_LOWER, _LOWER_REACHES = 0.040, 0.10  # the same of lower teeth above the lower lip
_UPPER_ARCH, _LOWER_ARCH = 0.5, 0.12  # how much higher the row ends beside the middle, over the square of the distance
_LEAST_GAP = 0.006  # between both rows
_SOFTNESS = 0.008  # of edges
_TONGUE_SHARE, _TONGUE_SOFTNESS = 0.5, 0.03  # of the opening, from below
_LIP_SHADOW, _LIP_SHADOW_REACHES = 0.35, 0.02  # on the upper teeth
_NARROW_SHADOW, _NARROW_REACHES = 0.45, 0.04  # on all teeth, while the mouth is hardly open
_SIDE_SHADOW, _SIDE_TONGUE = 1.8, 1.5  # how fast light fades towards the corners of the mouth

_LOWER_LIGHT = 0.85  # of the upper teeth's
_TONGUE_LIGHT = 0.6  # of the skin's
_DARK_LIGHT = 0.9  # of the picture's darkest
_DARK_TINT = (0.25, -0.25, -0.20)  # logarithms of red, green and blue, beside the skin's tint
_TONGUE_TINT = (0.12, -0.14, -0.06)
_DARK_SKIN = 0.6  # of the skin's tint in the dark

# A picture under a veil of light, as of a poor camera, shows no bright teeth and no black.
_WHITE, _WHITE_VEILED, _WHITE_LEAST, _WHITE_MOST = 1.08, 2.2, 0.42, 0.98
_TINT, _TINT_VEILED, _TINT_LEAST, _TINT_MOST = 0.25, 2.6, 0.4, 0.95  # share of the skin's tint in the teeth
_GAP_SHADE, _GAP_VEILED = 0.14, 2.2
_CLEAR, _VEILED = 0.22, 0.30  # veils: mouths are drawn up to the first, and left to the network from the second
_SHOWN_WELL, _HARDLY_SHOWN = 0.3, 0.7  # share of a mouth's inside that no picture shows; drawn from the first on
_DARKEST, _BRIGHTEST = 0.01, 0.99  # quantiles of the face's luminance that are its black and its white


@dataclass(frozen=True)
class MouthLight:
    """The light in which N people's pictures show a mouth.

    Attributes:
        skin: colour, (N, 3) in (0, 1].
        black: luminance of the darkest parts of the face, (N,) in (0, 1].
        white: luminance of its brightest, (N,), above `black`.
    """

    skin: Tensor
    black: Tensor
    white: Tensor

    @classmethod
    def of(cls, images: Tensor, landmarks: Tensor) -> MouthLight:
        """The light of pictures (N, 3, 256, 256) in [-1, 1] with their landmarks (N, 68, 2)."""
        luminance = torch.einsum("nchw,c->nhw", images.add(1).div(2), images.new_tensor(LUMINANCE))
        low = landmarks.amin(1).floor().long().clamp(0, CROP_SIZE - 2).tolist()
        high = landmarks.amax(1).ceil().long().clamp(1, CROP_SIZE - 1).tolist()
        ends = images.new_tensor([_DARKEST, _BRIGHTEST])
        faces = [
            face[top : max(bottom, top + 1) + 1, left : max(right, left + 1) + 1].flatten().quantile(ends)
            for face, (left, top), (right, bottom) in zip(luminance, low, high, strict=True)
        ]
        black, white = torch.stack(faces).clamp(1 / 255, 1).unbind(1)
        return cls(skin_colours(images, landmarks), black, torch.maximum(white, black + 1 / 255))

    def expand(self, count: int) -> MouthLight:
        """The same light of one person for `count` pictures; no copy."""
        return MouthLight(self.skin.expand(count, -1), self.black.expand(count), self.white.expand(count))

    @property
    def veil(self) -> Tensor:
        """How far the darkest is from black, (N,) in (0, 1)."""
        return self.black / self.white

    @property
    def clearness(self) -> Tensor:
        """How far mouths are drawn, (N,) in [0, 1].

        The network learnt from pictures under a strong veil, and paints the mouths of such as well.
        """
        return ((_VEILED - self.veil) / (_VEILED - _CLEAR)).clamp(0, 1)


def drawn_share(opening: Tensor, shown: Tensor) -> Tensor:
    """How much of each pixel is drawn, (N, 1, H, W): what no picture shows, unless they show most of the mouth.

    Args:
        opening: share of each pixel that lies between the lips, (N, 1, H, W).
        shown: share of each pixel that the pictures show of the inside of a mouth, the same shape.
    """
    unseen = (opening - shown).clamp_min(0)
    of_all = unseen.sum((2, 3), keepdim=True) / opening.sum((2, 3), keepdim=True).clamp_min(1e-3)
    return unseen * ((of_all - _SHOWN_WELL) / (_HARDLY_SHOWN - _SHOWN_WELL)).clamp(0, 1)


def paint_mouth(landmarks: Tensor, light: MouthLight, places: Tensor) -> Tensor:
    """The insides of N mouths, as they look at places between the lips; elsewhere the colours mean nothing.

    Args:
        landmarks: of the new pictures, (N, 68, 2) pixels.
        light: of the N people.
        places: pixels, (2, h, w) as x and y.

    Returns:
        (N, 3, h, w) in [-1, 1].
    """
    mouth = _Mouth.of(landmarks, places)
    colours = _Colours.of(light)
    opening, beside = mouth.opening, (mouth.across / mouth.half_width).clamp(-1.2, 1.2)

    rounding, gap = _teeth(mouth.across)
    arch = mouth.across.square()
    upper = mouth.top_middle + _UPPER * (1 - torch.exp(-opening / _UPPER_REACHES)) - _UPPER_ARCH * arch - rounding
    lower = mouth.bottom_middle - _LOWER * (1 - torch.exp(-opening / _LOWER_REACHES)) - _LOWER_ARCH * arch
    lower = torch.maximum(lower + 0.7 * rounding, upper + _LEAST_GAP)

    narrow = 1 - _NARROW_SHADOW * torch.exp(-opening / _NARROW_REACHES)
    lit = narrow * torch.exp(-_SIDE_SHADOW * beside**4) * (1 - _map(colours.gap_shade) * gap)
    below_lip = (mouth.down - mouth.top).clamp_min(0)
    under_lip = 1 - _LIP_SHADOW * torch.exp(-below_lip / _LIP_SHADOW_REACHES)
    tongue = torch.sigmoid((mouth.down - mouth.bottom + _TONGUE_SHARE * opening) / _TONGUE_SOFTNESS)

    dark, teeth = _maps(colours.dark), _maps(colours.teeth)
    picture = dark.lerp(_maps(colours.tongue), (tongue * torch.exp(-_SIDE_TONGUE * beside.square()))[:, None])
    for light_of_row, of_row in (
        (_LOWER_LIGHT * lit, torch.sigmoid((mouth.down - lower) / _SOFTNESS)),
        (lit * under_lip, torch.sigmoid((upper - mouth.down) / _SOFTNESS)),
    ):
        picture = picture.lerp(dark.lerp(teeth, light_of_row[:, None]), of_row[:, None])
    return picture.clamp(0, 1) * 2 - 1


@dataclass(frozen=True)
class _Mouth:
    """Where places lie in N mouths, in distances of the outer eye corners, along and square to the line of the eyes.

    Attributes:
        across: from the middle of the lips, (N, h, w); as seen from the front, so a turned mouth's sides are alike.
        down: from the middle of the lips, (N, h, w).
        top: height of the upper lip's edge at each place, (N, h, w).
        bottom: the same of the lower lip.
        top_middle: the same at the middle, (N, 1, 1).
        bottom_middle: the same of the lower lip.
        half_width: from the middle to the corners, (N, 1, 1).
    """

    across: Tensor
    down: Tensor
    top: Tensor
    bottom: Tensor
    top_middle: Tensor
    bottom_middle: Tensor
    half_width: Tensor

    @property
    def opening(self) -> Tensor:
        """Height of the opening at its middle, (N, 1, 1)."""
        return (self.bottom_middle - self.top_middle).clamp_min(0)

    @classmethod
    def of(cls, landmarks: Tensor, places: Tensor) -> _Mouth:
        right = landmarks[:, LEFT_EYE].mean(1) - landmarks[:, RIGHT_EYE].mean(1)
        right = right / right.norm(dim=-1, keepdim=True).clamp_min(1e-3)
        axes = torch.stack([right, torch.stack([-right[:, 1], right[:, 0]], -1)], 1)  # (N, 2, 2): right and down
        axes = axes / (landmarks[:, 36] - landmarks[:, 45]).norm(dim=-1)[:, None, None].clamp_min(1)
        middle = landmarks[:, [51, 57, 62, 66]].mean(1)
        upper, lower = (
            torch.einsum("npx,nax->npa", landmarks[:, list(edge)] - middle[:, None], axes) for edge in MOUTH_EDGES
        )
        offsets = places[None] - middle[..., None, None]
        across, down = torch.einsum("nxhw,nax->anhw", offsets, axes).unbind(0)
        flat = across.flatten(1)
        top, bottom = (along_edge(edge, flat).view_as(across) for edge in (upper, lower))
        left_half, right_half = -upper[:, 0, 0], upper[:, -1, 0]
        half = ((left_half + right_half) / 2).clamp_min(0.05)[:, None, None]
        sides = torch.where(across < 0, left_half[:, None, None], right_half[:, None, None])
        return cls(
            across=across * half / sides.clamp_min(0.02),
            down=down,
            top=top,
            bottom=bottom,
            top_middle=upper[:, 2:3, 1:],
            bottom_middle=lower[:, 2:3, 1:],
            half_width=half,
        )


@dataclass(frozen=True)
class _Colours:
    """Colours of N mouths, each (N, 3) in [0, 1], and how dark the gaps between teeth are, (N,)."""

    dark: Tensor
    tongue: Tensor
    teeth: Tensor
    gap_shade: Tensor

    @classmethod
    def of(cls, light: MouthLight) -> _Colours:
        weights = light.skin.new_tensor(LUMINANCE)
        of_skin = (light.skin * weights).sum(1, keepdim=True)
        tint, veil = (light.skin / of_skin).log(), light.veil[:, None]
        black, white = light.black[:, None], light.white[:, None]
        whiteness = (_WHITE - _WHITE_VEILED * veil).clamp(_WHITE_LEAST, _WHITE_MOST)
        tinted = (_TINT + _TINT_VEILED * veil).clamp(_TINT_LEAST, _TINT_MOST)
        dark = _DARK_LIGHT * black * (tint.new_tensor(_DARK_TINT) + _DARK_SKIN * tint).exp()
        tongue = torch.maximum(_TONGUE_LIGHT * of_skin, black) * (tint.new_tensor(_TONGUE_TINT) + tint).exp()
        teeth = (black + whiteness * (white - black)) * (tinted * tint).exp()
        return cls(dark, tongue, teeth, _GAP_SHADE * (1 - _GAP_VEILED * light.veil).clamp_min(0))


def _teeth(across: Tensor) -> tuple[Tensor, Tensor]:
    """How much shorter a row of teeth is at each place than its first tooth, and how much of a gap lies there."""
    widths = across.new_tensor(_WIDTHS)
    ends = widths.cumsum(0)
    aside = across.abs()
    number = torch.bucketize(aside.contiguous(), ends).clamp_max(len(_WIDTHS) - 1)
    half = widths[number] / 2
    from_middle = ((aside - ends[number] + half) / half).abs().clamp_max(1)
    gap = torch.exp(-((1 - from_middle) * half / _GAP).square())
    return _ROUNDING * from_middle**4 + across.new_tensor(_SHORTER)[number], gap


def _map(values: Tensor) -> Tensor:
    return values[:, None, None]


def _maps(colours: Tensor) -> Tensor:
    return colours[..., None, None]
