"""Which faces do a user's images show, cut out and ready for the texture network?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from backend_server.config import CROP_SIZE
from backend_server.face.crop import crop_image, crop_transform, to_crop, to_source
from backend_server.face.detector import FaceDetector
from backend_server.face.foreground import foreground_colours
from backend_server.face.matte import person_matte
from backend_server.face.rest_pose import distance_from_rest, rest_pose
from backend_server.progress import Progress, silent
from shared.errors import ImageError, ShapeError, SpeechFaceError
from shared.landmarks import POINT_COUNT

MAX_IMAGES = 20  # K (Section 4.3)
_MATTED_SIDE = 2.0  # of the crop's side: head and shoulders, which the segmentation knows best; holds any turned crop


@dataclass(frozen=True)
class FaceReferences:
    """K faces of one person; the first is the one nearest to rest and is what gets animated.

    Attributes:
        crops: (K, 256, 256, 3) RGB.
        landmarks: (K, 68, 2) pixels of each crop.
        mattes: (K, 256, 256), 255 where the person is.
        neutral_landmarks: l_p, (68, 2) pixels of the first crop.
        crop: (2, 3), from pixels of the first crop to pixels of its image.
        notes: what the user should know, one sentence each.
        source: number of the image that the first crop was cut from.
        foreground: (256, 256, 3), the first crop with the person's own colours where its matte is partial and with the
            nearest of them beyond the person; None: the crop itself.
    """

    crops: NDArray[np.uint8]
    landmarks: NDArray[np.float32]
    mattes: NDArray[np.uint8]
    neutral_landmarks: NDArray[np.float32]
    crop: NDArray[np.float32]
    notes: tuple[str, ...]
    source: int = 0
    foreground: NDArray[np.uint8] | None = None


def prepare_references(
    images: Sequence[NDArray[np.uint8]],
    placed: Sequence[NDArray[np.float32] | None] | None = None,
    progress: Progress = silent,
) -> FaceReferences:
    """Finds the face of each image, cuts it out with its matte, and orders them by their distance from rest.

    Args:
        images: K pictures (H, W, 3), any sizes, 1 <= K <= 20.
        placed: for an image landmarks (68, 2) in its pixels that override detection, or None.
        progress: told after each image.

    Raises:
        ImageError: no image, or too many.
        ShapeError: placed landmarks are not 68 points.
        NoFaceError: an image shows no face.
        FaceError: a face is too small or in profile.
    """
    if not 1 <= len(images) <= MAX_IMAGES:
        raise ImageError(f"{len(images)} images were given; give 1 to {MAX_IMAGES} pictures of one person")
    placed = placed or [None] * len(images)
    found: list[NDArray[np.float32]] = []
    notes: list[str] = []
    with FaceDetector() as detector:
        for k, (image, points) in enumerate(zip(images, placed, strict=True)):
            progress("face", k, len(images))
            landmarks, note = _landmarks_of(detector, image, points, f"image {k + 1} of {len(images)}")
            found.append(landmarks)
            if note:
                notes.append(f"image {k + 1}: {note}")
    order = sorted(range(len(images)), key=lambda k: distance_from_rest(found[k]))
    transforms = [crop_transform(found[k]) for k in order]
    progress("face", len(images), len(images))
    landmarks = np.stack([to_crop(found[k], t) for k, t in zip(order, transforms, strict=True)])
    crops = np.stack([crop_image(images[k], t) for k, t in zip(order, transforms, strict=True)])
    # Only the first is shown; the others' mattes say what to learn from, where a rough edge does.
    mattes = np.stack([_matte(images[k], t, is_fine=k == order[0]) for k, t in zip(order, transforms, strict=True)])
    return FaceReferences(
        crops=crops,
        landmarks=landmarks,
        mattes=mattes,
        neutral_landmarks=rest_pose(landmarks[0]),
        crop=transforms[0],
        notes=tuple(notes),
        source=order[0],
        foreground=foreground_colours(crops[0], mattes[0]),
    )


def _landmarks_of(
    detector: FaceDetector, image: NDArray[np.uint8], placed: NDArray[np.float32] | None, name: str
) -> tuple[NDArray[np.float32], str]:
    if placed is not None:
        if placed.shape != (POINT_COUNT, 2):
            raise ShapeError(f"{name}: expected landmarks of shape (68, 2), got {placed.shape}")
        return placed.astype(np.float32), ""
    try:
        face = detector.detect(image)
    except SpeechFaceError as error:
        raise type(error)(f"{name}: {error.sentence}", detail=error.detail) from error
    return face.landmarks, face.note


def _matte(image: NDArray[np.uint8], transform: NDArray[np.float32], *, is_fine: bool) -> NDArray[np.uint8]:
    """The crop's matte, found on the crop and what surrounds it: in a large photo the whole would show too little."""
    height, width = image.shape[:2]
    middle = to_source(np.full(2, (CROP_SIZE - 1) / 2), transform)
    reach = _MATTED_SIDE / 2 * CROP_SIZE * float(np.sqrt(abs(np.linalg.det(transform[:, :2]))))
    left, top = (min(max(0, int(c - reach)), end - 1) for c, end in zip(middle, (width, height), strict=True))
    right, bottom = (max(start + 1, int(c + reach) + 2) for c, start in zip(middle, (left, top), strict=True))
    matte = person_matte(image[top:bottom, left:right], is_fine=is_fine)
    in_part = transform - np.array([[0, 0, left], [0, 0, top]], np.float32)
    return crop_image(np.repeat(matte[..., None], 3, axis=2), in_part)[..., 0]
