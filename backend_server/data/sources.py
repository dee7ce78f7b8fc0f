"""Finds the videos in a folder, their speakers, and what is said in them.

An `index.tsv` in the folder, with a header of at least `speaker` and `file`, gives each video's speaker, `split`
(train or val) and `text`. A video it does not name belongs to the speaker whose folder it is in, for training.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from shared.errors import CorpusError

VIDEO_SUFFIXES = frozenset({".mpg", ".mpeg", ".mp4", ".avi", ".mkv", ".mov", ".webm"})
SPLITS = ("train", "val")


@dataclass(frozen=True)
class Source:
    """One video to prepare: where it lies and what the corpus calls it."""

    video: Path
    speaker: str
    clip: str
    split: str
    text: str

    @property
    def name(self) -> str:
        """Speaker and clip, as the corpus's folders are named."""
        return f"{self.speaker}/{self.clip}"


def find_sources(video_dir: Path) -> list[Source]:
    """Returns the videos under `video_dir`, sorted by speaker and clip.

    Raises:
        CorpusError: no such folder, no video in it, a broken index, or two videos of one name.
    """
    if not video_dir.is_dir():
        raise CorpusError(f"There is no folder {video_dir}; give the folder that holds the videos.")
    videos = sorted(p for p in video_dir.rglob("*") if p.suffix.lower() in VIDEO_SUFFIXES and p.is_file())
    if not videos:
        raise CorpusError(f"No video was found under {video_dir}; expected {', '.join(sorted(VIDEO_SUFFIXES))}.")
    indexed = {source.video: source for source in _read_index(video_dir)}
    sources = [indexed.get(video) or _unindexed(video, video_dir) for video in videos]
    by_name: dict[str, Source] = {}
    for source in sources:
        other = by_name.setdefault(source.name, source)
        if other is not source:
            raise CorpusError(f"{other.video} and {source.video} would both become {source.name}; rename one.")
    return sorted(sources, key=lambda source: (source.speaker, source.clip))


def _unindexed(video: Path, video_dir: Path) -> Source:
    parts = video.relative_to(video_dir).with_suffix("").parts
    speaker, rest = (parts[0], parts[1:]) if len(parts) > 1 else (video_dir.resolve().name, parts)
    return Source(video, speaker, "_".join(rest), "train", "")


def _read_index(video_dir: Path) -> Iterator[Source]:
    index = video_dir / "index.tsv"
    if not index.is_file():
        return
    try:
        lines = index.read_text(encoding="utf-8").splitlines()
    except UnicodeDecodeError as error:
        raise CorpusError(f"{index} is not UTF-8 text; save it again as UTF-8.") from error
    for number, row in enumerate(csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE), start=2):
        speaker, file, split = row.get("speaker"), row.get("file"), row.get("split") or "train"
        if not speaker or not file:
            raise CorpusError(f"{index}, line {number}: a row needs the columns speaker and file.")
        if split not in SPLITS:
            raise CorpusError(f"{index}, line {number}: the split must be train or val, not {split!r}.")
        if any(part in ("", ".", "..") or "/" in part or "\\" in part for part in (speaker,)):
            raise CorpusError(f"{index}, line {number}: {speaker!r} cannot be the name of a folder.")
        inside = video_dir / speaker / file
        video = inside if inside.is_file() else video_dir / file
        clip = "_".join(Path(file).with_suffix("").parts)
        yield Source(video, speaker, clip, split, " ".join((row.get("text") or "").split()))
