"""Opens MediaPipe's shipped models through its Tasks API.

`face_landmarker.task` is an archive of the face detector and the face mesh; `selfie_segmentation.tflite` separates
person from background. Both lie in `backend_server/weights` (Apache-2.0). MediaPipe itself, which brings Matplotlib
along, is imported where a model is opened: who animates without pictures need not wait for it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING
from zipfile import BadZipFile, ZipFile

import numpy as np
from numpy.typing import NDArray

from backend_server.checkpoints import WEIGHTS_DIR
from shared.errors import SpeechFaceError, WeightsError

if TYPE_CHECKING:
    import mediapipe as mp
    from mediapipe.tasks.python.core.base_options import BaseOptions
    from mediapipe.tasks.python.vision.face_detector import FaceDetector
    from mediapipe.tasks.python.vision.face_landmarker import FaceLandmarker, FaceLandmarkerResult
    from mediapipe.tasks.python.vision.image_segmenter import ImageSegmenter

__all__ = ["FaceLandmarkerResult", "as_mediapipe", "open_detector", "open_landmarker", "open_segmenter"]
LANDMARKER = WEIGHTS_DIR / "face_landmarker.task"
SEGMENTER = WEIGHTS_DIR / "selfie_segmentation.tflite"
_DETECTOR_IN_LANDMARKER = "face_detector.tflite"
_SYSTEM_LIBRARIES = (  # machines without a desktop lack them
    "install OpenGL ES (Debian and Ubuntu: apt install libegl1 libgles2; Fedora: dnf install mesa-libEGL mesa-libGLES)"
)


def open_detector(lowest_score: float) -> FaceDetector:
    """Opens the face detector (BlazeFace, short range): boxes of faces with scores of at least `lowest_score`.

    Raises:
        WeightsError: the model file is missing or damaged.
        SpeechFaceError: this system lacks a library that MediaPipe needs.
    """
    from mediapipe.tasks.python.vision.face_detector import (
        FaceDetector,
        FaceDetectorOptions,
    )

    options = FaceDetectorOptions(
        base_options=_from(LANDMARKER, _DETECTOR_IN_LANDMARKER), min_detection_confidence=lowest_score
    )
    with _system_libraries():
        return FaceDetector.create_from_options(options)


def open_landmarker(*, is_video: bool, scores_shapes: bool = False) -> FaceLandmarker:
    """Opens the face mesh of 478 points.

    Args:
        is_video: pictures follow one another, so the face is looked for where it was.
        scores_shapes: ARKit's blend shapes are scored as well.

    Raises:
        WeightsError: the model file is missing or damaged.
        SpeechFaceError: this system lacks a library that MediaPipe needs.
    """
    from mediapipe.tasks.python.vision.core.vision_task_running_mode import (
        VisionTaskRunningMode,
    )
    from mediapipe.tasks.python.vision.face_landmarker import (
        FaceLandmarker,
        FaceLandmarkerOptions,
    )

    options = FaceLandmarkerOptions(
        base_options=_from(LANDMARKER),
        running_mode=VisionTaskRunningMode.VIDEO if is_video else VisionTaskRunningMode.IMAGE,
        # The mesh of a single face is smoothed over time in videos, which shortens quick movements of the lips.
        num_faces=2 if is_video else 1,
        output_face_blendshapes=scores_shapes,
    )
    with _system_libraries():
        return FaceLandmarker.create_from_options(options)


def open_segmenter() -> ImageSegmenter:
    """Opens the segmentation of persons, whose own grid has 256 x 256 pixels.

    Raises:
        WeightsError: the model file is missing or damaged.
        SpeechFaceError: this system lacks a library that MediaPipe needs.
    """
    from mediapipe.tasks.python.vision.image_segmenter import (
        ImageSegmenter,
        ImageSegmenterOptions,
    )

    options = ImageSegmenterOptions(base_options=_from(SEGMENTER))
    with _system_libraries():
        return ImageSegmenter.create_from_options(options)


def as_mediapipe(image: NDArray[np.uint8]) -> mp.Image:
    """Wraps a picture u8 (H, W, 3) RGB."""
    import mediapipe as mp

    return mp.Image(image_format=mp.ImageFormat.SRGB, data=np.ascontiguousarray(image))


@contextmanager
def _system_libraries() -> Iterator[None]:
    """Says what to install when MediaPipe's own library, which the first model loads, finds others missing."""
    try:
        yield
    except OSError as error:
        raise SpeechFaceError(f"the face detector does not start: {error}; {_SYSTEM_LIBRARIES}") from error


def _from(path: Path, member: str = "") -> BaseOptions:
    from mediapipe.tasks.python.core.base_options import BaseOptions

    return BaseOptions(model_asset_buffer=_read(path, member))


@lru_cache(maxsize=4)
def _read(path: Path, member: str) -> bytes:
    """Reads a model file, or a member of it: MediaPipe itself cannot open paths with letters beyond ASCII."""
    try:
        if not member:
            return path.read_bytes()
        with ZipFile(path) as archive:
            return archive.read(member)
    except (OSError, BadZipFile, KeyError) as error:
        raise WeightsError(f"cannot read the face model {path}: {error}; copy it again from the repository") from error
