# pyright: reportAttributeAccessIssue=false, reportOptionalMemberAccess=false, reportArgumentType=false
"""Turns Blender's images into the pictures that the backend learns a face from.

The file of a photo is sent as it is: the backend follows colour profiles, turns what the camera held sideways, and
reads kinds that Blender does not, such as HEIC. What was generated, painted, rendered or has no such file is sent as
pixels. Their values are those of the file, 8-bit sRGB, whatever colour space Blender shows the image in; transparency
is kept as straight alpha. Blender stores rows from the bottom up; they are reversed here.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass
from pathlib import Path

import bpy
import numpy as np
from numpy.typing import NDArray

from .._shared import errors, protocol

MAX_SIDE = 2048  # pixels; a face has 1024 at most, and larger images are halved until they fit
MIN_SIDE = 16  # pixels, as in the backend
_OPAQUE = 254.5 / 255
_DATA_SPACES = ("Non-Color", "Raw")
_STEP_PIXELS = 1 << 19  # converted in one step
_PHOTOS = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n")  # how JPEG and PNG files begin
_BOXES = ((b"WEBP", 8), (b"ftyp", 4))  # and where the kinds of WebP, HEIC and AVIF stand


@dataclass(frozen=True)
class ReferencePictures:
    """Pictures of one face.

    Attributes:
        images: u8 (H, W, 3 or 4) each, sRGB, top row first.
        files: u8 (N,) each, the bytes of image files.
        names: of the images, then of the files.
    """

    images: tuple[NDArray[np.uint8], ...]
    files: tuple[NDArray[np.uint8], ...]
    names: tuple[str, ...]


def read_all(
    count: int, image_at: Callable[[int], bpy.types.Image | None]
) -> Generator[tuple[int, int], None, ReferencePictures]:
    """The pictures of images, in steps; no image is kept from one step to the next.

    Args:
        count: of the images.
        image_at: gives an image by its index.

    Yields:
        How many were read, and how many there are.

    Raises:
        ImageError: an image is missing, empty or unreadable, or there are too many.
    """
    if count > protocol.MAX_IMAGE_COUNT:
        raise errors.ImageError(
            f"{count} reference images are too many; keep at most {protocol.MAX_IMAGE_COUNT} of one face"
        )
    if any(image_at(index) is None for index in range(count)):
        raise errors.ImageError("a row of the reference images is empty; choose an image or remove the row")
    photos: list[tuple[str, NDArray[np.uint8]]] = []
    others: list[tuple[str, NDArray[np.uint8]]] = []
    for index in range(count):
        yield index, count
        image = image_at(index)
        if image is None:
            raise errors.ImageError("a row of the reference images is empty; choose an image or remove the row")
        name, file = image.name, file_of(image)
        if file is not None:
            photos.append((name, file))
            continue
        work = pixels_of(image)
        del image
        while True:
            try:
                next(work)
            except StopIteration as ended:
                others.append((name, ended.value))
                break
            yield index, count
    return ReferencePictures(
        tuple(pixels for _, pixels in others),
        tuple(file for _, file in photos),
        tuple(name for name, _ in (*others, *photos)),
    )


def file_of(image: bpy.types.Image) -> NDArray[np.uint8] | None:
    """The bytes u8 (N,) of an image's photo file, also of a packed one; None if its pixels have to be sent."""
    if image.source != "FILE" or image.is_dirty or image.alpha_mode == "NONE":
        return None
    if image.packed_file is not None:
        content = image.packed_file.data
    else:
        try:
            content = Path(bpy.path.abspath(image.filepath, library=image.library)).read_bytes()
        except OSError:
            return None  # Blender may still hold its pixels; if not, that is said
    is_photo = content.startswith(_PHOTOS) or any(content[at:].startswith(kind) for kind, at in _BOXES)
    return np.frombuffer(content, np.uint8) if is_photo else None


