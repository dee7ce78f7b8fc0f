"""Says which rig an animation shall move, as a request carries it."""

from __future__ import annotations

from pathlib import Path

from ._shared import mapping, mapping_file

Rig = str | Path | mapping.RigMapping


def rig_text(rig: Rig) -> str:
    """A mapping, or the content of its file, as JSON; another text, a name that the backend knows, as it is.

    Raises:
        ValueRangeError: the file cannot be read, or is no mapping.
    """
    if isinstance(rig, str) and not rig.lower().endswith(".json"):
        return rig
    chosen = rig if isinstance(rig, mapping.RigMapping) else mapping_file.load_mapping(Path(rig))
    return mapping_file.format_mapping(chosen)
