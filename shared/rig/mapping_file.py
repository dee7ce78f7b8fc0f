"""Reads and writes mappings as JSON that people can read, compare and edit.

The fields are those of `mapping`, in their order, sources in the order of `SHAPES`; what has its default is left out.
"""

from __future__ import annotations

import json
import os
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn, get_args

import msgspec

from ..arkit import SHAPES
from ..errors import ValueRangeError
from .mapping import FORMAT, VERSION, BoneTarget, Channel, Method, RigMapping, Source, Transform, Unit

MAX_BYTES = 8 * 1024 * 1024

_STRUCTS = (RigMapping, Channel, Source, BoneTarget)
_CHOICES = {"method": Method, "transform": Transform, "unit": Unit}
_TYPES = {"str": "a text", "float": "a number", "int": "a whole number", "bool": "true or false", "array": "a list",
          "object": "an object"}  # fmt: skip


def load_mapping(path: Path) -> RigMapping:
    """Reads a mapping from a file.

    Raises:
        ValueRangeError: the file cannot be read or is no mapping; the sentence names the file and the value.
    """
    try:
        if not path.is_file():
            raise ValueRangeError(f"{path} is no file; give a mapping in JSON")
        size = path.stat().st_size
        if size > MAX_BYTES:
            raise ValueRangeError(f"{path} has {size / 2**20:.1f} MiB; a mapping has {MAX_BYTES >> 20} at most")
        data = path.read_bytes()
    except OSError as error:
        raise ValueRangeError(f"{path} cannot be read: {error.strerror}; give another file") from error
    try:
        return parse_mapping(data)
    except ValueRangeError as error:
        raise ValueRangeError(f"{path}: {error.sentence}") from error


def parse_mapping(data: bytes) -> RigMapping:
    """Reads a mapping from the bytes of its file.

    Raises:
        ValueRangeError: they are no mapping, or one of a newer version.
    """
    try:
        document = json.loads(data.decode("utf-8-sig"), object_pairs_hook=_object, parse_constant=_not_finite)
    except UnicodeDecodeError as error:
        raise ValueRangeError(f"byte {error.start} is not UTF-8; save the file as UTF-8") from error
    except json.JSONDecodeError as error:
        raise ValueRangeError(f"line {error.lineno}, column {error.colno} is not JSON: {error.msg}") from error
    except RecursionError as error:
        raise ValueRangeError("its lists lie too deep in one another; a mapping has five levels") from error
    except ValueError as error:  # Python reads whole numbers of 4300 digits at most
        raise ValueRangeError("a number in it has thousands of digits; give numbers of a usual size") from error
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        found = document.get("format") if isinstance(document, dict) else document
        raise ValueRangeError(f'the format is {_quoted(found)}; a mapping has "format": "{FORMAT}"')
    version = document.get("version")
    if version is None:
        raise ValueRangeError(f'it has no version; add "version": {VERSION}')
    if isinstance(version, int) and version > VERSION:
        raise ValueRangeError(f"the version is {version} and this release reads {VERSION}; update Speech Face")
    try:
        return msgspec.convert(document, RigMapping)
    except msgspec.ValidationError as error:
        raise ValueRangeError(_sentence(str(error), document)) from error


def save_mapping(mapping: RigMapping, path: Path) -> None:
    """Writes a mapping to a file, which is replaced only when the new one is whole.

    Raises:
        OSError: the file cannot be written; the old one is as it was.
    """
    handle, temporary = tempfile.mkstemp(prefix=f".{path.name[:50]}.", dir=path.parent)
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as file:
            file.write(format_mapping(mapping))
        Path(temporary).chmod(0o644)  # to be shared; mkstemp closes it to others
        Path(temporary).replace(path)
    finally:
        Path(temporary).unlink(missing_ok=True)


def format_mapping(mapping: RigMapping) -> str:
    """The text of a mapping's file: one line for each channel, or for each of its sources if it has several."""
    return "".join(_lines(mapping))


def mapping_document(mapping: RigMapping) -> dict[str, Any]:
    """What a mapping's file holds, as JSON's own types."""
    document = _document(mapping)
    return {"format": mapping.format, "version": mapping.version, **document}


