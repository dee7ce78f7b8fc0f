"""Cuts one face out of its picture: the crop, how much of each pixel is the person, and the person's own colours.

The matte is the picture's own alpha where that shows an outline, else it is found. Outside the picture, whose edge the
crop repeats, nothing is the person.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from backend_server.config import CROP_SIZE
from backend_server.face.cover import MOST_MISSED, covering, missed_share
from backend_server.face.crop import crop_cut_out, crop_image, picture_cover, to_source
from backend_server.face.foreground import foreground_colours, nearest_colours
from backend_server.face.images import flattened
from backend_server.face.matte import person_matte

_MATTED_SIDE = 2.0  # of the crop's side: head and shoulders, which are segmented best; holds any turned crop
_CUT_OUT_SHARE = 0.01  # of a picture; where less is transparent, as at rounded corners, its alpha is no outline

Image = NDArray[np.uint8]


class Cut(NamedTuple):
    """A face.

    Attributes:
        crop: u8 (256, 256, 3), transparent pixels over mid grey; beyond the picture its edge is repeated.
        matte: u8 (256, 256), 255 where the person is.
        own: the person's own colours, u8 (256, 256, 3).
        is_inside: which pixels of the crop lie in the picture, (256, 256).
        missed: share of the face that the matte left out. A matte that was found is mended, the user's own is not.
        has_own_alpha: whether the matte is the user's own.
    """

    crop: Image
    matte: Image
    own: Image
    is_inside: NDArray[np.bool_]
    missed: float
    has_own_alpha: bool


def cut_face(
    image: Image, transform: NDArray[np.float32], landmarks: NDArray[np.float32], *, is_fine: bool = True
) -> Cut:
    """Cuts the face out of `image` u8 (H, W, 3 or 4).

    Args:
        image: the picture, with straight alpha if it has four channels.
        transform: of the crop, (2, 3).
        landmarks: (68, 2) pixels of the crop.
        is_fine: solve for the edges of a matte that must be found, and for the colours under them; otherwise they
            follow the photo roughly, and the colours are the crop's.
    """
    crop, inside = crop_image(flattened(image), transform), picture_cover(image.shape, transform)
    is_inside = inside > 0
    part, in_part = _surroundings(image, transform)
    if image.shape[2] == 4:
        colours, alpha = crop_cut_out(part, in_part)
        inside = _both(alpha, inside)
        if (image[..., 3] < 128).mean() >= _CUT_OUT_SHARE:
            missed = missed_share(alpha, landmarks)
            return Cut(crop, inside, nearest_colours(colours, alpha > 0), is_inside, missed, has_own_alpha=True)
    mask = person_matte(flattened(part), is_fine=is_fine)
    matte = crop_image(np.repeat(mask[..., None], 3, axis=2), in_part)[..., 0]
    missed = missed_share(matte, landmarks)
    if missed > MOST_MISSED:
        matte = covering(matte, landmarks)
    own = foreground_colours(crop, matte) if is_fine else crop
    return Cut(crop, _both(matte, inside), own, is_inside, missed, has_own_alpha=False)


def _surroundings(image: Image, transform: NDArray[np.float32]) -> tuple[Image, NDArray[np.float32]]:
    """The part of a picture around its crop, and the crop's transform in it: in a large photo a face may be too small.

    Beyond the crop nothing counts, so it is at least one pixel even where the crop lies outside the picture.
    """
    height, width = image.shape[:2]
    middle = to_source(np.full(2, (CROP_SIZE - 1) / 2), transform)
    reach = _MATTED_SIDE / 2 * CROP_SIZE * float(np.sqrt(abs(np.linalg.det(transform[:, :2]))))
    left, top = (min(max(0, int(c - reach)), end - 1) for c, end in zip(middle, (width, height), strict=True))
    right, bottom = (max(start + 1, int(c + reach) + 2) for c, start in zip(middle, (left, top), strict=True))
    return image[top:bottom, left:right], transform - np.array([[0, 0, left], [0, 0, top]], np.float32)


def _both(one: Image, other: Image) -> Image:
    """The product of two mattes."""
    return np.rint(one * (other / np.float32(255))).astype(np.uint8)
