"""Converts between pixels of the face crop and metres in Blender.

The face stands in the XZ plane of its object, looking along -Y; the picture is centred at the object's origin and
`width` metres wide. This module and `reference_images` are the only ones that flip y.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

CROP_SIZE = 256  # pixels, side of the face crop that the backend animates


@dataclass(frozen=True)
class CropPlane:
    """A square crop laid on a square of the XZ plane.

    Attributes:
        width: metres, side of the square.
        size: pixels, side of the crop; pixel (0, 0) is the centre of its top-left pixel.
    """

    width: float
    size: int = CROP_SIZE

    @property
    def metres_per_pixel(self) -> float:
        """The side of one pixel in metres."""
        return self.width / self.size

    def to_metres(self, pixels: NDArray) -> NDArray[np.float64]:
        """Points (..., 2) from pixels (x right, y down) to metres (x right, z up)."""
        centred = (np.asarray(pixels, np.float64) + 0.5 - self.size / 2) * self.metres_per_pixel
        return centred * (1.0, -1.0)

    def to_pixels(self, metres: NDArray) -> NDArray[np.float64]:
        """Points (..., 2) from metres (x right, z up) to pixels (x right, y down)."""
        return np.asarray(metres, np.float64) * (1.0, -1.0) / self.metres_per_pixel + self.size / 2 - 0.5

    def corners(self) -> NDArray[np.float64]:
        """The square's corners (4, 3) in metres from bottom left, ordered so that the front faces -Y."""
        half = self.width / 2
        return np.array([(-half, 0, -half), (half, 0, -half), (half, 0, half), (-half, 0, half)])
