"""Turns messages into bytes, and bytes into checked messages.

    part 0   magic "SPFC", wire version (u16), CRC-32 of part 1 (u32), little-endian
    part 1   header, JSON: type, id, parent, job, sequence, version, content CRC-32, and the list of buffers
    part 2   content, JSON: the message's other fields
    part 3.. the buffers, raw, little-endian, C-contiguous

A checksum covers every part, so a message with one changed byte is refused. Large messages travel in `chunks`. No
sockets, no pickle.
"""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Sequence
from typing import Annotated, Any

import msgspec
import numpy as np
from msgspec import Meta
from numpy.typing import NDArray

from . import protocol
from .buffers import DTYPES, all_parts, check_all
from .errors import ErrorCode, MessageError
from .protocol import MAX_MESSAGE_BYTES, MAX_PART_BYTES, MESSAGE_TYPES, PROTOCOL_VERSION, Message

MAGIC = b"SPFC"
WIRE_VERSION = 1
MAX_TEXT_BYTES = 1024 * 1024  # of the header and of the content, each
MAX_PARTS = 64
_LONGEST_REASON = 400  # characters of what a library says about a value, which may quote the value

Bytes = bytes | bytearray | memoryview

_PREFIX = struct.Struct("<4sHI")
_UNSIGNED = Meta(ge=0, le=2**32 - 1)
_ENVELOPE = ("id", "parent", "job", "sequence")


class _BufferEntry(msgspec.Struct, frozen=True):
    name: Annotated[str, Meta(max_length=64)]
    dtype: str
    shape: Annotated[tuple[Annotated[int, Meta(ge=0, le=2**40)], ...], Meta(max_length=8)]
    crc: Annotated[int, _UNSIGNED]


class Header(msgspec.Struct, frozen=True, kw_only=True):
    """Part 1: what a reader knows of a message before it reads the content."""

    type: Annotated[str, Meta(max_length=64)]
    id: protocol.JobId
    parent: protocol.JobId = ""
    job: protocol.JobId = ""
    sequence: protocol.Count = 0
    version: Annotated[str, Meta(pattern=r"\A[0-9]{1,4}\.[0-9]{1,4}\Z")]
    content_crc: Annotated[int, _UNSIGNED]
    buffers: tuple[_BufferEntry, ...] = ()


_header_decoder = msgspec.json.Decoder(Header)


def encode(message: Message) -> list[Bytes]:
    """The parts of a message; large arrays are viewed, not copied.

    Raises:
        MessageError: a field or a buffer lies outside what the protocol allows.
    """
    name = type(message).__name__
    fields = {f: getattr(message, f) for f in message.__struct_fields__}
    arrays = {buffer.field: fields.pop(buffer.field) for buffer in message.BUFFERS}
    envelope = {f: fields.pop(f) for f in _ENVELOPE}
    content = _encode_json(fields)
    _check_buffers(name, _convert(type(message), {**_decode_json(content, "content"), **envelope, **arrays}))
    entries, payloads = [], []
    for buffer_name, array in all_parts(message.BUFFERS, message):
        little = np.ascontiguousarray(array, array.dtype.newbyteorder("<"))
        payload = little.reshape(-1).view(np.uint8).data
        dtype = little.dtype.newbyteorder("<").str
        entries.append(_BufferEntry(buffer_name, dtype, array.shape, zlib.crc32(payload)))
        payloads.append(payload)
    header = _encode_json(
        Header(type=name, version=PROTOCOL_VERSION, content_crc=zlib.crc32(content), buffers=tuple(entries), **envelope)
    )
    parts = [prefix(header, MAGIC), header, content, *payloads]
    check_sizes([len(part) for part in parts])
    return parts


def decode(parts: Sequence[Bytes]) -> Message:
    """The message that the parts hold; its arrays are read-only views of the parts.

    Raises:
        MessageError: the parts are damaged, too large, of another version, of an unknown type, or out of range. Its
            `code` says which; its `message_id` and `job` are those of the header when that could be read.
    """
    header = read_header(parts)
    try:
        return _decode_body(header, parts)
    except MessageError as error:
        error.message_id, error.job = header.id, header.job
        raise


def read_header(parts: Sequence[Bytes]) -> Header:
    """The header of a message; its content and buffers are not checked yet.

    Raises:
        MessageError: as `decode`.
    """
    check_sizes([len(part) for part in parts])
    if len(parts) < 3:
        raise MessageError(f"a message has at least 3 parts, got {len(parts)}")
    check_prefix(parts, MAGIC)
    try:
        return _header_decoder.decode(parts[1])
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise MessageError(f"the header cannot be read: {error!s:.{_LONGEST_REASON}}") from error


def prefix(header: Bytes, magic: bytes) -> bytes:
    """Part 0 of a message with this header in part 1."""
    return _PREFIX.pack(magic, WIRE_VERSION, zlib.crc32(header))


