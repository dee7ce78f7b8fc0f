"""Defines the messages about photos of a person: a face that shall be learnt from them."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from msgspec import Meta
from numpy.typing import NDArray

from .buffers import Buffer
from .message import (
    MAX_EPOCHS,
    MAX_IMAGE_COUNT,
    Count,
    IdentityId,
    Message,
    Names,
    Seed,
    bad_value,
    check_images,
    check_names,
    too_large,
)
from .notes import Notes


class AdaptRequest(Message, frozen=True, kw_only=True, eq=False):
    """Asks for an identity from 1 to 20 images of one face, as pixels or as the files that hold them."""

    BUFFERS = (
        Buffer("images", "|u1", ("H", "W", (3, 4)), is_optional=True, series="image", max_count=MAX_IMAGE_COUNT),
        Buffer("files", "|u1", ("N",), is_optional=True, series="file", max_count=MAX_IMAGE_COUNT),
        Buffer("landmarks", "<f4", ("K", 68, 2), is_optional=True),
    )

    epochs: Annotated[int, Meta(ge=0, le=MAX_EPOCHS)] = 10
    seed: Seed = 0
    names: Names = ()  # for sentences: those of `images`, then those of `files`; empty if unknown
    images: tuple[NDArray[np.uint8], ...] = ()  # each (H, W, 3) sRGB, or (H, W, 4) with straight alpha, any size
    files: tuple[NDArray[np.uint8], ...] = ()  # each (N,): the bytes of an image file; these images come after `images`
    landmarks: NDArray[np.float32] | None = None  # (K, 68, 2) image pixels; NaN for an image: find them

    def check(self) -> None:
        """Checks the size of the images and that landmarks, if any, belong to them."""
        if not (count := len(self.images) + len(self.files)):
            raise bad_value("the message has no images; send at least one")
        if count > MAX_IMAGE_COUNT:
            raise too_large(f"{count} images are too many; send at most {MAX_IMAGE_COUNT}")
        check_images(self.images)
        check_names(self.names, count)
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
