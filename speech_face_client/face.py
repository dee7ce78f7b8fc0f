"""Says what a person's pictures are for the backend, and what it has learnt from them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ._shared import errors, notes, protocol

Picture = Path | str | NDArray[np.uint8]
Placed = Sequence[NDArray[np.floating] | None] | None  # landmarks (68, 2) of each picture
Chosen = Sequence[ArrayLike | None] | None  # a point (x, y) of each picture


@dataclass(frozen=True)
class Identity:
    """A face that the backend has learnt and keeps.

    Attributes:
        id: its name at the backend, a sha256; the same pictures give the same.
        epochs: of fine-tuning.
        is_cached: it was known already; nothing was computed.
        losses: one per epoch.
        held_out_psnr: dB on pictures kept back from the fine-tuning; None if there were none.
        notes: what the user should know of the pictures.
        neutral: the face at rest, f32 (68, 2), pixels of the crop.
        crop: f32 (2, 3), affine from pixels of the crop to pixels of the first picture.
    """

    id: str
    epochs: int
    is_cached: bool
    losses: tuple[float, ...]
    held_out_psnr: float | None
    notes: tuple[notes.Note, ...]
    neutral: NDArray[np.float32]
    crop: NDArray[np.float32]


def identity_of(adapted: protocol.Adapted) -> Identity:
    """The identity of which the backend has told."""
    return Identity(
        adapted.identity,
        adapted.epochs,
        adapted.is_cached,
        adapted.losses,
        adapted.held_out_psnr,
        adapted.notes,
        adapted.neutral,
        adapted.crop,
    )


def adapt_request(
    pictures: Picture | Sequence[Picture], epochs: int, seed: int, landmarks: Placed = None, chosen: Chosen = None
) -> protocol.AdaptRequest:
    """Asks for an identity from pictures: paths, whose bytes are sent, or arrays u8 (H, W, 3 or 4).

    Args:
        pictures: one or several.
        epochs: of fine-tuning.
        seed: of it.
        landmarks: placed by hand, (68, 2) pixels or None for each picture; None if all are found.
        chosen: a point on the face that is meant, or None for the largest, for each picture; None if it is for all.

    Raises:
        ImageError: a file is missing or empty, or there is a picture that is neither a path nor such an array.
        ShapeError: there are not as many landmarks or points as pictures, or they have another shape.
    """
    sent = _sent(pictures)
    return protocol.AdaptRequest(
        job=protocol.new_id(),
        epochs=epochs,
        seed=seed,
        images=sent.images,
        files=sent.files,
        names=sent.names,
        landmarks=_ordered(landmarks, sent.order, (68, 2), "landmarks"),
        chosen=_ordered(chosen, sent.order, (2,), "chosen points"),
    )


def photo_request(
    pictures: Picture | Sequence[Picture], chosen: Chosen = None
) -> tuple[protocol.FindPhotoLandmarks, list[int]]:
    """Asks where the faces of pictures are; also the place of each picture that is sent among those that were given.

    Raises:
        ImageError: as `adapt_request`.
        ShapeError: as `adapt_request`.
    """
    sent = _sent(pictures)
    points = _ordered(chosen, sent.order, (2,), "chosen points")
    request = protocol.FindPhotoLandmarks(
        job=protocol.new_id(), images=sent.images, files=sent.files, names=sent.names, chosen=points
    )
    return request, sent.order


class _Sent(NamedTuple):
    """Pictures as they are sent: arrays before files; `order` has the place of each among those that were given."""

    images: tuple[NDArray[np.uint8], ...]
    files: tuple[NDArray[np.uint8], ...]
    names: tuple[str, ...]
    order: list[int]


def _sent(pictures: Picture | Sequence[Picture]) -> _Sent:
    listed = [pictures] if isinstance(pictures, Path | str | np.ndarray) else list(pictures)
    arrays = [place for place, picture in enumerate(listed) if isinstance(picture, np.ndarray)]
    paths = [place for place, picture in enumerate(listed) if isinstance(picture, Path | str)]
    if len(arrays) + len(paths) < len(listed):
        kinds = {type(picture).__name__ for picture in listed if not isinstance(picture, Path | str | np.ndarray)}
        raise errors.ImageError(f"expected paths or arrays as pictures, got {', '.join(sorted(kinds))}")
    images = tuple(picture for picture in listed if isinstance(picture, np.ndarray))
    files = [Path(picture) for picture in listed if isinstance(picture, Path | str)]
    names = (*(f"picture {number}" for number in range(1, len(arrays) + 1)), *(path.name for path in files))
    return _Sent(images, tuple(map(_bytes, files)), names, arrays + paths)


def _ordered(
    values: Sequence[ArrayLike | None] | None, order: list[int], shape: tuple[int, ...], what: str
) -> NDArray[np.float32] | None:
    """Values of the pictures in the order in which these are sent, NaN for those without; None where none has any."""
    if values is None or all(value is None for value in values):
        return None
    if len(values) != len(order):
        raise errors.ShapeError(
            f"got {what} of {len(values)} pictures for {len(order)}; give None where there are none"
        )
    rows = np.full((len(order), *shape), np.nan, np.float32)
    for row, place in zip(rows, order, strict=True):
        if (value := values[place]) is not None:
            if np.shape(value) != shape:
                raise errors.ShapeError(
                    f"the {what} of picture {place + 1} have the shape {np.shape(value)}, not {shape}"
                )
            row[...] = value
    return rows


def render_request(
    landmarks: NDArray[np.floating], identity: str, size: int = protocol.FACE_SIZES[0]
) -> protocol.RenderRequest:
    """Asks for pictures of a learnt face with these landmarks (T, 68, 2), of so many pixels a side.

    Raises:
        ShapeError: they are not 68 points a frame.
        MessageError: one is no number or lies far outside of the crop, there is no identity, or no such size.
    """
    places = np.array(landmarks, np.float32)  # a copy: it is sent later, and perhaps again
    if places.ndim != 3 or places.shape[1:] != (68, 2) or not len(places):
        raise errors.ShapeError(f"expected landmarks of shape (T, 68, 2), got {places.shape}")
    request = protocol.RenderRequest(job=protocol.new_id(), identity=identity, size=size, landmarks=places)
    request.check()
    return request


def _bytes(path: Path) -> NDArray[np.uint8]:
    try:
        data = np.fromfile(path, np.uint8)
    except OSError as error:
        raise errors.ImageError(f"the picture {path} cannot be read: {error.strerror}; correct the path") from error
    if not data.size:
        raise errors.ImageError(f"the picture {path} is empty; choose another")
    return data
