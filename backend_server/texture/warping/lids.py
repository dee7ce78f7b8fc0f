"""Slides lids over eyes that stand still, as lids do.

A smooth map can only squeeze an open eye when its lids close. Here it keeps the lids as open as the reference shows
them, and each place is then read further up or down: skin between lid and brow is stretched over the eye, the eye's own
pixels stay where they are. So the lid is the person's skin with the person's lashes, at any size.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from backend_server.config import CROP_SIZE
from backend_server.texture.warping.spline import places, sample

_EYES = ((36, 37, 38, 39, 40, 41), (42, 43, 44, 45, 46, 47))  # left corner, upper lid, right corner, lower from right
_BROWS = ((18, 19, 20), (23, 24, 25))
_SKIN_SHARE = 0.6  # of what lies between upper lid and brow, which is stretched over the eye
_LOWER_SKIN = 0.35  # of the eye's width, below the lower lid
_LASHES = 0.02  # of the eye's width, below the edge of the upper lid
_RIM = 0.04  # the same, of the lower lid, which is covered where both meet
_EDGE = 1.2  # pixels over which a lid ends
_MARGIN = 2  # pixels around what moves
_TINY = 1e-3


@dataclass(frozen=True)
class _Eye:
    """One eye of N pictures, in lengths of its own width, along and square to the line of its corners.

    Attributes:
        start: left corner, (N, 2) pixels.
        axes: from pixels to these lengths, right and down, (N, 2, 2).
        width: pixels, (N,).
        upper: the two points of the upper lid, (N, 2, 2).
        lower: of the lower one, from left to right, (N, 2, 2).
    """

    start: Tensor
    axes: Tensor
    width: Tensor
    upper: Tensor
    lower: Tensor

    @classmethod
    def of(cls, landmarks: Tensor, points: tuple[int, ...]) -> _Eye:
        left, first, second, right, third, fourth = landmarks[:, list(points)].unbind(1)
        across = right - left
        width = across.norm(dim=-1).clamp_min(1e-3)
        axes = torch.stack([across, torch.stack([-across[:, 1], across[:, 0]], -1)], 1) / width[:, None, None].square()

        def inside(*lid: Tensor) -> Tensor:
            return torch.einsum("npx,nax->npa", torch.stack(lid, 1) - left[:, None], axes)

        return cls(left, axes, width, inside(first, second), inside(fourth, third))

    def out(self, lid: Tensor) -> Tensor:
        """Points (N, P, 2) of these lengths in pixels."""
        return torch.einsum("npa,nax->npx", lid, self.axes) * self.width[:, None, None].square() + self.start[:, None]


def held_open(reference: Tensor, target: Tensor) -> Tensor:
    """Target landmarks (N, 68, 2) whose lids are at least as open as the reference's."""
    held = target.clone()
    for points in _EYES:
        own, wanted = _Eye.of(reference, points), _Eye.of(target, points)
        upper, lower = wanted.upper.clone(), wanted.lower.clone()
        upper[..., 1] = torch.minimum(upper[..., 1], own.upper[..., 1])
        lower[..., 1] = torch.maximum(lower[..., 1], own.lower[..., 1])
        held[:, list(points[1:3])] = wanted.out(upper)
        held[:, [points[5], points[4]]] = wanted.out(lower)
    return held


def slid(held: Tensor, target: Tensor, field: Tensor) -> Tensor:
    """A field (N, C, 256, 256) of the picture whose lids are held open, read as they close.

    Args:
        held: landmarks from `held_open`, (N, 68, 2) pixels.
        target: landmarks of the new picture, the same shape.
        field: is read; it stays as it is.
    """
    result = field
    for points, brow in zip(_EYES, _BROWS, strict=True):
        box = _box(target, points, brow)
        if box is None:
            continue
        rows, columns = box
        here = places(field)[:, rows, columns]
        result = result.clone() if result is field else result
        result[..., rows, columns] = sample(field, here + _shift(held, target, points, brow, here))
    return result


def lid_shift(held: Tensor, target: Tensor, here: Tensor) -> Tensor:
    """How much further down each place is read than where lids are held open.

    Args:
        held: landmarks from `held_open`, (N, 68, 2) pixels.
        target: landmarks of the new picture, the same shape.
        here: any places, (2, h, w) pixels as x and y.

    Returns:
        (N, 2, h, w) pixels.
    """
    both = [_shift(held, target, points, brow, here) for points, brow in zip(_EYES, _BROWS, strict=True)]
    return both[0] + both[1]


