"""How are rendered frames written as pictures with alpha?"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from PIL.PngImagePlugin import PngInfo


def synthetic_tags(weights_version: str, seed: int) -> dict[str, str]:
    """What every generated picture says of itself: that it is synthetic, and what made it."""
    return {
        "Software": f"Speech Face, weights {weights_version}",
        "Description": "Synthetic media: this face was generated from speech.",
        "DigitalSourceType": "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia",
        "Seed": str(seed),
    }


def frame_path(folder: Path, number: int) -> Path:
    """`frame_0001.png` for number 1."""
    return folder / f"frame_{number:04d}.png"


def write_png(path: Path, picture: NDArray[np.uint8], tags: dict[str, str]) -> None:
    """Writes one picture (H, W, 3 or 4), straight alpha, sRGB, with text tags."""
    info = PngInfo()
    for name, text in tags.items():
        info.add_text(name, text)
    # Level 1: four times faster than the default for a file a tenth larger.
    Image.fromarray(picture).save(path, pnginfo=info, compress_level=1)


def read_png(path: Path) -> NDArray[np.uint8]:
    """One picture as `write_png` wrote it."""
    return np.asarray(Image.open(path))


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
