"""Tests that edited landmarks are drawn over the wire: in order, once, over restarts and cancels."""

import dataclasses

import msgspec
import numpy as np
import pytest

from backend_server.identities.store import IdentityStore
from backend_server.service.work.expectation import expectation, frames_per_message
from shared import protocol, wire
from shared.errors import ErrorCode, MessageError

PAUSE_IN_TEXTURE = 8  # of the fake cascade


@pytest.fixture
def render(adapt):
    """Learns a face and makes requests for pictures of it; landmark 0 of each frame carries its number."""

    def make(client, frames=50, first=0, pauses=False, **values):
        (adapted,) = (m for m in client.finish(client.send(adapt()).job) if isinstance(m, protocol.Adapted))
        landmarks = np.tile(np.linspace(20, 230, 136, dtype=np.float32).reshape(68, 2), (frames, 1, 1))
        landmarks[:, 0, 0] = first + np.arange(frames)
        landmarks[:, 1, 0] = PAUSE_IN_TEXTURE if pauses else 0
        return protocol.RenderRequest(job=protocol.new_id(), identity=adapted.identity, landmarks=landmarks, **values)

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


@pytest.mark.parametrize(("size", "at_once"), [(256, 16), (512, 4), (1024, 1)])
def test_pictures_of_each_size_come_whole_in_messages_of_the_same_bytes(service, render, animate, size, at_once):
    assert frames_per_message(size) == at_once
    client = service.client()
    drawing = render(client, frames=19, size=size)
    speaking = animate(frames=19, identity=drawing.identity, size=size, rig="oculus")
    for request, before in ((drawing, 0), (speaking, 2)):
        assert expectation(wire.encode(request)).results == before + -(-19 // at_once)
        messages = client.finish(client.send(request).job)
        frames = [m for m in messages if isinstance(m, protocol.TextureFrames)]
        assert [m.first_frame for m in frames] == list(range(0, 19, at_once))
        side = 64 if size == 256 else size  # the fake cascade renders few pixels
        assert {m.frames.shape[1:] for m in frames} == {(side, side, 4)}
        np.testing.assert_array_equal(drawn(messages), np.arange(19))
        assert (messages[-1].texture_count, messages[-1].sequence) == (19, before + len(frames) + 1)
        wanted = ["lips_elsewhere"] if size == 256 else ["few_pixels", "lips_elsewhere"]
        assert [note.code for note in messages[-1].notes] == wanted


def test_a_killed_service_goes_on_with_large_pictures_where_it_was(new_service, render):
    service = new_service()
    client = service.client()
    request = client.send(render(client, pauses=True, size=512))
    while client.until(protocol.TextureFrames, job=request.job)[-1].sequence < 9:
        pass
    service.kill()
    service.go()
    service.start()
    client = service.client()
    client.send(protocol.Attach(job=request.job, received=7))
    rest = client.finish(request.job)
    assert [m.sequence for m in rest if m.sequence] == [*range(8, 15)]
    np.testing.assert_array_equal(drawn(rest), np.arange(28, 50))


def test_room_is_asked_for_by_the_size(new_service, render):
    client = new_service(spool_bytes=40 * 2**20).client()
    request = render(client, frames=11, size=512)
    assert isinstance(client.finish(client.send(request).job)[-1], protocol.Done)
    refused = client.finish(client.send(render(client, frames=11, size=1024)).job)[-1]
    assert refused.code is ErrorCode.NO_SPACE
    assert "this needs 46 MB" in refused.sentence


def test_other_sizes_are_refused_in_one_sentence(service, render, animate):
    client = service.client()
    for request in (render(client), animate()):
        with pytest.raises(MessageError) as caught:
            wire.encode(msgspec.structs.replace(request, size=300))
        assert caught.value.sentence == (
            f"{type(request).__name__} is refused: size is 300; choose one of 256, 512, 1024"
        )


def test_a_face_of_an_earlier_version_gets_its_photo_when_its_pictures_come_again(new_service, adapt):
    service = new_service()
    client = service.client()
    store = IdentityStore(service.data_dir / "identities")
    request = client.send(adapt())
    identity = next(m for m in client.finish(request.job) if isinstance(m, protocol.Adapted)).identity
    face = store.load(identity)
    assert face.record.photo_pixels == 0  # as the fake's pictures are tiny
    record = msgspec.structs.replace(face.record, photo_pixels=None)
    store.save(dataclasses.replace(face, record=record))
    messages = client.finish(client.send(adapt()).job)
    (adapted,) = (m for m in messages if isinstance(m, protocol.Adapted))
    assert (adapted.identity, adapted.is_cached) == (identity, True)
    assert store.record(identity).photo_pixels == 0
    assert len(list(service.fake_dir.glob("adapted-*"))) == 1


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
