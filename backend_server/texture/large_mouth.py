"""Draws the inside of a mouth, as `inner_mouth` does for a render, at the pixels of a larger picture."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from backend_server.identity import FaceReferences
from backend_server.texture.colours import are_grey, to_grey, to_pictures
from backend_server.texture.inner_mouth import MouthLight, drawn_share, paint_mouth
from backend_server.texture.warping.blending import box_of, moved_by_head
from backend_server.texture.warping.raster import mouth_opening, opening_images
from backend_server.texture.warping.spline import affine_places, head_motion, places, sample


class LargeMouth:
    """Draws the mouths of one person where none of the references shows them.

    Args:
        references: of the person.
        to_crop: from pixels of the picture to those of the first crop, (2, 3).
    """

    def __init__(self, references: FaceReferences, to_crop: NDArray[np.float64]) -> None:
        self._landmarks = torch.from_numpy(references.landmarks).float()
        self._shown = opening_images(self._landmarks)[:, :1]
        self._is_grey = are_grey(references)
        self._light = MouthLight.of(to_pictures(torch.from_numpy(references.crops[:1])), self._landmarks[:1])
        self._to_crop = torch.from_numpy(to_crop).float()
        self._from_crop = np.linalg.inv(np.vstack([to_crop, [0, 0, 1]]))[:2]
        self._pixel = float(np.sqrt(abs(np.linalg.det(to_crop[:, :2]))))

    def draw(self, picture: NDArray[np.uint8], landmarks: NDArray[np.float32]) -> None:
        """Changes a picture (H, W, 3).

        Args:
            picture: is changed.
            landmarks: of the frame that it shows, (68, 2) pixels of the crop.
        """
        points = torch.from_numpy(landmarks[None]).float()
        opening = opening_images(points)[:, :1]
        in_crop, box = box_of(opening), self._box(landmarks, picture.shape)
        if in_crop is None or box is None:
            return
        shown = torch.zeros_like(opening)
        shown[in_crop] = self._shown_at(points, places(opening)[in_crop])
        drawn = drawn_share(opening, opening * shown)
        if not bool(drawn.any()):
            return
        here = affine_places(self._to_crop, *box)
        strength = self._light.clearness * drawn.sum() / (opening * (1 - shown)).sum()
        share = mouth_opening(points, here, self._pixel) * (1 - sample(shown, here[None])) * strength
        colours = paint_mouth(points, self._light, here)
        colours = to_grey(colours) if self._is_grey else colours
        part, share = picture[box], share[0].permute(1, 2, 0).numpy()
        part[:] = np.rint(part + share * (colours[0].permute(1, 2, 0).add(1).mul(127.5).numpy() - part))

    def _box(self, landmarks: NDArray[np.float32], shape: tuple[int, ...]) -> tuple[slice, slice] | None:
        """Rows and columns of the picture that hold the inner lips."""
        corners = landmarks[60:68] @ self._from_crop[:, :2].T + self._from_crop[:, 2]
        size = np.array([shape[1], shape[0]])
        left, top = np.floor(corners.min(0) - 1).clip(0, size).astype(int)
        right, bottom = np.ceil(corners.max(0) + 2).clip(0, size).astype(int)
        return (slice(top, bottom), slice(left, right)) if bottom > top and right > left else None

    def _shown_at(self, points: torch.Tensor, at: torch.Tensor) -> torch.Tensor:
        """How much any reference shows of the inside of a mouth at places (2, h, w) of the crop, (1, 1, h, w)."""
        count = len(self._landmarks)
        head = head_motion(points.expand(count, -1, -1), self._landmarks)
        there = moved_by_head(at.expand(count, -1, -1, -1), head)
        return sample(self._shown, there).amax(0, keepdim=True)