def lid_bounds(target: Tensor) -> tuple[list[float], list[float]]:
    """The least and the greatest x and y between which lids of landmarks (N, 68, 2) move anything, pixels."""
    bounds = [_bounds(target, points, brow) for points, brow in zip(_EYES, _BROWS, strict=True)]
    lows, highs = zip(*bounds, strict=True)
    return [min(x) for x in zip(*lows, strict=True)], [max(x) for x in zip(*highs, strict=True)]


def _shift(held: Tensor, target: Tensor, points: tuple[int, ...], brow: tuple[int, ...], here: Tensor) -> Tensor:
    """How much further down one eye makes each place (2, h, w) be read, (N, 2, h, w) pixels."""
    open_eye, eye = _Eye.of(held, points), _Eye.of(target, points)  # with the same corners
    along, down = torch.einsum("nxhw,nax->anhw", here - eye.start[..., None, None], eye.axes).unbind(0)
    upper, lower = _arc(eye.upper, along), _arc(eye.lower, along)
    open_upper, open_lower = _arc(open_eye.upper, along), _arc(open_eye.lower, along)
    closing, rising = upper - open_upper, open_lower - lower
    edge = upper + _LASHES
    opened, open_before = (lower - upper).clamp_min(0), (open_lower - open_upper).clamp_min(0)
    meets = (1 - 2 * (opened + _TINY) / (open_before + _TINY)).clamp(0, 1)  # 1 where the eye is shut
    lower = lower - _RIM * meets
    rising = rising + 2 * _RIM * meets
    to_brow = target[:, list(brow)].mean(1) - eye.start
    brow_height = torch.einsum("nx,nx->n", to_brow, eye.axes[:, 1])[:, None, None]
    crease = open_upper + _SKIN_SHARE * (brow_height - open_upper).clamp_max(-0.05)
    pixel = _EDGE / eye.width[:, None, None]

    stretched = closing * ((down - crease) / (edge - crease)).clamp(0, 1)
    ends = pixel * (1 - meets) + _TINY  # where the eye is shut, none of it may show in between
    over = ((edge + ends - down) / ends).clamp(0, 1)  # 1 on the lid, 0 from a pixel below its edge
    raised = rising * ((lower + _LOWER_SKIN - down) / _LOWER_SKIN).clamp(0, 1)
    under = ((down - lower) / pixel).clamp(0, 1) * (1 - over)
    move = under * raised - over * stretched
    return (move * eye.width[:, None, None])[:, None] * (eye.axes[:, 1] * eye.width[:, None])[..., None, None]


def _arc(lid: Tensor, along: Tensor) -> Tensor:
    """Height at each place (N, h, w) of the smooth arc through both corners and two points (N, 2, 2); 0 outside."""
    x, y = lid.unbind(-1)
    x = torch.stack([x[:, 0].clamp(0.1, 0.45), x[:, 1].clamp(0.55, 0.9)], 1)
    scaled = y / (x * (1 - x))
    slope = (scaled[:, 1] - scaled[:, 0]) / (x[:, 1] - x[:, 0])
    at = along.clamp(0, 1)
    start, slope, first = scaled[:, :1, None], slope[:, None, None], x[:, :1, None]
    return at * (1 - at) * (start + slope * (at - first))


def _bounds(target: Tensor, points: tuple[int, ...], brow: tuple[int, ...]) -> tuple[list[float], list[float]]:
    width = float((target[:, points[3]] - target[:, points[0]]).norm(dim=-1).max())
    near = target[:, [*points, *brow]].detach()
    low, high = near.amin((0, 1)), near.amax((0, 1)) + target.new_tensor([0, (_LOWER_SKIN + _LASHES) * width])
    return (low - _MARGIN).tolist(), (high + _MARGIN).tolist()


def _box(target: Tensor, points: tuple[int, ...], brow: tuple[int, ...]) -> tuple[slice, slice] | None:
    """Rows and columns between brow and cheek that hold the eye in all pictures."""
    low, high = _bounds(target, points, brow)
    left, top = (min(max(int(x), 0), CROP_SIZE - 1) for x in low)
    right, bottom = (min(max(int(x) + 1, 0), CROP_SIZE - 1) for x in high)
    return (slice(top, bottom + 1), slice(left, right + 1)) if right > left and bottom > top else None
