"""Draws a learnt face with the landmarks of a file, and writes the pictures as `animate` does."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from backend_server.cascade import Cascade
from backend_server.commands.edited_curves import read_curves
from backend_server.commands.notebook import Notebook
from backend_server.commands.output_folder import output_folder
from backend_server.config import CROP_SIZE
from backend_server.export.formats import FrameFormat, bytes_per_frame
from backend_server.export.frames import FrameSettings, frame_files
from backend_server.export.images import PREVIEW_BACKGROUND
from backend_server.export.tags import synthetic_tags
from backend_server.face_photo import size_note
from backend_server.identities.learning import open_learnt
from backend_server.progress import Progress, StageClock
from backend_server.speech.recording import FileSound
from backend_server.texture.placed import placed
from shared.errors import ValueRangeError
from shared.protocol import FACE_SIZES
from shared.timing import FrameRate

_USUAL_RATE = Fraction(25)
_SILENT_RATE = 48_000  # Hz, of a film without sound


@dataclass(frozen=True)
class RedrawSettings:
    """The options of `render`; frames are counted from 1, and `last` is included."""

    curves: Path
    identity: Path  # a file, or the first digits of an ID
    out: Path
    speech: Path | None = None  # for the films
    first: int = 1
    last: int | None = None
    frame_rate: FrameRate | None = None  # None: that of the curves
    frame_format: FrameFormat = FrameFormat.PNG
    device: str = "auto"
    size: int = CROP_SIZE  # pixels a side, one of `FACE_SIZES`


def redraw(
    settings: RedrawSettings,
    progress: Progress,
    say: Callable[[str], None] = lambda _: None,
    notebook: Notebook | None = None,
) -> int:
    """Writes pictures or a film, a preview and a report; returns how many frames.

    Raises:
        SpeechFaceError: the first thing that was wrong with the input; nothing is written then.
        NoteError: the notebook is strict, and something is noteworthy; nothing is written then.
    """
    notebook = notebook or Notebook()
    if settings.size not in FACE_SIZES:
        raise ValueRangeError(f"--size is {settings.size}; choose one of {', '.join(map(str, FACE_SIZES))}")
    clock = StageClock(progress)
    curves = read_curves(settings.curves).part(settings.first, settings.last)
    rate = settings.frame_rate.exact if settings.frame_rate else curves.frame_rate or _USUAL_RATE
    sound = FileSound(settings.speech) if settings.speech else None
    sample_rate = sound.survey().sample_rate if sound else _SILENT_RATE
    count = len(curves.landmarks)
    needed_bytes = count * bytes_per_frame(settings.frame_format, settings.size, settings.size)
    with output_folder(settings.out, needed_bytes, say) as folder:
        clock("load", 0, 1)
        cascade = Cascade.load(settings.device)
        learning = open_learnt(cascade, settings.identity)
        notebook.add(learning.notes)
        clock("load", 1, 1)
        place = None
        if settings.size != CROP_SIZE:
            notebook.add(size_note(learning.identity.references, settings.size, learning.identity.record.title))
            place = cascade.face_at_size(learning.identity, settings.size)
        tags = synthetic_tags(cascade.weights_version, learning.identity.record.seed)
        how = FrameSettings(settings.frame_format, rate, PREVIEW_BACKGROUND, tags)

        def heard() -> Iterator[NDArray[np.float32]]:
            return _later(sound.as_given(), round(curves.begin_seconds * sample_rate)) if sound else iter(())

        with (
            cascade.result_judge(curves.landmarks) as judge,
            frame_files(folder, how, heard, sample_rate) as take,
        ):
            faces = judge.watch(cascade.render(learning.identity, curves.landmarks, clock))
            for frame in placed(faces, curves.landmarks, place):
                take(frame)
        notebook.add(judge.notes())
        clock.stop()
        report = {
            "curves": settings.curves.name,
            "speech": settings.speech.name if settings.speech else None,
            "identity": learning.identity.record.identity,
            "first_frame": settings.first,
            "frames": count,
            "frame_rate": float(rate),
            "frames_as": settings.frame_format,
            "size": settings.size,
            "device": cascade.device,
            "weights_version": cascade.weights_version,
            "seconds_per_stage": {stage: round(seconds, 3) for stage, seconds in clock.seconds.items()},
            "notes": [{"code": note.code, "about": note.about, "sentence": note.sentence} for note in notebook.notes],
            "synthetic_media": True,
            "metadata": tags,
        }
        (folder / "report.json").write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    return count


def _later(blocks: Iterator[NDArray[np.float32]], sample: int) -> Iterator[NDArray[np.float32]]:
    """Blocks (S, channels) of a sound from one of its samples on; silence before its first."""
    for block in blocks:
        if sample < 0:
            yield np.zeros((-sample, block.shape[1]), np.float32)
            sample = 0
        kept = block[sample:]
        sample = max(0, sample - len(block))
        if len(kept):
            yield kept
