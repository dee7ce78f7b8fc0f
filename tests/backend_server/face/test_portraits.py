"""Faces are found at the right place in portraits that are turned, cut tightly, or made small.

The models were chosen with the same pictures, and found all faces then.
"""

from pathlib import Path

import cv2
import numpy as np
import pytest

from backend_server.face.detector import FaceDetector
from backend_server.face.images import read_image
from shared.errors import SpeechFaceError

PORTRAITS = Path(__file__).resolve().parents[4] / "shared" / "data" / "portraits"
RIGHT = 0.06  # mean distance of the landmarks from where they should be, over the face's side

pytestmark = pytest.mark.corpus


@pytest.fixture(scope="module")
def portraits():
    if not PORTRAITS.is_dir():
        pytest.skip(f"the folder {PORTRAITS} is not here")
    with FaceDetector() as detector:
        pictures = [read_image(path) for path in sorted(PORTRAITS.iterdir()) if path.suffix in (".jpg", ".png")]
        yield detector, [(picture, detector.detect(picture).landmarks) for picture in pictures]


def placed(landmarks, turn, size, side):
    """A map (2, 3) that turns a face by degrees and lays it, `side` pixels large, into a picture (width, height)."""
    scale = side / np.ptp(landmarks, axis=0).max()
    matrix = cv2.getRotationMatrix2D(tuple(map(float, landmarks.mean(0))), turn, scale)
    matrix[:, 2] += np.array(size) * (0.5, 0.45) - landmarks.mean(0)
    return matrix


def is_found(detector, picture, landmarks, matrix, size):
    moved = cv2.warpAffine(
        picture, matrix, size, flags=cv2.INTER_AREA, borderMode=cv2.BORDER_CONSTANT, borderValue=(120, 120, 120)
    )
    expected = landmarks @ matrix[:, :2].T + matrix[:, 2]
    try:
        found = detector.detect(np.asarray(moved, np.uint8)).landmarks
    except SpeechFaceError:
        return False
    return np.abs(found - expected).mean() < RIGHT * np.ptp(expected, axis=0).max()


@pytest.mark.parametrize("turn", range(0, 360, 45))
def test_every_portrait_is_found_however_it_is_turned(portraits, turn):
    detector, faces = portraits
    found = [is_found(detector, *face, placed(face[1], turn, (450, 450), 150), (450, 450)) for face in faces]
    assert all(found)


@pytest.mark.parametrize("context", [1.05, 1.4])
def test_every_portrait_is_found_however_tightly_it_is_cut(portraits, context):
    detector, faces = portraits
    size = (int(150 * context),) * 2
    assert all(is_found(detector, *face, placed(face[1], 0, size, 150), size) for face in faces)


@pytest.mark.parametrize("turn", [0, 180])
@pytest.mark.parametrize("size", [(720, 405), (1280, 720), (1920, 1080), (3000, 1687)], ids=lambda s: str(s[0]))
def test_every_small_face_in_a_large_picture_is_found(portraits, size, turn):
    detector, faces = portraits
    assert all(is_found(detector, *face, placed(face[1], turn, size, 80), size) for face in faces)
