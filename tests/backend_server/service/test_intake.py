import time

import numpy as np
import pytest

from backend_server.service import intake as module
from shared import chunks, protocol, wire
from shared.errors import ErrorCode, MessageError


def pieces_of(message):
    sending, pieces = chunks.Sending(wire.encode(message)), []
    while not sending.is_over:
        pieces.append(sending.piece())
        sending.advance()
    return pieces


def sound(megabytes=1):
    speech = np.zeros(megabytes * 250_000, np.float32)
    return protocol.AnimateRequest(job="j1", sample_rate=16_000, speech=speech, frame_times=np.arange(3) / 25)


def arrivals(intake, count, seconds=20.0):
    deadline = time.monotonic() + seconds
    found = []
    while len(found) < count:
        assert time.monotonic() < deadline, "the intake did not read it"
        found += intake.take()
    return found


def test_a_large_message_is_read_when_its_last_chunk_came(new_intake):
    intake, request = new_intake(), sound()
    *pieces, last = pieces_of(request)
    for piece in pieces:
        intake.put_chunk(b"a", piece, None)
    assert not intake.is_busy
    assert not intake.must_take(b"a", wire.encode(protocol.Ping()))
    intake.put_chunk(b"a", last, None)
    assert intake.must_take(b"a", wire.encode(protocol.Ping()))  # what follows stays behind it
    assert not intake.must_take(b"b", wire.encode(protocol.Ping()))
    intake.put(b"a", wire.encode(protocol.Cancel(job="j1")), None)
    (first, large), (second, small) = arrivals(intake, 2)
    assert (first, second) == (b"a", b"a")
    assert large.message.id == request.id
    assert isinstance(small.message, protocol.Cancel)
    assert [bytes(part) for part in large.parts] == [bytes(part) for part in wire.encode(request)]


def test_clients_share_a_bounded_number_of_bytes_and_give_them_back(new_intake):
    pieces = pieces_of(sound())
    intake = new_intake(most_bytes=2_100_000)
    intake.put_chunk(b"a", pieces[0], None)
    intake.put_chunk(b"b", pieces[0], None)
    with pytest.raises(MessageError, match="still arriving") as caught:
        intake.put_chunk(b"c", pieces[0], None)
    assert caught.value.code is ErrorCode.OUT_OF_MEMORY
    for piece in pieces[1:]:
        intake.put_chunk(b"a", piece, None)
    arrivals(intake, 1)
    for piece in pieces:
        intake.put_chunk(b"c", piece, None)
    arrivals(intake, 1)


@pytest.mark.parametrize("how", ["gone", "idle", "abandoned"])
def test_what_is_given_up_makes_room(new_intake, monkeypatch, how):
    pieces = pieces_of(sound())
    intake = new_intake(most_bytes=1_100_000)
    intake.put_chunk(b"a", pieces[0], None)
    intake.keep_only({b"a"})
    intake.abandon(b"a", "another job")
    with pytest.raises(MessageError, match="still arriving"):
        intake.put_chunk(b"b", pieces[0], None)
    if how == "gone":
        intake.keep_only({b"b"})
    elif how == "idle":
        monkeypatch.setattr(module, "IDLE_SECONDS", 0.0)
        intake.keep_only({b"a", b"b"})
    else:
        intake.abandon(b"a", "j1")
    intake.put_chunk(b"b", pieces[0], None)
    with pytest.raises(MessageError, match="send it again from its beginning"):
        intake.put_chunk(b"a", pieces[1], None)


def test_damage_refuses_the_message_with_its_name(new_intake):
    intake, request = new_intake(), sound()
    for number, (prefix, header, payload) in enumerate(pieces_of(request)):
        intake.put_chunk(b"a", [prefix, header, bytes(len(payload)) if number == 0 else payload], None)
    ((client, arrival),) = arrivals(intake, 1)
    assert (client, arrival.message) == (b"a", None)
    assert (arrival.refusal.message_id, arrival.refusal.job) == (request.id, "j1")
    assert "does not match its checksum" in arrival.refusal.sentence


def test_only_the_worker_knows_the_face_of_image_files():
    image = np.zeros((20, 20, 3), np.uint8)
    for files, is_known in (((), True), ((np.zeros(9, np.uint8),), False)):
        parts = wire.encode(protocol.AdaptRequest(job="j1", images=(image,), files=files))
        assert bool(module.read(parts, "0a").identity) is is_known
