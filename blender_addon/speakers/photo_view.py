# pyright: reportAttributeAccessIssue=false, reportOptionalMemberAccess=false, reportArgumentType=false
"""Tells where a photo is seen in an Image Editor: its pixels have y down and stand upright, the editor's have y up."""

from __future__ import annotations

from dataclasses import dataclass

import bpy
import numpy as np
from numpy.typing import NDArray

from . import photo_orientation
from .photo_properties import SPEECHFACE_ReferenceImage


@dataclass(frozen=True)
class PhotoView:
    """Where an editor shows the image.

    Attributes:
        low: pixel (x, y) of the region at the lower left corner of the image.
        high: the same at its upper right corner.
    """

    low: tuple[float, float]
    high: tuple[float, float]

    def seen(self, photo: SPEECHFACE_ReferenceImage, places: NDArray) -> NDArray[np.float64]:
        """Where places (N, 2) of a photo are seen, in pixels (N, 2) of the region."""
        size = np.array((photo.width, photo.height), float)
        shown = photo_orientation.stored((np.asarray(places, float) + 0.5) / size, photo.orientation)
        shown[:, 1] = 1 - shown[:, 1]
        return np.array(self.low) + shown * np.subtract(self.high, self.low)

    def place(self, photo: SPEECHFACE_ReferenceImage, x: float, y: float) -> tuple[float, float]:
        """The place (x, y) of a photo that is seen at a pixel of the region."""
        shown = (np.array((x, y)) - self.low) / np.subtract(self.high, self.low)
        shown[1] = 1 - shown[1]
        size = np.array((photo.width, photo.height), float)
        found = photo_orientation.upright(shown[None], photo.orientation)[0] * size - 0.5
        return float(found[0]), float(found[1])


def view_of(region: bpy.types.Region) -> PhotoView:
    """How a region of an Image Editor shows its image."""
    left, bottom = region.view2d.view_to_region(0.0, 0.0, clip=False)  # pyright: ignore
    right, top = region.view2d.view_to_region(1.0, 1.0, clip=False)  # pyright: ignore
    return PhotoView((left, bottom), (right, top))


def view_under(
    window: bpy.types.Window, image: bpy.types.Image, x: int, y: int
) -> tuple[PhotoView, tuple[int, int]] | None:
    """The view of an image under a place of a window, and the pixel in it; None over anything else."""
    for area in window.screen.areas:
        if area.type != "IMAGE_EDITOR" or area.spaces.active.image != image:
            continue
        under = [
            region
            for region in area.regions
            if min(region.width, region.height) > 1
            and 0 <= x - region.x < region.width
            and 0 <= y - region.y < region.height
        ]
        if under and all(region.type == "WINDOW" for region in under):
            return view_of(under[0]), (x - under[0].x, y - under[0].y)
    return None


def editors(context: bpy.types.Context) -> list[tuple[bpy.types.Window, bpy.types.Area]]:
    """All Image Editors of all windows; those that do not edit UVs, and those of this window, stand first."""
    windows = context.window_manager.windows
    found = [(window, area) for window in windows for area in window.screen.areas if area.type == "IMAGE_EDITOR"]
    return sorted(found, key=lambda pair: (pair[1].ui_type != "IMAGE_EDITOR", pair[0] != context.window))


def redraw_editors(context: bpy.types.Context) -> None:
    """Draws all Image Editors anew."""
    for _, area in editors(context):
        area.tag_redraw()
