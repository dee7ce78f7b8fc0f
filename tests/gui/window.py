"""What a person does and sees in Blender's window: the tab, the mouse, photographs and the colours in them."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import bpy
import numpy as np
from bpy_extras import view3d_utils
from mathutils import Vector
from numpy.typing import NDArray


def main_window() -> bpy.types.Window:
    """The first window."""
    return bpy.context.window_manager.windows[0]


def view() -> tuple[bpy.types.Area, bpy.types.Region]:
    """The 3D viewport and its middle."""
    area = next(area for area in main_window().screen.areas if area.type == "VIEW_3D")
    return area, next(region for region in area.regions if region.type == "WINDOW")


def override():
    """The context of a button in the viewport."""
    area, region = view()
    return bpy.context.temp_override(window=main_window(), area=area, region=region)


def open_tab(name: str) -> bool:
    """Opens the sidebar with this tab; says whether it is open."""
    area, _ = view()
    area.spaces.active.show_region_ui = True
    sidebar = next(region for region in area.regions if region.type == "UI")
    try:
        sidebar.active_panel_category = name
    except (TypeError, AttributeError):
        return False
    area.tag_redraw()
    return sidebar.active_panel_category == name


def mouse(kind: str, value: str, x: int, y: int) -> None:
    """One event of mouse or keyboard at a place of the window."""
    main_window().event_simulate(type=kind, value=value, x=int(x), y=int(y))


def photograph(path: Path) -> None:
    """Writes what the window shows, as PNG.

    Blender reads the screen's own memory, which is black where the processor draws; ImageMagick's `import` reads what
    the display shows, and is taken where it is installed.
    """
    if shutil.which("import") and os.environ.get("DISPLAY"):
        subprocess.run(["import", "-window", "root", str(path.resolve())], check=True)
        return
    with bpy.context.temp_override(window=main_window()):
        bpy.ops.screen.screenshot(filepath=str(path.resolve()))


def pixels_of(path: Path) -> NDArray[np.float32]:
    """A picture as f32 (H, W, 4) of display colours, bottom row first."""
    image = bpy.data.images.load(str(path.resolve()))
    try:
        image.alpha_mode = "CHANNEL_PACKED"
        values = np.empty(image.size[0] * image.size[1] * 4, np.float32)
        image.pixels.foreach_get(values)
        return values.reshape(image.size[1], image.size[0], 4)
    finally:
        bpy.data.images.remove(image)


def pixel(place: Vector) -> tuple[float, float] | None:
    """Where in the window a place of the world is seen."""
    area, region = view()
    found = view3d_utils.location_3d_to_region_2d(region, area.spaces.active.region_3d, place)
    return None if found is None else (region.x + found.x, region.y + found.y)


def colour_difference(photograph: NDArray, picture: NDArray, corners: list[Vector]) -> tuple[float, int]:
    """How far, of 255, what the window shows is from a picture on a square, and of how many samples.

    Args:
        photograph: of the window, bottom row first.
        picture: what should be seen (H, W, 4), bottom row first.
        corners: of the square: left below, right below, right above, left above.
    """
    found = []
    for v in np.linspace(0.1, 0.9, 41):
        for u in np.linspace(0.1, 0.9, 41):
            y, x = int(v * picture.shape[0]), int(u * picture.shape[1])
            around = picture[y - 2 : y + 3, x - 2 : x + 3]
            if around[..., 3].min() < 1 or np.ptp(around[..., :3], axis=(0, 1)).max() > 0.06:
                continue  # only where it is opaque and plain, so that a shift by a pixel does not count
            low, high = corners[0].lerp(corners[1], u), corners[3].lerp(corners[2], u)
            seen = pixel(low.lerp(high, v))
            if seen is None:
                continue
            column, row = round(seen[0]), round(seen[1])
            if 0 <= row < photograph.shape[0] and 0 <= column < photograph.shape[1]:
                found.append(np.abs(photograph[row, column, :3] - around[2, 2, :3]).max())
    return (round(255 * float(np.median(found)), 1), len(found)) if found else (255.0, 0)


class Sections:
    """A layout in which the named sections are open and all others closed, as if a person had clicked on them."""

    def __init__(self, layout: bpy.types.UILayout, opened: frozenset[str]) -> None:
        object.__setattr__(self, "_layout", layout)
        object.__setattr__(self, "_opened", opened)

    def __getattr__(self, name: str) -> object:
        value = getattr(self._layout, name)
        return (lambda *given, **named: self._wrapped(value(*given, **named))) if callable(value) else value

    def __setattr__(self, name: str, value: object) -> None:
        setattr(self._layout, name, value)

    def panel(self, name: str, default_closed: bool = False) -> tuple:
        """A section under another name, which therefore begins as wanted."""
        is_closed = name not in self._opened
        header, body = self._layout.panel(f"{name}_{is_closed}", default_closed=is_closed)
        return self._wrapped(header), self._wrapped(body)

    def _wrapped(self, made: object) -> object:
        return Sections(made, self._opened) if isinstance(made, bpy.types.UILayout) else made
