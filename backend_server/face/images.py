"""Reads a picture file of any common kind as 8-bit RGB.

Grey becomes three equal channels, 16 bits keep their upper eight, palettes are looked up, the camera's orientation is
applied, and transparent pixels are laid over mid grey, as black or white would show at the edge of hair.
"""

from __future__ import annotations

import io
import warnings
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from shared.errors import ImageError

LARGEST_PIXELS = 100_000_000
SMALLEST_SIDE_PIXELS = 16
_BACKGROUND = 128


def read_image(path: Path) -> NDArray[np.uint8]:
    """Reads an image file as u8 (H, W, 3) RGB.

    Raises:
        ImageError: the file is missing, empty, not an image, damaged, over 100 million pixels or under 16 a side.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ImageError(f"{path} cannot be read ({error.strerror}).") from error
    if not content:
        raise ImageError(f"{path} is empty (0 bytes); choose another image.")
    try:
        with (
            warnings.catch_warnings(action="ignore", category=Image.DecompressionBombWarning),
            Image.open(io.BytesIO(content)) as opened,
        ):
            _check_size(path, *opened.size)
            pixels = _as_rgb(ImageOps.exif_transpose(opened))
    except Image.DecompressionBombError as error:
        raise ImageError(
            f"{path} has too many pixels; at most {LARGEST_PIXELS // 10**6} million can be used."
        ) from error
    except UnidentifiedImageError:
        pixels = _read_with_opencv(path, content)
    except (OSError, SyntaxError, ValueError, EOFError) as error:
        raise ImageError(f"{path} is a damaged image ({error}).") from error
    return pixels


def _check_size(path: Path, width: int, height: int) -> None:
    if width * height > LARGEST_PIXELS:
        raise ImageError(
            f"{path} has {width} x {height} pixels; at most {LARGEST_PIXELS // 10**6} million can be used, "
            "make it smaller."
        )
    if min(width, height) < SMALLEST_SIDE_PIXELS:
        raise ImageError(f"{path} has {width} x {height} pixels; use one with at least {SMALLEST_SIDE_PIXELS} a side.")


def _as_rgb(image: Image.Image) -> NDArray[np.uint8]:
    if image.mode.startswith("I;16") or image.mode == "I":
        grey = np.clip(np.asarray(image, np.int64), 0, 65535)
        return _grey_as_rgb((grey >> 8).astype(np.uint8))
    if image.mode == "F":
        grey = np.nan_to_num(np.asarray(image, np.float64))
        return _grey_as_rgb(np.clip(grey * (255 if grey.max() <= 1 else 1), 0, 255).astype(np.uint8))
    if image.has_transparency_data:
        rgba = np.asarray(image.convert("RGBA"), np.float32)
        alpha = rgba[..., 3:] / 255
        return np.round(rgba[..., :3] * alpha + _BACKGROUND * (1 - alpha)).astype(np.uint8)
    return np.array(image.convert("RGB"), np.uint8)


def _read_with_opencv(path: Path, content: bytes) -> NDArray[np.uint8]:
    """Reads kinds that Pillow does not know, such as TIFF of three 16-bit channels."""
    try:
        image = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)
    except cv2.error as error:
        raise ImageError(f"{path} is not an image that this program can read.", detail=str(error)) from error
    if image is None:
        raise ImageError(f"{path} is not an image that this program can read; use a PNG, JPEG, TIFF or WebP file.")
    _check_size(path, image.shape[1], image.shape[0])
    return np.ascontiguousarray(image[..., ::-1]).astype(np.uint8, copy=False)


def _grey_as_rgb(grey: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.repeat(grey[..., None], 3, axis=2)
