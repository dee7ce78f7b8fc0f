import json
import struct
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared import chunks, protocol, wire
from shared.assembly import Assembler, Budget
from shared.errors import ErrorCode, MessageError

SMALL_CHUNK = 1000


@pytest.fixture(autouse=True)
def _small_chunks(monkeypatch):
    monkeypatch.setattr(chunks, "CHUNK_BYTES", SMALL_CHUNK)


def request(samples=2000, **values):
    speech = np.random.default_rng(samples).uniform(-1, 1, samples).astype(np.float32)
    return protocol.AnimateRequest(
        **{"job": "j1", "sample_rate": 16_000, "speech": speech, "frame_times": np.arange(3) / 25, **values}
    )


def pieces_of(message):
    sending, pieces = chunks.Sending(wire.encode(message)), []
    while not sending.is_over:
        pieces.append([bytes(part) for part in sending.piece()])
        sending.advance()
    return pieces


def with_header(piece, **changes):
    """The same chunk with another header, its checksum right."""
    text = json.dumps({**json.loads(piece[1]), **changes}).encode()
    return [struct.pack("<4sHI", chunks.MAGIC, wire.WIRE_VERSION, zlib.crc32(text)), text, piece[2]]


def assemble(pieces, assembler=None):
    assembler = assembler or Assembler()
    results = [assembler.take(piece) for piece in pieces]
    assert all(result is None for result in results[:-1])
    return results[-1]


def test_a_small_message_travels_whole():
    parts = wire.encode(protocol.Ping())
    sending = chunks.Sending(parts)
    assert (sending.transfer, sending.piece(), sending.is_over) == ("", parts, False)
    assert not chunks.is_chunk(parts)
    sending.advance()
    assert sending.is_over


