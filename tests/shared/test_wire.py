import json
import struct
import zlib

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from shared import protocol, wire
from shared.errors import ErrorCode, MessageError

TYPES = sorted(protocol.MESSAGE_TYPES)
quiet = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)


def assert_same(first, second):
    assert type(first) is type(second)
    for name in first.__struct_fields__:
        a, b = getattr(first, name), getattr(second, name)
        if isinstance(a, np.ndarray):
            assert a.dtype == b.dtype
        np.testing.assert_equal(b, a)


def damaged(parts, header=None, **changes):
    """The same message with another header, its checksum right."""
    header = json.loads(bytes(parts[1])) if header is None else header
    header.update(changes)
    text = json.dumps(header).encode()
    return [struct.pack("<4sHI", wire.MAGIC, wire.WIRE_VERSION, zlib.crc32(text)), text, *parts[2:]]


def with_content(parts, content):
    text = content if isinstance(content, bytes) else json.dumps(content).encode()
    parts = damaged(parts, content_crc=zlib.crc32(text))
    return [*parts[:2], text, *parts[3:]]


@pytest.mark.parametrize("name", TYPES)
def test_every_message_survives_a_round_trip(name, messages):
    message = messages[name]
    parts = wire.encode(message)
    assert_same(message, wire.decode(parts))
    assert_same(message, wire.decode([bytearray(part) for part in parts]))


@quiet
@given(
    speech=arrays.arrays("<f4", st.integers(1, 50), elements=st.floats(-1, 1, width=32)),
    count=st.integers(1, 20),
    seed=st.integers(0, 2**32 - 1),
    gain=st.floats(0, 3),
    has_blink=st.booleans(),
)
def test_animate_requests_of_any_content_survive(speech, count, seed, gain, has_blink):
    message = protocol.AnimateRequest(
        sample_rate=16_000,
        seed=seed,
        intensity=gain,
        wants_blink=has_blink,
        speech=speech,
        frame_times=np.arange(count) * 1001 / 24000,
    )
    assert_same(message, wire.decode(wire.encode(message)))


@quiet
@given(text=st.text(max_size=200), code=st.sampled_from(list(ErrorCode)))
def test_any_text_survives(text, code):
    message = protocol.Failed(code=code, sentence=text)
    assert_same(message, wire.decode(wire.encode(message)))


@quiet
@given(data=st.data(), name=st.sampled_from(TYPES))
def test_every_part_altered_truncated_extended_missing_or_extra_is_refused(data, name, messages):
    parts = [bytes(part) for part in wire.encode(messages[name])]
    part = data.draw(st.integers(0, len(parts) - 1))
    place = data.draw(st.integers(0, len(parts[part]) - 1))
    flip = data.draw(st.integers(1, 255))
    old = parts[part]
    for new in (
        [old[:place] + bytes([old[place] ^ flip]) + old[place + 1 :]],
        [old[:place]],
        [old + bytes([flip])],
        [],
        [old, old],
    ):
        with pytest.raises(MessageError) as caught:
            wire.decode([*parts[:part], *new, *parts[part + 1 :]])
        assert caught.value.sentence


@quiet
@given(parts=st.lists(st.binary(max_size=60), max_size=6))
def test_garbage_is_refused_with_a_named_error(parts):
    with pytest.raises(MessageError):
        wire.decode(parts)
    with pytest.raises(MessageError):  # garbage behind a right prefix
        wire.decode([struct.pack("<4sHI", wire.MAGIC, 1, zlib.crc32(parts[0])) if parts else b"", *parts])


def test_swapped_buffers_are_refused(messages):
    parts = wire.encode(messages["LandmarkCurves"])
    parts[3] = np.zeros((2, 68, 2), "<f4").tobytes()
    with pytest.raises(MessageError, match="landmarks does not match its checksum"):
        wire.decode(parts)


@pytest.mark.parametrize(
    ("changes", "code", "sentence"),
    [
        ({"version": "1.1"}, ErrorCode.VERSION_MISMATCH, "speaks protocol 1.1"),
        ({"type": "FutureCurves"}, ErrorCode.UNSUPPORTED, "'FutureCurves' are unknown"),
        ({"version": "one"}, ErrorCode.BAD_MESSAGE, "header cannot be read"),
        ({"id": "a" * 65}, ErrorCode.BAD_MESSAGE, "header cannot be read"),
        ({"sequence": -1}, ErrorCode.BAD_MESSAGE, "header cannot be read"),
        ({"buffers": [{"name": "x", "dtype": "|O", "shape": [1], "crc": 0}]}, ErrorCode.BAD_MESSAGE, "buffers"),
    ],
)
def test_header_values_out_of_range_are_named(changes, code, sentence, messages):
    with pytest.raises(MessageError, match=sentence) as caught:
        wire.decode(damaged(wire.encode(messages["Ping"]), **changes))
    assert caught.value.code is code


