"""Reads a manifest, the table of all lines, or a folder of sounds, and says everything that is wrong with it at once.

A manifest is UTF-8 text with commas, semicolons or tabs between its columns, as spreadsheets save it. Its first row
names the columns. Paths are those of the manifest's folder, with slashes of either kind.
"""

from __future__ import annotations

import csv
import io
import re
import stat
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import NamedTuple

from pathvalidate import FileNameValidator, ValidationError

from backend_server.batch.order import INSIDE, NOBODY, OUTPUTS, Character, Line, Output
from backend_server.export.formats import FrameFormat
from backend_server.export.hand_off import HandOff, check_hand_offs
from backend_server.speech.suffixes import SOUND_SUFFIXES
from shared.errors import ErrorCode, SpeechFaceError, ValueRangeError
from shared.timing import FrameRate

COLUMNS = {  # by what their headings may be, in small letters alone
    "id": ("id", "line", "lineid", "name"),
    "audio": ("audio", "file", "sound", "path", "audiofile", "soundfile"),
    "character": ("character", "speaker", "actor"),
    "language": ("language", "lang", "locale"),
    "outputs": ("outputs", "output"),
}
REPORTS = ("report.csv", "report.html")  # in the output folder, beside the folders of the lines
LONGEST_ID = 120  # bytes in UTF-8; temporary names add to them
_ID = FileNameValidator(platform="universal", max_len=LONGEST_ID)
_LANGUAGE = re.compile(r"[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*")


class ManifestError(SpeechFaceError):
    """The manifest, or what it names, is wrong; `detail` holds every problem."""

    code = ErrorCode.BAD_VALUE


class Problem(NamedTuple):
    """Something that is wrong with one row; with the whole, if the row is 0."""

    row: int
    sentence: str

    def __str__(self) -> str:
        return f"row {self.row}: {self.sentence}" if self.row else self.sentence


def refuse(problems: Sequence[Problem], name: str) -> None:
    """Raises ManifestError with all problems, in the order of their rows, if there are any."""
    if problems:
        count = f"{len(problems)} problems" if len(problems) > 1 else "1 problem"
        raise ManifestError(
            f"{name} has {count}, so nothing was done; mend what is listed here and run it again",
            detail="\n".join(map(str, sorted(problems))),
        )


def read_lines(source: Path, outputs: Sequence[str], problems: list[Problem]) -> list[Line]:
    """The lines of a manifest or a folder; what is wrong with them is added to the problems.

    Args:
        source: a CSV file, or a folder whose sounds are the lines, named after their files.
        outputs: of lines that name none.
        problems: are added to.

    Raises:
        ValueRangeError: there is no such file, it cannot be read, or it is no table with the columns `id` and `audio`.
    """
    rows = _folder_rows(source) if source.is_dir() else _manifest_rows(source, problems)
    lines = list(_lines(rows, (source if source.is_dir() else source.parent).resolve(), outputs, problems))
    if not lines and not problems:
        raise ValueRangeError(f"{source} holds no lines; give one row, or one sound file in the folder, for each")
    return lines


def check_lines(
    lines: Iterable[Line], characters: dict[str, Character], frame_rate: FrameRate, problems: list[Problem]
) -> list[Line]:
    """The lines with their characters; those that name none get the only one there is.

    Args:
        lines: from `read_lines`.
        characters: by name; empty if none are described.
        frame_rate: of the results.
        problems: are added to.
    """
    checked, rows = [], {}
    only = next(iter(characters.values())) if len(characters) == 1 else NOBODY
    for line in lines:
        place = unicodedata.normalize("NFC", line.id).casefold()  # as Windows and macOS compare names
        if place in rows:
            problems.append(
                Problem(line.row, f'the ID "{line.id}" is that of row {rows[place]} too; give each its own')
            )
        rows.setdefault(place, line.row)
        character = characters.get(line.character) if line.character else only
        if character is None:
            known = ", ".join(sorted(characters)) or "none, as --characters was not given"
            problems.append(Problem(line.row, f'there is no character "{line.character}"; described are: {known}'))
            continue
        if not line.character and len(characters) > 1:
            problems.append(Problem(line.row, f"it names no character; choose one of: {', '.join(sorted(characters))}"))
        problems += [Problem(line.row, sentence) for sentence in _misfits(line, character, frame_rate)]
        checked.append(Line(line.row, line.id, line.audio, character.name, line.language, line.outputs))
    return checked


def _misfits(line: Line, character: Character, frame_rate: FrameRate) -> Iterator[str]:
    whose = f'the character "{character.name}" has' if character.name else "a line without a character has"
    if line.frame_format and not character.has_face:
        yield f"{whose} no face for the output {line.frame_format}; give it images or an identity"
    if Output.RIG in line.outputs and not character.rig:
        yield f"{whose} no rig for the output rig; give it a mapping"
    try:
        wanted = line.hand_offs
        check_hand_offs(wanted, frame_rate, has_pictures=True)
    except SpeechFaceError as error:
        yield error.sentence
        return
    if HandOff.ATLAS in wanted.kinds and not line.frame_format:
        yield f"the output atlas is made of pictures; add one of the outputs {', '.join(FrameFormat)}"


def _folder_rows(folder: Path) -> Iterator[tuple[int, dict[str, str]]]:
    found = sorted(path for path in folder.rglob("*") if path.suffix.lower() in SOUND_SUFFIXES)
    for number, path in enumerate(found, 1):
        inside = path.relative_to(folder)
        if not any(part.startswith(".") for part in inside.parts):
            yield number, {"id": path.stem, "audio": str(inside)}


