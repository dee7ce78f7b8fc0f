"""Holds a head with ARKit's 52 shapes: the shipped sample, and people made from MakeHuman's data.

It imports neither torch nor a stage, so that it loads at once.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from backend_server.files import atomic_write
from shared.arkit import SHAPES
from shared.errors import ShapeError, SpeechFaceError

SAMPLE = Path(__file__).parents[1] / "samples" / "head.npz"
COLOURS = {  # red, green, blue from 0 to 1, sRGB
    "skin": (0.80, 0.62, 0.52),
    "lips": (0.72, 0.42, 0.40),
    "left_eye": (0.95, 0.95, 0.95),
    "right_eye": (0.95, 0.95, 0.95),
    "iris": (0.25, 0.35, 0.45),
    "pupil": (0.02, 0.02, 0.02),
    "upper_teeth": (0.95, 0.93, 0.88),
    "lower_teeth": (0.95, 0.93, 0.88),
    "tongue": (0.75, 0.40, 0.40),
}
_STEP_METRES = 1e-5  # of stored vertices; MakeHuman's targets are written in steps of 1e-4


@dataclass(frozen=True)
class Head:
    """A head of V vertices in metres: Z up, facing -Y, the person's left at +X, the neck's lowest point at Z = 0.

    Attributes:
        vertices: f32 (V, 3), at rest.
        faces: i32 (F, 4), quads, outside anticlockwise.
        face_parts: u8 (F,), indices of `parts`.
        parts: names of the parts, those of `COLOURS`.
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

    @cached_property
    def colours(self) -> NDArray[np.float32]:
        """The colours f32 (2 F, 3) of the triangles."""
        return np.array([COLOURS[part] for part in self.parts], np.float32)[self.face_parts].repeat(2, axis=0)

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
            raise ShapeError(f"the head has no part {unknown[0]}; it has {', '.join(self.parts)}")
        return np.unique(self.faces[np.isin(self.face_parts, [self.parts.index(part) for part in parts])])


def load_sample_head() -> Head:
    """Reads the shipped head (`samples/head.md` says where it is from).

    Raises:
        SpeechFaceError: the file is missing or damaged.
    """
    return load_head(SAMPLE)


def save_head(head: Head, path: Path) -> None:
    """Writes a head to an .npz file: the same bytes for the same head; displacements keep what is not zero.

    Raises:
        OSError: the file cannot be written.
    """
    shape, vertex = np.nonzero(np.abs(head.deltas).max(2) >= _STEP_METRES / 2)
    with atomic_write(path) as temporary, temporary.open("wb") as file:
        np.savez_compressed(
            file,
            vertices=np.round(head.vertices / _STEP_METRES).astype(np.int32),
            faces=head.faces.astype(np.uint16),
            face_parts=head.face_parts,
            parts=np.array(head.parts),
            uv=np.round(head.uv * 65535).astype(np.uint16),
            shapes=np.array(head.shapes),
            moved=np.bincount(shape, minlength=len(head.shapes)).astype(np.uint16),
            vertex=vertex.astype(np.uint16),
            delta=np.round(head.deltas[shape, vertex] / _STEP_METRES).astype(np.int16),
        )


def load_head(path: Path) -> Head:
    """Reads what `save_head` wrote.

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
            uv = stored["uv"].astype(np.float32) / np.float32(65535)
            parts = tuple(stored["parts"].tolist())
            head = Head(vertices, stored["faces"].astype(np.int32), stored["face_parts"], parts, uv, shapes, deltas)
    except (OSError, ValueError, KeyError, IndexError, EOFError, BadZipFile, zlib.error) as error:
        raise SpeechFaceError(f"cannot read the head {path}: {error}; copy it again from the repository") from error
    if shapes != SHAPES:
        raise SpeechFaceError(f"the head {path} has {len(shapes)} shapes that are not ARKit's; make it anew")
    return head
