"""Writes the faces learnt on this machine as a table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
from rich.table import Table
from rich.text import Text

from backend_server.checkpoints import weights_version
from backend_server.identities.store import SHORT_DIGITS, open_store
from backend_server.identity import IdentityRecord
from shared.errors import ValueRangeError


@dataclass(frozen=True)
class Entry:
    """One face of the store.

    Attributes:
        identity: its ID.
        record: of the face; None when its files are damaged.
        size_bytes: of its files.
        is_current: whether it was learnt with the installed weights.
    """

    identity: str
    record: IdentityRecord | None
    size_bytes: int
    is_current: bool

    def as_dictionary(self) -> dict[str, Any]:
        """All of it, for programs."""
        record = {} if self.record is None else msgspec.to_builtins(self.record)
        return {
            **record,
            "identity": self.identity,
            "size_bytes": self.size_bytes,
            "is_current": self.is_current,
            "is_damaged": self.record is None,
        }


def entries() -> list[Entry]:
    """All faces, oldest first."""
    store, version = open_store(), weights_version()
    found = []
    for name in store.names():
        record = store.record(name)
        is_current = record is not None and record.weights_version == version
        found.append(Entry(name, record, store.size_bytes(name), is_current))
    return found


def entry_of(prefix: str) -> Entry:
    """The face whose ID begins with these digits.

    Raises:
        ValueRangeError: there is none, or several.
    """
    name = open_store().resolve(prefix)
    return next(entry for entry in entries() if entry.identity == name)


def chosen(prefixes: Sequence[str], *, is_outdated: bool, is_damaged: bool, is_any: bool) -> list[str]:
    """IDs of the faces that are chosen by digits or by their state.

    Raises:
        ValueRangeError: nothing was chosen, or no face or several begin with the digits.
    """
    if not (prefixes or is_outdated or is_damaged or is_any):
        raise ValueRangeError("no face was chosen; give IDs, or --outdated, --damaged or --all")
    store = open_store()
    names = [store.resolve(prefix) for prefix in prefixes]
    for entry in entries():
        is_of_other_weights = entry.record is not None and not entry.is_current
        if is_any or (is_outdated and is_of_other_weights) or (is_damaged and entry.record is None):
            names.append(entry.identity)
    return list(dict.fromkeys(names))


def identity_table(found: Sequence[Entry]) -> Table:
    """One line per face, and their total size."""
    total = megabytes(sum(entry.size_bytes for entry in found))
    faces = "1 face" if len(found) == 1 else f"{len(found)} faces"
    table = Table(caption=f"{faces}, {total}, in {open_store().folder}", caption_justify="left")
    table.add_column("id", no_wrap=True)
    table.add_column("learnt", no_wrap=True)
    for column in ("pictures", "epochs", "PSNR (dB)"):
        table.add_column(column, justify="right")
    table.add_column("weights")
    table.add_column("size", justify="right", no_wrap=True)
    table.add_column("name, or from")
    for entry in found:
        size, short = megabytes(entry.size_bytes), entry.identity[:SHORT_DIGITS]
        record = entry.record
        if record is None:
            table.add_row(short, Text("damaged", style="red"), "", "", "", "", size, "")
            continue
        weights = Text("current") if entry.is_current else Text(record.weights_version, style="yellow")
        table.add_row(
            short,
            record.day_and_time,
            str(record.image_count),
            str(record.epochs),
            _psnr(record),
            weights,
            size,
            Text(record.title if record.name or record.image_names else ""),
        )
    return table


def identity_facts(entry: Entry) -> Table:
    """All that is known about one face, one line per fact."""
    table = Table(show_header=False)
    table.add_row("id", Text(entry.identity, overflow="fold"))
    table.add_row("file", Text(str(open_store().path(entry.identity)), overflow="fold"))
    table.add_row("size", megabytes(entry.size_bytes))
    record = entry.record
    if record is None:
        table.add_row("state", Text("damaged; adapt its pictures again, or: identities delete", style="red"))
        return table
    state = "the installed ones" if entry.is_current else "not the installed ones"
    table.add_row("name", Text(record.name or "none was given", overflow="fold"))
    table.add_row("learnt", record.day_and_time)
    table.add_row("weights", f"{record.weights_version}, {state}")
    table.add_row("pictures", str(record.image_count))
    table.add_row("names", Text(", ".join(record.image_names) or "not known", overflow="fold"))
    table.add_row("epochs", str(record.epochs))
    table.add_row("seed", str(record.seed))
    table.add_row("losses", " ".join(f"{loss:.3f}" for loss in record.losses))
    table.add_row("held-out PSNR", f"{_psnr(record)} dB" if record.held_out_psnr is not None else "none held out")
    return table


def megabytes(size_bytes: int) -> str:
    """A size for people: "7.2 MB"."""
    return f"{size_bytes / 1e6:.1f} MB"


def _psnr(record: IdentityRecord) -> str:
    return "" if record.held_out_psnr is None else f"{record.held_out_psnr:.1f}"
