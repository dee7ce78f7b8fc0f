"""Puts a rendered face back into the picture that it was cut from, at that picture's full size.

A 256-pixel render pasted over a large photo is a blurred square. So the photo itself is moved, by the same flow as the
render, read at the photo's own pixels; lids slide and mouths are drawn at these, too. The render adds only what moving
cannot make: its difference from the moved crop. Flow and difference both fade out around the face, so there is no
visible seam. Where the difference is large (a lid that opens wider), the render replaces the photo's detail.
"""

from __future__ import annotations

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from backend_server.config import CROP_SIZE
from backend_server.identity import FaceReferences
from backend_server.texture.large_mouth import LargeMouth
from backend_server.texture.warping.following import Following
from backend_server.texture.warping.lids import held_open, lid_bounds, lid_shift, slid
from backend_server.texture.warping.spline import affine_places, at_full_size, places, sample, spline_flow
from shared.errors import ImageError, ShapeError

LONGEST_SIDE = 4096  # pixels of a picture; larger ones make frames that few programs play
_HELD_OF_FACE = 0.10  # how far outside the landmarks' outline everything moves in full, as a share of the face
_FEATHER_OF_FACE = 0.25  # the distance over which the motion fades then
_BORDER_FEATHER = 20  # pixels of the crop over which everything fades at its border
_COLOUR_BLUR = 24  # pixels of the crop; only slow differences of colour are matched
_SAME, _OTHER = (
    10.0,
    30.0,
)  # grey levels of difference: up to the first the photo's detail stays, from the second it is replaced
_STRIP_ROWS = 256  # composed at once, so that memory does not grow with the picture


def check_full_frame(picture: NDArray[np.uint8], name: str) -> None:
    """Refuses a picture (H, W, 3) that is too large to be made into frames.

    Raises:
        ImageError: a side is longer than 4096 pixels.
    """
    height, width = picture.shape[:2]
    if max(height, width) > LONGEST_SIDE:
        raise ImageError(
            f"{name} has {width} x {height} pixels; full frames have at most {LONGEST_SIDE} a side, make it smaller"
        )


