"""Holds a learnt face: reference pictures, what was learnt from them, and how. Reads and writes it as one file.

The file is safetensors: easy to share and to delete. Its metadata holds the record, so that a machine that imports it
finds the face again for the same pictures.
"""

from __future__ import annotations

import errno
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from backend_server.config import CROP_SIZE
from backend_server.face_photo import opened_photo
from backend_server.files import atomic_write, sweep_temporaries
from shared.errors import NoSpaceError, ValueRangeError, WeightsError
from shared.face_messages import MAX_FACE_NAME
from shared.files_of_others import sha256_of
from shared.landmarks import POINT_COUNT
from shared.notes import Note

ID_DIGITS = 64
FORMAT = "speech-face-identity-2"
_NAMES_SHOWN, _DIGITS_SHOWN = 2, 12
_IN_FILE = {  # names of the arrays in a file, by the field of `FaceReferences`
    "crops": "reference_images",
    "landmarks": "reference_landmarks",
    "mattes": "mattes",
    "foreground": "foreground",
    "neutral_landmarks": "neutral_landmarks",
    "crop": "crop",
}
_PHOTO = "photo"  # its name in a file; faces with few pixels and those of earlier versions have none


@dataclass(frozen=True)
class FaceReferences:
    """K faces of one person, cut out of their pictures; the first, the one nearest to rest, is animated.

    Attributes:
        crops: I^n, u8 (K, 256, 256, 3) RGB.
        landmarks: (K, 68, 2) pixels of each crop.
        mattes: u8 (K, 256, 256), 255 where the person is.
        foreground: u8 (256, 256, 3), the first crop with the person's own colours where its matte is partial and with
            the nearest of them beyond the person.
        neutral_landmarks: l_p, (68, 2) pixels of the first crop.
        crop: (2, 3), from pixels of the first crop to pixels of its picture.
        notes: what the user should know of the pictures.
        photo: the square of the first picture with its own pixels, (N,) bytes as `face_photo.kept_photo` makes them;
            None where it has no more pixels than the crop, and of faces learnt by earlier versions.
    """

    crops: NDArray[np.uint8]
    landmarks: NDArray[np.float32]
    mattes: NDArray[np.uint8]
    foreground: NDArray[np.uint8]
    neutral_landmarks: NDArray[np.float32]
    crop: NDArray[np.float32]
    notes: tuple[Note, ...] = ()
    photo: NDArray[np.uint8] | None = None


class IdentityRecord(msgspec.Struct, frozen=True, kw_only=True):
    """From what, when and how well a face was learnt; read without the weights.

    Attributes:
        identity: its ID, 64 hexadecimal digits; empty until it has one.
        learnt_at: when.
        weights_version: of the weights that fine-tuning began from.
        image_count: K.
        image_names: of the picture files, in their order; empty if unknown.
        seed: of fine-tuning.
        epochs: of fine-tuning that were run.
        losses: one per epoch.
        held_out_psnrs: dB after each epoch on images kept back; empty if there were none or it is unknown.
        held_out_psnr: dB of the kept state; None when no images were kept back.
        neutral: l_p, 68 x 2, pixels of the crop.
        crop: 2 x 3, from pixels of the crop to pixels of its picture.
        notes: what the user should know of the pictures.
        name: that somebody gave the face; empty if nobody has.
        photo_pixels: along a side of the kept square of the first picture; 0: none is kept, as its face has no more
            than the crop; None: the face was learnt by an earlier version, which kept none.
    """

    identity: str = ""
    learnt_at: datetime
    weights_version: str
    image_count: int
    image_names: tuple[str, ...] = ()
    seed: int = 0
    epochs: int
    losses: tuple[float, ...]
    held_out_psnrs: tuple[float, ...] = ()
    held_out_psnr: float | None
    neutral: tuple[tuple[float, ...], ...]
    crop: tuple[tuple[float, ...], ...]
    notes: tuple[Note, ...] = ()
    name: str = ""
    photo_pixels: int | None = None

    @property
    def title(self) -> str:
        """Its name, or else the names of its pictures; never empty."""
        more = len(self.image_names) - _NAMES_SHOWN
        named = ", ".join(self.image_names[:_NAMES_SHOWN]) + (f" and {more} more" if more > 0 else "")
        return self.name or named or self.identity[:_DIGITS_SHOWN] or "a face"

    @property
    def day_and_time(self) -> str:
        """When it was learnt, in local time; as it is noted if no local time can be so early or so late."""
        try:
            return self.learnt_at.astimezone().strftime("%Y-%m-%d %H:%M")
        except (OverflowError, ValueError, OSError):
            return self.learnt_at.strftime("%Y-%m-%d %H:%M")


