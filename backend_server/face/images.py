"""Reads a picture file of any common kind as 8-bit sRGB, with its transparency where it has any.

Grey becomes three equal channels, 16 bits keep their upper eight, palettes are looked up, the camera's orientation is
applied, and colour profiles are followed (`profiles`).
"""

from __future__ import annotations

import io
import struct
import warnings
from pathlib import Path

import cv2
import numpy as np
import pillow_heif
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from backend_server.face.profiles import to_srgb
from shared.errors import ImageError
from shared.protocol import MAX_IMAGE_SIDE

LARGEST_PIXELS = 100_000_000
SMALLEST_SIDE_PIXELS = 16
_BACKGROUND = (128, 128, 128, 255)  # black or white would show at the edge of hair
_GREY_MODES = ("1", "L", "LA", "La")
# What decoders and readers of EXIF raise at damaged files.
_DAMAGES = (OSError, SyntaxError, ValueError, EOFError, RuntimeError, struct.error, LookupError, TypeError)

pillow_heif.register_heif_opener()


def read_image(path: Path) -> NDArray[np.uint8]:
    """Reads an image file as u8 RGB (H, W, 3), or (H, W, 4) with straight alpha if some of it is transparent.

    Raises:
        ImageError: the file is missing, no file, empty, not an image, damaged, wholly transparent, over 100 million
            pixels, over 32,768 a side, or under 16 a side.
    """
    if path.exists() and not path.is_file():  # reading it might never end
        kind = "folder" if path.is_dir() else "pipe, socket or device"
        raise ImageError(f"{path} is a {kind}; give a picture file.")
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ImageError(f"{path} cannot be read ({error.strerror}).") from error
    return decode_image(content, str(path))


def decode_image(content: bytes, path: str) -> NDArray[np.uint8]:
    """Reads the bytes of an image file as `read_image` does; `path` is what sentences call it.

    Raises:
        ImageError: as `read_image`.
    """
    if not content:
        raise ImageError(f"{path} is empty (0 bytes); choose another image.")
    try:
        with (
            warnings.catch_warnings(action="ignore"),  # decoders warn of files that they read all the same
            Image.open(io.BytesIO(content)) as opened,
        ):
            _check_size(path, *opened.size)
            pixels = _decoded(_upright(opened))
    except Image.DecompressionBombError as error:
        raise ImageError(
            f"{path} has too many pixels; at most {LARGEST_PIXELS // 10**6} million can be used."
        ) from error
    except UnidentifiedImageError:
        pixels = _read_with_opencv(path, content)
    except _DAMAGES as error:
        raise ImageError(f"{path} is a damaged image ({error}).") from error
    if pixels.shape[2] == 4 and not pixels[..., 3].any():
        raise ImageError(f"{path} is transparent everywhere; export it again with the person visible.")
    return pixels


def flattened(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Lays an image (H, W, 4) over mid grey, u8 (H, W, 3); one without alpha is returned as it is."""
    if image.shape[2] != 4:
        return image
    laid = Image.new("RGBA", (image.shape[1], image.shape[0]), _BACKGROUND)
    laid.alpha_composite(Image.fromarray(np.ascontiguousarray(image)))
    return np.array(laid.convert("RGB"), np.uint8)


def _check_size(path: str, width: int, height: int) -> None:
    if width * height > LARGEST_PIXELS:
        raise ImageError(
            f"{path} has {width} x {height} pixels; at most {LARGEST_PIXELS // 10**6} million can be used, "
            "make it smaller."
        )
    if max(width, height) > MAX_IMAGE_SIDE:
        raise ImageError(
            f"{path} has {width} x {height} pixels; at most {MAX_IMAGE_SIDE} along a side can be used, make it smaller."
        )
    if min(width, height) < SMALLEST_SIDE_PIXELS:
        raise ImageError(f"{path} has {width} x {height} pixels; use one with at least {SMALLEST_SIDE_PIXELS} a side.")


def _upright(image: Image.Image) -> Image.Image:
    """The image as its camera stood; as it is where that cannot be read."""
    image.load()  # a damaged picture must not look like damaged notes of the camera
    try:
        return ImageOps.exif_transpose(image)
    except _DAMAGES:
        return image


def _decoded(image: Image.Image) -> NDArray[np.uint8]:
    profile = image.info.get("icc_profile")
    if image.mode.startswith("I;16") or image.mode == "I":
        grey = np.clip(np.asarray(image, np.int64), 0, 65535)
        image = Image.fromarray((grey >> 8).astype(np.uint8))
    elif image.mode == "F":
        grey = np.nan_to_num(np.asarray(image, np.float64))
        image = Image.fromarray(np.clip(grey * (255 if grey.max() <= 1 else 1), 0, 255).astype(np.uint8))
    if not image.has_transparency_data:
        return np.array(to_srgb(image, profile), np.uint8)
    is_grey, image = image.mode in _GREY_MODES, image.convert("RGBA")
    alpha = np.array(image.getchannel("A"), np.uint8)
    colours = np.array(to_srgb(image.getchannel("R") if is_grey else image.convert("RGB"), profile), np.uint8)
    return colours if alpha.min() == 255 else np.dstack([colours, alpha])


def _read_with_opencv(path: str, content: bytes) -> NDArray[np.uint8]:
    """Reads kinds that Pillow does not know, such as TIFF with a plane for each 16-bit channel."""
    try:
        image = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)
    except cv2.error as error:
        raise ImageError(f"{path} is not an image that this program can read.", detail=str(error)) from error
    if image is None:
        raise ImageError(
            f"{path} is not an image that this program can read; use a PNG, JPEG, HEIC, AVIF, TIFF or WebP file."
        )
    _check_size(path, image.shape[1], image.shape[0])
    return np.ascontiguousarray(image[..., ::-1]).astype(np.uint8, copy=False)
