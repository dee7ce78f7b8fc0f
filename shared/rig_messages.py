"""Defines the messages that are about rigs: the landmarks of a mesh, and the curves of a rig's channels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np
from msgspec import Meta
from numpy.typing import NDArray

from .buffers import Buffer
from .errors import ValueRangeError
from .message import MAX_PART_BYTES, Message, bad_value, too_large
from .rig.mapping import MAX_CHANNELS, MAX_NAME
from .rig.presets import read_mapping

MAX_VERTICES = 4_000_000
MAX_TRIANGLES = 8_000_000

RigText = Annotated[str, Meta(max_length=500_000)]
ChannelNames = Annotated[tuple[Annotated[str, Meta(max_length=MAX_NAME)], ...], Meta(max_length=MAX_CHANNELS)]


class RigCurves(Message, frozen=True, kw_only=True, eq=False):
    """The motion of a job as the channels of the rig that the request names: all its frames at once."""

    BUFFERS = (Buffer("weights", "<f4", ("T", "C")), Buffer("residual", "<f4", ("T",), is_optional=True))

    names: ChannelNames  # of the channels, in the order of `weights`
    weights: NDArray[np.float32]  # (T, C), each within its channel's limits
    residual: NDArray[np.float32] | None = None  # (T,) eye distances a solved rig stays from the face; None: not solved

    def check(self) -> None:
        """Checks that each channel has a name."""
        if self.weights.shape[1] != len(self.names):
            raise bad_value(f"got {len(self.names)} names for {self.weights.shape[1]} channels")


class FindMeshLandmarks(Message, frozen=True, kw_only=True, eq=False):
    """Asks where a mesh has the 68 landmarks of a face."""

    BUFFERS = (Buffer("vertices", "<f4", ("V", 3)), Buffer("triangles", "<i4", ("F", 3)))

    vertices: NDArray[np.float32]  # (V, 3) in any unit
    triangles: NDArray[np.int32]  # (F, 3) indices of `vertices`

    def check(self) -> None:
        """Checks sizes, places and indices."""
        for name, count, most in (("vertices", len(self.vertices), MAX_VERTICES),
                                  ("triangles", len(self.triangles), MAX_TRIANGLES)):  # fmt: skip
            if count > most:
                raise too_large(f"{count} {name} are too many; send the head alone, with at most {most}")
        if not np.isfinite(self.vertices).all():
            raise bad_value("the mesh has vertices whose places are not finite numbers")
        if self.triangles.min() < 0 or self.triangles.max() >= len(self.vertices):
            raise bad_value(f"a triangle names a vertex that the mesh, with {len(self.vertices)}, does not have")


class MeshLandmarks(Message, frozen=True, kw_only=True, eq=False):
    """Tells where a mesh has its landmarks, as it is seen from the front."""

    BUFFERS = (
        Buffer("vertices", "<i4", (68,)),
        Buffer("confidence", "<f4", (68,)),
        Buffer("projection", "<f8", (2, 3)),
        Buffer("picture", "|u1", ("H", "W", 3)),
        Buffer("points", "<f4", (68, 2)),
    )

    vertices: NDArray[np.int32]  # (68,) indices of vertices
    confidence: NDArray[np.float32]  # (68,) 0 to 1
    projection: NDArray[np.float64]  # (2, 3): displacements of vertices @ its transpose are pixels of the picture
    picture: NDArray[np.uint8]  # (H, W, 3) sRGB: the face that was read
    points: NDArray[np.float32]  # (68, 2) pixels of the picture: where the landmarks were read


@dataclass(frozen=True)
class RigFace:
    """What the channels of a rig do to its face, seen from the front, in any unit, y down.

    Attributes:
        rest: where the landmarks are at rest, (68, 2).
        basis: how far each channel moves them at 1, (C, 68, 2).
        confidence: of the landmarks, (68,), 0 to 1; None: all 1.
    """

    rest: NDArray[np.float32]
    basis: NDArray[np.float32]
    confidence: NDArray[np.float32] | None = None

    BUFFERS: ClassVar[tuple[Buffer, ...]] = (
        Buffer("rig_rest", "<f4", (68, 2), is_optional=True),
        Buffer("rig_basis", "<f4", ("C", 68, 2), is_optional=True),
        Buffer("rig_confidence", "<f4", (68,), is_optional=True),
    )


def check_rig(
    rig: str,
    rest: NDArray[np.float32] | None,
    basis: NDArray[np.float32] | None,
    confidence: NDArray[np.float32] | None,
    frame_count: int,
) -> None:
    """Checks the rig of a request: its mapping, and the arrays of its face, which come together.

    Raises:
        MessageError: something is wrong with them.
    """
    try:
        mapping = read_mapping(rig) if rig else None
    except ValueRangeError as error:
        raise bad_value(f"rig: {error.sentence}") from error
    channels = len(mapping.channels) if mapping else 0
    if 4 * channels * frame_count > MAX_PART_BYTES:
        raise too_large(
            f"{channels} channels of a rig over {frame_count} frames are too many for one message; send a shorter sound"
        )
    if rest is None and basis is None and confidence is None:
        return
    if rest is None or basis is None:
        raise bad_value("a rig's face needs both its landmarks at rest and what the channels do to them")
    if len(basis) != channels:
        raise bad_value(f"got what {len(basis)} channels do to the face for the {channels} channels of the rig")
    if not all(np.isfinite(array).all() for array in (rest, basis, confidence) if array is not None):
        raise bad_value("the rig's face holds places or displacements that are not finite numbers")
    if confidence is not None and (confidence.min() < 0 or confidence.max() > 1):
        raise bad_value("the confidence of the rig's landmarks must lie between 0 and 1")
