"""Draws landmarks as pictures that a convolution can read (Section 4.3, images of 3 x 256 x 256).

`line_images` draws the outlines; `opening_images` fills the mouth and the eyes with the exact share of every pixel
that lies between the lips or the lids, so that an opening of a fraction of a pixel is still seen.
"""

from __future__ import annotations

from functools import lru_cache

import torch
from torch import Tensor

from backend_server.config import CROP_SIZE
from shared.errors import ShapeError
from shared.landmarks import POINT_COUNT, SEGMENTS

SAMPLES_PER_LINE = 32  # dots between two points: closer than a pixel on lines up to 32 pixels long
HALF_WIDTH = 1.5  # pixels from the middle of a line to where it ends

# Channel 0: jaw, brows, nose. Channel 1: eyes. Channel 2: lips.
_CHANNELS = {"right_eye": 1, "left_eye": 1, "outer_lips": 2, "inner_lips": 2}

# Upper and lower edge of an opening, both from the picture's left to its right.
MOUTH_EDGES = ((60, 61, 62, 63, 64), (60, 67, 66, 65, 64))
RIGHT_EYE_EDGES = ((36, 37, 38, 39), (36, 41, 40, 39))
LEFT_EYE_EDGES = ((42, 43, 44, 45), (42, 47, 46, 45))


@lru_cache(maxsize=1)
def _lines() -> tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]:
    """First points, second points and channels of all lines."""
    lines = []
    for segment in SEGMENTS:
        ends = (*segment.points[1:], segment.points[0]) if segment.is_closed else segment.points[1:]
        lines += [(a, b, _CHANNELS.get(segment.name, 0)) for a, b in zip(segment.points, ends, strict=False)]
    first, second, channels = zip(*lines, strict=True)
    return first, second, channels


def _check(landmarks: Tensor) -> None:
    if landmarks.ndim != 3 or landmarks.shape[1:] != (POINT_COUNT, 2):
        raise ShapeError(f"expected landmarks of shape (T, 68, 2), got {tuple(landmarks.shape)}")


def line_images(landmarks: Tensor, size: int = CROP_SIZE) -> Tensor:
    """Draws the face's outlines, antialiased: 1 on a line, -1 beside it.

    Points outside the picture are allowed; what lies outside is not drawn.

    Args:
        landmarks: (T, 68, 2) pixels, x right, y down.
        size: side of the picture.

    Returns:
        (T, 3, size, size) in [-1, 1]: jaw, brows and nose; eyes; lips.
    """
    _check(landmarks)
    frames = len(landmarks)
    first, second, channels = _lines()
    share = torch.linspace(0, 1, SAMPLES_PER_LINE, device=landmarks.device)[:, None]
    a, b = landmarks[:, list(first), None], landmarks[:, list(second), None]
    dots = (a + (b - a) * share).clamp(-4.0, size + 3.0).flatten(1, 2)  # (T, lines * samples, 2)

    reach = torch.arange(-1, 3, device=landmarks.device)
    offsets = torch.stack(torch.meshgrid(reach, reach, indexing="ij"), -1).flip(-1).reshape(-1, 2)  # (16, 2) as x, y
    pixels = dots.floor()[:, :, None] + offsets  # (T, D, 16, 2)
    cover = (HALF_WIDTH - (pixels - dots[:, :, None]).norm(dim=-1)).clamp(0, 1)

    # A margin of 8 pixels takes what lies outside, so no dot needs its own test.
    side = size + 16
    channel = torch.tensor(channels, device=landmarks.device).repeat_interleave(SAMPLES_PER_LINE)[None, :, None]
    place = (pixels + 8).long()
    index = (channel * side + place[..., 1]) * side + place[..., 0]
    canvas = landmarks.new_zeros(frames, 3 * side * side)
    canvas = canvas.scatter_reduce(1, index.flatten(1), cover.flatten(1).to(canvas.dtype), "amax")
    return canvas.view(frames, 3, side, side)[:, :, 8:-8, 8:-8] * 2 - 1


