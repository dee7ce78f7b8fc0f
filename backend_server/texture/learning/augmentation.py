"""Makes many people of few while the texture network learns.

A picture and its landmarks are moved together: turned, scaled, shifted, mirrored and bent by a smooth random field,
which changes the shape of a face into another person's. A target and its references get the same change, but some
references get their own place and light, like another photo of the person, and some heads turn between the two.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, fields, replace

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from backend_server.config import CROP_SIZE
from backend_server.texture.warping.following import BORDER, head_of
from backend_server.texture.warping.spline import ControlPoints, at_full_size, places, sample, spline_flow
from shared.head import HeadAxes, in_space, seen
from shared.landmarks import MIRROR, POINT_COUNT

_BEND_POINTS = 5  # random places along a side of the bending field
_FIELD = 32
_CENTRE = (CROP_SIZE - 1) / 2
_TURN_STIFFNESS = 0.01  # of the map that turns a head


@dataclass(frozen=True)
class AugmentationStrength:
    """How far a picture may be changed; zeros leave it as it is."""

    degrees: float = 8.0
    scale: float = 0.12  # share, up or down
    shift: float = 8.0  # pixels
    bend: float = 9.0  # pixels, standard deviation of the random field
    mirror: float = 0.5  # probability
    colour: float = 0.25  # share by which gains and gammas vary
    yaw: float = 0.0  # degrees, standard deviation of heads turned in space
    pitch: float = 0.0


@dataclass(frozen=True)
class Change:
    """One random change of place and colour for each of N pictures.

    Attributes:
        matrix: (N, 2, 2); a new pixel p comes from q + turn(q), q = (p - centre) @ matrix + offset + centre + bend(p).
        offset: (N, 2).
        bend: (N, 2, F, F) pixels, on a grid over the picture.
        turn: (N, 2, F, F) pixels, the same, for heads turned in space; zeros until `with_turns`.
        is_mirrored: (N,).
        gains: (N, 3, 1, 1).
        gammas: (N, 3, 1, 1).
        saturation: (N, 1, 1, 1).
    """

    matrix: Tensor
    offset: Tensor
    bend: Tensor
    turn: Tensor
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
        turn=torch.zeros_like(bend),
        is_mirrored=torch.rand(count, generator=generator) < strength.mirror,
        gains=torch.exp((0.6 * common + 0.4 * uniform(count, 3, 1, 1)) * strength.colour),
        gammas=torch.exp((uniform(count, 1, 1, 1) + 0.3 * uniform(count, 3, 1, 1)) * strength.colour),
        saturation=1 + 2 * uniform(count, 1, 1, 1) * strength.colour,
    )


def with_turns(
    change: Change, landmarks: Tensor, share: float, strength: AugmentationStrength, generator: torch.Generator
) -> Change:
    """The change with some of the heads turned in space.

    Args:
        change: of N pictures, on the CPU.
        landmarks: of the unchanged pictures, (N, 68, 2) pixels.
        share: of the heads.
        strength: how far.
        generator: draws which and how far.
    """
    count = len(landmarks)
    angles = torch.randn(count, 2, generator=generator) * torch.tensor([strength.yaw, strength.pitch]).deg2rad()
    chosen = torch.rand(count, 1, generator=generator) < share
    poses = np.zeros((count, 6))
    poses[:, :2] = torch.where(chosen, angles, 0).numpy()
    flat = torch.cat([landmarks.cpu().float(), head_of(landmarks.cpu().float())], 1)  # (N, 90, 2)
    moved = torch.stack([_turned(points, pose) for points, pose in zip(flat, poses, strict=True)])
    border = flat.new_tensor(BORDER).expand(count, -1, -1) * (CROP_SIZE - 1)
    origin = torch.cat([flat, border], 1)
    stiffness = flat.new_full((origin.shape[1],), _TURN_STIFFNESS)
    source = spline_flow(ControlPoints(origin, torch.cat([moved, border], 1), stiffness), _FIELD).source
    line = torch.linspace(0, CROP_SIZE - 1, _FIELD)
    here = torch.stack(torch.meshgrid(line, line, indexing="xy"))
    return replace(change, turn=source - here)


def _turned(points: Tensor, pose: NDArray[np.float64]) -> Tensor:
    """Landmarks and the head's outline, (90, 2) pixels, turned by a pose (6,); the outline lies about the pivot."""
    axes = HeadAxes.of(points[:POINT_COUNT].numpy())
    flat = axes.enter(points.numpy().astype(np.float64))
    outline = np.column_stack([flat[POINT_COUNT:], np.zeros(len(flat) - POINT_COUNT)])
    spatial = np.concatenate([in_space(flat[:POINT_COUNT]), outline])
    return torch.from_numpy(axes.leave(seen(spatial, pose[None]))[0]).float()


def _origin(points: Tensor, change: Change) -> Tensor:
    """Where the pixels `points` (N, P, 2) of the new picture come from."""
    bend = sample(change.bend, points.mT[..., None] * ((_FIELD - 1) / (CROP_SIZE - 1)))[..., 0].mT
    before = (points - _CENTRE) @ change.matrix + change.offset[:, None] + _CENTRE + bend
    return before + sample(change.turn, before.mT[..., None] * ((_FIELD - 1) / (CROP_SIZE - 1)))[..., 0].mT


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
    before = affine + at_full_size(change.bend)
    source = before + sample(change.turn, before * ((_FIELD - 1) / (CROP_SIZE - 1)))
    moved = sample(images, source, "bicubic").clamp(-1, 1)
    moved = torch.where(change.is_mirrored[:, None, None, None], moved.flip(3), moved)
    light = ((moved + 1) / 2).clamp(1e-4, 1).pow(change.gammas) * change.gains
    grey = light.mean(1, keepdim=True)
    return (grey + change.saturation * (light - grey)).clamp(0, 1) * 2 - 1
