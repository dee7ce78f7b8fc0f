"""Turns a mapping into the rows of the panel's table and back. No bpy: rows are anything with these attributes.

In a row the sources are one text, as artists can type it: "jawOpen 1, mouthClose -0.5".
"""

from __future__ import annotations

import json
from typing import Protocol

from .._shared import errors, rig_mapping

_NUMBERS = ("gain", "offset", "least", "most")


class Row(Protocol):
    """One channel in the table.

    Attributes:
        name: of the shape key, or of the channel that moves a bone.
        sources: shapes of ARKit with their gains.
        gain: as in `Channel`, and so are `offset`, `least`, `most`, `method`, `is_mirrored`, `is_muted`.
        bone: the `BoneTarget` as JSON, or empty.
    """

    name: str
    sources: str
    gain: float
    offset: float
    least: float
    most: float
    method: str
    is_mirrored: bool
    is_muted: bool
    bone: str


def parse_sources(text: str) -> tuple[rig_mapping.Source, ...]:
    """Sources from "jawOpen 1.0, mouthClose -0.5"; a name alone has the gain 1.

    Raises:
        ValueRangeError: a name or number cannot be; the sentence names it.
    """
    sources = []
    for piece in text.replace(";", ",").split(","):
        words = piece.split()
        if not words:
            continue
        if len(words) > 2:
            raise errors.ValueRangeError(
                f'"{piece.strip()[:60]}" is no source; write a shape and its gain, and a comma before the next'
            )
        try:
            gain = float(words[1]) if len(words) == 2 else 1.0
        except ValueError as error:
            raise errors.ValueRangeError(f'"{words[1][:60]}" is no number; write {words[0][:60]} 1.0') from error
        sources.append(rig_mapping.Source(words[0], gain))
    return tuple(sources)


def format_sources(sources: tuple[rig_mapping.Source, ...]) -> str:
    """The text of sources, which `parse_sources` reads."""
    return ", ".join(f"{source.shape} {source.gain:.6g}" for source in sources)


def fill(row: Row, channel: rig_mapping.Channel) -> None:
    """Writes a channel into a row."""
    row.name, row.sources, row.method = channel.name, format_sources(channel.sources), channel.method
    row.is_mirrored, row.is_muted = channel.is_mirrored, channel.is_muted
    for field in _NUMBERS:
        setattr(row, field, getattr(channel, field))
    row.bone = json.dumps(_fields(channel.bone), ensure_ascii=False) if channel.bone else ""


def channel_of(row: Row) -> rig_mapping.Channel:
    """The channel of a row; its numbers are rounded, as Blender keeps float32.

    Raises:
        ValueRangeError: a value cannot be; the sentence names the channel.
    """
    try:
        return rig_mapping.Channel(
            name=row.name,
            sources=parse_sources(row.sources),
            method=row.method,  # pyright: ignore[reportArgumentType] (one of the choices of the property)
            is_mirrored=row.is_mirrored,
            is_muted=row.is_muted,
            bone=rig_mapping.BoneTarget(**json.loads(row.bone)) if row.bone else None,
            **{field: round(getattr(row, field), 6) for field in _NUMBERS},
        )
    except errors.ValueRangeError as error:
        raise errors.ValueRangeError(f"{row.name or 'a channel without a name'}: {error.sentence}") from error


def _fields(bone: rig_mapping.BoneTarget) -> dict[str, str | float]:
    return {field: getattr(bone, field) for field in bone.__struct_fields__}
