"""Opens the mappings that ship, by name, and those of users, by path. Where each comes from: `docs/rigs.md`."""

from __future__ import annotations

from difflib import get_close_matches
from functools import lru_cache
from pathlib import Path

from ..errors import ValueRangeError
from .mapping import RigMapping
from .mapping_file import load_mapping, parse_mapping

FOLDER = Path(__file__).parent / "presets"


@lru_cache(maxsize=1)
def preset_names() -> tuple[str, ...]:
    """The names of the mappings that ship, sorted."""
    return tuple(sorted(path.stem for path in FOLDER.glob("*.json")))


@lru_cache
def open_preset(name: str) -> RigMapping:
    """The shipped mapping of a name.

    Raises:
        ValueRangeError: there is none; the sentence lists what there is.
    """
    if name not in preset_names():
        near = get_close_matches(name.lower(), preset_names(), 1)
        meant = f'did you mean "{near[0]}"? ' if near else ""
        raise ValueRangeError(f"there is no rig {name[:60]!r}; {meant}There are {', '.join(preset_names())}")
    return load_mapping(FOLDER / f"{name}.json")


def open_mapping(name_or_path: str | Path) -> RigMapping:
    """The shipped mapping of a name, or else that of a file.

    Raises:
        ValueRangeError: there is neither, or the file is no mapping.
    """
    text = str(name_or_path)
    is_path = isinstance(name_or_path, Path) or text.lower().endswith(".json") or "/" in text or "\\" in text
    return load_mapping(Path(name_or_path)) if is_path else open_preset(text)


@lru_cache(maxsize=8)
def read_mapping(text: str) -> RigMapping:
    """The shipped mapping of a name, or the one that the text itself is, in JSON; never a file.

    Raises:
        ValueRangeError: there is no rig of that name, or the text is no mapping.
    """
    return parse_mapping(text.encode()) if text.lstrip("\ufeff \t\r\n").startswith("{") else open_preset(text)
