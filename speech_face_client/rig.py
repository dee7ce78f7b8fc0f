"""Says which rig an animation shall move, as a request carries it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ._shared import mapping, mapping_file, protocol

Rig = str | Path | mapping.RigMapping


def rig_fields(rig: Rig, face: protocol.RigFace | None) -> dict[str, Any]:
    """The fields of a request that say which rig it is, and what its channels do to its face.

    Raises:
        ValueRangeError: as `rig_text`.
    """
    fields: dict[str, Any] = {"rig": rig_text(rig)}
    if face is not None:
        fields |= {"rig_rest": face.rest, "rig_basis": face.basis, "rig_confidence": face.confidence}
    return fields


def rig_text(rig: Rig) -> str:
    """A mapping, or the content of its file, as JSON; another text, a name that the backend knows, as it is.

    Raises:
        ValueRangeError: the file cannot be read, or is no mapping.
    """
    if isinstance(rig, str) and not rig.lower().endswith(".json"):
        return rig
    chosen = rig if isinstance(rig, mapping.RigMapping) else mapping_file.load_mapping(Path(rig))
    return mapping_file.format_mapping(chosen)
