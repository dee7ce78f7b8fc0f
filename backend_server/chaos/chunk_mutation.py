"""Cuts messages into chunks and spoils them: headers behind right checksums, offsets, order, payloads."""

from __future__ import annotations

import json
import zlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from backend_server.chaos.mutation import Parts, nasty, pick
from shared import wire
from shared.chunks import MAGIC

Random = np.random.Generator

_MOST_PIECES = 4
_FIELDS = ("transfer", "job", "sizes", "offset", "crc")


def spoilt_chunks(parts: Sequence[bytes | bytearray | memoryview], random: Random) -> list[Parts]:
    """The chunks of a message, one of them or their order spoilt; one in eight is left as it was."""
    whole = b"".join(bytes(part) for part in parts)
    places = np.sort(random.integers(1, len(whole), int(random.integers(0, _MOST_PIECES))))
    ends = sorted({*(int(place) for place in places), len(whole)})
    begins = [0, *ends[:-1]]
    headers: list[dict[str, Any]] = [
        {
            "transfer": random.bytes(8).hex(),
            "job": "",
            "sizes": [len(part) for part in parts],
            "offset": begin,
            "crc": zlib.crc32(whole[begin:end]),
        }
        for begin, end in zip(begins, ends, strict=True)
    ]
    for header in headers:
        header["transfer"] = headers[0]["transfer"]
    payloads = [whole[begin:end] for begin, end in zip(begins, ends, strict=True)]
    index = int(random.integers(len(headers)))
    kind = int(random.integers(8))
    match kind:
        case 0:
            headers[index][pick(_FIELDS, random)] = nasty(random)
        case 1:
            headers[index]["offset"] = int(random.integers(0, 2**40))
        case 2:
            headers[index]["sizes"] = [int(size) for size in random.integers(0, 2**40, int(random.integers(0, 70)))]
        case 3:
            payloads[index] = random.bytes(int(random.integers(0, 5000)))
            headers[index]["crc"] = zlib.crc32(payloads[index])
        case 4:
            payloads[index] = payloads[index][:-1]
    chunks = [_sealed(header, payload) for header, payload in zip(headers, payloads, strict=True)]
    match kind:
        case 5:
            random.shuffle(chunks)  # pyright: ignore[reportArgumentType] (a list is a mutable sequence)
        case 6:
            chunks += [chunks[index]] * int(random.integers(1, 4))
            chunks[index] = chunks[index][: int(random.integers(1, 4))]
    return chunks


def _sealed(header: dict[str, Any], payload: bytes) -> Parts:
    text = json.dumps(header, ensure_ascii=False).encode("utf-8", "surrogatepass")
    return [bytes(wire.prefix(text, MAGIC)), text, payload]