def test_a_large_message_is_never_one_long_write():
    message = request()
    pieces = pieces_of(message)
    total = sum(len(part) for part in wire.encode(message))
    assert len(pieces) == -(-total // SMALL_CHUNK)
    assert all(chunks.is_chunk(piece) and len(piece[2]) <= SMALL_CHUNK for piece in pieces)
    assert sum(len(piece[2]) for piece in pieces) == total
    decoded = wire.decode(assemble(pieces))
    assert (decoded.id, decoded.job) == (message.id, "j1")
    np.testing.assert_array_equal(decoded.speech, message.speech)


@settings(deadline=None, max_examples=30)
@given(samples=st.integers(230, 1200), widths=st.lists(st.integers(1, 30), max_size=5), size=st.integers(1, 1500))
def test_every_cut_gives_the_same_message(samples, widths, size):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(chunks, "CHUNK_BYTES", size)
        images = tuple(np.full((4, width, 3), width, np.uint8) for width in widths)
        message = request(samples, references=images)
        pieces = pieces_of(message)
        parts = assemble(pieces) if chunks.is_chunk(pieces[0]) else pieces[0]
    assert [bytes(part) for part in parts] == [bytes(part) for part in wire.encode(message)]


def test_a_piece_stays_the_same_until_it_was_taken():
    sending = chunks.Sending(wire.encode(request()))
    assert sending.piece() is sending.piece()
    assert sending.sent_bytes == 0
    sending.advance()
    assert sending.sent_bytes == SMALL_CHUNK
    assert json.loads(sending.piece()[1])["offset"] == SMALL_CHUNK


def test_every_damaged_byte_is_refused():
    pieces = pieces_of(request(300))
    assert len(pieces) == 2
    for number, piece in enumerate(pieces):
        for part, old in enumerate(piece):
            for place in range(len(old)):
                damaged = list(piece)
                damaged[part] = old[:place] + bytes([old[place] ^ 0x10]) + old[place + 1 :]
                assembler = Assembler()
                with pytest.raises(MessageError) as caught:
                    for chunk in [*pieces[:number], damaged]:
                        assembler.take(chunk)
                assert caught.value.sentence
                if part == 2:
                    assert caught.value.message_id in caught.value.sentence


@settings(deadline=None)
@given(parts=st.lists(st.binary(max_size=60), max_size=4))
def test_garbage_behind_the_magic_is_refused(parts):
    text = parts[0] if parts else b""
    good = struct.pack("<4sHI", chunks.MAGIC, wire.WIRE_VERSION, zlib.crc32(text))
    for garbage in ([chunks.MAGIC, *parts], [good, *parts], [good, text, b"x"]):
        assert chunks.is_chunk(garbage)
        with pytest.raises(MessageError):
            Assembler().take(garbage)


@pytest.mark.parametrize(
    ("order", "sentence"),
    [
        ([0, 2], "bytes 2000 to 3000 of .* came where byte 1000 of"),
        ([0, 1, 1], "bytes 1000 to 2000 of .* came where byte 2000 of"),
        ([0, 0, 2], "bytes 2000 to 3000 of .* came where byte 1000 of"),
        ([1], "first chunks did not arrive"),
    ],
)
def test_lost_repeated_and_swapped_chunks_are_named_once(order, sentence):
    message = request()
    pieces, assembler = pieces_of(message), Assembler()
    for number in order[:-1]:
        assert assembler.take(pieces[number]) is None
    with pytest.raises(MessageError, match=f"the message {message.id} .*{sentence}") as caught:
        assembler.take(pieces[order[-1]])
    assert (caught.value.message_id, caught.value.job) == (message.id, "j1")
    assert [assembler.take(piece) for piece in pieces[order[-1] + 1 :]] == [None] * (len(pieces) - order[-1] - 1)
    assert wire.decode(assemble(pieces, assembler)).id == message.id  # from its beginning, it is welcome again


def test_a_rest_of_an_unknown_message_asks_for_it_again():
    with pytest.raises(MessageError) as caught:
        Assembler().take(pieces_of(request())[1])
    assert caught.value.code is ErrorCode.UNKNOWN_JOB


def test_a_message_gives_way_to_the_next_one():
    budget = Budget()
    assembler = Assembler(budget)
    first, second = request(1000), request(1100)
    assembler.take(pieces_of(first)[0])
    assert assembler.open_job == "j1"
    assert wire.decode(assemble(pieces_of(second), assembler)).id == second.id
    assert (assembler.open_job, budget.held_bytes) == (None, 0)
    with pytest.raises(MessageError, match=first.id):
        assembler.take(pieces_of(first)[1])


@pytest.mark.parametrize(
    ("changes", "code", "sentence"),
    [
        ({"sizes": [10, 300, 300, 2**40]}, ErrorCode.TOO_LARGE, "a buffer of 1099511627776 bytes"),
        ({"sizes": [10, 300, 300, *[700 * 2**20] * 5]}, ErrorCode.TOO_LARGE, "a message of 36700"),
        ({"sizes": [10, 2**21, 300, 300]}, ErrorCode.TOO_LARGE, "header or content is too large"),
        ({"sizes": [10, 10, 10]}, ErrorCode.BAD_MESSAGE, "bytes 0 to 1000 of 30 came where byte 0 of 30"),
        ({"sizes": [1] * 65}, ErrorCode.BAD_MESSAGE, "cannot be read"),
        ({"transfer": ""}, ErrorCode.BAD_MESSAGE, "cannot be read"),
        ({"transfer": "../x"}, ErrorCode.BAD_MESSAGE, "cannot be read"),
        ({"offset": -1}, ErrorCode.BAD_MESSAGE, "cannot be read"),
    ],
)
def test_headers_out_of_range_are_named(changes, code, sentence):
    budget = Budget()
    with pytest.raises(MessageError, match=sentence) as caught:
        Assembler(budget).take(with_header(pieces_of(request())[0], **changes))
    assert caught.value.code is code
    assert budget.held_bytes == 0


def test_sizes_may_not_change_on_the_way():
    pieces, assembler = pieces_of(request()), Assembler()
    assembler.take(pieces[0])
    sizes = json.loads(pieces[1][1])["sizes"]
    with pytest.raises(MessageError, match="came where"):
        assembler.take(with_header(pieces[1], sizes=[*sizes[:-1], sizes[-1] + 8]))


def test_empty_and_oversized_payloads_are_refused(monkeypatch):
    piece = pieces_of(request())[0]
    with pytest.raises(MessageError, match="a chunk of 0 bytes"):
        Assembler().take([*piece[:2], b""])
    with monkeypatch.context() as patch:
        patch.setattr(chunks, "MAX_CHUNK_BYTES", SMALL_CHUNK - 1)
        with pytest.raises(MessageError, match="a chunk of 1000 bytes is refused; send 1 to 999 bytes") as caught:
            Assembler().take(piece)
        assert caught.value.code is ErrorCode.TOO_LARGE


def test_all_connections_together_hold_a_bounded_number_of_bytes():
    pieces = pieces_of(request())
    total = sum(json.loads(pieces[0][1])["sizes"])
    budget = Budget(2 * total)
    first, second, third = (Assembler(budget) for _ in range(3))
    first.take(pieces[0])
    second.take(pieces[0])
    assert budget.held_bytes == 2 * total
    with pytest.raises(MessageError, match=f"{2 * total} of {2 * total} bytes are taken") as caught:
        third.take(pieces[0])
    assert caught.value.code is ErrorCode.OUT_OF_MEMORY
    first.take(pieces[0])  # begun anew: what it held is free again
    assert assemble(pieces[1:], first) is not None
    assert budget.held_bytes == total
    assert third.take(pieces[0]) is None


def test_no_memory_refuses_one_message_and_holds_nothing(monkeypatch):
    def nothing_left(*_):
        raise MemoryError

    pieces, budget = pieces_of(request()), Budget()
    assembler = Assembler(budget)
    with monkeypatch.context() as patch:
        patch.setattr("shared.assembly.np.empty", nothing_left)
        with pytest.raises(MessageError, match="there is no memory for it") as caught:
            assembler.take(pieces[0])
    assert caught.value.code is ErrorCode.OUT_OF_MEMORY
    assert assembler.take(pieces[1]) is None
    assert budget.held_bytes == 0
    assert assemble(pieces, assembler) is not None


def test_what_was_given_up_is_dropped_after_a_while():
    pieces, budget = pieces_of(request()), Budget()
    assembler = Assembler(budget)
    assembler.take(pieces[0])
    assembler.drop(idle_seconds=60)
    assert budget.held_bytes > 0
    assembler.drop(idle_seconds=0)
    assert budget.held_bytes == 0
    with pytest.raises(MessageError, match="send it again from its beginning"):
        assembler.take(pieces[1])


def test_the_slow_half_may_wait_and_still_finds_damage():
    pieces = pieces_of(request())
    pieces[1][2] = bytes(len(pieces[1][2]))
    assembler = Assembler()
    admitted = [assembler.admit(piece) for piece in pieces]
    assert [piece.is_last for piece in admitted] == [False] * (len(pieces) - 1) + [True]
    for piece in admitted:
        if piece.offset == SMALL_CHUNK:
            with pytest.raises(MessageError, match="does not match its checksum"):
                piece.store()
        else:
            piece.store()
    with pytest.raises(MessageError, match="the chunk at byte 1000 does not match its checksum"):
        admitted[-1].transfer.parts()
