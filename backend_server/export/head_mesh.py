"""Turns a head into the mesh that engines take."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from backend_server.export.morphs import MorphMesh, Paint
from backend_server.rig.head import COLOURS
from shared.rig.head_file import Head


def head_mesh(head: Head) -> MorphMesh:
    """The head with y up, facing +z, one material a part, and a morph target for each of its shapes."""
    paints = tuple(
        Paint(part, _linear(COLOURS[part]), np.flatnonzero(head.face_parts == number))
        for number, part in enumerate(head.parts)
    )
    return MorphMesh("Face", _y_up(head.vertices), head.faces.astype(np.int64), _y_up(head.deltas), paints)


def _linear(colour: tuple[float, float, float]) -> tuple[float, float, float]:
    """A colour in sRGB in linear light (IEC 61966-2-1)."""
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in colour)
    return red, green, blue


def _y_up(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """Vectors (..., 3) of a frame with z up that faces -y, where y is up and the face looks along +z."""
    x, y, z = np.moveaxis(vectors, -1, 0)
    return np.ascontiguousarray(np.stack([x, z, -y], axis=-1))
