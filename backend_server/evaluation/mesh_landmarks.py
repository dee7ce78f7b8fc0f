"""Judges landmarks that were found on MakeHuman's meshes, whose right vertices are known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from backend_server.rig.head import Head
from shared.landmarks import INNER_LIPS, JAW, LEFT_EYE, NOSE_BASE, NOSE_BRIDGE, OUTER_LIPS, RIGHT_BROW, RIGHT_EYE

_ALL = tuple(range(68))
GROUPS = (  # of landmarks, with what the table calls them
    ("jaw", _ALL[JAW]),
    ("brows", _ALL[RIGHT_BROW.start : RIGHT_BROW.start + 10]),
    ("nose", (*_ALL[NOSE_BRIDGE], *_ALL[NOSE_BASE])),
    ("corners of the eyes", (36, 39, 42, 45)),
    ("upper lids", (37, 38, 43, 44)),
    ("lower lids", (40, 41, 46, 47)),
    ("outer lips", _ALL[OUTER_LIPS]),
    ("inner lips", _ALL[INNER_LIPS]),
)
_TELLING = ("jawOpen", "eyeBlinkLeft", "eyeBlinkRight")  # they move one lip, or one lid, of two
_WRONG = 0.5  # of what such a shape moves the right vertices at most: a vertex that differs by more is on the other one


@dataclass(frozen=True)
class Placement:
    """How well the landmarks of one mesh were found.

    Attributes:
        errors: f32 (68,), from the right vertices at rest, eye distances.
        is_wrong: (68,), which of them lie on what moves in another way: the other lid, the other lip.
    """

    errors: NDArray[np.float32]
    is_wrong: NDArray[np.bool_]


@dataclass(frozen=True)
class GroupFigures:
    """The landmarks of one part of the face on many meshes.

    Attributes:
        name: of the part.
        mean: of the errors, eye distances.
        high: the 95th percentile of the errors.
        wrong_count: meshes on which one of them lies on the other lid or lip.
    """

    name: str
    mean: float
    high: float
    wrong_count: int


def placement(head: Head, found: NDArray[np.integer], right: NDArray[np.integer]) -> Placement:
    """Compares the vertices (68,) that were found on a head with the right ones."""
    errors = distances(head.vertices, found, right)
    is_wrong = np.zeros(len(found), np.bool_)
    for name in _TELLING:
        moved = head.deltas[head.shapes.index(name)]
        most = np.linalg.norm(moved[right], axis=1).max()
        is_wrong |= np.linalg.norm(moved[found] - moved[right], axis=1) > _WRONG * most
    return Placement(errors, is_wrong)


def distances(
    vertices: NDArray[np.floating], found: NDArray[np.integer], right: NDArray[np.integer]
) -> NDArray[np.float32]:
    """How far vertices (68,) of a mesh lie from the right ones, f32 (68,) distances between its eyes."""
    eyes = vertices[right[LEFT_EYE]].mean(0) - vertices[right[RIGHT_EYE]].mean(0)
    return (np.linalg.norm(vertices[found] - vertices[right], axis=1) / np.linalg.norm(eyes)).astype(np.float32)


def group_figures(placements: Sequence[Placement]) -> list[GroupFigures]:
    """The figures of `GROUPS` over meshes, none of no mesh."""
    if not placements:
        return []
    errors, is_wrong = (np.stack([getattr(one, name) for one in placements]) for name in ("errors", "is_wrong"))
    return [
        GroupFigures(
            name,
            float(errors[:, points].mean()),
            float(np.percentile(errors[:, points], 95)),
            int(is_wrong[:, points].any(1).sum()),
        )
        for name, points in GROUPS
    ]