@dataclass(frozen=True)
class Identity:
    """A learnt face: one person, ready to be rendered.

    Attributes:
        references: the pictures that are moved.
        weights: what fine-tuning changed, half floats by name; empty without fine-tuning.
        record: from what, when and how well it was learnt.
    """

    references: FaceReferences
    weights: Mapping[str, NDArray[np.float16]]
    record: IdentityRecord


class _Notes(msgspec.Struct, frozen=True):
    """What a file holds about a face without an ID; earlier versions of Speech Face read it in every file."""

    losses: tuple[float, ...]
    held_out_psnr: float | None
    weights_version: str
    epochs: int


def rows(array: NDArray[np.float32]) -> tuple[tuple[float, ...], ...]:
    """An array (N, M) as nested tuples, for a record."""
    return tuple(map(tuple, array.tolist()))


def file_id(path: Path) -> str:
    """The sha256 of a file's content: the ID of a face whose file holds no ID."""
    return sha256_of(path)


def encoded_identity(identity: Identity) -> bytes:
    """The content of the file of an identity, safetensors."""
    arrays = {name: getattr(identity.references, field) for field, name in _IN_FILE.items()}
    if identity.references.photo is not None:
        arrays[_PHOTO] = identity.references.photo
    arrays |= {f"weights.{name}": weight for name, weight in identity.weights.items()}
    # `np.ascontiguousarray` would turn a single number into an array of one.
    tensors = {name: np.asarray(array, order="C") for name, array in arrays.items()}
    record = identity.record
    notes = _Notes(record.losses, record.held_out_psnr, record.weights_version, record.epochs)
    metadata = {"format": FORMAT, "notes": msgspec.json.encode(notes).decode()}
    if record.identity:
        metadata["record"] = msgspec.json.encode(record).decode()
    return save(tensors, metadata)


def save_identity(path: Path, identity: Identity) -> None:
    """Writes an identity as one safetensors file, replaced in one step.

    Raises:
        NoSpaceError: the disk is full.
        ValueRangeError: the file cannot be written.
    """
    write_whole(path, encoded_identity(identity))


