"""How does a learnt face travel as one file, and how is it taken in?

The file is what `load_identity` reads; its record travels in the metadata, so the machine that takes it in finds the
face again for the same pictures.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import cast

import msgspec
from safetensors import SafetensorError, safe_open

from backend_server.identities.naming import ID_DIGITS, SHORT_DIGITS, file_id
from backend_server.identities.record import IdentityRecord, record_of
from backend_server.identities.store import IdentityStore
from backend_server.texture.identity import Identity, load_identity, save_identity
from shared.errors import ValueRangeError, WeightsError

_RECORD = "record"


def write_portable(path: Path, identity: Identity, record: IdentityRecord) -> None:
    """Writes an identity with its record as one file, replaced in one step.

    Raises:
        ValueRangeError: the file cannot be written.
    """
    try:
        save_identity(path, identity, {_RECORD: msgspec.json.encode(record).decode()})
    except (OSError, SafetensorError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ValueRangeError(f"cannot write {path}: {reason}; choose another place") from error


def read_portable(path: Path) -> tuple[Identity, IdentityRecord]:
    """An identity and its record; a file without one is named by its own content.

    Raises:
        WeightsError: the file is missing, damaged, or no identity.
    """
    identity = load_identity(path)
    with safe_open(path, framework="np") as file:
        text = (file.metadata() or {}).get(_RECORD)
    if text is None:
        learnt_at = datetime.fromtimestamp(int(path.stat().st_mtime), UTC)
        count = len(identity.reference_images)
        record = record_of(
            file_id(path), identity, weights_version=identity.weights_version, image_count=count, learnt_at=learnt_at
        )
        return identity, record
    try:
        record = msgspec.json.decode(text, type=IdentityRecord)
    except msgspec.DecodeError as error:
        raise WeightsError(f"the record inside {path} is damaged: {error}") from error
    if not re.fullmatch(f"[0-9a-f]{{{ID_DIGITS}}}", record.identity):
        raise WeightsError(f"the record inside {path} names no id but {record.identity[:80]!r}; export it again")
    if record.weights_version != identity.weights_version:
        raise WeightsError(
            f"the record inside {path} speaks of weights {record.weights_version[:12]!r}, "
            f"the identity of {identity.weights_version[:12]!r}; export it again"
        )
    return identity, record


def hand_out(store: IdentityStore, prefix: str, path: Path) -> IdentityRecord:
    """Writes the face whose id begins with these digits into a file; returns its record.

    Raises:
        SpeechFaceError: there is none, it is damaged, or the file cannot be written.
    """
    name = store.resolve(prefix)
    identity, kept = cast("Identity", store.load(name)), store.kept(name)
    if kept is None:
        raise WeightsError(f"the learnt face {name[:SHORT_DIGITS]} is damaged; adapt its pictures again")
    write_portable(path, identity, kept.record)
    return kept.record


def take_in(store: IdentityStore, path: Path) -> IdentityRecord:
    """Keeps the identity of a file; returns its record.

    Raises:
        WeightsError: as `read_portable`.
        NoSpaceError: the disk is full.
    """
    identity, record = read_portable(path)
    store.save(record, identity)
    return record
