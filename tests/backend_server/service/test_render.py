"""Tests that edited landmarks are drawn over the wire: in order, once, over restarts and cancels."""

import numpy as np
import pytest

from shared import protocol, wire
from shared.errors import ErrorCode, MessageError

PAUSE_IN_TEXTURE = 8  # of the fake cascade


@pytest.fixture
def render(adapt):
    """Learns a face and makes requests for pictures of it; landmark 0 of each frame carries its number."""

    def make(client, frames=50, first=0, pauses=False):
        (adapted,) = (m for m in client.finish(client.send(adapt()).job) if isinstance(m, protocol.Adapted))
        landmarks = np.tile(np.linspace(20, 230, 136, dtype=np.float32).reshape(68, 2), (frames, 1, 1))
        landmarks[:, 0, 0] = first + np.arange(frames)
        landmarks[:, 1, 0] = PAUSE_IN_TEXTURE if pauses else 0
        return protocol.RenderRequest(job=protocol.new_id(), identity=adapted.identity, landmarks=landmarks)

    return make


def drawn(messages):
    return np.concatenate([m.frames[:, 0, 0, 0] for m in messages if isinstance(m, protocol.TextureFrames)])


def test_pictures_of_given_landmarks_come_in_order_with_the_judges_notes(service, render):
    client = service.client()
    request = client.send(render(client))
    messages = client.finish(request.job)
    assert {type(m).__name__ for m in messages} == {"Accepted", "Progress", "TextureFrames", "Done"}
    assert [m.first_frame for m in messages if isinstance(m, protocol.TextureFrames)] == [0, 16, 32, 48]
    np.testing.assert_array_equal(drawn(messages), np.arange(50))
    done = messages[-1]
    assert (done.sequence, done.frame_count, done.texture_count) == (5, 0, 50)
    assert [note.code for note in done.notes] == ["lips_elsewhere"]
    part = client.finish(client.send(render(client, frames=7, first=30)).job)
    np.testing.assert_array_equal(drawn(part), np.arange(30, 37))
    kinds = {job.id: job.kind for job in listed(client)}
    assert kinds[request.job] == "render"


def listed(client):
    client.send(protocol.Status(ended_from=0))
    (report,) = client.until(protocol.StatusReport)
    return report.listed


def test_a_killed_service_goes_on_where_it_was(new_service, render):
    service = new_service()
    client = service.client()
    request = client.send(render(client, pauses=True))
    first = client.until(protocol.TextureFrames, job=request.job)
    first += client.until(protocol.TextureFrames, job=request.job)
    assert first[-1].sequence == 2
    service.kill()
    service.go()
    service.start()
    client = service.client()
    client.send(protocol.Attach(job=request.job, received=1))
    rest = client.finish(request.job)
    assert [m.sequence for m in rest if m.sequence] == [2, 3, 4, 5]
    np.testing.assert_array_equal(drawn(rest), np.arange(16, 50))


def test_a_rendering_is_cancelled(service, render):
    client = service.client()
    request = client.send(render(client, pauses=True))
    client.until(protocol.TextureFrames, job=request.job)
    client.send(protocol.Cancel(job=request.job))
    assert isinstance(client.finish(request.job)[-1], protocol.Cancelled)


def test_an_unknown_face_is_refused(service, render):
    client = service.client()
    request = render(client)
    other = protocol.RenderRequest(job=protocol.new_id(), identity="b" * 64, landmarks=request.landmarks)
    refused = client.finish(client.send(other).job)[-1]
    assert (refused.code, refused.parent) == (ErrorCode.UNKNOWN_IDENTITY, other.id)


def test_landmarks_that_are_no_face_are_refused_in_one_sentence(service, render, monkeypatch):
    client = service.client()
    request = render(client)
    landmarks = request.landmarks.copy()
    landmarks[3, 62] = np.nan
    bad = protocol.RenderRequest(job=protocol.new_id(), identity=request.identity, landmarks=landmarks)
    with pytest.raises(MessageError, match="of frame 3 has no place"):
        wire.encode(bad)
    with monkeypatch.context() as unchecked:
        unchecked.setattr(protocol.RenderRequest, "check", lambda _: None)
        client.send(bad)
    refused = client.until(protocol.Failed)[-1]
    assert (refused.code, refused.parent) == (ErrorCode.BAD_VALUE, bad.id)
    assert "landmark 62 (inner_lips_02) of frame 3" in refused.sentence
    assert "\n" not in refused.sentence
