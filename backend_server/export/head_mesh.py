"""Turns a head into the mesh that engines take."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from backend_server.export.morphs import MorphMesh, Paint
from backend_server.rig.head import Head

_COLOURS = {  # linear light
    "skin": (0.60, 0.32, 0.22),
    "teeth": (0.80, 0.76, 0.65),
    "tongue": (0.45, 0.12, 0.12),
    "eyes": (0.80, 0.80, 0.80),
}
_OTHER = (0.10, 0.07, 0.05)  # lashes, brows


def head_mesh(head: Head) -> MorphMesh:
    """The head with y up, facing +z, one material a part, and a morph target for each of its shapes."""
    paints = tuple(
        Paint(part, _COLOURS.get(part, _OTHER), np.flatnonzero(head.face_parts == number))
        for number, part in enumerate(head.parts)
    )
    return MorphMesh("Face", _y_up(head.vertices), head.faces.astype(np.int64), _y_up(head.deltas), paints)


def _y_up(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """Vectors (..., 3) of a frame with z up that faces -y, where y is up and the face looks along +z."""
    x, y, z = np.moveaxis(vectors, -1, 0)
    return np.ascontiguousarray(np.stack([x, z, -y], axis=-1))
