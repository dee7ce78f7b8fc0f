"""Reads transcribed speech for training, and keeps its waveforms so that an epoch reads no files.

A folder of speech has an `index.tsv` with a header, tabs and no quoting. Either column `file` (relative to the folder,
or to the folder of the row's `speaker`) names a sound or video file, or `speaker` and `clip` name a clip of a prepared
corpus. `text` is required, `split` ("train" unless given), `language` ("en" unless given), `speaker` and `phones` are
optional. `phones` are the names of phones, each with the second at which it begins ("SIL:0.000 B:0.120 ..."). Rows of
other languages are read only if they have phones.
"""

from __future__ import annotations

import csv
import hashlib
import logging
import math
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from backend_server.articulation.phones import PHONES, TimedPhone
from backend_server.config import SAMPLE_RATE
from backend_server.files import atomic_write
from backend_server.progress import Progress, silent
from backend_server.speech.audio import read_audio, to_waveform
from backend_server.speech.decoding import normalise_text
from backend_server.speech.encoder import STEP
from shared.errors import CorpusError, SoundError

LOG = logging.getLogger(__name__)
_VERSION = 2  # of what is kept
LONGEST_SECONDS = 20.0
LEAST_SAMPLES_PER_CHARACTER = 1.1 * STEP  # a score, and some for the blanks between equal characters


@dataclass(frozen=True)
class Utterance:
    """One transcribed file.

    Attributes:
        path: sound or video.
        corpus: the name errors are counted under.
        split: "train", "val" or another.
        text: in the model's characters; empty only where the language is not English.
        phones: the phones with the seconds at which they begin, ascending; empty when unknown.
    """

    path: Path
    corpus: str
    split: str
    text: str
    phones: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True)
class Example:
    """An utterance as the network's training hears it.

    Attributes:
        waveform: 16 kHz, (S,), i16 as read; f32 in [-1, 1] once it is varied.
        text: in the model's characters; empty where only phones are known.
        corpus: the name errors are counted under.
        phones: class numbers (P,) of `PHONES`; empty when unknown.
        begins: the second at which each phone begins, (P,), ascending; empty when only their order is known.
        mouth: what the mouth does, evenly spread over the utterance, (M, 6); None when unknown.
    """

    waveform: NDArray
    text: str
    corpus: str
    phones: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    begins: NDArray[np.float32] = field(default_factory=lambda: np.zeros(0, np.float32))
    mouth: NDArray[np.float32] | None = None


def read_index(folder: Path) -> list[Utterance]:
    """The usable utterances of a folder, in the order of its index.

    Raises:
        CorpusError: there is no index, it lacks a column, a row cannot be read, or nothing in it is usable.
    """
    index = folder / "index.tsv"
    if not index.is_file():
        raise CorpusError(f"there is no {index}; name a folder of speech that has an index.tsv")
    utterances = []
    try:
        with index.open(encoding="utf-8", newline="") as lines:
            rows = csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE)
            columns = set(rows.fieldnames or ())
            if "text" not in columns or not columns & {"file", "clip"}:
                raise CorpusError(f"{index} needs the columns 'file' (or 'clip') and 'text'; it has {sorted(columns)}")
            for row in rows:
                utterances.append(_read_row(folder, row, f"{index}, line {rows.line_num},"))
    except (UnicodeDecodeError, csv.Error) as error:
        raise CorpusError(f"{index} cannot be read ({error}); write it as UTF-8 with tabs between columns") from error
    used = [utterance for utterance in utterances if utterance]
    if not used:
        raise CorpusError(f"{index} has no usable English sentence and no row with phones; add one")
    return used


def training_sentences(folders: Sequence[Path]) -> list[Utterance]:
    """The training split of several folders, where its text is English.

    Raises:
        CorpusError: a folder has no usable index, or there is no such sentence in any of them.
    """
    utterances = [utterance for folder in folders for utterance in read_index(folder)]
    sentences = [utterance for utterance in utterances if utterance.split == "train" and utterance.text]
    if not sentences:
        named = ", ".join(map(str, folders))
        raise CorpusError(f"no English sentence of {named} has the split 'train'; check the columns split and text")
    return sentences


def write_phones(phones: Sequence[TimedPhone]) -> str:
    """The text of the column `phones`."""
    return " ".join(f"{phone.name}:{phone.begin:.3f}" for phone in phones)


def _read_row(folder: Path, row: dict[str, str | None], place: str) -> Utterance | None:
    """The utterance of a row of the index, at a place that errors name; None when it is not usable."""
    is_english = (row.get("language") or "en") == "en"
    text = normalise_text(row["text"] or "") if is_english else ""
    phones = _read_phones(row.get("phones") or "", place)
    if not text and (is_english or not phones):
        return None
    path = _locate(folder, row, place)
    if not path.is_relative_to(folder):
        raise CorpusError(f"{place} names {path}, which is not below {folder}; name files relative to that folder")
    parts = path.relative_to(folder).parts
    corpus = parts[0] if len(parts) > 2 and "clip" not in row else folder.name
    return Utterance(path, corpus, row.get("split") or "train", text, phones)


