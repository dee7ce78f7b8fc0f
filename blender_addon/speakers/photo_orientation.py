"""Tells how a camera held a photo, which the backend turns upright and Blender shows as it is stored.

No bpy here.
"""

from __future__ import annotations

import struct

import numpy as np
from numpy.typing import NDArray

UPRIGHT = 1  # of the eight orientations of EXIF
_ORIENTATION = 0x0112
_BEGINNINGS = ((b"Exif\0\0", 0), (b"eXIf", 0), (b"EXIF", 4))  # of JPEG, PNG and WebP, and bytes between it and TIFF
# From a place (x, y) in the stored picture, 0 to 1 from its top left corner, to the place in the upright one.
_TURNS = {
    1: ((1, 0, 0), (0, 1, 0)),
    2: ((-1, 0, 1), (0, 1, 0)),
    3: ((-1, 0, 1), (0, -1, 1)),
    4: ((1, 0, 0), (0, -1, 1)),
    5: ((0, 1, 0), (1, 0, 0)),
    6: ((0, -1, 1), (1, 0, 0)),
    7: ((0, -1, 1), (-1, 0, 1)),
    8: ((0, 1, 0), (-1, 0, 1)),
}


def orientation_of(content: bytes) -> int:
    """The orientation in the EXIF of an image file, 1 to 8; `UPRIGHT` if there is none."""
    for beginning, gap in _BEGINNINGS:
        at = content.find(beginning)
        if at >= 0 and (found := _in_tiff(content[at + len(beginning) + gap :][:65536])) is not None:
            return found
    return UPRIGHT


def upright(stored: NDArray, orientation: int) -> NDArray[np.float64]:
    """Places (N, 2) of the stored picture, 0 to 1 from the top left corner, in the upright one."""
    turn = np.array(_TURNS[orientation], float)
    return np.asarray(stored, float) @ turn[:, :2].T + turn[:, 2]


def stored(places: NDArray, orientation: int) -> NDArray[np.float64]:
    """Places (N, 2) of the upright picture, 0 to 1 from the top left corner, in the stored one."""
    turn = np.array(_TURNS[orientation], float)
    return (np.asarray(places, float) - turn[:, 2]) @ turn[:, :2]  # its inverse is its transpose


def _in_tiff(content: bytes) -> int | None:
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(content[:4])
    if order is None:
        return None
    try:
        (directory,) = struct.unpack_from(f"{order}I", content, 4)
        (count,) = struct.unpack_from(f"{order}H", content, directory)
        for number in range(count):
            tag, kind, _, value = struct.unpack_from(f"{order}HHIH", content, directory + 2 + 12 * number)
            if (tag, kind) == (_ORIENTATION, 3) and value in _TURNS:
                return value
    except struct.error:
        return None
    return None
