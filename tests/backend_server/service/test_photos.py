"""Tests that the faces of photos are found over the wire, and that a face is learnt from the one that was chosen."""

import cv2
import numpy as np
import pytest

from backend_server.identities.pictures import portrait_path
from shared import protocol
from shared.errors import ErrorCode

PATIENCE = 300.0  # seconds: the detector is loaded in a process of its own
PORTRAIT = np.fromfile(portrait_path(), np.uint8)


@pytest.fixture(scope="module")
def client(module_service):
    return module_service(cascade="backend_server.cascade:Cascade", stuck_seconds=60.0).client()


@pytest.fixture(scope="module")
def two_faces():
    """A picture with a large face on the left and a smaller one on the right."""
    face = np.ascontiguousarray(cv2.imdecode(PORTRAIT, cv2.IMREAD_COLOR)[..., ::-1][:300, 80:380])
    picture = np.full((400, 800, 3), 128, np.uint8)
    picture[20:320, 20:320] = face
    picture[50:270, 450:670] = cv2.resize(face, (220, 220), interpolation=cv2.INTER_AREA)
    return picture


def finish(client, job):
    return client.until(protocol.Done, protocol.Failed, job=job, seconds=PATIENCE)


def look(client, **values):
    request = client.send(protocol.FindPhotoLandmarks(job=protocol.new_id(), **values))
    messages = finish(client, request.job)
    assert isinstance(messages[-1], protocol.Done), messages[-1]
    return [message for message in messages if isinstance(message, protocol.PhotoLandmarks)]


def test_each_photo_is_answered_also_one_without_a_face(client, two_faces):
    ok, turned = cv2.imencode(".png", np.ascontiguousarray(two_faces[::-1, ::-1, ::-1]))
    assert ok
    wall = np.full((64, 64, 3), 128, np.uint8)
    names = ("wall.png", "two.png", "portrait.png", "broken.jpg", "turned.png")
    files = (PORTRAIT, np.zeros(9, np.uint8), turned.ravel())
    found = look(client, images=(wall, two_faces), files=files, names=names)
    assert [(photo.picture, photo.sequence, photo.name) for photo in found] == [
        (place, place + 1, name) for place, name in enumerate(names)
    ]
    empty, two, portrait, broken, upside_down = found
    assert (empty.code, empty.landmarks, empty.width, empty.height) == (ErrorCode.NO_FACE, None, 64, 64)
    assert (broken.code, broken.width) == (ErrorCode.BAD_IMAGE, 0)
    assert "broken.jpg" in broken.sentence
    assert (portrait.width, portrait.height, portrait.taken, len(portrait.boxes)) == (512, 512, 0, 1)
    assert portrait.landmarks.shape == (68, 2)
    assert portrait.confidence.min() > 0.5
    assert (portrait.code, portrait.sentence, portrait.notes) == (None, "", ())
    assert (two.taken, len(two.boxes)) == (0, 2)
    assert [note.code for note in two.notes] == ["several_faces"]
    np.testing.assert_allclose(two.boxes[:, 0], (170, 560), atol=60)
    np.testing.assert_allclose(two.landmarks.mean(0), two.boxes[0, :2], atol=40)
    # an upside-down picture: boxes and landmarks lie in the picture as it is
    np.testing.assert_allclose(upside_down.boxes[:, :2], (799, 399) - two.boxes[:, :2], atol=15)


def test_the_other_face_is_chosen_by_a_point_on_it(client, two_faces):
    (first,) = look(client, images=(two_faces,))
    (other,) = look(client, images=(two_faces,), chosen=first.boxes[1:2, :2].copy())
    assert (other.taken, other.notes) == (1, ())
    np.testing.assert_allclose(other.landmarks.mean(0), first.boxes[1, :2], atol=30)
    nobody = np.array([[780, 390]], np.float32)
    (refused,) = look(client, images=(two_faces,), chosen=nobody)
    assert (refused.code, refused.landmarks) == (ErrorCode.NO_FACE, None)
    assert "no face was found at the point (780, 390)" in refused.sentence


@pytest.mark.slow
def test_a_face_is_learnt_from_the_one_that_was_chosen_and_kept_apart(client, two_faces):
    def learn(**values):
        request = protocol.AdaptRequest(job=protocol.new_id(), images=(two_faces,), epochs=0, **values)
        messages = finish(client, client.send(request).job)
        assert isinstance(messages[-1], protocol.Done), messages[-1]
        return next(message for message in messages if isinstance(message, protocol.Adapted))

    (photo,) = look(client, images=(two_faces,))
    largest = learn()
    right = learn(chosen=photo.boxes[1:2, :2].copy())
    placed = learn(landmarks=photo.landmarks[None])
    unchosen = learn(chosen=np.full((1, 2), np.nan, np.float32))
    assert len({largest.identity, right.identity, placed.identity}) == 3
    assert (unchosen.identity, unchosen.is_cached) == (largest.identity, True)
    middles = [adapted.crop @ (128, 128, 1) for adapted in (largest, right, placed)]
    assert middles[0][0] < 330 and middles[1][0] > 450
    np.testing.assert_allclose(middles[2], middles[0], atol=1)
    outside = protocol.AdaptRequest(
        job=protocol.new_id(), images=(two_faces,), names=("two.png",), epochs=0, landmarks=photo.landmarks[None] + 2000
    )
    refused = finish(client, client.send(outside).job)[-1]
    assert refused.code is ErrorCode.BAD_VALUE
    assert "of two.png lies at" in refused.sentence
    assert "800 x 400 pixels" in refused.sentence


def test_the_results_of_a_killed_service_are_not_made_twice(new_service):
    service = new_service()
    client = service.client()
    request = client.send(protocol.FindPhotoLandmarks(job=protocol.new_id(), files=(PORTRAIT,) * 4))
    first = client.until(protocol.PhotoLandmarks, job=request.job, seconds=PATIENCE)[-1]
    service.kill()
    service.start()
    client = service.client()
    client.send(protocol.Attach(job=request.job, received=1))
    rest = finish(client, request.job)
    assert [message.sequence for message in rest if message.sequence] == [2, 3, 4, 5]
    second = next(message for message in rest if isinstance(message, protocol.PhotoLandmarks))
    np.testing.assert_array_equal(second.landmarks, first.landmarks)
