"""Defines the messages about photos of people: where their landmarks are, and a face that is learnt from them."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from msgspec import Meta
from numpy.typing import NDArray

from .buffers import Buffer
from .errors import ErrorCode
from .message import (
    MAX_EPOCHS,
    MAX_IMAGE_COUNT,
    Count,
    IdentityId,
    Message,
    Names,
    Seed,
    Text,
    bad_value,
    check_images,
    check_names,
    too_large,
)
from .notes import Notes

_PICTURES = (
    Buffer("images", "|u1", ("H", "W", (3, 4)), is_optional=True, series="image", max_count=MAX_IMAGE_COUNT),
    Buffer("files", "|u1", ("N",), is_optional=True, series="file", max_count=MAX_IMAGE_COUNT),
)
_CHOSEN = Buffer("chosen", "<f4", ("K", 2), is_optional=True)


class AdaptRequest(Message, frozen=True, kw_only=True, eq=False):
    """Asks for an identity from 1 to 20 images of one face, as pixels or as the files that hold them."""

    BUFFERS = (*_PICTURES, Buffer("landmarks", "<f4", ("K", 68, 2), is_optional=True), _CHOSEN)

    epochs: Annotated[int, Meta(ge=0, le=MAX_EPOCHS)] = 10
    seed: Seed = 0
    names: Names = ()  # for sentences: those of `images`, then those of `files`; empty if unknown
    images: tuple[NDArray[np.uint8], ...] = ()  # each (H, W, 3) sRGB, or (H, W, 4) with straight alpha, any size
    files: tuple[NDArray[np.uint8], ...] = ()  # each (N,): the bytes of an image file; these images come after `images`
    landmarks: NDArray[np.float32] | None = None  # (K, 68, 2) image pixels; NaN for an image: find them
    chosen: NDArray[np.float32] | None = (
        None  # (K, 2) image pixels: a point on the face that is meant; NaN: the largest
    )

    def check(self) -> None:
        """Checks the size of the images and that landmarks, if any, belong to them."""
        count = _check_pictures(self.images, self.files, self.names, self.chosen)
        if self.landmarks is None:
            return
        if len(self.landmarks) != count:
            raise bad_value(f"got landmarks of {len(self.landmarks)} images for {count} images")
        if not np.isfinite(self.landmarks[~np.isnan(self.landmarks).all(axis=(1, 2))]).all():
            raise bad_value("landmarks must be finite, or NaN for a whole image")


class Adapted(Message, frozen=True, kw_only=True, eq=False):
    """Tells that an identity is ready for use in an `AnimateRequest`."""

    BUFFERS = (Buffer("neutral", "<f4", (68, 2)), Buffer("crop", "<f4", (2, 3)))

    identity: IdentityId
    epochs: Count = 0
    is_cached: bool = False  # it was known already; nothing was computed
    losses: tuple[float, ...] = ()
    held_out_psnr: float | None = None  # dB
    notes: Notes = ()  # about the images
    neutral: NDArray[np.float32]  # (68, 2) pixels of the crop
    crop: NDArray[np.float32]  # (2, 3) affine from crop pixels to pixels of the first image


class FindPhotoLandmarks(Message, frozen=True, kw_only=True, eq=False):
    """Asks where faces are in 1 to 20 images, and where the landmarks of one face of each are."""

    BUFFERS = (*_PICTURES, _CHOSEN)

    names: Names = ()  # as in `AdaptRequest`
    images: tuple[NDArray[np.uint8], ...] = ()
    files: tuple[NDArray[np.uint8], ...] = ()
    chosen: NDArray[np.float32] | None = None

    def check(self) -> None:
        """Checks the size of the images, and that chosen points, if any, belong to them."""
        _check_pictures(self.images, self.files, self.names, self.chosen)


class PhotoLandmarks(Message, frozen=True, kw_only=True, eq=False):
    """Tells of one image where its faces are, and the landmarks of one of them, or why there are none."""

    BUFFERS = (
        Buffer("landmarks", "<f4", (68, 2), is_optional=True),
        Buffer("confidence", "<f4", (68,), is_optional=True),
        Buffer("boxes", "<f4", ("B", 3), is_optional=True),
    )

    picture: Count  # its place among `images`, then `files`
    name: Text = ""
    width: Count = 0  # pixels of the whole image as it is shown, upright; 0 if it cannot be read
    height: Count = 0
    taken: Count | None = None  # which of `boxes` the landmarks are of
    yaw_degrees: float | None = None  # turn of that face, positive towards the person's left
    code: ErrorCode | None = None  # why there are no landmarks
    sentence: Text = ""  # the same for people
    notes: Notes = ()
    landmarks: NDArray[np.float32] | None = None  # (68, 2) pixels of that image
    confidence: NDArray[np.float32] | None = None  # (68,) 0 to 1: low where the detector wavers
    boxes: NDArray[np.float32] | None = None  # (B, 3) x and y of the middle, and side, of all faces; the largest first


def _check_pictures(
    images: tuple[NDArray[np.uint8], ...],
    files: tuple[NDArray[np.uint8], ...],
    names: tuple[str, ...],
    chosen: NDArray[np.float32] | None,
) -> int:
    """How many pictures there are.

    Raises:
        MessageError: they are none or too many, or names or chosen points do not belong to them.
    """
    if not (count := len(images) + len(files)):
        raise bad_value("the message has no images; send at least one")
    if count > MAX_IMAGE_COUNT:
        raise too_large(f"{count} images are too many; send at most {MAX_IMAGE_COUNT}")
    check_images(images)
    check_names(names, count)
    if chosen is not None:
        if len(chosen) != count:
            raise bad_value(f"got the chosen faces of {len(chosen)} images for {count} images")
        if not np.isfinite(chosen[~np.isnan(chosen).all(axis=1)]).all():
            raise bad_value("the point on a chosen face must be finite, or NaN where none is chosen")
    return count
