"""Looks at one photo of a request: how large it is, where its faces are, and the landmarks of one of them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from backend_server.face.detector import FaceDetector
from backend_server.face.images import decode_image, flattened
from shared.errors import SpeechFaceError
from shared.protocol import FindPhotoLandmarks, PhotoLandmarks


def look_at(request: FindPhotoLandmarks, picture: int, detector: FaceDetector) -> PhotoLandmarks:
    """What is seen in one picture of a request; says why where there are no landmarks.

    Args:
        request: the pictures, and which of their faces are meant.
        picture: its place among `images`, then `files`.
        detector: one that is open.
    """
    name = request.names[picture] if request.names else f"image {picture + 1}"
    chosen = None if request.chosen is None or np.isnan(request.chosen[picture]).any() else request.chosen[picture]
    height = width = 0
    try:
        image = _pixels(request, picture, name)
        height, width = image.shape[:2]
        face = detector.detect(flattened(image), chosen)
    except SpeechFaceError as error:
        return PhotoLandmarks(
            job=request.job,
            sequence=picture + 1,
            picture=picture,
            name=name,
            width=width,
            height=height,
            code=error.code,
            sentence=error.sentence,
        )
    return PhotoLandmarks(
        job=request.job,
        sequence=picture + 1,
        picture=picture,
        name=name,
        width=width,
        height=height,
        taken=face.taken,
        yaw_degrees=face.yaw_degrees,
        notes=face.notes,
        landmarks=np.ascontiguousarray(face.landmarks, np.float32),
        confidence=face.confidence,
        boxes=np.ascontiguousarray(face.boxes),
    )


def _pixels(request: FindPhotoLandmarks, picture: int, name: str) -> NDArray[np.uint8]:
    if picture < len(request.images):
        return request.images[picture]
    return decode_image(request.files[picture - len(request.images)].tobytes(), name)