def _read_phones(column: str, place: str) -> tuple[tuple[str, float], ...]:
    try:
        pairs = [pair.split(":") for pair in column.split()]
        phones = tuple((name, float(begin)) for name, begin in pairs)
    except ValueError as error:
        raise CorpusError(f"{place} has phones that cannot be read ({error}); write them as B:0.120") from error
    unknown = sorted({name for name, _ in phones} - set(PHONES))
    if unknown:
        raise CorpusError(f"{place} names unknown phones: {', '.join(unknown)}; use ARPAbet and SIL")
    before = 0.0
    for name, begin in phones:
        if not before <= begin < math.inf:
            raise CorpusError(
                f"{place} has {name} begin at {begin:g} s after a phone at {before:g} s; sort its phones by time"
            )
        before = begin
    return phones


def _locate(folder: Path, row: dict[str, str | None], place: str) -> Path:
    """The file of a row."""
    speaker, name = row.get("speaker"), row["clip" if "clip" in row else "file"]
    if "clip" in row:
        if not speaker or not name:
            raise CorpusError(f"{place} needs both a speaker and a clip; fill in both columns")
        return folder / speaker / name / "speech.wav"
    if not name:
        raise CorpusError(f"{place} names no file; fill in the column 'file'")
    direct = folder / name
    return direct if direct.exists() or not speaker else folder / speaker / name


def _hear(path: Path) -> NDArray[np.int16]:
    """The waveform of a file; nothing, and a line in the log, when it cannot be read."""
    try:
        clip = read_audio(path)
        waveform = to_waveform(clip.samples, clip.sample_rate)
    except SoundError as error:
        LOG.warning("left out: %s", error)
        return np.zeros(0, np.int16)
    return np.round(32767 * waveform).astype(np.int16)


def _hear_all(paths: Sequence[Path], processes: int) -> Iterator[NDArray[np.int16]]:
    """Waveforms in the order of the paths."""
    if processes <= 1:
        yield from map(_hear, paths)
        return
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        yield from pool.map(_hear, paths, chunksize=16)


def _fingerprint(utterances: Sequence[Utterance]) -> str:
    """Changes with all that the waveforms depend on, including the sizes and times of the files."""
    named = [(str(utterance.path), *_size_and_time(utterance.path)) for utterance in utterances]
    return hashlib.sha256(repr((_VERSION, named)).encode()).hexdigest()[:16]


def _size_and_time(path: Path) -> tuple[int, int]:
    """Bytes of a file and when it was written, in nanoseconds; zeros when there is none."""
    try:
        found = path.stat()
    except OSError:  # `_hear` logs it
        return 0, 0
    return found.st_size, found.st_mtime_ns


def _keep(file: Path, waveforms: Sequence[NDArray[np.int16]]) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    with atomic_write(file) as temporary, temporary.open("wb") as opened:
        np.savez(opened, samples=np.concatenate(waveforms), lengths=[len(waveform) for waveform in waveforms])


def _read(file: Path) -> list[NDArray[np.int16]]:
    with np.load(file) as stored:
        return np.split(stored["samples"], np.cumsum(stored["lengths"])[:-1])


def load_examples(
    utterances: Sequence[Utterance],
    *,
    cache: Path | None = None,
    processes: int = 1,
    transcribe: Callable[[str], Sequence[str]] | None = None,
    mouth_of: Callable[[Utterance, float], NDArray[np.float32] | None] | None = None,
    progress: Progress = silent,
) -> list[Example]:
    """Waveform and labels of every utterance that can be read and is not over 20 s long.

    Args:
        utterances: what to read.
        cache: a folder that keeps the waveforms for the next time.
        processes: how many to read with.
        transcribe: the phones of a text, for utterances whose phones are not known.
        mouth_of: what the mouth does in an utterance of so many seconds, (M, 6).
        progress: told of every hundredth file.
    """
    file = cache / f"speech-{_fingerprint(utterances)}.npz" if cache else None
    if file and file.exists():
        waveforms = _read(file)
    else:
        waveforms = []
        for waveform in _hear_all([utterance.path for utterance in utterances], processes):
            waveforms.append(waveform)
            if len(waveforms) % 100 == 0:
                progress("reading speech", len(waveforms), len(utterances))
        if file and waveforms:
            _keep(file, waveforms)
    examples, refused = [], 0
    for waveform, utterance in zip(waveforms, utterances, strict=True):
        shortest = max(LEAST_SAMPLES_PER_CHARACTER * len(utterance.text), 1)
        seconds = len(waveform) / SAMPLE_RATE
        if shortest <= len(waveform) and seconds <= LONGEST_SECONDS:
            mouth = mouth_of(utterance, seconds) if mouth_of else None
            label = _label(utterance, transcribe)
            examples.append(Example(waveform, utterance.text, utterance.corpus, *label, mouth))
        elif len(waveform):
            refused += 1
    if refused:
        reason = f"longer than {LONGEST_SECONDS:g} s or too short for their text"
        LOG.warning("left out: %d of %d utterances, %s", refused, len(utterances), reason)
    return examples


def _label(
    utterance: Utterance, transcribe: Callable[[str], Sequence[str]] | None
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Class numbers of the phones and the seconds at which they begin, as `Example` has them."""
    names, begins = [name for name, _ in utterance.phones], [begin for _, begin in utterance.phones]
    if not names and transcribe:
        names = list(transcribe(utterance.text))
    return np.array([PHONES.index(name) for name in names], np.int64), np.asarray(begins, np.float32)