def pixels_of(image: bpy.types.Image) -> Generator[None, None, NDArray[np.uint8]]:
    """One picture u8, sRGB, top row first, no side longer than `MAX_SIDE`, in steps.

    The image is looked at in the first step alone, which loads its file where Blender has not; no part of that can be
    asked for by itself.

    Returns:
        (H, W, 3), or (H, W, 4) with straight alpha if some of it is transparent and Blender uses its alpha.

    Raises:
        ImageError: the image is missing or unreadable.
    """
    width, height = image.size  # pyright: ignore[reportGeneralTypeIssues] (asking for the size loads the file)
    count = width * height * image.channels
    if not count or not image.has_data:
        raise errors.ImageError(
            f"the image {image.name} cannot be read ({bpy.path.abspath(image.filepath) or 'no file'}); "
            "choose a PNG, JPEG, HEIC, TIFF or WebP photo"
        )
    if min(width, height) < MIN_SIDE or max(width, height) > protocol.MAX_IMAGE_SIDE:
        raise errors.ImageError(
            f"the image {image.name} has {width} x {height} pixels; use one with {MIN_SIDE} to "
            f"{protocol.MAX_IMAGE_SIDE} a side"
        )
    if width * height > protocol.MAX_IMAGE_PIXELS:
        raise errors.ImageError(
            f"the image {image.name} has {width} x {height} pixels; scale it to at most "
            f"{protocol.MAX_IMAGE_PIXELS // 2**20} megapixels"
        )
    kind = _Kind.of(image)
    values = np.empty(count, np.float32)
    image.pixels.foreach_get(values)
    del image
    pixels = values.reshape(height, width, kind.channels)[::-1]
    halvings = 0
    while max(width, height) >> halvings > MAX_SIDE:
        halvings += 1
    rows = max(1, _STEP_PIXELS // width >> halvings) << halvings  # so that bands halve as the whole does
    bands = [pixels[first : first + rows] for first in range(0, height, rows)]
    is_clear = False
    for band in bands if kind.has_alpha else []:
        is_clear = is_clear or bool((band[..., -1] < _OPAQUE).any())
        yield
    made = []
    for band in bands:
        if band.shape[0] >> halvings:
            made.append(_converted(band, kind, halvings, has_alpha=is_clear))
        yield
    return np.concatenate(made)


@dataclass(frozen=True)
class _Kind:
    """What an image says of its pixels.

    Attributes:
        channels: of each pixel.
        has_alpha: whether Blender uses their alpha.
        is_linear: Blender has made 16-bit and float files linear, and left 8-bit ones.
        is_straight: whether the colours are not multiplied by the alpha.
    """

    channels: int
    has_alpha: bool
    is_linear: bool
    is_straight: bool

    @classmethod
    def of(cls, image: bpy.types.Image) -> _Kind:
        return cls(
            image.channels,
            image.channels in (2, 4) and image.alpha_mode != "NONE",
            image.is_float and image.colorspace_settings.name not in _DATA_SPACES,
            not image.is_float or image.alpha_mode == "CHANNEL_PACKED",
        )


def _converted(pixels: NDArray[np.float32], kind: _Kind, halvings: int, *, has_alpha: bool) -> NDArray[np.uint8]:
    """Pixels (H, W, channels) as the file has them, halved so many times: (h, w, 3), or 4 with straight alpha."""
    colour = pixels[..., :3] if kind.channels >= 3 else np.repeat(pixels[..., :1], 3, axis=-1)
    if not has_alpha:
        return _bytes(_encoded(kind, _halve(colour, halvings)))
    alpha = np.clip(np.nan_to_num(pixels[..., -1:]), 0, 1)
    if kind.is_straight:
        colour = colour * alpha  # in a mean each pixel counts by its alpha
    halved = _halve(np.concatenate([colour, alpha], axis=-1), halvings)
    colour = _encoded(kind, halved[..., :3] / np.maximum(halved[..., 3:], 1e-6))
    return _bytes(np.concatenate([colour, halved[..., 3:]], axis=-1))


def linear_to_srgb(linear: NDArray[np.float32]) -> NDArray[np.float32]:
    """The sRGB transfer function of IEC 61966-2-1 for any shape."""
    low = np.clip(linear, 0.0, 1.0)
    return np.where(low <= 0.0031308, low * 12.92, 1.055 * low ** (1 / 2.4) - 0.055).astype(np.float32)


def _encoded(kind: _Kind, colour: NDArray[np.float32]) -> NDArray[np.float32]:
    """Colours (H, W, 3) as the file has them."""
    return linear_to_srgb(colour) if kind.is_linear else colour


def _bytes(values: NDArray[np.float32]) -> NDArray[np.uint8]:
    return np.round(np.clip(np.nan_to_num(values), 0, 1) * 255).astype(np.uint8)


def _halve(pixels: NDArray[np.float32], times: int) -> NDArray[np.float32]:
    for _ in range(times):
        height, width = pixels.shape[0] // 2 * 2, pixels.shape[1] // 2 * 2
        pixels = pixels[:height, :width].reshape(height // 2, 2, width // 2, 2, -1).mean(axis=(1, 3))
    return pixels
