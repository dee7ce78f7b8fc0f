# pyright: reportAttributeAccessIssue=false, reportOptionalMemberAccess=false, reportArgumentType=false
"""Draws the pictures of a running generation in the 3D viewports, where they will be when it is done.

Nothing of it is in the scene, so that a generation can be cancelled and undone: it is drawn over the view. Each scene
frame shows its own picture once that was rendered, before that the newest.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Sequence
from pathlib import Path

import bpy
import gpu
import numpy as np
from gpu_extras.batch import batch_for_shader
from mathutils import Matrix, Vector

from .. import compat
from ..coordinates import CropPlane
from .png_writer import decode_png

_BEFORE = 0.002  # of the width, nearer to the viewer than the plane


class LivePlane:
    """Pictures that are drawn until `remove`.

    Args:
        square: their size.
        matrix: where they stand in the world.
        picture: the file of a picture, by its index.
        frames: the scene frame of each, ascending.
        scene: the session's number of the scene that shows them.
    """

    def __init__(
        self, square: CropPlane, matrix: Matrix, picture: Callable[[int], Path], frames: Sequence[int], scene: int
    ) -> None:
        before = Vector((0.0, -_BEFORE * square.width, 0.0))  # what stands there already does not flicker
        self._corners = [matrix @ (Vector(corner) + before) for corner in square.corners()]
        self._picture, self._frames, self._scene = picture, frames, scene
        self._count = 0
        self._shown = -1
        self._texture: gpu.types.GPUTexture | None = None
        self._handle = None
        if compat.has_event_loop():
            self._handle = bpy.types.SpaceView3D.draw_handler_add(self._draw, (), "WINDOW", "POST_VIEW")

    def add(self, count: int) -> None:
        """Says how many pictures there are now."""
        if count != self._count:
            self._count = count
            _redraw()

    def index(self, frame: int) -> int:
        """The picture that is shown on a scene frame; -1 before the first was rendered."""
        wanted = max(bisect_right(self._frames, frame) - 1, 0)
        return wanted if wanted < self._count else self._count - 1

    def remove(self) -> None:
        """Stops drawing."""
        if self._handle is not None:
            bpy.types.SpaceView3D.draw_handler_remove(self._handle, "WINDOW")
            self._handle = None
            _redraw()

    def _draw(self) -> None:
        scene = bpy.context.scene
        if scene is None or scene.session_uid != self._scene or (index := self.index(scene.frame_current)) < 0:
            return
        if index != self._shown:
            try:
                pixels = decode_png(self._picture(index).read_bytes())
            except OSError:
                return  # it has just got its final name
            self._texture, self._shown = _texture(pixels), index
        shader = gpu.shader.from_builtin("IMAGE")
        corners = {"pos": self._corners, "texCoord": [(0, 0), (1, 0), (1, 1), (0, 1)]}
        batch = batch_for_shader(shader, "TRI_FAN", corners)
        gpu.state.blend_set("ALPHA")
        gpu.state.depth_test_set("LESS_EQUAL")
        shader.bind()
        shader.uniform_sampler("image", self._texture)
        batch.draw(shader)
        gpu.state.depth_test_set("NONE")
        gpu.state.blend_set("NONE")


def _texture(pixels: np.ndarray) -> gpu.types.GPUTexture:
    height, width, channels = pixels.shape
    values = np.ones((height, width, 4), np.float32)
    values[..., :channels] = pixels[::-1].astype(np.float32) / 255
    buffer = gpu.types.Buffer("FLOAT", width * height * 4, values.ravel())
    return gpu.types.GPUTexture((width, height), format="RGBA8", data=buffer)


def _redraw() -> None:
    for window in bpy.context.window_manager.windows if bpy.context.window_manager else ():
        for area in window.screen.areas:
            if area.type == "VIEW_3D":
                area.tag_redraw()
