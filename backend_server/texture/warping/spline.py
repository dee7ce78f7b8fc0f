"""Finds where in the reference image each pixel of the new picture comes from.

A thin-plate spline (Bookstein 1989) is the smoothest map that takes points of the new picture to the reference's;
`following.py` says which points, and where they go.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from backend_server.config import CROP_SIZE
from shared.landmarks import STABLE

GRID_SIZE = 64  # places along a side at which the spline is evaluated; between them it is interpolated


@dataclass(frozen=True)
class ControlPoints:
    """Pairs of points that the spline maps to each other, as closely as `stiffness` allows.

    Attributes:
        origin: in the reference, (T, P, 2) pixels.
        moved: in the new picture, the same shape.
        stiffness: how far the spline may miss each to stay smooth, (P,).
    """

    origin: Tensor
    moved: Tensor
    stiffness: Tensor


@dataclass(frozen=True)
class Flow:
    """A map from the pixels of the new picture to those of the reference.

    Attributes:
        source: where each grid place comes from, (T, 2, G, G) pixels of the reference.
        stretch: logarithm of the area there over the area here, (T, 1, G, G); negative where the warp stretches.
    """

    source: Tensor
    stretch: Tensor


def head_motion(reference: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    """The similarity that best takes the stable points of `reference` (T, 68, 2) to those of `target`.

    Returns:
        matrix (T, 2, 2) and offset (T, 2), for points @ matrix + offset.
    """
    source, wanted = reference[:, list(STABLE)], target[:, list(STABLE)]
    source_mean, wanted_mean = source.mean(1, keepdim=True), wanted.mean(1, keepdim=True)
    a, b = source - source_mean, wanted - wanted_mean
    size = a.square().sum((1, 2)).clamp_min(1e-6)
    cosine = (a * b).sum((1, 2)) / size
    sine = (a[..., 0] * b[..., 1] - a[..., 1] * b[..., 0]).sum(1) / size
    matrix = torch.stack([torch.stack([cosine, sine], -1), torch.stack([-sine, cosine], -1)], -2)
    return matrix, (wanted_mean - source_mean @ matrix).squeeze(1)


def _kernel(a: Tensor, b: Tensor) -> Tensor:
    """r^2 log r^2 of the distances r between two sets of points (..., P, 2) and (..., Q, 2): (..., P, Q)."""
    far_a, far_b = a.square().sum(-1, keepdim=True), b.square().sum(-1, keepdim=True)
    left = torch.cat([-2 * a, far_a, torch.ones_like(far_a)], -1)
    squares = (left @ torch.cat([b, torch.ones_like(far_b), far_b], -1).mT).clamp_min(1e-9)
    return squares * squares.log()


def thin_plate_spline(points: Tensor, values: Tensor, places: Tensor, stiffness: Tensor) -> Tensor:
    """The spline through `values` at `points`, read at `places`.

    Args:
        points: (T, P, 2), coordinates of about unit size.
        values: (T, P, C).
        places: (T, Q, 2).
        stiffness: (P,); 0 passes through a point's value, more trades that for smoothness.

    Returns:
        (T, Q, C).
    """
    count = points.shape[1]
    affine = torch.cat([torch.ones_like(points[..., :1]), points], -1)  # (T, P, 3)
    kernel = _kernel(points, points) + stiffness.diag()
    top = torch.cat([kernel, affine], -1)
    bottom = torch.cat([affine.mT, points.new_zeros(len(points), 3, 3)], -1)
    right = torch.cat([values, values.new_zeros(len(values), 3, values.shape[-1])], 1)
    weights = torch.linalg.solve(torch.cat([top, bottom], 1), right)  # (T, P + 3, C)
    at = torch.cat([torch.ones_like(places[..., :1]), places], -1)
    # One at a time, so that the kernel stays in a processor's cache.
    bent = torch.stack([_kernel(*pair) @ own for *pair, own in zip(places, points, weights[:, :count], strict=True)])
    return bent + at @ weights[:, count:]


def spline_flow(control: ControlPoints, grid_size: int = GRID_SIZE) -> Flow:
    """The map that carries the reference picture's points to where they moved, on a grid of `grid_size`."""
    half = (CROP_SIZE - 1) / 2
    line = torch.linspace(-1, 1, grid_size, device=control.moved.device)
    rows, columns = torch.meshgrid(line, line, indexing="ij")
    places = torch.stack([columns, rows], -1).reshape(1, -1, 2)
    # The spline carries displacements, so that its stiffness resists bending and not the identity.
    displacement = (control.origin - control.moved) / half
    at = places.expand(len(displacement), -1, -1)
    bent = thin_plate_spline(control.moved / half - 1, displacement, at, control.stiffness)
    source = ((places + bent + 1) * half).mT.reshape(-1, 2, grid_size, grid_size)
    return Flow(source, _stretch(source))


def _stretch(source: Tensor) -> Tensor:
    step = (CROP_SIZE - 1) / (source.shape[-1] - 1)
    right = F.pad(source[..., :, 1:] - source[..., :, :-1], (0, 1, 0, 0), mode="replicate") / step
    down = F.pad(source[..., 1:, :] - source[..., :-1, :], (0, 0, 0, 1), mode="replicate") / step
    area = right[:, 0] * down[:, 1] - right[:, 1] * down[:, 0]
    return area.clamp(0.02, 50.0).log()[:, None]


def at_full_size(field: Tensor) -> Tensor:
    """A field of the grid (T, C, G, G) at every pixel: (T, C, 256, 256)."""
    return F.interpolate(field, size=(CROP_SIZE, CROP_SIZE), mode="bilinear", align_corners=True)


def places(like: Tensor) -> Tensor:
    """The pixel x, y of each place of a picture (..., h, w): (2, h, w)."""
    rows = torch.arange(like.shape[-2], device=like.device, dtype=like.dtype)[:, None].expand(like.shape[-2:])
    columns = torch.arange(like.shape[-1], device=like.device, dtype=like.dtype).expand(like.shape[-2:])
    return torch.stack([columns, rows])


def affine_places(transform: Tensor, rows: slice, columns: slice) -> Tensor:
    """Where a transform (2, 3) takes the pixels in rows and columns of a picture, (2, h, w) as x and y."""
    x, y = torch.arange(columns.start, columns.stop), torch.arange(rows.start, rows.stop)
    pixels = torch.stack(torch.meshgrid(x, y, indexing="xy")).to(transform)
    return torch.einsum("ab,bhw->ahw", transform[:, :2], pixels) + transform[:, 2, None, None]


def sample(image: Tensor, source: Tensor, mode: Literal["bilinear", "bicubic"] = "bilinear") -> Tensor:
    """Pictures (T, C, H, W) read at the pixels `source` (T, 2, h, w): (T, C, h, w); the border is repeated.

    Bicubic keeps sharpness and may slightly exceed the range of the picture.
    """
    scale = source.new_tensor([2 / (image.shape[-1] - 1), 2 / (image.shape[-2] - 1)])
    grid = (source.permute(0, 2, 3, 1) * scale).sub_(1)
    return F.grid_sample(image, grid, mode=mode, padding_mode="border", align_corners=True)
