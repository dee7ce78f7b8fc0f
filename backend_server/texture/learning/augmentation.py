"""Makes many people of few while the texture network learns.

A picture and its landmarks are moved together: turned, scaled, shifted, mirrored and bent by a smooth random field,
which changes the shape of a face into another person's. A target and its references get the same change, but some
references get their own place and light, like another photo of the person.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, fields, replace

import torch
import torch.nn.functional as F
from torch import Tensor

from backend_server.config import CROP_SIZE
from backend_server.texture.warping.spline import at_full_size, places, sample
from shared.landmarks import MIRROR

_BEND_POINTS = 5  # random places along a side of the bending field
_FIELD = 32
_CENTRE = (CROP_SIZE - 1) / 2


@dataclass(frozen=True)
class AugmentationStrength:
    """How far a picture may be changed; zeros leave it as it is."""

    degrees: float = 8.0
    scale: float = 0.12  # share, up or down
    shift: float = 8.0  # pixels
    bend: float = 9.0  # pixels, standard deviation of the random field
    mirror: float = 0.5  # probability
    colour: float = 0.25  # share by which gains and gammas vary


@dataclass(frozen=True)
class Change:
    """One random change of place and colour for each of N pictures.

    Attributes:
        matrix: (N, 2, 2); a new pixel p comes from (p - centre) @ matrix + offset + centre + bend(p).
        offset: (N, 2).
        bend: (N, 2, F, F) pixels, on a grid over the picture.
        is_mirrored: (N,).
        gains: (N, 3, 1, 1).
        gammas: (N, 3, 1, 1).
        saturation: (N, 1, 1, 1).
    """

    matrix: Tensor
    offset: Tensor
    bend: Tensor
    is_mirrored: Tensor
    gains: Tensor
    gammas: Tensor
    saturation: Tensor

    def to(self, device: torch.device | str) -> Change:
        """The change on a device; it is drawn on the CPU, so that a seed gives the same everywhere."""
        return Change(*(getattr(self, part.name).to(device) for part in fields(self)))

    def repeated(self, count: int) -> Change:
        """The change of each picture `count` times in a row."""
        return Change(*(getattr(self, part.name).repeat_interleave(count, 0) for part in fields(self)))

    def mixed(self, other: Change, chosen: Tensor, parts: Collection[str]) -> Change:
        """This change, but the named parts from `other` where `chosen` (N,) is true."""
        mixed = {
            name: torch.where(chosen.view(-1, *[1] * (mine.ndim - 1)), getattr(other, name), mine)
            for name, mine in ((name, getattr(self, name)) for name in parts)
        }
        return replace(self, **mixed)


def random_change(count: int, strength: AugmentationStrength, generator: torch.Generator) -> Change:
    """Draws a change for each of `count` pictures."""

    def uniform(*shape: int) -> Tensor:
        return torch.rand(*shape, generator=generator) * 2 - 1

    angle = uniform(count) * strength.degrees * torch.pi / 180
    scale = torch.exp(uniform(count) * strength.scale)
    cosine, sine = angle.cos() * scale, angle.sin() * scale
    matrix = torch.stack([torch.stack([cosine, sine], -1), torch.stack([-sine, cosine], -1)], -2)
    coarse = torch.randn(count, 2, _BEND_POINTS, _BEND_POINTS, generator=generator) * strength.bend
    bend = F.interpolate(coarse, size=(_FIELD, _FIELD), mode="bicubic", align_corners=True)
    common = uniform(count, 1, 1, 1)  # light changes more than hue does
    return Change(
        matrix=matrix,
        offset=uniform(count, 2) * strength.shift,
        bend=bend,
        is_mirrored=torch.rand(count, generator=generator) < strength.mirror,
        gains=torch.exp((0.6 * common + 0.4 * uniform(count, 3, 1, 1)) * strength.colour),
        gammas=torch.exp((uniform(count, 1, 1, 1) + 0.3 * uniform(count, 3, 1, 1)) * strength.colour),
        saturation=1 + 2 * uniform(count, 1, 1, 1) * strength.colour,
    )


def _origin(points: Tensor, change: Change) -> Tensor:
    """Where the pixels `points` (N, P, 2) of the new picture come from."""
    bend = sample(change.bend, points.mT[..., None] * ((_FIELD - 1) / (CROP_SIZE - 1)))[..., 0].mT
    return (points - _CENTRE) @ change.matrix + change.offset[:, None] + _CENTRE + bend


def move_points(landmarks: Tensor, change: Change) -> Tensor:
    """Takes landmarks (N, 68, 2) to the new picture, by inverting its map in a few steps."""
    inverse = torch.linalg.inv(change.matrix)
    points = landmarks
    for _ in range(12):
        points = points + (landmarks - _origin(points, change)) @ inverse
    mirrored = points[:, list(MIRROR)] * points.new_tensor([-1, 1]) + points.new_tensor([CROP_SIZE - 1, 0])
    return torch.where(change.is_mirrored[:, None, None], mirrored, points)


def move_pictures(images: Tensor, change: Change) -> Tensor:
    """Takes pictures (N, 3, 256, 256) to their new shape and colours, in [-1, 1]."""
    here = places(images).flatten(1).mT
    affine = ((here - _CENTRE) @ change.matrix + change.offset[:, None] + _CENTRE).mT.unflatten(
        2, (CROP_SIZE, CROP_SIZE)
    )
    # Bicubic, so that the network learns from pictures as sharp as those that it will meet.
    moved = sample(images, affine + at_full_size(change.bend), "bicubic").clamp(-1, 1)
    moved = torch.where(change.is_mirrored[:, None, None, None], moved.flip(3), moved)
    light = ((moved + 1) / 2).clamp(1e-4, 1).pow(change.gammas) * change.gains
    grey = light.mean(1, keepdim=True)
    return (grey + change.saturation * (light - grey)).clamp(0, 1) * 2 - 1
