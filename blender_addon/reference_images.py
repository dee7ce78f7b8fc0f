# pyright: reportAttributeAccessIssue=false, reportOptionalMemberAccess=false, reportArgumentType=false
"""Turns Blender's images into the pictures that the backend learns a face from.

Values are those of the file, 8-bit sRGB, whatever colour space Blender shows the image in. Blender stores rows from the
bottom up; they are reversed here.
"""

from __future__ import annotations

from collections.abc import Sequence

import bpy
import numpy as np
from numpy.typing import NDArray

from ._shared import errors, protocol

MAX_SIDE = 2048  # pixels; the face crop has 256, and larger images are halved until they fit
_BACKDROP = 0.5  # grey behind transparent pixels
_DATA_SPACES = ("Non-Color", "Raw")


def read_all(images: Sequence[bpy.types.Image | None]) -> tuple[NDArray[np.uint8], ...]:
    """Pictures u8 (H, W, 3), sRGB, top row first, in the order given.

    Raises:
        ImageError: an image is missing, empty or unreadable, or there are too many.
    """
    if len(images) > protocol.MAX_IMAGE_COUNT:
        raise errors.ImageError(
            f"{len(images)} reference images are too many; keep at most {protocol.MAX_IMAGE_COUNT} of one face"
        )
    if any(image is None for image in images):
        raise errors.ImageError("a row of the reference images is empty; choose an image or remove the row")
    return tuple(read(image) for image in images if image is not None)


def read(image: bpy.types.Image) -> NDArray[np.uint8]:
    """One picture u8 (H, W, 3), sRGB, top row first, no side longer than `MAX_SIDE`.

    Raises:
        ImageError: the image is missing or unreadable.
    """
    width, height = image.size  # pyright: ignore[reportGeneralTypeIssues] (asking for the size loads the file)
    count = width * height * image.channels
    if not count or not image.has_data:
        raise errors.ImageError(
            f"the image {image.name} cannot be read ({bpy.path.abspath(image.filepath) or 'no file'}); "
            "choose a PNG, JPEG, TIFF or WebP photo"
        )
    if width * height > protocol.MAX_IMAGE_PIXELS:
        raise errors.ImageError(
            f"the image {image.name} has {width} x {height} pixels; scale it to at most "
            f"{protocol.MAX_IMAGE_PIXELS // 2**20} megapixels"
        )
    values = np.empty(count, np.float32)
    image.pixels.foreach_get(values)
    pixels = _halve(values.reshape(height, width, image.channels)[::-1])
    colour = pixels[..., :3] if image.channels >= 3 else np.repeat(pixels[..., :1], 3, axis=-1)
    if image.is_float and image.colorspace_settings.name not in _DATA_SPACES:
        colour = linear_to_srgb(colour)  # Blender has made 16-bit and float files linear; 8-bit ones it leaves alone
    if image.channels in (2, 4):
        alpha = pixels[..., -1:]
        colour = colour * alpha + _BACKDROP * (1 - alpha)
    return np.round(np.clip(np.nan_to_num(colour), 0, 1) * 255).astype(np.uint8)


def linear_to_srgb(linear: NDArray[np.float32]) -> NDArray[np.float32]:
    """The sRGB transfer function of IEC 61966-2-1 for any shape."""
    low = np.clip(linear, 0.0, 1.0)
    return np.where(low <= 0.0031308, low * 12.92, 1.055 * low ** (1 / 2.4) - 0.055).astype(np.float32)


def _halve(pixels: NDArray[np.float32]) -> NDArray[np.float32]:
    while max(pixels.shape[:2]) > MAX_SIDE:
        height, width = pixels.shape[0] // 2 * 2, pixels.shape[1] // 2 * 2
        pixels = pixels[:height, :width].reshape(height // 2, 2, width // 2, 2, -1).mean(axis=(1, 3))
    return pixels
