"""Makes whole bodies of people from MakeHuman's base mesh, with the base mesh's own eyes, lashes and hair.

They stand with their arms spread. A body has no shapes: it is where a face is looked for on a whole character.
"""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from backend_server.data.mpfb.assets import Assets, read_base_mesh
from backend_server.data.mpfb.people import Person, shaped
from backend_server.data.mpfb.right_vertices import right_vertices

_LASHES = ("helper-l-eyelashes-1", "helper-l-eyelashes-2", "helper-r-eyelashes-1", "helper-r-eyelashes-2")
_GROUPS = (
    "body", "helper-l-eye", "helper-r-eye", "helper-upper-teeth", "helper-lower-teeth", "helper-tongue", *_LASHES,
)  # fmt: skip
_HAIR = "helper-hair"


class Body(NamedTuple):
    """A body: metres, Z up, facing -Y, the person's left at +X.

    Attributes:
        vertices: f64 (V, 3).
        triangles: i64 (F, 3).
        right: i64 (68,), the vertices that are the landmarks.
    """

    vertices: NDArray[np.float64]
    triangles: NDArray[np.int64]
    right: NDArray[np.int64]


def make_body(assets: Assets, person: Person, *, has_hair: bool = False) -> Body:
    """The body of somebody.

    Raises:
        CorpusError: a target is missing.
    """
    vertices, faces, groups = read_base_mesh(assets.root)
    faces = faces[np.isin(groups, (*_GROUPS, _HAIR) if has_hair else _GROUPS)]
    kept, corners = np.unique(faces, return_inverse=True)
    whole = replace(assets, vertices=vertices[kept], kept=kept, _read={})
    corners = corners.reshape(-1, 4)
    return Body(shaped(whole, person), corners[:, [0, 1, 2, 0, 2, 3]].reshape(-1, 3), right_vertices(whole))