def along_edge(points: Tensor, columns: Tensor) -> Tensor:
    """Height of a polyline (T, P, 2) over each column, (W,) or (T, W): (T, W); valid only between its ends."""
    x, y = points.unbind(-1)
    left, right = x[:, :-1, None], x[:, 1:, None]
    columns = columns.view(-1, 1, columns.shape[-1])
    share = ((columns - left) / (right - left).clamp_min(1e-3)).clamp(0, 1)  # (T, P - 1, W)
    return y[:, :1] + (share * (y[:, 1:, None] - y[:, :-1, None])).sum(1)


def _opening(landmarks: Tensor, edges: tuple[tuple[int, ...], tuple[int, ...]], size: int) -> Tensor:
    """Share of every pixel between an upper and a lower edge: (T, size, size)."""
    upper, lower = landmarks[:, list(edges[0])], landmarks[:, list(edges[1])]
    places = torch.arange(size, device=landmarks.device, dtype=landmarks.dtype)
    top, bottom = along_edge(upper, places)[:, None], along_edge(lower, places)[:, None]  # (T, 1, W)
    rows = places[:, None]
    inside = (torch.minimum(rows + 0.5, bottom) - torch.maximum(rows - 0.5, top)).clamp(0, 1)
    left, right = upper[:, :1, :1], upper[:, -1:, :1]
    across = (torch.minimum(places + 0.5, right) - torch.maximum(places - 0.5, left)).clamp(0, 1)
    return inside * across


def opening_images(landmarks: Tensor, size: int = CROP_SIZE) -> Tensor:
    """Fills the inside of the lips and of the lids.

    Args:
        landmarks: (T, 68, 2) pixels.
        size: side of the picture.

    Returns:
        (T, 2, size, size) in [0, 1]: mouth; both eyes.
    """
    _check(landmarks)
    eyes = _opening(landmarks, RIGHT_EYE_EDGES, size) + _opening(landmarks, LEFT_EYE_EDGES, size)
    return torch.stack([_opening(landmarks, MOUTH_EDGES, size), eyes], 1)


def mouth_opening(landmarks: Tensor, places: Tensor, pixel: float) -> Tensor:
    """Share of pixels of another size that lies between the lips.

    Args:
        landmarks: (T, 68, 2) pixels.
        places: of the other pixels' middles, in the landmarks' pixels, (2, h, w) as x and y.
        pixel: side of the other pixels, in the landmarks' pixels.

    Returns:
        (T, 1, h, w) in [0, 1].
    """
    _check(landmarks)
    upper, lower = landmarks[:, list(MOUTH_EDGES[0])], landmarks[:, list(MOUTH_EDGES[1])]
    columns, rows = places.flatten(1).to(landmarks.dtype)
    top, bottom = along_edge(upper, columns), along_edge(lower, columns)
    left, right = upper[:, :1, 0], upper[:, -1:, 0]
    half = pixel / 2
    inside = torch.minimum(rows + half, bottom) - torch.maximum(rows - half, top)
    across = torch.minimum(columns + half, right) - torch.maximum(columns - half, left)
    share = (inside / pixel).clamp(0, 1) * (across / pixel).clamp(0, 1)
    return share.unflatten(1, places.shape[1:])[:, None]


def opening_measures(landmarks: Tensor) -> Tensor:
    """Four numbers of an expression (T, 68, 2) -> (T, 4), as shares of the distance of the outer eye corners.

    Height of the mouth's inside, its width, the right and the left lids' gap.
    """
    _check(landmarks)

    def distance(i: int, j: int) -> Tensor:
        return (landmarks[:, i] - landmarks[:, j]).norm(dim=-1)

    right = distance(37, 41) + distance(38, 40)
    left = distance(43, 47) + distance(44, 46)
    measures = torch.stack([distance(62, 66), distance(60, 64), right, left], 1)
    return measures / distance(36, 45).clamp_min(1e-3)[:, None]
