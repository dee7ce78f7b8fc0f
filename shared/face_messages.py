"""Defines the messages about the faces that a backend has learnt and keeps: listed, named, deleted, carried elsewhere.

They are answered at once, also while a job runs.
"""

from __future__ import annotations

from typing import Annotated

import msgspec
import numpy as np
from msgspec import Meta
from numpy.typing import NDArray

from .buffers import Buffer
from .message import MAX_IMAGE_COUNT, Count, IdentityId, Message, Text, bad_value, too_large

MAX_LISTED_FACES = 64  # in one answer, which then has less than 2 MiB
MAX_FACE_BYTES = 64 * 1024 * 1024  # of the file of one face; one from twenty pictures has about 10 MiB
MAX_FACE_NAME = 100
PREVIEW_PIXELS = 96

FaceName = Annotated[str, Meta(max_length=MAX_FACE_NAME)]
_PictureNames = Annotated[tuple[Annotated[str, Meta(max_length=255)], ...], Meta(max_length=MAX_IMAGE_COUNT)]


class LearntFace(msgspec.Struct, frozen=True, kw_only=True):
    """One face that a backend keeps.

    Attributes:
        identity: its ID, for requests.
        name: that somebody gave it, or else the names of its pictures.
        is_named: whether somebody gave it.
        learnt_at: when, ISO 8601 with the offset from UTC; empty if the face is damaged.
        image_count: how many pictures it was learnt from.
        image_names: of their files; empty if unknown.
        epochs: of fine-tuning.
        held_out_psnr: dB on pictures kept back from the fine-tuning; None if there were none.
        is_outdated: whether it was learnt with other weights than the installed ones; None while these are loaded.
        is_damaged: whether its files cannot be used; it can only be deleted, or learnt again from its pictures.
        size_bytes: of its files.
    """

    identity: IdentityId
    name: Annotated[str, Meta(max_length=255)]
    is_named: bool = False
    learnt_at: Annotated[str, Meta(max_length=64)] = ""
    image_count: Count = 0
    image_names: _PictureNames = ()
    epochs: Count = 0
    held_out_psnr: float | None = None
    is_outdated: bool | None = None
    is_damaged: bool = False
    size_bytes: Count = 0


class ListFaces(Message, frozen=True, kw_only=True, eq=False):
    """Asks for `Faces`: those that are kept, from this place on, the oldest first."""

    faces_from: Count = 0


class Faces(Message, frozen=True, kw_only=True, eq=False):
    """Tells of faces that are kept: those that were asked for, or the one that was renamed or imported."""

    BUFFERS = (Buffer("previews", "|u1", ("N", PREVIEW_PIXELS, PREVIEW_PIXELS, 3), is_optional=True),)

    count: Count = 0  # of all faces that are kept
    faces: Annotated[tuple[LearntFace, ...], Meta(max_length=MAX_LISTED_FACES)] = ()
    previews: NDArray[np.uint8] | None = None  # (N, 96, 96, 3) sRGB, one for each of `faces`; None without faces

    def check(self) -> None:
        """Checks that each face has a preview."""
        if (found := 0 if self.previews is None else len(self.previews)) != len(self.faces):
            raise bad_value(f"got {found} previews for {len(self.faces)} faces")


class RenameFace(Message, frozen=True, kw_only=True, eq=False):
    """Asks to give a face a name; empty: again the names of its pictures. Answered with `Faces`."""

    identity: IdentityId
    name: FaceName


class DeleteFace(Message, frozen=True, kw_only=True, eq=False):
    """Asks to delete a face, damaged or not, that no job needs. Answered with `FaceDeleted`."""

    identity: IdentityId


class FaceDeleted(Message, frozen=True, kw_only=True, eq=False):
    """Tells that a face is no longer kept."""

    identity: IdentityId
    freed_bytes: Count = 0


class ExportFace(Message, frozen=True, kw_only=True, eq=False):
    """Asks for the file of a face, for another backend. Answered with `FaceFile`."""

    identity: IdentityId


class FaceFile(Message, frozen=True, kw_only=True, eq=False):
    """The file of a face."""

    BUFFERS = (Buffer("content", "|u1", ("N",)),)

    identity: IdentityId
    name: Text = ""  # as in `LearntFace`
    content: NDArray[np.uint8]  # (N,) bytes, safetensors


class ImportFace(Message, frozen=True, kw_only=True, eq=False):
    """Asks to keep a face that was learnt elsewhere. Answered with `Faces`."""

    BUFFERS = (Buffer("content", "|u1", ("N",)),)

    content: NDArray[
        np.uint8
    ]  # (N,) bytes of a `FaceFile`, or of a file of the commands `adapt` or `identities export`

    def check(self) -> None:
        """Checks the size."""
        if len(self.content) > MAX_FACE_BYTES:
            raise too_large(
                f"a face of {len(self.content) / 2**20:.0f} MiB is too large; send at most {MAX_FACE_BYTES >> 20} MiB"
            )
