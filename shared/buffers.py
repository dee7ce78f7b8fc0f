"""Describes the arrays of a message: names, dtypes and shapes.

A message type lists its buffers; the wire checks every array against the list, on both sides. A letter in a shape
is a size of at least 1 that all buffers of one message share: `landmarks` (T, 68, 2) and `frame_times` (T,) agree on T.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .errors import ErrorCode, MessageError

DTYPES = ("<f4", "<f8", "<i4", "|u1")

# What a message's array fields hold: one array, nothing, or a series of arrays of different sizes.
BufferValue = NDArray | tuple[NDArray, ...] | None


@dataclass(frozen=True)
class Buffer:
    """One array field of a message.

    Attributes:
        field: the message's attribute.
        dtype: one of `DTYPES`.
        shape: fixed sizes, several that are allowed, or letters for sizes that are shared within the message.
        is_optional: the attribute may be None.
        series: name of one part; then the attribute is a tuple, sent as `<series>_0`, `<series>_1`, ..., and the
            letters of the shape belong to each part alone.
        max_count: largest number of parts in a series.
    """

    field: str
    dtype: str
    shape: tuple[int | str | tuple[int, ...], ...]
    is_optional: bool = False
    series: str = ""
    max_count: int = 1

    @property
    def size_words(self) -> tuple[str, ...]:
        """The shape in words: ("H", "W", "3 or 4")."""
        return tuple(" or ".join(map(str, size)) if isinstance(size, tuple) else str(size) for size in self.shape)

    def parts(self, value: BufferValue) -> Iterator[tuple[str, NDArray]]:
        """Names and arrays, as they are sent."""
        if self.series:
            yield from ((f"{self.series}_{i}", array) for i, array in enumerate(value or ()))
        elif value is not None:
            yield self.field, value  # pyright: ignore[reportReturnType] (a tuple only in a series)

    def take(self, arrays: Mapping[str, NDArray]) -> BufferValue:
        """The attribute's value, taken from the received arrays.

        Raises:
            MessageError: a needed array is missing.
        """
        if self.series:
            count = sum(name.rpartition("_")[0] == self.series for name in arrays)
            missing = [name for name in (f"{self.series}_{i}" for i in range(count)) if name not in arrays]
            if missing:
                raise MessageError(f"the buffer {missing[0]} is missing from the message")
            return tuple(arrays[f"{self.series}_{i}"] for i in range(count))
        if self.field not in arrays and not self.is_optional:
            raise MessageError(f"the buffer {self.field} is missing from the message")
        return arrays.get(self.field)

    def check(self, name: str, array: NDArray, sizes: dict[str, int]) -> None:
        """Checks one array; `sizes` collects the letters of the message.

        Raises:
            MessageError: wrong dtype or shape.
        """
        if not isinstance(array, np.ndarray):
            raise MessageError(f"{name} must be a numpy array, got {type(array).__name__}")
        if array.dtype.newbyteorder("<").str != self.dtype:
            raise MessageError(f"{name} must be of dtype {self.dtype}, got {array.dtype.str}")
        sizes = {} if self.series else sizes
        matches = array.ndim == len(self.shape) and all(
            _fits(size, wanted, sizes) and size > 0 for size, wanted in zip(array.shape, self.shape, strict=True)
        )
        if not matches:
            wanted = ", ".join(f"{w}={sizes[w]}" if w in sizes else w for w in self.size_words)
            raise MessageError(f"{name} must be of shape ({wanted}), got {array.shape}")


def _fits(size: int, wanted: int | str | tuple[int, ...], sizes: dict[str, int]) -> bool:
    """Whether a size is the wanted one; `sizes` collects the letters."""
    if isinstance(wanted, str):
        return size == sizes.setdefault(wanted, size)
    return size == wanted if isinstance(wanted, int) else size in wanted


def all_parts(buffers: tuple[Buffer, ...], message: object) -> Iterator[tuple[str, NDArray]]:
    """Names and arrays of all buffers of a message, in order."""
    for buffer in buffers:
        yield from buffer.parts(getattr(message, buffer.field))


def check_all(buffers: tuple[Buffer, ...], message: object) -> None:
    """Checks dtype and shape of all buffers of a message.

    Raises:
        MessageError: an array is missing, or has another dtype or shape.
    """
    sizes: dict[str, int] = {}
    for buffer in buffers:
        value = getattr(message, buffer.field)
        if value is None and not buffer.is_optional:
            raise MessageError(f"the buffer {buffer.field} is missing from the message")
        if buffer.series:
            _check_series(buffer, value)
        for name, array in buffer.parts(value):
            buffer.check(name, array, sizes)


def _check_series(buffer: Buffer, value: BufferValue) -> None:
    if not isinstance(value, tuple):
        raise MessageError(f"{buffer.field} must be a tuple of arrays, got {type(value).__name__}")
    if not value and not buffer.is_optional:
        raise MessageError(f"the message has no {buffer.field}; send at least one")
    if len(value) > buffer.max_count:
        raise MessageError(
            f"{len(value)} {buffer.field} are too many; send at most {buffer.max_count}", code=ErrorCode.TOO_LARGE
        )
