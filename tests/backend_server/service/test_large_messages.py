"""Tests that hundreds of megabytes go through, and that nobody else notices."""

import msgspec
import numpy as np
import pytest
import zmq

from shared import chunks, protocol, wire
from shared.errors import ErrorCode

PONG_SECONDS = 0.2


def noise(megabytes, seed=0):
    """A sound of so many megabytes; an hour at 48 kHz has 691."""
    return np.random.default_rng(seed).random(int(megabytes * 250_000), np.float32)


class Upload:
    """A large message that is sent as fast as a test says."""

    def __init__(self, client, message):
        self.client = client
        self.message = message
        self.sending = chunks.Sending(wire.encode(message))

    def push(self):
        """Sends what the socket takes; whether everything was taken."""
        try:
            while not self.sending.is_over:
                self.client.socket.send_multipart(self.sending.piece(), zmq.NOBLOCK, copy=False)
                self.sending.advance()
        except zmq.Again:
            pass
        return self.sending.is_over

    def send_chunks(self, count):
        """Sends exactly so many chunks."""
        for _ in range(count):
            self.client.socket.send_multipart(self.sending.piece())
            self.sending.advance()


@pytest.fixture
def upload(service, animate):
    """An upload of four megabytes by a client that said Hello."""

    def begin(client=None, **values):
        values = {"speech": noise(4), "sample_rate": 192_000, **values}
        return Upload(client or service.client(), animate(**values))

    return begin


@pytest.mark.slow
def test_two_hundred_megabytes_delay_no_pong_of_another_client(service, upload):
    large = upload(speech=noise(200))
    bystander = service.client()
    pongs = []
    while not large.push():
        pongs.append(bystander.pong_seconds())
    done = large.client.until(protocol.Done, job=large.message.job, seconds=120)[-1]
    assert done.frame_count == 3
    assert len(pongs) > 20
    assert np.percentile(pongs, 99) < PONG_SECONDS


def test_small_messages_go_between_the_chunks(upload):
    large = upload()
    large.send_chunks(3)
    assert large.client.pong_seconds() < 5
    large.client.send(protocol.Attach(job="nowhere"))
    assert large.client.receive().code is ErrorCode.UNKNOWN_JOB
    assert not large.sending.is_over
    while not large.push():
        pass
    assert isinstance(large.client.finish(large.message.job)[-1], protocol.Done)


def test_an_upload_that_breaks_off_is_sent_again_on_the_next_connection(service, upload):
    broken = upload()
    broken.send_chunks(3)
    broken.client.close()
    service.clients.remove(broken.client)
    client = service.client()
    client.send(protocol.Attach(job=broken.message.job))
    assert client.receive().code is ErrorCode.UNKNOWN_JOB
    client.send(broken.message)
    assert isinstance(client.finish(broken.message.job)[-1], protocol.Done)


@pytest.mark.parametrize("kind", ["hello", "cancel"])
def test_what_is_half_sent_ends_with_a_new_hello_or_a_cancel(upload, kind):
    large = upload()
    client, message = large.client, large.message
    large.send_chunks(3)
    client.send(protocol.Hello() if kind == "hello" else protocol.Cancel(job=message.job))
    answer = client.receive()
    assert isinstance(answer, protocol.Welcome) if kind == "hello" else answer.code is ErrorCode.UNKNOWN_JOB
    large.send_chunks(5)
    refusal = client.receive()
    assert (refusal.code, refusal.parent, refusal.job) == (ErrorCode.UNKNOWN_JOB, message.id, message.job)
    assert f"the message {message.id} is unknown here" in refusal.sentence
    ping = client.send(protocol.Ping())
    assert client.receive().parent == ping.id  # refused once, not once a chunk
    client.send(message)
    assert isinstance(client.finish(message.job)[-1], protocol.Done)


def test_a_damaged_chunk_is_named_and_the_same_message_is_welcome_again(upload):
    large = upload()
    client, message = large.client, large.message
    large.send_chunks(1)
    head, header, payload = large.sending.piece()
    client.socket.send_multipart([head, header, bytes(payload)[::-1]])
    large.sending.advance()
    while not large.push():
        pass
    refusal = client.receive()
    assert (refusal.code, refusal.parent) == (ErrorCode.BAD_MESSAGE, message.id)
    assert f"the chunk at byte {chunks.CHUNK_BYTES} does not match its checksum" in refusal.sentence
    client.send(message)
    assert isinstance(client.finish(message.job)[-1], protocol.Done)


def test_chunks_of_a_client_without_a_hello_are_refused(service, upload):
    stranger = upload(client=service.client(says_hello=False))
    stranger.send_chunks(1)
    refusal = stranger.client.receive()
    assert refusal.code is ErrorCode.UNKNOWN_CLIENT
    assert "send Hello first" in refusal.sentence


def test_a_message_above_the_limit_is_refused_at_its_first_chunk(service):
    client = service.client()
    sizes = (10, 300, 300, protocol.MAX_PART_BYTES + 1)
    text = msgspec.json.encode(chunks.ChunkHeader(transfer="big", job="j", sizes=sizes, offset=0, crc=0))
    client.socket.send_multipart([wire.prefix(text, chunks.MAGIC), text, b"x"])
    refusal = client.receive()
    assert (refusal.code, refusal.parent, refusal.job) == (ErrorCode.TOO_LARGE, "big", "j")


def test_one_long_write_closes_the_connection(service):
    client = service.client()
    monitor = client.socket.get_monitor_socket(zmq.EVENT_DISCONNECTED)
    client.socket.send_multipart([b"x" * (protocol.MAX_CHUNK_BYTES + 1)])
    assert monitor.poll(10_000), "the connection stayed"
    client.socket.disable_monitor()
    monitor.close()


def test_large_results_come_in_chunks_and_pongs_between_them(service, animate):
    client = service.client()
    request = client.send(animate(frames=60_000))
    largest, pongs, done = 0, 0, None
    ping = client.send(protocol.Ping())
    pieces = 0
    while not isinstance(done, protocol.Done):
        assert client.socket.poll(20_000)
        parts = client.socket.recv_multipart()
        largest = max(largest, *map(len, parts))
        if chunks.is_chunk(parts):
            pieces += 1
            parts = client.assembler.take(parts)
        message = wire.decode(parts) if parts else None
        if message is not None and message.parent == ping.id:
            pongs += bool(pieces)
            ping = client.send(protocol.Ping())
        if isinstance(message, protocol.LandmarkCurves):
            assert message.landmarks[:, 0, 0].tolist() == list(range(60_000))
        done = message if message is not None and message.job == request.job else done
    assert pieces > 200
    assert pongs > 3
    assert largest <= chunks.CHUNK_BYTES
