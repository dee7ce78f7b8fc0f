"""Reads the file that describes the characters of a batch, and says everything that is wrong with it at once.

It is JSON: `{"format": "speech_face.characters", "version": 1, "characters": {"hero": {"images": ["hero/"]}}}`, each
with the fields of `Entry`. Paths are those of the file's folder.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

import msgspec

from backend_server.batch.manifest import Problem
from backend_server.batch.order import Character
from backend_server.export.rig_files import rig_file
from backend_server.identities.pictures import checked_paths
from shared.arkit import SHAPES
from shared.errors import SpeechFaceError, ValueRangeError
from shared.motion_controls import MotionControls
from shared.rig.mapping import RigMapping
from shared.rig.mapping_file import load_mapping
from shared.rig.presets import open_mapping

FORMAT = "speech_face.characters"
VERSION = 1
MOST_GAIN = 10.0
_CONTROLS = tuple(field.name for field in fields(MotionControls))


class Entry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One character in the file, as `order.Character`; its rigs are names of presets, or files."""

    images: tuple[str, ...] = ()
    identity: str | None = None
    landmarks: str | None = None
    epochs: int = 10
    rig: tuple[str, ...] = ()
    controls: dict[str, float] = {}
    gains: dict[str, float] = {}
    blink: bool = True


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    characters: dict[str, msgspec.Raw]
    format: str = FORMAT
    version: int = VERSION


def read_characters(path: Path, problems: list[Problem]) -> dict[str, Character]:
    """The characters by their names; what is wrong with them is added to the problems.

    Raises:
        ValueRangeError: the file cannot be read, is no JSON of this kind, or of a newer version.
    """
    try:
        document = msgspec.json.decode(path.read_bytes(), type=_File)
    except OSError as error:
        raise ValueRangeError(f"the characters {path} cannot be read ({error.strerror}); check the path") from error
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise ValueRangeError(f"the characters {path} are not described as they should be: {error}") from error
    if document.format != FORMAT or document.version != VERSION:
        raise ValueRangeError(
            f"{path} is {document.format:.60} of version {document.version}; this release reads {FORMAT} of version "
            f"{VERSION}"
        )
    characters = {}
    for name, raw in document.characters.items():
        try:
            entry = msgspec.json.decode(raw, type=Entry)
            found = list(_problems(entry, path.parent.resolve()))
            characters[name] = _character(name, entry, path.parent.resolve()) if not found else Character(name)
        except msgspec.MsgspecError as error:
            found, characters[name] = [str(error)], Character(name)
        problems += [Problem(0, f'the character "{name}" in {path.name}: {sentence}') for sentence in found]
    return characters


def _problems(entry: Entry, folder: Path) -> Iterator[str]:
    if entry.images and entry.identity:
        yield "it has images and an identity; give one of them"
    if entry.landmarks and not (folder / entry.landmarks).is_file():
        yield f"there are no landmarks {entry.landmarks}; check the path"
    if not 0 <= entry.epochs <= 200:
        yield f"the epochs are {entry.epochs}; choose 0 to 200"
    for name, gain in entry.gains.items():
        if name not in SHAPES:
            yield f'its gain "{name}" is none of ARKit\'s 52 shapes'
        elif not 0 <= gain <= MOST_GAIN:
            yield f"the gain of {name} is {gain:g}; choose 0 to {MOST_GAIN:g}"
    for name in set(entry.controls) - set(_CONTROLS):
        yield f'there is no control "{name}"; there are: {", ".join(_CONTROLS)}'
    try:
        checked_paths([folder / name for name in entry.images])
        MotionControls(**{name: value for name, value in entry.controls.items() if name in _CONTROLS})
        files = [rig_file(_mapping(rig, folder)).casefold() for rig in entry.rig]
        for twice in sorted({name for name in files if files.count(name) > 1}):
            yield f"two of its rigs would both be written to {twice}.csv; give one of them another name"
    except SpeechFaceError as error:
        yield error.sentence


def _mapping(named: str, folder: Path) -> RigMapping:
    """A mapping by the name of a preset, or a file."""
    inside = folder / named.replace("\\", "/")
    return load_mapping(inside) if inside.is_file() else open_mapping(named)


def _character(name: str, entry: Entry, folder: Path) -> Character:
    inside = folder / entry.identity if entry.identity else None
    return Character(
        name,
        tuple(str(folder / image) for image in entry.images),
        str(inside) if inside is not None and inside.exists() else entry.identity,  # else an ID
        str(folder / entry.landmarks) if entry.landmarks else None,
        entry.epochs,
        tuple(_mapping(rig, folder) for rig in entry.rig),
        MotionControls(**entry.controls),
        entry.gains,
        entry.blink,
    )
