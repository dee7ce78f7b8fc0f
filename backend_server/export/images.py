"""Writes rendered frames as pictures with alpha."""

from __future__ import annotations

import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from backend_server.export.tags import xmp_packet

PREVIEW_BACKGROUND = (58, 64, 74)  # RGB under a face whose film has no alpha


def frame_path(folder: Path, number: int, suffix: str = "png") -> Path:
    """`frame_0001.png` for number 1."""
    return folder / f"frame_{number:04d}.{suffix}"


def png_text(tags: dict[str, str]) -> PngInfo:
    """Tags as PNG text, and again as an XMP packet for programs that read only that."""
    info = PngInfo()
    for name, text in tags.items():
        info.add_text(name, text)
    if tags:
        info.add_itxt("XML:com.adobe.xmp", xmp_packet(tags))
    return info


def write_png(path: Path, picture: NDArray[np.uint8], tags: dict[str, str]) -> None:
    """Writes one picture (H, W, 3 or 4), straight alpha, sRGB, with text tags."""
    # Only runs of equal bytes: four times faster than the default, and a face's file is no larger.
    Image.fromarray(picture).save(path, "PNG", pnginfo=png_text(tags), compress_level=1, compress_type=zlib.Z_RLE)


def shrunk(picture: NDArray[np.uint8], longest: int) -> NDArray[np.uint8]:
    """A picture (H, W, C) made smaller by a whole number, so that no side is longer than `longest` pixels."""
    return np.asarray(Image.fromarray(picture).reduce(-(-max(picture.shape[:2]) // longest)))


def over_background(rgba: NDArray[np.uint8], background: tuple[int, int, int]) -> NDArray[np.uint8]:
    """RGBA pictures (..., H, W, 4) laid over one colour, (..., H, W, 3); RGB pictures as they are."""
    if rgba.shape[-1] == 3:
        return rgba
    alpha = rgba[..., 3:].astype(np.float32) / 255.0
    mixed = rgba[..., :3] * alpha + np.asarray(background, np.float32) * (1.0 - alpha)
    return np.rint(mixed).astype(np.uint8)
