"""Tests that a rendered face is looked at: is it opaque, and are its lips where they were moved to."""

import numpy as np
import pytest
from skimage.data import astronaut

from backend_server.face.cover import covering, missed_share
from backend_server.face.crop import crop_image, crop_transform, to_crop
from backend_server.face.detector import FaceDetector
from backend_server.face.result import ResultJudge
from shared.notes import NoteCode


@pytest.fixture(scope="module")
def face():
    """A crop (256, 256, 4) and its landmarks (68, 2)."""
    image = astronaut()
    with FaceDetector() as detector:
        found = detector.detect(image).landmarks
    transform = crop_transform(found)
    opaque = np.full((256, 256, 1), 255, np.uint8)
    return np.concatenate([crop_image(image, transform), opaque], axis=2), to_crop(found, transform)


def judged(frames, landmarks, chunk=3):
    with ResultJudge(landmarks) as judge:
        chunks = iter([frames[i : i + chunk] for i in range(0, len(frames), chunk)])
        passed = np.concatenate(list(judge.watch(chunks)))
        np.testing.assert_array_equal(passed, frames)
        return [note.code for note in judge.notes()]


def test_a_good_face_passes_without_a_word(face):
    picture, landmarks = face
    assert judged(np.stack([picture] * 10), np.stack([landmarks] * 10)) == []


def test_a_transparent_face_is_named(face):
    picture, landmarks = face
    holed = picture.copy()
    holed[120:160, 100:140, 3] = 60
    assert NoteCode.TRANSPARENT_FACE in judged(np.stack([holed] * 4), np.stack([landmarks] * 4))


def test_lips_that_did_not_move_along_are_named(face):
    picture, landmarks = face
    moved = landmarks.copy()
    moved[48:] += (0, 5)
    assert judged(np.stack([picture] * 4), np.stack([moved] * 4)) == [NoteCode.LIPS_ELSEWHERE]


def test_a_result_without_a_face_is_named(face):
    picture, landmarks = face
    wall = np.full_like(picture, 120)
    wall[..., 3] = 255
    assert judged(np.stack([wall] * 4), np.stack([landmarks] * 4)) == [NoteCode.LIPS_ELSEWHERE]
    with ResultJudge(np.stack([landmarks] * 4)) as judge:
        assert judge.notes() == ()  # nothing was rendered: nothing to say


def test_the_frames_looked_at_are_those_from_shut_to_open(face):
    picture, landmarks = face
    opened = np.stack([landmarks] * 50)
    opened[:, 65:68, 1] += np.linspace(0, 10, 50)[:, None]
    frames = np.stack([picture] * 50)
    frames[[0, 49], ..., 3] = 0  # the ends are among them
    with ResultJudge(opened) as judge:
        list(judge.watch(iter([frames])))
        [note] = [note for note in judge.notes() if note.code == NoteCode.TRANSPARENT_FACE]
        assert note.sentence.startswith("25% of the rendered face")


def test_a_matte_that_misses_the_face_is_mended_on_the_face_alone(face):
    _, landmarks = face
    matte = np.zeros((256, 256), np.uint8)
    matte[:140] = 255
    assert 0.1 < missed_share(matte, landmarks) < 0.5
    mended = covering(matte, landmarks)
    assert missed_share(mended, landmarks) < 0.02
    assert mended[-20:].max() == 0
    assert covering(np.zeros_like(matte), landmarks).min() == 255  # nothing is known of the person
    full = np.full((256, 256), 255, np.uint8)
    assert missed_share(full, landmarks) == 0.0
    np.testing.assert_array_equal(covering(full, landmarks), full)
