"""Which faces do a user's images show, cut out and ready for the texture network?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from backend_server.face.crop import crop_image, crop_transform, to_crop
from backend_server.face.detector import FaceDetector
from backend_server.face.matte import person_matte
from backend_server.face.rest_pose import distance_from_rest, rest_pose
from backend_server.progress import Progress, silent
from shared.errors import ImageError, ShapeError, SpeechFaceError
from shared.landmarks import POINT_COUNT

MAX_IMAGES = 20  # K (Section 4.3)


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
    """

    crops: NDArray[np.uint8]
    landmarks: NDArray[np.float32]
    mattes: NDArray[np.uint8]
    neutral_landmarks: NDArray[np.float32]
    crop: NDArray[np.float32]
    notes: tuple[str, ...]
    source: int = 0


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
    return FaceReferences(
        crops=np.stack([crop_image(images[k], t) for k, t in zip(order, transforms, strict=True)]),
        landmarks=landmarks,
        mattes=np.stack([_matte(images[k], t) for k, t in zip(order, transforms, strict=True)]),
        neutral_landmarks=rest_pose(landmarks[0]),
        crop=transforms[0],
        notes=tuple(notes),
        source=order[0],
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


def _matte(image: NDArray[np.uint8], transform: NDArray[np.float32]) -> NDArray[np.uint8]:
    matte = person_matte(image)
    return crop_image(np.repeat(matte[..., None], 3, axis=2), transform)[..., 0]
