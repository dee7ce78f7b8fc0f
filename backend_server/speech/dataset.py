"""Where does transcribed speech for training come from, and how is it kept so that an epoch reads no files?

A folder of speech has an `index.tsv` with a header, tabs and no quoting. Either column `file` (relative to the folder,
or to the folder of the row's `speaker`) names a sound or video file, or `speaker` and `clip` name a clip of a prepared
corpus. `text` is required, `split` ("train" unless given), `language` (only "en" is read) and `speaker` are optional.
"""

from __future__ import annotations

import csv
import hashlib
import logging
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from backend_server.config import SAMPLE_RATE, SpeechConfig
from backend_server.progress import Progress, silent
from backend_server.speech.audio import read_audio, to_waveform
from backend_server.speech.decoding import normalise_text
from backend_server.speech.features import log_mel
from shared.errors import CorpusError, SoundError

_LOG = logging.getLogger(__name__)
_FEATURES_VERSION = 1
LONGEST_SECONDS = 20.0
SHORTEST_FRAMES_A_CHARACTER = 2.2  # two mel frames a score, and some for the blanks between equal characters


@dataclass(frozen=True)
class Utterance:
    """One transcribed file.

    Attributes:
        path: sound or video.
        corpus: the name errors are counted under.
        split: "train", "val" or another.
        text: in the model's characters, never empty.
    """

    path: Path
    corpus: str
    split: str
    text: str


@dataclass(frozen=True)
class Features:
    """An utterance as the network's training sees it: log-mel frames f16 (F, bands), before normalisation."""

    mel: NDArray[np.float16]
    text: str
    corpus: str


def read_index(folder: Path) -> list[Utterance]:
    """The usable utterances of a folder, in the order of its index.

    Raises:
        CorpusError: there is no index, it lacks a column, or nothing in it is usable.
    """
    index = folder / "index.tsv"
    if not index.is_file():
        raise CorpusError(f"there is no {index}; name a folder of speech that has an index.tsv")
    with index.open(encoding="utf-8", newline="") as lines:
        rows = list(csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE))
    columns = set(rows[0]) if rows else set()
    if "text" not in columns or not columns & {"file", "clip"}:
        raise CorpusError(f"{index} needs the columns 'file' (or 'clip') and 'text'; it has {sorted(columns)}")
    utterances = []
    for row in rows:
        text = normalise_text(row["text"] or "")
        if not text or (row.get("language") or "en") != "en":
            continue
        path = _locate(folder, row)
        parts = path.relative_to(folder).parts
        corpus = parts[0] if len(parts) > 2 and "clip" not in columns else folder.name
        utterances.append(Utterance(path, corpus, row.get("split") or "train", text))
    if not utterances:
        raise CorpusError(f"{index} names no English sentence that can be used")
    return utterances


def _locate(folder: Path, row: dict[str, str]) -> Path:
    if "clip" in row:
        return folder / row["speaker"] / row["clip"] / "speech.wav"
    direct = folder / row["file"]
    return direct if direct.exists() or not row.get("speaker") else folder / row["speaker"] / row["file"]


def _hear(work: tuple[Path, SpeechConfig]) -> NDArray[np.float16] | None:
    path, config = work
    torch.set_num_threads(1)
    try:
        clip = read_audio(path)
        waveform = to_waveform(clip.samples, clip.sample_rate)
    except SoundError as error:
        _LOG.warning("left out: %s", error)
        return None
    return log_mel(torch.from_numpy(waveform), config).numpy().astype(np.float16)


def load_features(
    utterances: Sequence[Utterance],
    config: SpeechConfig,
    *,
    cache: Path | None = None,
    processes: int = 1,
    progress: Progress = silent,
) -> list[Features]:
    """Log-mel frames of every utterance that can be read and is not over 20 s long.

    Args:
        utterances: what to read.
        config: gives the features.
        cache: a folder that keeps the frames for the next time.
        processes: how many to read with.
        progress: told of every hundredth file.
    """
    key = repr([(str(u.path), u.text) for u in utterances]) + repr((config.mel_bands, config.window_samples))
    name = hashlib.sha256(f"{_FEATURES_VERSION}{key}".encode()).hexdigest()[:16]
    file = cache / f"features-{name}.npz" if cache else None
    if file and file.exists():
        with np.load(file) as stored:
            frames, lengths = stored["frames"], stored["lengths"]
        mels: list[NDArray[np.float16] | None] = list(np.split(frames, np.cumsum(lengths)[:-1]))
    else:
        mels = []
        with ProcessPoolExecutor(processes) as pool:
            for mel in pool.map(_hear, [(u.path, config) for u in utterances], chunksize=16):
                mels.append(mel)
                if len(mels) % 100 == 0:
                    progress("reading speech", len(mels), len(utterances))
        if file:
            file.parent.mkdir(parents=True, exist_ok=True)
            whole = [np.zeros((0, config.mel_bands), np.float16) if mel is None else mel for mel in mels]
            np.savez(file, frames=np.concatenate(whole), lengths=[len(mel) for mel in whole])
    limit = LONGEST_SECONDS * SAMPLE_RATE / config.hop_samples
    return [
        Features(mel, utterance.text, utterance.corpus)
        for mel, utterance in zip(mels, utterances, strict=True)
        if mel is not None and SHORTEST_FRAMES_A_CHARACTER * len(utterance.text) <= len(mel) <= limit
    ]