def test_a_refusal_names_the_message_that_it_refuses(messages):
    parts = damaged(wire.encode(messages["Cancel"]), type="Nonsense")
    with pytest.raises(MessageError) as caught:
        wire.decode(parts)
    assert (caught.value.message_id, caught.value.job) == (messages["Cancel"].id, "j1")


def test_buffer_tables_out_of_range_are_named(messages):
    parts = wire.encode(messages["TextureFrames"])
    entry = json.loads(bytes(parts[1]))["buffers"][0]
    for change, sentence in (
        ({"dtype": "|O"}, "dtype"),
        ({"shape": [2**40] * 8}, "bytes long"),
        ({"shape": [2, 8, 8, 2]}, "bytes long"),
        ({"shape": [4, 8, 4, 4]}, None),  # the same bytes in another shape: N, H, W are free
        ({"shape": [2, 8, 32, 1]}, "shape"),
        ({"name": "other"}, "frames is missing"),
        ({"crc": 1}, "checksum"),
    ):
        message = damaged(parts, buffers=[{**entry, **change}])
        if sentence is None:
            assert wire.decode(message).frames.shape == (4, 8, 4, 4)
        else:
            with pytest.raises(MessageError, match=sentence):
                wire.decode(message)


def test_content_is_checked_and_unknown_fields_are_ignored(messages):
    parts = wire.encode(messages["Attach"])
    assert wire.decode(with_content(parts, {"received": 4, "later": [1]})).received == 4
    for content in (b"[]", b"{", b'{"received": "x"}', b'{"received": -1}', b'{"a":"\xff"}', b"[" * 100_000):
        with pytest.raises(MessageError):
            wire.decode(with_content(parts, content))


@pytest.mark.parametrize("name", ["AnimateRequest", "RenderRequest"])
def test_a_client_that_knows_no_sizes_gets_pictures_of_256(messages, name):
    parts = wire.encode(messages[name])
    content = json.loads(parts[2])
    assert content.pop("size") == 512
    assert wire.decode(with_content(parts, content)).size == 256


def test_limits_are_named(messages, monkeypatch):
    parts = wire.encode(messages["TextureFrames"])
    for limit, value, sentence in (
        ("MAX_PART_BYTES", 500, "buffer of 512 bytes is too large"),
        ("MAX_MESSAGE_BYTES", 300, "message of"),
        ("MAX_TEXT_BYTES", 10, "header or content"),
        ("MAX_PARTS", 3, "4 parts"),
    ):
        with monkeypatch.context() as patch:
            patch.setattr(wire, limit, value)
            with pytest.raises(MessageError, match=sentence) as caught:
                wire.decode(parts)
            assert caught.value.code is ErrorCode.TOO_LARGE


def test_big_endian_and_strided_arrays_are_sent_right(messages):
    curves = messages["LandmarkCurves"]
    message = protocol.LandmarkCurves(
        landmarks=curves.landmarks.astype(">f4"),
        canonical=np.asfortranarray(curves.canonical),
        frame_times=np.arange(4.0)[::2],
        neutral=curves.neutral,
        crop=curves.crop,
    )
    decoded = wire.decode(wire.encode(message))
    np.testing.assert_array_equal(decoded.landmarks, curves.landmarks)
    np.testing.assert_array_equal(decoded.canonical, curves.canonical)
    assert decoded.frame_times.tolist() == [0.0, 2.0]
    assert not decoded.landmarks.flags.writeable


def test_refusals_quote_only_the_beginning_of_a_long_value(messages):
    frames = wire.encode(messages["TextureFrames"])
    entry = json.loads(bytes(frames[1]))["buffers"][0]
    failed = wire.encode(messages["Failed"])
    for parts in (
        damaged(frames, buffers=[{**entry, "dtype": "x" * 20_000}]),
        with_content(failed, {"code": "x" * 20_000, "sentence": ""}),
        with_content(failed, {"code": "internal", "sentence": ["x" * 20_000]}),
    ):
        with pytest.raises(MessageError) as caught:
            wire.decode(parts)
        assert len(caught.value.sentence) < 1000
        wire.encode(protocol.Failed(code=caught.value.code, sentence=caught.value.sentence))
