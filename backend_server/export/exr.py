"""Writes rendered frames for compositing."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import OpenEXR
from numpy.typing import NDArray

from shared.errors import NoSpaceError

_REC_709 = (0.64, 0.33, 0.30, 0.60, 0.15, 0.06, 0.3127, 0.3290)  # x, y of red, green, blue and white, as sRGB has them


def _linear_light() -> NDArray[np.float32]:
    """Linear light of the 256 sRGB values (IEC 61966-2-1)."""
    encoded = np.arange(256) / 255.0
    return np.where(encoded <= 0.04045, encoded / 12.92, ((encoded + 0.055) / 1.055) ** 2.4).astype(np.float32)


_LINEAR = _linear_light()


def scene_linear(picture: NDArray[np.uint8]) -> NDArray[np.float16]:
    """A picture (H, W, 3 or 4), sRGB with straight alpha, in linear light with premultiplied alpha."""
    light = _LINEAR[picture[..., :3]]
    if picture.shape[-1] == 4:
        alpha = picture[..., 3:].astype(np.float32) / 255.0
        light = np.concatenate([light * alpha, alpha], axis=-1)
    return light.astype(np.float16)


def write_exr(path: Path, picture: NDArray[np.uint8], frame_rate: Fraction, tags: dict[str, str]) -> None:
    """Writes one picture as half floats, ZIP compressed, primaries of Rec. 709.

    Args:
        path: the file to write.
        picture: (H, W, 3 or 4), sRGB, straight alpha.
        frame_rate: frames per second.
        tags: text written into the header.

    Raises:
        NoSpaceError: the file could not be written.
    """
    header = {
        "compression": OpenEXR.ZIP_COMPRESSION,
        "type": OpenEXR.scanlineimage,
        "chromaticities": _REC_709,
        "framesPerSecond": frame_rate,
        **tags,
    }
    channels = {"RGBA" if picture.shape[-1] == 4 else "RGB": scene_linear(picture)}
    try:
        OpenEXR.File(header, channels).write(str(path))
    except RuntimeError as error:  # of any cause; header and channels are always well formed
        raise NoSpaceError(f"writing {path.name} failed: {error}; choose another folder") from error
