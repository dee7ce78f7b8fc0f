"""Says what a person's pictures are for the backend, and what it has learnt from them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ._shared import errors, notes, protocol

Picture = Path | str | NDArray[np.uint8]


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


def adapt_request(pictures: Picture | Sequence[Picture], epochs: int, seed: int) -> protocol.AdaptRequest:
    """Asks for an identity from pictures: paths, whose bytes are sent, or arrays u8 (H, W, 3 or 4).

    Raises:
        ImageError: a file is missing or empty, or there is a picture that is neither a path nor such an array.
    """
    listed = [pictures] if isinstance(pictures, Path | str | np.ndarray) else list(pictures)
    arrays = [picture for picture in listed if isinstance(picture, np.ndarray)]
    paths = [Path(picture) for picture in listed if isinstance(picture, Path | str)]
    if len(arrays) + len(paths) < len(listed):
        kinds = {type(picture).__name__ for picture in listed if not isinstance(picture, Path | str | np.ndarray)}
        raise errors.ImageError(f"expected paths or arrays as pictures, got {', '.join(sorted(kinds))}")
    return protocol.AdaptRequest(
        job=protocol.new_id(),
        epochs=epochs,
        seed=seed,
        images=tuple(arrays),
        files=tuple(_bytes(path) for path in paths),
        names=(*(f"picture {number}" for number in range(1, len(arrays) + 1)), *(path.name for path in paths)),
    )


def render_request(landmarks: NDArray[np.floating], identity: str) -> protocol.RenderRequest:
    """Asks for pictures of a learnt face with these landmarks (T, 68, 2).

    Raises:
        ShapeError: they are not 68 points a frame.
        MessageError: one is no number or lies far outside of the crop, or there is no identity.
    """
    places = np.array(landmarks, np.float32)  # a copy: it is sent later, and perhaps again
    if places.ndim != 3 or places.shape[1:] != (68, 2) or not len(places):
        raise errors.ShapeError(f"expected landmarks of shape (T, 68, 2), got {places.shape}")
    request = protocol.RenderRequest(job=protocol.new_id(), identity=identity, landmarks=places)
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
