"""Spoils messages: bytes, JSON fields behind right checksums, buffers, absurd lengths, depths and texts."""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from shared.wire import MAGIC, MAX_PARTS, WIRE_VERSION

Random = np.random.Generator
Parts = list[bytes]

LONG_TEXT = 20_000  # characters
_TEXTS = (
    *("x" * LONG_TEXT, "x" * (LONG_TEXT + 1), "\u4e16" * LONG_TEXT, "\\" * LONG_TEXT, "'\n" * (LONG_TEXT // 2)),
    *("", "\x00", "\n2026-01-01 00:00:00 ERROR forged: line\n", "../../etc/passwd", "\u202e\u2028", "\x1b[2J"),
)
_VALUES: tuple[Any, ...] = (
    *(None, True, False, -1, 0, 1, 2**31, 2**32, 2**53 + 1, 2**63, 2**64, -(2**63), 10**400),
    *(0.5, -0.0, 1e308, -1e308, [], {}, [[[[]]]], {"a": {"b": []}}, [1, "2", None], ["x"] * 1000),
)
_DTYPES = ("<f4", "<f8", "|u1", ">f4", "<i8", "|O", "<U9999999", "|V1000000", "f", "", "float32", "<f4" * 9000)
_DEPTH = 100_000


@dataclass(frozen=True)
class Mutant:
    """A spoilt message.

    Attributes:
        parts: its bytes.
        how: the kind of change.
        field: what was changed, if it has a name that a refusal can say; else empty.
    """

    parts: Parts
    how: str
    field: str = ""
    buffer: str = ""  # its name, when its entry was changed: a refusal may say that instead


def mutate(parts: Sequence[bytes | bytearray | memoryview], random: Random) -> Mutant:
    """A spoilt copy of a valid message; one in twelve is left as it was."""
    copy = [bytes(part) for part in parts]
    return pick(_KINDS, random)(copy, random)


def sealed(header: dict[str, Any] | bytes, content: bytes, buffers: Sequence[bytes]) -> Parts:
    """A message with right checksums of header and content, whatever they hold."""
    if isinstance(header, dict):
        header = _json({**header, "content_crc": zlib.crc32(content)})
    return [struct.pack("<4sHI", MAGIC, WIRE_VERSION, zlib.crc32(header)), header, content, *buffers]


def _untouched(parts: Parts, random: Random) -> Mutant:
    return Mutant(parts, "untouched")


def _bytes(parts: Parts, random: Random) -> Mutant:
    index = int(random.integers(len(parts)))
    part = bytearray(parts[index])
    for _ in range(random.integers(1, 4)):
        place = int(random.integers(len(part) + 1))
        match random.integers(3):
            case 0 if part:
                part[place % len(part)] ^= int(random.integers(1, 256))
            case 1:
                part[place:place] = random.bytes(int(random.integers(1, 50)))
            case _:
                del part[place : place + int(random.integers(1, 50))]
    parts[index] = bytes(part)
    return Mutant(parts, "bytes")


def _order(parts: Parts, random: Random) -> Mutant:
    match random.integers(4):
        case 0:
            random.shuffle(parts)  # pyright: ignore[reportArgumentType] (a list is a mutable sequence)
        case 1:
            del parts[random.integers(len(parts))]
        case 2:
            parts += [parts[random.integers(len(parts))]] * int(random.integers(1, MAX_PARTS + 2))
        case _:
            parts = [b""] * int(random.integers(1, 5))
    return Mutant(parts, "parts")


def _header_field(parts: Parts, random: Random) -> Mutant:
    header = json.loads(parts[1])
    name = pick(("type", "id", "parent", "job", "sequence", "version", "buffers"), random)
    header[name] = nasty(random)
    return Mutant(sealed(header, parts[2], parts[3:]), "header field", name)


def _content_field(parts: Parts, random: Random) -> Mutant:
    content = json.loads(parts[2])
    if not content:
        return _header_field(parts, random)
    name = pick(sorted(content), random)
    if random.random() < 0.1:
        del content[name]
    else:
        content[name] = nasty(random)
    return Mutant(sealed(json.loads(parts[1]), _json(content), parts[3:]), "content field", name)


def _text_field(parts: Parts, random: Random) -> Mutant:
    """A text too long or too strange, in any field that holds a text."""
    header, content = json.loads(parts[1]), json.loads(parts[2])
    places = [(content, name) for name, value in content.items() if isinstance(value, str)]
    places += [(header, name) for name in ("type", "id", "parent", "job", "version")]
    places += [(entry, name) for entry in header["buffers"] for name in ("name", "dtype")]
    where, name = places[random.integers(len(places))]
    where[name] = pick(_TEXTS, random)
    return Mutant(sealed(header, _json(content), parts[3:]), "text", name)


def _buffer_entry(parts: Parts, random: Random) -> Mutant:
    header = json.loads(parts[1])
    if not header["buffers"]:
        return _text_field(parts, random)
    entry = header["buffers"][random.integers(len(header["buffers"]))]
    name = entry["name"]
    match random.integers(4):
        case 0:
            entry["dtype"] = pick(_DTYPES, random)
        case 1:
            entry["shape"] = [int(n) for n in random.integers(0, 2**40, random.integers(0, 10), endpoint=True)]
        case 2:
            entry["shape"] = nasty(random)
        case _:
            entry[pick(("dtype", "crc", "name"), random)] = nasty(random)
    return Mutant(sealed(header, parts[2], parts[3:]), "buffer entry", "" if entry["name"] != name else "buffer", name)


def _buffer_bytes(parts: Parts, random: Random) -> Mutant:
    """Other numbers, other lengths and other shapes, with a right checksum."""
    header = json.loads(parts[1])
    if not header["buffers"]:
        return _content_field(parts, random)
    index = int(random.integers(len(header["buffers"])))
    entry = header["buffers"][index]
    size = np.dtype(entry["dtype"]).itemsize
    count = len(parts[3 + index]) // size
    kind = np.dtype(entry["dtype"]) if entry["dtype"].startswith(("<", "|u")) else np.dtype("|u1")
    values = np.frombuffer(parts[3 + index], kind).copy()
    match random.integers(3):
        case 0 if kind.kind == "f" and count:
            values[random.integers(count)] = pick((np.nan, np.inf, -np.inf, 3e38), random)
        case 1:
            values = np.frombuffer(random.bytes(size * count), kind)
        case _:
            length = int(random.integers(0, 5000))
            values = np.resize(values, length) if count else np.zeros(length, kind)
            entry["shape"] = pick(([length], [1, length], [length, 1, 1], [0], [], [0, 68, 2]), random)
    raw = values.tobytes()
    entry["crc"] = zlib.crc32(raw)
    payloads = parts[3:]
    payloads[index] = raw
    return Mutant(sealed(header, parts[2], payloads), "buffer values")


def _deep(parts: Parts, random: Random) -> Mutant:
    """JSON nested so deep that a reader which recurses would fall."""
    depth = int(random.integers(100, _DEPTH))
    opening, closing = pick(((b"[", b"]"), (b'{"a":', b"}")), random)
    deep = opening * depth + b"1" + closing * depth * int(random.integers(2))
    if random.random() < 0.5:
        return Mutant(sealed(deep, parts[2], parts[3:]), "depth")
    field = b'{"client":' + deep + b"}" if random.random() < 0.5 else deep
    return Mutant(sealed(json.loads(parts[1]), field, parts[3:]), "depth")


def _not_json(parts: Parts, random: Random) -> Mutant:
    """Text that is no JSON, no UTF-8, or too long."""
    junk = pick((b"", b"\xff\xfe", b'{"a":"\xed\xa0\x80"}', b'"\\ud800"', b"NaN", b"[1e999]", b"nul"), random)
    if random.random() < 0.1:
        junk = b'"' + b"x" * (2**20 - 1) + b'"'
    if random.random() < 0.5:
        return Mutant(sealed(junk, parts[2], parts[3:]), "no JSON")
    return Mutant(sealed(json.loads(parts[1]), junk, parts[3:]), "no JSON")


_KINDS: tuple[Callable[[Parts, Random], Mutant], ...] = (
    *(_untouched, _bytes, _order, _header_field, _content_field, _text_field, _text_field),
    *(_buffer_entry, _buffer_entry, _buffer_bytes, _deep, _not_json),
)


def nasty(random: Random) -> Any:  # noqa: ANN401 (anything that JSON can hold)
    """A value that a field does not expect."""
    return pick(_TEXTS if random.random() < 0.3 else _VALUES, random)


def pick(choices: Sequence[Any], random: Random) -> Any:  # noqa: ANN401
    """One of the choices."""
    return choices[int(random.integers(len(choices)))]


def _json(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogatepass")
