"""Says what a head with ARKit's 52 shapes is, and reads its file: the shipped sample, or people of MakeHuman's data."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from ..arkit import SHAPES
from ..errors import ShapeError, SpeechFaceError

_STEP_METRES = 1e-5  # of stored vertices; MakeHuman's targets are written in steps of 1e-4
_UV_STEPS = 65535


@dataclass(frozen=True)
class Head:
    """A head of V vertices in metres: Z up, facing -Y, the person's left at +X, the neck's lowest point at Z = 0.

    Attributes:
        vertices: f32 (V, 3), at rest.
        faces: i32 (F, 4), quads, outside anticlockwise.
        face_parts: u8 (F,), indices of `parts`.
        parts: names of the parts: skin, lips, tongue ...
        uv: f32 (F, 4, 2), texture coordinates of the faces' corners.
        shapes: the names of the shapes, `shared.arkit.SHAPES`.
        deltas: f32 (52, V, 3), displacements of the shapes at weight 1.
    """

    vertices: NDArray[np.float32]
    faces: NDArray[np.int32]
    face_parts: NDArray[np.uint8]
    parts: tuple[str, ...]
    uv: NDArray[np.float32]
    shapes: tuple[str, ...]
    deltas: NDArray[np.float32]

    @cached_property
    def triangles(self) -> NDArray[np.int32]:
        """The faces as triangles, i32 (2 F, 3): face f is cut into the triangles 2 f and 2 f + 1."""
        return self.faces[:, [0, 1, 2, 0, 2, 3]].reshape(-1, 3)

    def posed(self, weights: NDArray[np.floating]) -> NDArray[np.float32]:
        """Vertices (V, 3) or (T, V, 3) of weights (52,) or (T, 52) in the order of `shapes`.

        Raises:
            ShapeError: another number of weights.
        """
        weights = np.asarray(weights, np.float32)
        if weights.ndim not in (1, 2) or weights.shape[-1] != len(self.shapes):
            raise ShapeError(f"expected weights ({len(self.shapes)},) or (T, {len(self.shapes)}), got {weights.shape}")
        return (self.vertices + np.tensordot(weights, self.deltas, axes=1)).astype(np.float32)

    def vertices_of(self, *parts: str) -> NDArray[np.int32]:
        """Indices of the vertices of these parts.

        Raises:
            ShapeError: the head has no such part.
        """
        if unknown := sorted(set(parts) - set(self.parts)):
            raise ShapeError(f"the head has no part {unknown[0]!r}; it has {', '.join(self.parts)}")
        return np.unique(self.faces[np.isin(self.face_parts, [self.parts.index(part) for part in parts])])


def stored_arrays(head: Head) -> dict[str, NDArray]:
    """What an .npz file of a head holds; of the displacements only what is not zero."""
    shape, vertex = np.nonzero(np.abs(head.deltas).max(2) >= _STEP_METRES / 2)
    return {
        "vertices": np.round(head.vertices / _STEP_METRES).astype(np.int32),
        "faces": head.faces.astype(np.uint16),
        "face_parts": head.face_parts,
        "parts": np.array(head.parts),
        "uv": np.round(head.uv * _UV_STEPS).astype(np.uint16),
        "shapes": np.array(head.shapes),
        "moved": np.bincount(shape, minlength=len(head.shapes)).astype(np.uint16),
        "vertex": vertex.astype(np.uint16),
        "delta": np.round(head.deltas[shape, vertex] / _STEP_METRES).astype(np.int16),
    }


def load_head(path: Path) -> Head:
    """Reads an .npz file of `stored_arrays`.

    Raises:
        SpeechFaceError: the file is missing, damaged, or no head with ARKit's shapes.
    """
    try:
        with np.load(path) as stored:
            vertices = stored["vertices"].astype(np.float32) * np.float32(_STEP_METRES)
            shapes = tuple(stored["shapes"].tolist())
            deltas = np.zeros((len(shapes), *vertices.shape), np.float32)
            shape = np.repeat(np.arange(len(shapes)), stored["moved"])
            deltas[shape, stored["vertex"]] = stored["delta"] * np.float32(_STEP_METRES)
            uv = stored["uv"].astype(np.float32) / np.float32(_UV_STEPS)
            parts = tuple(stored["parts"].tolist())
            head = Head(vertices, stored["faces"].astype(np.int32), stored["face_parts"], parts, uv, shapes, deltas)
    except (OSError, ValueError, KeyError, IndexError, EOFError, BadZipFile, zlib.error) as error:
        raise SpeechFaceError(f"cannot read the head {path}: {error}; copy it again from the repository") from error
    if shapes != SHAPES:
        raise SpeechFaceError(f"the head {path} has {len(shapes)} shapes that are not ARKit's; make it anew")
    return head
