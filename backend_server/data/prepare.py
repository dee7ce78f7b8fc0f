"""Turns a folder of videos with sound into a corpus to train on.

First every video becomes a clip, in several processes; clips already there are kept, so a second run continues
where the first ended. Then the canonical neutral shape is the mean of the training speakers' neutral shapes, and every
clip's landmarks are carried over to it (Section 4.2).
"""

from __future__ import annotations

import errno
import multiprocessing
import os
import shutil
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from backend_server.data.clip import ClipMaker
from backend_server.data.clip_frames import ClipRefused
from backend_server.data.corpus import CANONICAL, COLUMNS, DAMAGE, INDEX
from backend_server.data.prepare_report import PrepareReport, Refusal, write_report
from backend_server.data.sources import Source, find_sources
from backend_server.files import atomic_write, temporary_name
from backend_server.progress import Progress, silent
from backend_server.retarget import mean_shape, normalise_shape, stabilise, to_canonical
from shared.errors import CorpusError, NoSpaceError, ValueRangeError

_PARTIAL = ".partial"


def prepare(
    video_dir: Path, out: Path, *, workers: int = 0, clips_per_speaker: int = 0, progress: Progress = silent
) -> PrepareReport:
    """Prepares the corpus of all videos under `video_dir`.

    Args:
        video_dir: holds .mpg .mpeg .mp4 .avi .mkv .mov .webm, one folder per speaker, and perhaps an `index.tsv`.
        out: the corpus's folder; made, or completed.
        workers: processes; 0 takes one per processor core.
        clips_per_speaker: how many of each speaker and split, for a small corpus; 0 takes all.
        progress: receives ("prepare", clips done, clips), then ("canonical", ...); may raise `Cancelled`.

    Raises:
        CorpusError: there is no video, or none of them can be used.
        NoSpaceError: the disk is full.
        ValueRangeError: `workers` or `clips_per_speaker` is negative.
    """
    if workers < 0:
        raise ValueRangeError(f"The number of worker processes must be 0 or more, got {workers}.")
    if clips_per_speaker < 0:
        raise ValueRangeError(f"The number of clips per speaker must be 0 (all) or more, got {clips_per_speaker}.")
    started = time.perf_counter()
    sources = _first_of_each(find_sources(video_dir), clips_per_speaker)
    missing = [source for source in sources if not _is_made(source, out)]
    with _full_disk_named(out):
        out.mkdir(parents=True, exist_ok=True)
        refusals = _make_clips(missing, out, workers or os.cpu_count() or 1, progress, len(sources))
        shutil.rmtree(out / _PARTIAL, ignore_errors=True)
        refused = {refusal.name for refusal in refusals}
        made = [source for source in sources if source.name not in refused]
        if made:
            seconds, frames = _finish(made, out, progress)
        else:
            seconds, frames = 0.0, 0
        report = PrepareReport(
            clips=len(made),
            reused=len(sources) - len(missing),
            refused=tuple(refusals),
            seconds_of_sound=seconds,
            frames=frames,
            wall_seconds=time.perf_counter() - started,
        )
        write_report(report, out)
    if not made:
        first = refusals[0]
        raise CorpusError(
            f"None of the {len(sources)} videos can be used; the first, {first.video}, because {first.reason}."
        )
    return report


def _first_of_each(sources: list[Source], count: int) -> list[Source]:
    """The first `count` sources of each speaker and split; all when `count` is 0."""
    seen: Counter[tuple[str, str]] = Counter()
    chosen = []
    for source in sources:
        seen[source.speaker, source.split] += 1
        if not count or seen[source.speaker, source.split] <= count:
            chosen.append(source)
    return chosen


def _is_made(source: Source, out: Path) -> bool:
    return (out / source.name / "arkit.npz").is_file()  # the last that is written


