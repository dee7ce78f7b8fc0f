"""Shows mappings and detected rigs at a terminal, and reads lists of names."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
from rich.console import Group
from rich.table import Table
from rich.text import Text

from shared.errors import ValueRangeError
from shared.rig.detection import Character
from shared.rig.mapping import Channel, RigMapping
from shared.rig.mapping_file import MAX_BYTES, mapping_document

if TYPE_CHECKING:  # it imports torch, and tables of names need none
    from backend_server.evaluation.rigs import RigFigures

_SIGNS = {"degrees": "°", "metres": " m", "bone_lengths": " lengths of the bone"}


def presets_table(mappings: Sequence[RigMapping]) -> Table:
    """One row for each mapping."""
    table = Table(caption="show one with `rig show NAME`, use it with `animate --rig NAME`", caption_justify="left")
    for column in ("name", "channels", "what it is"):
        table.add_column(column, no_wrap=column == "name", justify="right" if column == "channels" else "left")
    for mapping in mappings:
        table.add_row(mapping.name, str(len(mapping.channels)), Text(mapping.description))
    return table


def mapping_table(mapping: RigMapping) -> Table:
    """One row for each channel of a mapping."""
    table = Table(title=Text(f"{mapping.name}: {mapping.description}"), title_justify="left")
    for column in ("channel", "how", "ARKit shapes", "limits", "moves"):
        table.add_column(column, overflow="fold")
    for channel in mapping.channels:
        how = "muted" if channel.is_muted else channel.method
        limits = f"{channel.least:g} to {channel.most:g}"
        table.add_row(Text(channel.name), how, Text(_sources(channel)), limits, Text(_target(channel)))
    return table


def detection_table(found: Character) -> Group:
    """What was detected and why, and a row for each name that is used."""
    detection = found.detection
    table = Table()
    for column in ("name", "stands for", "likeness"):
        table.add_column(column, overflow="fold", justify="right" if column == "likeness" else "left")
    for match in detection.matches:
        table.add_row(Text(match.name), Text(match.channel), f"{match.score:.0%}")
    lines = [Text(f"{detection.kind}, {detection.confidence:.0%} sure", "bold"), *map(Text, detection.reasons)]
    return Group(*lines, table) if detection.matches else Group(*lines)


def figures_table(figures: Sequence[RigFigures]) -> Table:
    """Mean and worst of the people whose faces were found, beside the goals."""
    found = [one for one in figures if one.observable_count]
    caption = f"a face was found on {len(found)} of {len(figures)} heads"
    table = Table(title="Rigs solved without a name", caption=caption, title_justify="left", caption_justify="left")
    for column in ("", "mean", "worst", "goal"):
        table.add_column(column, justify="left" if column == "" else "right")
    rows = (
        ("channels that the landmarks tell apart", "observable_count", min, "{:.0f}", ""),
        ("error of their weights, found again", "weight_error", max, "{:.4f}", "0.03"),
        ("landmarks against those of the speech, eye distances", "speech_residual", max, "{:.4f}", "0.02"),
        ("seconds for 52 channels in 250 frames", "solve_seconds", max, "{:.3f}", "0.050"),
    )
    for name, field, worst, style, goal in rows:
        values = [getattr(one, field) for one in found]
        mean = style.format(sum(values) / len(values)) if values else ""
        table.add_row(name, mean, style.format(worst(values)) if values else "", goal)
    return table


def landmarks_table(figures: Sequence[RigFigures]) -> Table:
    """How far landmarks were found from the right vertices, by parts of the face."""
    from backend_server.evaluation.mesh_landmarks import group_figures  # noqa: PLC0415 (tables of names need no scipy)

    groups = group_figures([one.landmarks for one in figures if one.landmarks is not None])
    table = Table(title="Landmarks against the right vertices, eye distances", title_justify="left")
    for column in ("", "mean", "95th percentile", "heads with one on the other lid or lip"):
        table.add_column(column, justify="left" if column == "" else "right")
    for group in groups:
        table.add_row(group.name, f"{group.mean:.3f}", f"{group.high:.3f}", str(group.wrong_count))
    return table


def detection_json(found: Character) -> str:
    """The same for programs."""
    detection = found.detection
    document = {
        "kind": detection.kind,
        "confidence": detection.confidence,
        "reasons": detection.reasons,
        "matches": detection.matches,
        "meshes": found.channels,
        "mapping": mapping_document(detection.mapping) if detection.mapping else None,
    }
    return msgspec.json.format(msgspec.json.encode(document)).decode()


def read_names(path: Path) -> list[str]:
    """The names in a text file, one a line; empty lines are passed over.

    Raises:
        ValueRangeError: the file cannot be read, or is no text.
    """
    try:
        if not path.is_file():
            raise ValueRangeError(f"{path} is no file; give a text with one name a line")
        if path.stat().st_size > MAX_BYTES:
            raise ValueRangeError(f"{path} is larger than {MAX_BYTES >> 20} MiB; give a text with one name a line")
        text = path.read_text("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueRangeError(f"{path}: byte {error.start} is not UTF-8; save the file as UTF-8") from error
    except OSError as error:
        raise ValueRangeError(f"{path} cannot be read: {error.strerror}; give another file") from error
    return [line.strip() for line in text.splitlines() if line.strip()]


def _sources(channel: Channel) -> str:
    if not channel.sources:
        return "what the others leave" if channel.method == "pose" else "none"
    parts = (source.shape if source.gain == 1 else f"{source.gain:g} {source.shape}" for source in channel.sources)
    return ", ".join(parts)


def _target(channel: Channel) -> str:
    if channel.bone is None:
        return "shape key"
    bone = channel.bone
    return (
        f"{bone.bone}, {bone.transform.replace('_', ' ')}: {bone.amount:g}{_SIGNS[bone.unit]} at 1, "
        f"{bone.least:g} to {bone.most:g}"
    )