def _manifest_rows(path: Path, problems: list[Problem]) -> Iterator[tuple[int, dict[str, str]]]:
    """Each row that is not empty, by the names of `COLUMNS`."""
    try:
        content = path.read_bytes()
        text = content.decode("utf-8-sig")
    except OSError as error:
        raise ValueRangeError(f"the manifest {path} cannot be read ({error.strerror}); check the path") from error
    except UnicodeDecodeError as error:
        row = error.object[: error.start].count(b"\n") + 1
        raise ValueRangeError(f"row {row} of {path} is not UTF-8; save it as CSV UTF-8") from error
    heading = text.partition("\n")[0]
    table = csv.reader(io.StringIO(text, newline=""), delimiter=max(",;\t", key=heading.count))
    number = 1
    try:
        headings = next(table, [])
        places = _places(headings, path)
        for number, cells in enumerate(table, 2):
            if len(cells) > len(headings) and any(cells[len(headings) :]):
                sentence = f"it has {len(cells)} cells and the heading {len(headings)}; put texts with commas in quotes"
                problems.append(Problem(number, sentence))
            elif any(cell.strip() for cell in cells):
                yield number, {name: cells[place].strip() for name, place in places.items() if place < len(cells)}
    except csv.Error as error:
        raise ValueRangeError(f"{path} cannot be read beyond row {number} ({error}); save it as CSV again") from error


def _places(headings: Sequence[str], path: Path) -> dict[str, int]:
    """The place of each column that is there, by its name in `COLUMNS`; other columns may hold anything."""
    letters = [re.sub("[^a-z]", "", heading.lower()) for heading in headings]
    places = {}
    for name, words in COLUMNS.items():
        found = [place for place, word in enumerate(letters) if word in words]
        if len(found) > 1:
            both = " and ".join(f'"{headings[place]}"' for place in found)
            raise ValueRangeError(f"{path} has the columns {both}, which both mean {name}; rename one of them")
        if found:
            places[name] = found[0]
    for name in ("id", "audio"):
        if name not in places:
            shown = ", ".join(f'"{heading.strip()}"' for heading in headings) or "nothing"
            raise ValueRangeError(
                f"the first row of {path} names no column {name}, only {shown:.200}; name the columns "
                f"{', '.join(COLUMNS)} there"
            )
    return places


def _lines(
    rows: Iterable[tuple[int, dict[str, str]]], folder: Path, usual: Sequence[str], problems: list[Problem]
) -> Iterator[Line]:
    """A line for each row; one with a problem may be left out."""
    for row, cells in rows:
        found = []
        name, sound = cells.get("id", ""), cells.get("audio", "")
        found += _misnamed(name)
        path = _located(sound, folder, found)
        language = cells.get("language", "")
        if language and not _LANGUAGE.fullmatch(language):
            found.append(f'the language is "{language:.40}"; write it like "en" or "pt-BR"')
        outputs = tuple(dict.fromkeys(filter(None, re.split(r"[\s,;+|]+", cells.get("outputs", ""))))) or tuple(usual)
        found += check_outputs(outputs)
        problems += [Problem(row, sentence) for sentence in found]
        if name and path:
            yield Line(row, name, str(path), cells.get("character", ""), language, outputs)


def check_outputs(outputs: Sequence[str]) -> Iterator[str]:
    """What is wrong with the names of outputs."""
    for name in outputs:
        if name.partition(":")[0] not in OUTPUTS:
            yield f'there is no output "{name:.40}"; choose some of: {", ".join(OUTPUTS)}'
    pictures = [name for name in outputs if name in tuple(FrameFormat)]
    if len(pictures) > 1:
        yield f"the outputs {' and '.join(pictures)} are both pictures; choose one of them"


def _misnamed(name: str) -> Iterator[str]:
    """Why an ID cannot name a folder."""
    if not name:
        yield "it has no ID; give each line one of its own"
        return
    try:
        _ID.validate(name)
    except ValidationError as error:
        yield (
            f'the ID "{name:.60}" names the folder of the line and cannot be the name of one everywhere '
            f"({error.reason.description.rstrip('.')}); use letters, digits, - and _"
        )
        return
    if name.startswith(".") or name.casefold() in (*REPORTS, INSIDE):
        yield f'the ID "{name}" is a name that the batch itself needs; choose another'


def _located(sound: str, folder: Path, problems: list[str]) -> Path | None:
    """The file of a sound that is there and can be read; None, and why, if it is not."""
    if not sound:
        problems.append("it names no sound; write the file into the column audio")
        return None
    path = folder / sound
    if "\\" in sound and not path.exists():  # as Windows writes it
        windows = PureWindowsPath(sound)
        if windows.drive and not Path(sound).is_absolute():
            problems.append(f"{sound} lies on a drive of Windows; write paths from the folder of the manifest")
            return None
        path = folder / PurePosixPath(*windows.parts)
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            problems.append(f"{sound} is no file; name one sound file")
        elif not status.st_size:
            problems.append(f"{sound} is empty (0 bytes); export it again")
        else:
            path.open("rb").close()
    except (OSError, ValueError) as error:  # ValueError: no path can hold a zero
        problems.append(f"the sound {sound} cannot be read ({getattr(error, 'strerror', error)}); check the path")
    return path
