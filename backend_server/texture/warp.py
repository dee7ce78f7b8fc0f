"""Where in the reference image does each pixel of the new picture come from?

A thin-plate spline (Bookstein 1989) is the smoothest map that takes the new landmarks to the reference's. Points on
the picture's border hold still; points on the skull, the hair and the ears, which have no landmarks of their own,
follow the head, and points on the neck follow it a little.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from backend_server.config import CROP_SIZE
from shared.landmarks import LEFT_BROW, LEFT_EYE, LIPS, NOSE_BRIDGE, POINT_COUNT, RIGHT_BROW, RIGHT_EYE, STABLE

GRID_SIZE = 64  # places along a side at which the spline is evaluated; between them it is interpolated
# How much each control point may be missed, for smoothness: lips, lids and brows are met closely (a little give keeps
# the map smooth where two lips or lids nearly touch, and lids that shut must not drag the brows along); jaw and nose
# are less exactly tied to what the skin does.
_CLOSE, _LOOSE, _BORDER_STIFFNESS = 3e-3, 0.1, 0.05
_SMALLEST_GAP = 3.0  # pixels between two lids or lips, as far as the warp is concerned
_UPPER_EDGES = (37, 38, 43, 44, 61, 62, 63)
_LOWER_EDGES = (41, 40, 47, 46, 67, 66, 65)
_SKULL_FROM_JAW = (2, 4, 6, 8, 10, 12, 14)
# Where the head goes on beyond its landmarks, chosen by how well the warp alone meets the training clips.
_SKULL_HEIGHT = 0.85  # of the distance from a jaw point to the eyes, mirrored over the eye line
_OUTLINE = 1.15  # how far out hair and ears lie, seen from the nose, as a multiple of the skull and the upper jaw
_UPPER_JAW = (0, 1, 2, 3, 13, 14, 15, 16)
_CHIN = (5, 6, 7, 8, 9, 10, 11)
_NECK_DEPTH = 0.35  # of the distance from the chin to the eyes, below the chin
_NECK_FOLLOWS = 0.15  # of the head's motion
_BORDER = tuple((x, y) for x in (0.0, 0.25, 0.5, 0.75, 1.0) for y in (0.0, 0.25, 0.5, 0.75, 1.0) if {x, y} & {0.0, 1.0})


@dataclass(frozen=True)
class Flow:
    """A map from the pixels of the new picture to those of the reference.

    Attributes:
        source: where each grid place comes from, (T, 2, G, G) pixels of the reference.
        stretch: logarithm of the area there over the area here, (T, 1, G, G); negative where the warp pulls apart.
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


def kept_apart(reference: Tensor, target: Tensor) -> Tensor:
    """Target landmarks whose lids and lips keep a small gap where the reference has one.

    At no gap at all two points in one place would come from two places, and the map could not squeeze what lies
    between them.
    """
    upper, lower = list(_UPPER_EDGES), list(_LOWER_EDGES)
    gap = reference[:, lower] - reference[:, upper]  # (T, 7, 2)
    length = gap.norm(dim=-1, keepdim=True).clamp_min(1e-6)
    along = gap / length
    left = ((target[:, lower] - target[:, upper]) * along).sum(-1, keepdim=True)
    missing = (length.clamp_max(_SMALLEST_GAP) - left).clamp_min(0) * along / 2
    apart = target.clone()
    apart[:, upper] -= missing
    apart[:, lower] += missing
    return apart


def control_points(reference: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    """Points of the reference and of the new picture that belong together, (T, P, 2) pixels each.

    The 68 landmarks, the skull, its outline, the neck and the border.
    """
    eyes = reference[:, [*range(RIGHT_EYE.start, RIGHT_EYE.stop), *range(LEFT_EYE.start, LEFT_EYE.stop)]]
    middle, nose = eyes.mean(1, keepdim=True), reference[:, NOSE_BRIDGE].mean(1, keepdim=True)
    skull = middle + _SKULL_HEIGHT * (middle - reference[:, list(_SKULL_FROM_JAW)])
    outline = nose + _OUTLINE * (torch.cat([reference[:, list(_UPPER_JAW)], skull], 1) - nose)
    head = torch.cat([skull, outline], 1)
    down = reference.new_tensor([0, _NECK_DEPTH]) * (reference[:, 8:9] - middle)
    neck = reference[:, list(_CHIN)] + down
    matrix, offset = head_motion(reference, target)
    moved_head, moved_neck = (points @ matrix + offset[:, None] for points in (head, neck))
    border = reference.new_tensor(_BORDER).expand(len(reference), -1, -1) * (CROP_SIZE - 1)
    return (
        torch.cat([reference, head, neck, border], 1),
        torch.cat([kept_apart(reference, target), moved_head, neck.lerp(moved_neck, _NECK_FOLLOWS), border], 1),
    )


def _kernel(a: Tensor, b: Tensor) -> Tensor:
    """r^2 log r^2 of the distances r between two sets of points (..., P, 2) and (..., Q, 2): (..., P, Q)."""
    far_a, far_b = a.square().sum(-1, keepdim=True), b.square().sum(-1, keepdim=True)
    left = torch.cat([-2 * a, far_a, torch.ones_like(far_a)], -1)
    squares = (left @ torch.cat([b, torch.ones_like(far_b), far_b], -1).mT).clamp_min(1e-9)
    return squares * squares.log()


def stiffness_of_points(like: Tensor) -> Tensor:
    """How much each of the control points (T, P, 2) may be missed, (P,)."""
    stiffness = like.new_full((POINT_COUNT,), _LOOSE)
    for part in (LIPS, RIGHT_EYE, LEFT_EYE, RIGHT_BROW, LEFT_BROW):
        stiffness[part] = _CLOSE
    return torch.cat([stiffness, like.new_full((like.shape[1] - POINT_COUNT,), _BORDER_STIFFNESS)])


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


def landmark_flow(reference: Tensor, target: Tensor, grid_size: int = GRID_SIZE) -> Flow:
    """The map that carries the reference picture to the target landmarks.

    Args:
        reference: landmarks of the reference picture, (T, 68, 2) pixels.
        target: landmarks of the new picture, the same shape.
        grid_size: G.
    """
    origin, points = control_points(reference.float(), target.float())
    half = (CROP_SIZE - 1) / 2
    line = torch.linspace(-1, 1, grid_size, device=reference.device)
    rows, columns = torch.meshgrid(line, line, indexing="ij")
    places = torch.stack([columns, rows], -1).reshape(1, -1, 2)
    # The spline carries displacements, so that its stiffness resists bending and not the identity.
    moved = thin_plate_spline(
        points / half - 1, (origin - points) / half, places.expand(len(points), -1, -1), stiffness_of_points(points)
    )
    source = ((places + moved + 1) * half).mT.reshape(-1, 2, grid_size, grid_size)
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


def sample(image: Tensor, source: Tensor, mode: Literal["bilinear", "bicubic"] = "bilinear") -> Tensor:
    """Pictures (T, C, H, W) read at the pixels `source` (T, 2, h, w): (T, C, h, w); the border goes on outside.

    Bicubic keeps what is sharp and may leave the range of the picture a little.
    """
    scale = source.new_tensor([2 / (image.shape[-1] - 1), 2 / (image.shape[-2] - 1)])
    grid = (source.permute(0, 2, 3, 1) * scale).sub_(1)
    return F.grid_sample(image, grid, mode=mode, padding_mode="border", align_corners=True)