def _make_clips(missing: list[Source], out: Path, workers: int, progress: Progress, total: int) -> list[Refusal]:
    """Makes the missing clips and returns the refusals, in the order of the sources."""
    done = total - len(missing)
    reasons: dict[str, str | None] = {}
    progress("prepare", done, total)
    if workers == 1 or len(missing) < 2:
        for source in missing:
            reasons[source.name] = _make_clip(source, out)
            progress("prepare", done + len(reasons), total)
    else:
        context = multiprocessing.get_context("spawn")  # MediaPipe's threads do not survive a fork
        with ProcessPoolExecutor(min(workers, len(missing)), mp_context=context) as pool:
            futures = {pool.submit(_make_clip, source, out): source for source in missing}
            try:
                for future in as_completed(futures):
                    reasons[futures[future].name] = future.result()
                    progress("prepare", done + len(reasons), total)
            except BrokenProcessPool as error:
                raise CorpusError("A process reading the videos stopped; run the command again to continue.") from error
            finally:
                pool.shutdown(wait=True, cancel_futures=True)
    return [Refusal(s.name, str(s.video), reason) for s in missing if (reason := reasons[s.name]) is not None]


@cache
def _clip_maker() -> ClipMaker:
    """The process's own models."""
    return ClipMaker()


def _make_clip(source: Source, out: Path) -> str | None:
    """Makes one clip; returns why it was refused, or None."""
    partial = temporary_name(out / _PARTIAL / f"{source.speaker}_{source.clip}")
    try:
        _clip_maker().make(source.video, out / source.name, partial)
    except ClipRefused as refusal:
        return str(refusal)
    return None


def _finish(made: list[Source], out: Path, progress: Progress) -> tuple[float, int]:
    """Writes the canonical shape, the canonical landmarks and the index; returns seconds and frames in all."""
    neutral = _neutral_canonical(made, out)
    _save_arrays(out / CANONICAL, {"neutral_canonical": neutral})
    rows = ["\t".join(COLUMNS)]
    all_seconds, all_frames = 0.0, 0
    for number, source in enumerate(made):
        path = out / source.name / "landmarks.npz"
        arrays = _load_arrays(path)
        still = stabilise(arrays["landmarks"], arrays["neutral"])
        canonical = to_canonical(still, arrays["neutral"], neutral)
        if "canonical" not in arrays or not np.array_equal(arrays["canonical"], canonical):
            _save_arrays(path, {**arrays, "canonical": canonical})
        frames = len(canonical)
        seconds = ((out / source.name / "speech.wav").stat().st_size - 44) / 2 / 16000
        all_seconds, all_frames = all_seconds + seconds, all_frames + frames
        rows.append(f"{source.speaker}\t{source.clip}\t{source.split}\t{seconds:.3f}\t{frames}\t{source.text}")
        progress("canonical", number + 1, len(made))
    with atomic_write(out / INDEX) as temporary:
        temporary.write_text("\n".join(rows) + "\n", encoding="utf-8")
    return all_seconds, all_frames


def _neutral_canonical(made: list[Source], out: Path) -> NDArray[np.float32]:
    """Returns l_p^m, (68, 2): the mean over the training speakers, each of whom weighs the same."""
    by_speaker: dict[str, list[NDArray[np.float64]]] = {}
    for source in [s for s in made if s.split == "train"] or made:
        neutral = _load_arrays(out / source.name / "landmarks.npz")["neutral"]
        by_speaker.setdefault(source.speaker, []).append(normalise_shape(neutral))
    return mean_shape([np.mean(shapes, axis=0) for shapes in by_speaker.values()])


def _load_arrays(path: Path) -> dict[str, NDArray]:
    try:
        with np.load(path) as arrays:
            return dict(arrays)
    except DAMAGE as error:
        raise CorpusError(f"{path} is damaged; move its folder away and run the command again.") from error


def _save_arrays(path: Path, arrays: dict[str, NDArray]) -> None:
    with atomic_write(path) as temporary, temporary.open("wb") as file:
        np.savez(file, allow_pickle=False, **arrays)


@contextmanager
def _full_disk_named(out: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise NoSpaceError(f"The disk of {out} is full; a corpus needs about 1.5 MB a second of video.") from error
        raise