def check_prefix(parts: Sequence[Bytes], magic: bytes) -> None:
    """Checks part 0, and part 1 against it.

    Raises:
        MessageError: they are damaged, or of another version.
    """
    if len(parts[0]) != _PREFIX.size:
        raise MessageError(f"the first part must be {_PREFIX.size} bytes long, got {len(parts[0])}")
    found, wire_version, header_crc = _PREFIX.unpack(parts[0])
    if found != magic:
        raise MessageError(f"these bytes are not a Speech Face message: they do not begin with {magic.decode()}")
    if wire_version != WIRE_VERSION:
        raise _version_error(f"wire version {wire_version} is not supported; this program uses {WIRE_VERSION}")
    if zlib.crc32(parts[1]) != header_crc:
        raise MessageError("the header does not match its checksum")


def check_sizes(sizes: Sequence[int]) -> None:
    """Checks the number of parts and the bytes of each.

    Raises:
        MessageError: they are too many or too large.
    """
    if len(sizes) > MAX_PARTS:
        raise _too_large(f"a message of {len(sizes)} parts is too large; send at most {MAX_PARTS}")
    if any(size > MAX_TEXT_BYTES for size in sizes[1:3]):
        raise _too_large(f"the header or content is too large; send at most {MAX_TEXT_BYTES} bytes in each")
    if (largest := max(sizes, default=0)) > MAX_PART_BYTES:
        raise _too_large(f"a buffer of {largest} bytes is too large; send at most {MAX_PART_BYTES}")
    if (total := sum(sizes)) > MAX_MESSAGE_BYTES:
        raise _too_large(f"a message of {total} bytes is too large; send at most {MAX_MESSAGE_BYTES}")


def _decode_body(header: Header, parts: Sequence[Bytes]) -> Message:
    if header.version.split(".")[0] != PROTOCOL_VERSION.split(".")[0]:
        raise _version_error(
            f"the other side speaks protocol {header.version}, this program {PROTOCOL_VERSION}; "
            "install the add-on and the backend of the same release"
        )
    if len(parts) != 3 + len(header.buffers):
        raise MessageError(f"the header names {len(header.buffers)} buffers, got {len(parts) - 3}")
    if zlib.crc32(parts[2]) != header.content_crc:
        raise MessageError("the content does not match its checksum")
    kind = MESSAGE_TYPES.get(header.type)
    if kind is None:
        raise MessageError(f"messages of type {header.type!r} are unknown here", code=ErrorCode.UNSUPPORTED)
    arrays: dict[str, NDArray] = {}
    for entry, part in zip(header.buffers, parts[3:], strict=True):
        if entry.name in arrays:
            raise MessageError(f"the message contains the buffer {entry.name} twice")
        arrays[entry.name] = _read_buffer(entry, part)
    fields = _decode_json(parts[2], "content")
    fields.update({f: getattr(header, f) for f in _ENVELOPE})
    fields.update({buffer.field: buffer.take(arrays) for buffer in kind.BUFFERS})
    message = _convert(kind, fields)
    _check_buffers(header.type, message)
    return message


def _read_buffer(entry: _BufferEntry, part: Bytes) -> NDArray:
    if entry.dtype not in DTYPES:
        raise MessageError(f"the buffer {entry.name} is of dtype {entry.dtype!r:.40}; allowed are {', '.join(DTYPES)}")
    dtype = np.dtype(entry.dtype)
    wanted = dtype.itemsize
    for size in entry.shape:
        wanted *= size
    if wanted != len(part):
        raise MessageError(f"the buffer {entry.name} must be {wanted} bytes long, got {len(part)}")
    if zlib.crc32(part) != entry.crc:
        raise MessageError(f"the buffer {entry.name} does not match its checksum")
    array = np.frombuffer(part, dtype).reshape(entry.shape)
    array.flags.writeable = False
    return array


def _check_buffers(name: str, message: Message) -> None:
    try:
        check_all(message.BUFFERS, message)
        message.check()
    except MessageError as error:
        raise MessageError(f"{name} is refused: {error.sentence}", code=error.code) from error


def _encode_json(value: object) -> bytes:
    try:
        return msgspec.json.encode(value)
    except (msgspec.MsgspecError, TypeError, ValueError, OverflowError) as error:
        raise MessageError(f"a field of the message cannot be sent: {error!s:.{_LONGEST_REASON}}") from error


def _decode_json(part: Bytes, what: str) -> dict[str, Any]:
    try:
        return msgspec.json.decode(part, type=dict[str, Any])
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise MessageError(f"the {what} cannot be read: {error!s:.{_LONGEST_REASON}}") from error


def _convert(kind: type[Message], fields: dict[str, Any]) -> Message:
    try:
        return msgspec.convert(fields, kind, dec_hook=lambda _, value: value)
    except (msgspec.ValidationError, OverflowError) as error:
        reason, _, place = str(error).partition(" - at `")
        field = re.match(r"\$\.(\w+)", place)
        value = f"{field[1]} = {fields.get(field[1])!r:.80}" if field else "the content"
        reason = f"{reason[:1].lower()}{reason[1:_LONGEST_REASON]}"
        sentence = f"{kind.__name__} is refused: {value}: {reason}"
        raise MessageError(sentence, code=ErrorCode.BAD_VALUE) from error


def _version_error(sentence: str) -> MessageError:
    return MessageError(sentence, code=ErrorCode.VERSION_MISMATCH)


def _too_large(sentence: str) -> MessageError:
    return MessageError(sentence, code=ErrorCode.TOO_LARGE)