def load_identity(path: Path) -> Identity:
    """Reads what `save_identity` wrote; a face without an ID gets the `file_id`.

    Raises:
        WeightsError: the file is missing, damaged, or not an identity.
    """
    try:
        with safe_open(path, framework="np") as file:
            metadata = file.metadata() or {}
            if metadata.get("format") != FORMAT:
                raise WeightsError(
                    f"{path} is not an identity of this version of Speech Face; make one with: backend_server adapt"
                )
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (safe_open is no mapping)
        _check(path, tensors)
        references = FaceReferences(
            **{field: tensors[name] for field, name in _IN_FILE.items()}, photo=tensors.get(_PHOTO)
        )
        record = _record(path, metadata, references)
    except (OSError, SafetensorError, msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise WeightsError(f"cannot read the identity {path}: {error}") from error
    weights = {name.removeprefix("weights."): t for name, t in tensors.items() if name.startswith("weights.")}
    return Identity(replace(references, notes=record.notes), weights, record)


def first_crop(path: Path) -> NDArray[np.uint8]:
    """The picture that an identity animates, u8 (256, 256, 3), read without the rest of its file.

    Raises:
        WeightsError: the file is missing, damaged, or not an identity.
    """
    try:
        with safe_open(path, framework="np") as file:
            crop = np.asarray(file.get_slice(_IN_FILE["crops"])[0:1])[0]
    except (OSError, SafetensorError, ValueError, IndexError) as error:
        raise WeightsError(f"cannot read the identity {path}: {error}") from error
    if crop.shape != (CROP_SIZE, CROP_SIZE, 3) or crop.dtype != np.uint8:
        raise WeightsError(f"the identity {path} is damaged: its first picture has the shape {crop.shape}")
    return crop


def checked_name(name: str) -> str:
    """The name of a face without spaces at its ends; empty for none.

    Raises:
        ValueRangeError: it is too long, or holds something that no line shows.
    """
    stripped = name.strip()
    if len(stripped) > MAX_FACE_NAME:
        raise ValueRangeError(f"a name of {len(stripped)} characters is too long; give at most {MAX_FACE_NAME}")
    if not stripped.isprintable():
        raise ValueRangeError(f"the name {stripped!r} holds a character that cannot be shown; give another one")
    return stripped


def write_whole(path: Path, content: bytes) -> None:
    """Writes a file, replaced in one step.

    Raises:
        NoSpaceError: the disk is full.
        ValueRangeError: the file cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        sweep_temporaries(path)
        with atomic_write(path) as temporary:
            temporary.write_bytes(content)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise NoSpaceError(f"the disk of {path.parent} is full; free some space and try again") from error
        raise ValueRangeError(f"cannot write {path}: {error.strerror or error}; choose another place") from error


def _record(path: Path, metadata: Mapping[str, str], references: FaceReferences) -> IdentityRecord:
    if "record" in metadata:
        record = msgspec.json.decode(metadata["record"], type=IdentityRecord)
        if not re.fullmatch(f"[0-9a-f]{{{ID_DIGITS}}}", record.identity):
            raise WeightsError(f"the record in {path} names {record.identity[:80]!r}, not an ID; export it again")
        return record
    notes = msgspec.json.decode(metadata.get("notes", ""), type=_Notes)
    return IdentityRecord(
        identity=file_id(path),
        learnt_at=datetime.fromtimestamp(int(path.stat().st_mtime), UTC),
        image_count=len(references.crops),
        neutral=rows(references.neutral_landmarks),
        crop=rows(references.crop),
        **msgspec.structs.asdict(notes),
    )


def _check(path: Path, tensors: Mapping[str, NDArray[np.generic]]) -> None:
    missing = [name for name in _IN_FILE.values() if name not in tensors]
    if missing:
        raise WeightsError(f"the identity {path} lacks {', '.join(missing)}; adapt the images again")
    count = len(tensors["reference_images"])
    shapes = {
        "neutral_landmarks": (POINT_COUNT, 2),
        "crop": (2, 3),
        "reference_images": (count, CROP_SIZE, CROP_SIZE, 3),
        "reference_landmarks": (count, POINT_COUNT, 2),
        "mattes": (count, CROP_SIZE, CROP_SIZE),
        "foreground": (CROP_SIZE, CROP_SIZE, 3),
    }
    for name, shape in shapes.items():
        if count == 0 or tensors[name].shape != shape:
            raise WeightsError(f"the identity {path} is damaged: {name} has the shape {tensors[name].shape}")
        is_picture = name in ("reference_images", "mattes", "foreground")
        if tensors[name].dtype != (np.uint8 if is_picture else np.float32):
            raise WeightsError(f"the identity {path} is damaged: {name} is of dtype {tensors[name].dtype}")
        if not is_picture and not np.isfinite(tensors[name]).all():
            raise WeightsError(f"the identity {path} is damaged: {name} holds numbers that are not finite")
    if (photo := tensors.get(_PHOTO)) is not None:
        if photo.ndim != 1 or photo.dtype != np.uint8:
            raise WeightsError(f"the identity {path} is damaged: {_PHOTO} is {photo.dtype} {photo.shape}")
        try:
            opened_photo(np.asarray(photo, np.uint8))
        except WeightsError as error:
            raise WeightsError(f"the identity {path} is damaged: {error.sentence}") from error
