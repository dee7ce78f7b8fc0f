"""Holds a mesh with morph targets and their weights over time, as engines take them."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from shared.errors import ShapeError, SpeechFaceError

WEIGHT_TOLERANCE = 1e-3  # of weights that were written and read back
_FRAME_TOLERANCE = 0.01  # of a frame: what float32 seconds leave after two hours at 60 per second


@dataclass(frozen=True)
class Paint:
    """One material: its name, colour (linear light, 0 to 1), and the faces that have it."""

    name: str
    colour: tuple[float, float, float]
    faces: NDArray[np.int64]


@dataclass(frozen=True)
class MorphMesh:
    """A mesh and its morph targets; y up, the face looks along +z, metres.

    Attributes:
        name: of the mesh.
        vertices: at rest, f32 (V, 3).
        faces: indices of triangles or quads, counter-clockwise from outside, int (F, 3 or 4).
        deltas: what each target at weight 1 adds to the vertices, f32 (N, V, 3).
        paints: materials; faces that none names are left without.
    """

    name: str
    vertices: NDArray[np.float32]
    faces: NDArray[np.int64]
    deltas: NDArray[np.float32]
    paints: tuple[Paint, ...] = ()

    def triangles(self, faces: NDArray[np.int64]) -> NDArray[np.int64]:
        """Indices (M, 3) of the triangles of these faces."""
        chosen = self.faces[faces]
        if chosen.shape[1] == 3:
            return chosen
        return chosen[:, [0, 1, 2, 0, 2, 3]].reshape(-1, 3)

    def normals(self, vertices: NDArray[np.float32]) -> NDArray[np.float32]:
        """Unit normals (V, 3) of the moved mesh, weighted by the areas of the triangles around each vertex."""
        triangles = self.triangles(np.arange(len(self.faces)))
        a, b, c = np.moveaxis(vertices.astype(np.float64)[triangles], 1, 0)
        around = np.zeros(vertices.shape)
        for corner in range(3):
            np.add.at(around, triangles[:, corner], np.cross(b - a, c - a))
        length = np.linalg.norm(around, axis=1, keepdims=True)
        return np.where(length > 0, around / np.maximum(length, 1e-30), (0, 0, 1)).astype(np.float32)

    @cached_property
    def normal_deltas(self) -> NDArray[np.float32]:
        """What each target at weight 1 adds to the normals, (N, V, 3)."""
        rest, deltas = self.normals(self.vertices), self.deltas.astype(np.float32)
        return np.stack([self.normals(self.vertices + delta) - rest for delta in deltas])


@dataclass(frozen=True)
class MorphAnimation:
    """Weights over time.

    Attributes:
        channels: N names of targets.
        weights: f32 (T, N).
        frame_times: seconds, f64 (T,).
        frame_rate: frames per second.
        tags: metadata of every file.
        head: how the head is turned, f32 (T, 6), as `shared.head.POSE`; None where it is not.
    """

    channels: tuple[str, ...]
    weights: NDArray[np.float32]
    frame_times: NDArray[np.float64]
    frame_rate: Fraction
    tags: dict[str, str]
    head: NDArray[np.float32] | None = None

    def __post_init__(self) -> None:
        expected = (len(self.frame_times), len(set(self.channels)))
        if self.weights.shape != expected:
            raise ShapeError(f"expected weights of shape {expected}, got {self.weights.shape}")

    def check_mesh(self, mesh: MorphMesh) -> None:
        """Raises ShapeError when a mesh has not one morph target for each channel."""
        expected = (len(self.channels), *mesh.vertices.shape)
        if mesh.deltas.shape != expected:
            raise ShapeError(f"expected morph targets of shape {expected}, got {mesh.deltas.shape}")


@dataclass(frozen=True)
class WrittenMorphs:
    """What was read back from a file: names, weights (T, N) and seconds (T,)."""

    channels: tuple[str, ...]
    weights: NDArray[np.float32]
    frame_times: NDArray[np.float64]


def check_written(file_name: str, wanted: MorphAnimation, found: WrittenMorphs) -> None:
    """Compares what was read back with what was to be written.

    Raises:
        SpeechFaceError: names, weights or times differ.
    """
    if found.channels != wanted.channels or found.weights.shape != wanted.weights.shape:
        raise SpeechFaceError(
            f"{file_name} holds weights of shape {found.weights.shape} and {wanted.weights.shape} were to be written; "
            "the disk may be damaged, choose another folder"
        )
    error = float(np.abs(found.weights - wanted.weights).max())
    late = float(np.abs(found.frame_times - wanted.frame_times).max() * wanted.frame_rate)
    if error > WEIGHT_TOLERANCE or late > _FRAME_TOLERANCE:
        raise SpeechFaceError(
            f"{file_name} differs from what was to be written by {error:.4f} in a weight and {late:.3f} frames in "
            "time; the disk may be damaged, choose another folder"
        )