class FullFrame:
    """Places one person's rendered faces into their picture.

    Args:
        picture: from which the first crop was cut, u8 (H, W, 3) RGB.
        references: of the person; their `crop` takes crop pixels to pixels of `picture`.
        rendered: the face rendered with the landmarks of the first crop, u8 (256, 256, 3 or 4). Where it differs
            from that crop around the face, all frames are corrected by as much.
        following: of the generator that rendered it.
        weight: how much each pixel of the crop may change, (256, 256); None for that of `face_weight`.
    """

    def __init__(
        self,
        picture: NDArray[np.uint8],
        references: FaceReferences,
        rendered: NDArray[np.uint8],
        following: Following,
        weight: NDArray[np.float32] | None = None,
    ) -> None:
        self._picture, self._following = picture, following
        self._reference_landmarks = torch.from_numpy(references.landmarks[:1]).float()
        reference = torch.from_numpy(references.crops[0]).float()
        self._reference = reference.permute(2, 0, 1)[None]  # (1, 3, 256, 256)
        self._weight = face_weight(references.landmarks[0]) if weight is None else weight
        difference = rendered[..., :3].astype(np.float32) - references.crops[0]
        self._colour = _around(difference, self._weight)

        crop = np.asarray(references.crop, np.float64)
        self._to_picture = crop[:, :2]
        self._to_crop = np.linalg.inv(crop[:, :2])
        self._origin = crop[:, 2]
        to_crop = np.column_stack([self._to_crop, -self._to_crop @ self._origin])
        self._mouth = LargeMouth(references, np.asarray(to_crop, np.float64))
        self._scale = float(np.sqrt(abs(np.linalg.det(crop[:, :2]))))  # picture pixels per crop pixel
        rows, columns = np.nonzero(self._weight)
        outline = np.stack([columns, rows], -1) @ crop[:, :2].T + crop[:, 2]
        margin = 2 * self._scale + 1  # a cubic reaches two pixels of the crop
        size = np.array([picture.shape[1], picture.shape[0]])
        self._low = np.clip(np.floor(outline.min(0) - margin).astype(int), 0, size)
        self._high = np.clip(np.ceil(outline.max(0) + margin).astype(int) + 1, 0, size)

    def place(self, frame: NDArray[np.uint8], landmarks: NDArray[np.float32]) -> NDArray[np.uint8]:
        """Returns the whole picture, u8 (H, W, 3), with the face of one frame.

        Args:
            frame: u8 (256, 256, 3 or 4); alpha is not used, as the picture has a background of its own.
            landmarks: l_t, (68, 2) pixels of the crop, that the frame was rendered with.

        Raises:
            ShapeError: the frame is not (256, 256, 3 or 4).
        """
        if frame.shape[:2] != (CROP_SIZE, CROP_SIZE) or frame.shape[2:] not in ((3,), (4,)):
            raise ShapeError(f"expected a frame of shape (256, 256, 3 or 4), got {frame.shape}")
        target = torch.from_numpy(landmarks[None]).float()
        held = held_open(self._reference_landmarks, target)
        source = at_full_size(spline_flow(self._following(self._reference_landmarks, held)).source)
        moved = sample(self._reference, slid(held, target, source))[0].permute(1, 2, 0).numpy()
        shift = (source[0] - places(source)).permute(1, 2, 0).numpy() @ self._to_picture.T  # picture pixels

        weight = self._weight[..., None]
        colours = frame[..., :3].astype(np.float32) - self._colour
        difference = colours - moved
        painted = weight * painted_share(difference)[..., None]
        fields = (weight * shift, np.dstack([weight * difference, painted]), colours)
        shift, change, colours = (self._fitted(field.astype(np.float32)) for field in fields)

        result = self._picture.copy()
        for top in range(self._low[1], self._high[1], _STRIP_ROWS):
            bottom = min(top + _STRIP_ROWS, self._high[1])
            strip = self._strip(top, bottom, shift, change, colours, (held, target))
            result[top:bottom, self._low[0] : self._high[0]] = strip
        self._mouth.draw(result, landmarks)
        return result

    def _fitted(self, field: NDArray[np.float32]) -> NDArray[np.float32]:
        """A field of the crop, blurred where the picture has fewer pixels than the crop."""
        if self._scale > 1 / 1.2:
            return field
        return np.asarray(cv2.GaussianBlur(field, (0, 0), 0.4 / self._scale), np.float32)

    def _strip(
        self,
        top: int,
        bottom: int,
        shift: NDArray[np.float32],
        change: NDArray[np.float32],
        colours: NDArray[np.float32],
        lids: tuple[Tensor, Tensor],
    ) -> NDArray[np.uint8]:
        """Rows `top` to `bottom` of the box that may change; `lids` are the landmarks held open, and as they are."""
        left, right = self._low[0], self._high[0]
        offset = self._to_crop @ (np.array([left, top]) - self._origin)
        to_crop = np.asarray(np.column_stack([self._to_crop, offset]), np.float64)

        def enlarged(field: NDArray[np.float32], border: int) -> NDArray[np.float32]:
            flags = cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP
            size = (int(right - left), int(bottom - top))
            return np.asarray(cv2.warpAffine(field, to_crop, size, flags=flags, borderMode=border), np.float32)

        columns, rows = np.arange(left, right, dtype=np.float32), np.arange(top, bottom, dtype=np.float32)[:, None]
        moves = enlarged(shift, cv2.BORDER_CONSTANT)
        self._slide_lids(moves, shift, to_crop, lids)
        from_columns, from_rows = columns + moves[..., 0], rows + moves[..., 1]
        moved = cv2.remap(self._picture, from_columns, from_rows, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
        changes = enlarged(change, cv2.BORDER_CONSTANT)
        painted = np.clip(changes[..., 3:], 0, 1)
        result = (1 - painted) * (moved + changes[..., :3]) + painted * enlarged(colours, cv2.BORDER_REPLICATE)
        return np.rint(np.clip(result, 0, 255)).astype(np.uint8)

    def _slide_lids(
        self,
        moves: NDArray[np.float32],
        shift: NDArray[np.float32],
        to_crop: NDArray[np.float64],
        lids: tuple[Tensor, Tensor],
    ) -> None:
        """Changes the moves (h, w, 2) of a strip, picture pixels, where lids close.

        Args:
            moves: `shift` at the strip's pixels.
            shift: of each pixel of the crop, with lids held open, weighted, (256, 256, 2) picture pixels.
            to_crop: from the strip's pixels to those of the crop, (2, 3).
            lids: landmarks held open, and as they are, (1, 68, 2) pixels of the crop.
        """
        held, target = lids
        low, high = lid_bounds(target)
        corners = np.array([[x, y] for x in (low[0], high[0]) for y in (low[1], high[1])]) - to_crop[:, 2]
        corners = corners @ np.linalg.inv(to_crop[:, :2]).T
        left, top = np.floor(corners.min(0)).clip(0, moves.shape[1::-1]).astype(int)
        right, bottom = np.ceil(corners.max(0)).clip(0, moves.shape[1::-1]).astype(int)
        if right <= left or bottom <= top:
            return
        inside = affine_places(torch.from_numpy(to_crop), slice(top, bottom), slice(left, right)).float()
        slide = lid_shift(held, target, inside)
        field = torch.from_numpy(shift).permute(2, 0, 1)[None]
        weight = sample(torch.from_numpy(self._weight)[None, None], inside[None])[0, 0].numpy()[..., None]
        read = sample(field, inside[None] + slide)[0].permute(1, 2, 0).numpy()
        moves[top:bottom, left:right] = read + weight * (slide[0].permute(1, 2, 0).numpy() @ self._to_picture.T)


def face_weight(landmarks: NDArray[np.float32]) -> NDArray[np.float32]:
    """How much each pixel of the crop may change, (256, 256): 1 on the face of `landmarks` (68, 2), 0 at the border."""
    outside = np.full((CROP_SIZE, CROP_SIZE), 255, np.uint8)
    cv2.fillConvexPoly(outside, cv2.convexHull(np.rint(landmarks).astype(np.int32)), (0,))
    distance = cv2.distanceTransform(outside, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    face = float(np.ptp(landmarks, axis=0).max())
    near = 1 - (np.asarray(distance, np.float32) - _HELD_OF_FACE * face) / (_FEATHER_OF_FACE * face)
    line = np.arange(CROP_SIZE, dtype=np.float32)
    ramp = np.minimum(line, line[::-1]) / _BORDER_FEATHER
    eased = _eased(ramp)
    return _eased(near) * eased[:, None] * eased


def painted_share(difference: NDArray[np.float32]) -> NDArray[np.float32]:
    """How much of each pixel is painted rather than moved, (256, 256) in [0, 1].

    Args:
        difference: of the render from the moved crop, (256, 256, 3) grey levels.
    """
    size = np.asarray(cv2.GaussianBlur(np.abs(difference).max(-1), (0, 0), 1.5), np.float32)
    return _eased((size - _SAME) / (_OTHER - _SAME))


def _eased(x: NDArray[np.floating]) -> NDArray[np.float32]:
    x = np.clip(x, 0, 1)
    return (x * x * (3 - 2 * x)).astype(np.float32)


def _around(difference: NDArray[np.float32], weight: NDArray[np.float32]) -> NDArray[np.float32]:
    """The slow part of a difference (256, 256, 3) on the ring where `weight` (256, 256) fades, continued inwards."""
    ring = (weight * (1 - weight) + 1e-4).astype(np.float32)
    sums = cv2.GaussianBlur(difference * ring[..., None], (0, 0), _COLOUR_BLUR)
    return np.asarray(sums / cv2.GaussianBlur(ring, (0, 0), _COLOUR_BLUR)[..., None], np.float32)