def _document(struct: msgspec.Struct) -> dict[str, Any]:
    """The fields that have not their default."""
    document: dict[str, Any] = {}
    for field in msgspec.structs.fields(struct):
        value = getattr(struct, field.name)
        if value == field.default:
            continue
        if field.name == "sources":
            value = sorted(value, key=lambda source: SHAPES.index(source.shape))
        if isinstance(value, (tuple, list)):
            document[field.name] = [_document(inner) for inner in value]
        else:
            document[field.name] = _document(value) if isinstance(value, msgspec.Struct) else value
    return document


def _lines(mapping: RigMapping) -> Iterator[str]:
    head = mapping_document(mapping)
    channels = head.pop("channels")
    yield "{\n"
    for field, value in head.items():
        yield f"  {json.dumps(field)}: {_text(value)},\n"
    yield '  "channels": [\n'
    for number, channel in enumerate(channels):
        sources = channel.pop("sources", ())
        fields = [f"{json.dumps(field)}: {_text(value)}" for field, value in channel.items()]
        if sources:
            inner = [_text(source) for source in sources]
            joined = f"[{inner[0]}]" if len(inner) == 1 else "[\n      " + ",\n      ".join(inner) + "\n    ]"
            fields.append(f'"sources": {joined}')
        yield "    {" + ", ".join(fields) + ("},\n" if number < len(channels) - 1 else "}\n")
    yield "  ]\n}\n"


def _text(value: Any) -> str:  # noqa: ANN401 (any JSON)
    """A value on one line, whole numbers without a point."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(field)}: {_text(inner)}" for field, inner in value.items()) + "}"
    return json.dumps(value, ensure_ascii=False, allow_nan=False)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object of JSON; of a field that stands in it twice one value would be lost."""
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueRangeError(f"the field {_quoted(twice)} stands twice in one object; keep one")
    return found


def _not_finite(constant: str) -> NoReturn:
    raise ValueRangeError(f"it holds the number {constant}; give finite numbers")


def _sentence(reason: str, document: dict[str, Any]) -> str:
    """What msgspec finds wrong, with the value that is wrong."""
    found = re.fullmatch(r"(?P<what>.*?)(?: - at `\$\.?(?P<where>.*)`)?", reason, re.DOTALL)
    what, where = (found["what"], found["where"] or "") if found else (reason, "")
    value: Any = document
    for name, index in re.findall(r"(\w+)|\[(\d+)\]", where):
        value = value[int(index)] if index else value.get(name)
    place = where + _channel_name(document, where) or "the mapping"
    if missing := re.search(r"missing required field `(\w+)`", what):
        return f"{place} has no {missing[1]}; add it"
    if unknown := re.search(r"unknown field `(.*)`", what):
        known = next(struct for struct in _STRUCTS if _is_of(struct, where)).__struct_fields__
        return f'{place} has a field "{unknown[1]}", which does not exist; there are {", ".join(known)}'
    if wrong := re.match(r"Expected `([^`]*)`, got", what):
        kinds = " or ".join(_TYPES.get(kind.strip(), kind.strip()) for kind in wrong[1].split("|"))
        return f"{place} is {_quoted(value)}; give {kinds}"
    if choices := _CHOICES.get(where.rpartition(".")[2]):
        return f"{place} is {_quoted(value)}, which does not exist; there are {', '.join(get_args(choices))}"
    return f"{place} is {_quoted(value)}: {what[:1].lower()}{what[1:]}"


def _channel_name(document: dict[str, Any], where: str) -> str:
    """The name of the channel in a place, for those who do not count channels."""
    number = re.match(r"channels\[(\d+)\]", where)
    channel = document["channels"][int(number[1])] if number else None
    name = channel.get("name") if isinstance(channel, dict) else None
    return f" (channel {_quoted(name)})" if isinstance(name, str) else ""


def _is_of(struct: type[msgspec.Struct], where: str) -> bool:
    depth = {RigMapping: r"", Channel: r"channels\[\d+\]", Source: r".*sources\[\d+\]", BoneTarget: r".*bone"}
    return re.fullmatch(depth[struct], where) is not None


def _quoted(value: Any) -> str:  # noqa: ANN401 (any JSON)
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 60 else text[:57] + "..."
