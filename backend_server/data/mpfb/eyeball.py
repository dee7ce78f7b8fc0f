"""Makes an eyeball with iris and pupil, since the base mesh's has 70 faces and neither.

It lies where the base mesh's eyeball lies, and turns as that one turns.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

REGIONS = ("white", "iris", "pupil")
_SEGMENTS = 24
# Degrees from the line of sight: the rings of vertices between the front and the back pole; pupil and iris end at two.
_RINGS = (6.0, 11.0, 19.0, 28.0, 36.0, 46.0, 58.0, 72.0, 90.0, 112.0, 135.0, 157.0)
_PUPIL, _IRIS = 11.0, 28.0


class Ball(NamedTuple):
    """An eyeball of radius 1 around the origin that looks along -Y: N vertices, F quads.

    Attributes:
        vertices: f64 (N, 3).
        faces: i32 (F, 4), outside anticlockwise.
        uv: f32 (F, 4, 2), the front pole in the middle, the back pole on the circle around it.
        regions: u8 (F,), indices of `REGIONS`.
    """

    vertices: NDArray[np.float64]
    faces: NDArray[np.int32]
    uv: NDArray[np.float32]
    regions: NDArray[np.uint8]


def make_ball() -> Ball:
    """The eyeball; two neighbouring segments share a quad at the poles."""
    angles = np.radians((0.0, *_RINGS, 180.0))
    around = np.arange(_SEGMENTS) * 2 * np.pi / _SEGMENTS
    angle = np.repeat(angles, [1, *[_SEGMENTS] * len(_RINGS), 1])
    turn = np.concatenate([[0.0], np.tile(around, len(_RINGS)), [0.0]])
    vertices = np.stack([np.sin(angle) * np.cos(turn), -np.cos(angle), np.sin(angle) * np.sin(turn)], axis=1)
    here, after = np.arange(_SEGMENTS), (np.arange(_SEGMENTS) + 1) % _SEGMENTS
    even, last = here[::2], len(vertices) - 1
    faces = [np.stack([np.zeros_like(even), 1 + even, 1 + even + 1, 1 + (even + 2) % _SEGMENTS], axis=1)]
    for ring in range(len(_RINGS) - 1):
        inner, outer = 1 + ring * _SEGMENTS, 1 + (ring + 1) * _SEGMENTS
        faces.append(np.stack([inner + here, outer + here, outer + after, inner + after], axis=1))
    outer = last - _SEGMENTS
    faces.append(
        np.stack([np.full_like(even, last), outer + (even + 2) % _SEGMENTS, outer + even + 1, outer + even], 1)
    )
    quads = np.concatenate(faces).astype(np.int32)
    disc = 0.5 + 0.5 * (angle / np.pi)[:, None] * np.stack([np.cos(turn), np.sin(turn)], axis=1)
    middle = np.degrees(angle[quads]).max(1)
    regions = np.where(middle <= _PUPIL + 0.1, 2, np.where(middle <= _IRIS + 0.1, 1, 0)).astype(np.uint8)
    return Ball(vertices, quads, disc[quads].astype(np.float32), regions)


def place(
    ball: Ball, model: NDArray[np.float64], deltas: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Vertices (N, 3) and displacements (S, N, 3) of the ball where `model` (M, 3) lies and moves by (S, M, 3)."""
    # The sphere |p - c| = r through points p: 2 c p + (r^2 - c^2) = p^2.
    equations = np.column_stack([2 * model, np.ones(len(model))])
    solution = np.linalg.lstsq(equations, (model**2).sum(1), rcond=None)[0]
    centre = solution[:3]
    offsets = ball.vertices * np.sqrt(solution[3] + centre @ centre)
    # How the model moves as a linear function of the place in it: turns about the centre, and shifts.
    placed, own = (np.column_stack([points, np.ones(len(points))]) for points in (model - centre, offsets))
    linear = np.linalg.lstsq(placed, deltas.transpose(1, 0, 2).reshape(len(model), -1), rcond=None)[0]
    return centre + offsets, (own @ linear).reshape(len(own), -1, 3).transpose(1, 0, 2)
