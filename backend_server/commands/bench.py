"""Measures the speed and the memory of each stage on this machine."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import psutil
from numpy.typing import NDArray
from rich.table import Table

from backend_server.batch.characters import FORMAT, VERSION
from backend_server.batch.order import Output
from backend_server.cascade import Cascade
from backend_server.commands.animate import SAMPLE_SPEECH
from backend_server.config import SAMPLE_RATE
from backend_server.devices import choose_device
from backend_server.evaluation.motion.speed import real_time_factor
from backend_server.evaluation.run import machine
from backend_server.export.images import frame_path, write_png
from backend_server.export.writers import Writers
from backend_server.face.images import read_image
from backend_server.face.reference import prepare_references
from backend_server.files import atomic_write
from backend_server.identities.pictures import portrait_path
from backend_server.identity import FaceReferences, Identity
from backend_server.progress import Progress, silent
from backend_server.speech.audio import read_audio, to_waveform, write_wav
from shared.errors import SpeechFaceError
from shared.timing import FrameRate, frame_times

SPEECH_SECONDS = 60.0
RENDERED_FRAMES = 100
MANY_IMAGES = 20  # K of Section 4.3
BATCH_LINES, BATCH_SECONDS = 200, 3.0


@dataclass(frozen=True)
class Figure:
    """One measured figure."""

    name: str
    value: float
    unit: str


def bench(out: Path | None, *, device: str, batch_lines: int | None = None, progress: Progress = silent) -> Table:
    """Measures and returns the table for the terminal.

    Args:
        out: the same as JSON is written there.
        device: as `choose_device` takes it.
        batch_lines: a batch of so many lines alone is measured; None measures everything.
        progress: told of each figure.

    Raises:
        SpeechFaceError: a batch failed.
    """
    figures: list[Figure] = []
    steps = 9 if batch_lines is None else 1

    def note(name: str, value: float, unit: str) -> None:
        figures.append(Figure(name, round(value, 4), unit))
        progress("bench", min(len(figures), steps), steps)

    progress("bench", 0, steps)
    if batch_lines is None:
        _measure_stages(device, note)
    count = batch_lines or BATCH_LINES
    note(
        f"batch of {count} lines of 3 s, curves and Oculus weights, all cores, start included",
        _batch_speed(device, count),
        "x real time",
    )
    used = machine(choose_device(device))
    if out is not None:
        document = {"machine": used, "date": datetime.now(UTC).date().isoformat()}
        figures_json = [asdict(figure) for figure in figures]
        with atomic_write(out) as temporary:
            temporary.write_text(json.dumps({**document, "figures": figures_json}, indent=2) + "\n", encoding="utf-8")
    table = Table("figure", "value", "unit", title=used)
    for figure in figures:
        table.add_row(figure.name, f"{figure.value:g}", figure.unit)
    return table


def _measure_stages(device: str, note: Callable[[str, float, str], None]) -> None:
    note("load the cascade", _seconds(lambda: Cascade.load(device), 1), "s")
    cascade = Cascade.load(device)
    speech = _speech()
    note("sound to landmarks, features included, one thread", real_time_factor(cascade, speech, 1), "s per s of sound")
    note("sound to landmarks, features included, all threads", real_time_factor(cascade, speech), "s per s of sound")
    portrait = read_image(portrait_path())
    references = prepare_references([portrait])
    identity = cascade.fine_tune(references, epochs=0)
    note("adapt, K = 1, 10 epochs", _seconds(lambda: cascade.fine_tune(references, epochs=10), 1), "s")
    times = frame_times(RENDERED_FRAMES / 25, FrameRate(25))
    motion = cascade.animate(speech, SAMPLE_RATE, times, identity)
    many = _speaking(cascade, references, identity, motion.landmarks[:: RENDERED_FRAMES // MANY_IMAGES])
    note("adapt, K = 20, 10 epochs", _seconds(lambda: cascade.fine_tune(many, epochs=10), 1), "s")
    before = psutil.Process().memory_info().rss
    seconds, peak = _render(cascade, identity, motion.landmarks)
    note("render 256 x 256, PNG written, K = 1", RENDERED_FRAMES / seconds, "frames/s")
    seconds, peak_of_many = _render(cascade, cascade.fine_tune(many, epochs=0), motion.landmarks)
    note("render 256 x 256, PNG written, K = 20", RENDERED_FRAMES / seconds, "frames/s")
    note("memory while rendering, beyond the loaded cascade", (max(peak, peak_of_many) - before) / 2**20, "MiB")


def _batch_speed(device: str, count: int) -> float:
    """Seconds of sound a second, from the command to its end; the lines are pieces of the sample.

    Raises:
        SpeechFaceError: it failed.
    """
    length, speech = round(BATCH_SECONDS * SAMPLE_RATE), _speech()
    firsts = np.linspace(0, len(speech) - length, count).astype(int)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for number, first in enumerate(firsts):
            write_wav(folder / "vo" / f"{number}.wav", speech[first : first + length])
        described = {"format": FORMAT, "version": VERSION, "characters": {"sample": {"rig": ["oculus"]}}}
        (folder / "characters.json").write_text(json.dumps(described), encoding="utf-8")
        outputs = ",".join((Output.CURVES, Output.ARKIT, Output.RIG))
        command = [sys.executable, "-m", "backend_server", "batch", folder / "vo", "--out", folder / "out"]
        command += ["--characters", folder / "characters.json", "--outputs", outputs, "--device", device]
        start = time.perf_counter()
        run = subprocess.run(command, capture_output=True, text=True, encoding="utf-8", errors="replace", check=False)
        spent = time.perf_counter() - start
        if run.returncode:
            raise SpeechFaceError(f"the batch that was measured failed: {' '.join(run.stderr.split())[-500:]}")
    return count * BATCH_SECONDS / spent


def _seconds(work: Callable[[], object], repeats: int) -> float:
    start = time.perf_counter()
    for _ in range(repeats):
        work()
    return (time.perf_counter() - start) / repeats


def _speech() -> NDArray[np.float32]:
    clip = read_audio(SAMPLE_SPEECH)
    return np.resize(to_waveform(clip.samples, clip.sample_rate), int(SPEECH_SECONDS * SAMPLE_RATE))


def _speaking(
    cascade: Cascade, references: FaceReferences, identity: Identity, landmarks: NDArray[np.float32]
) -> FaceReferences:
    """As many images of one person as there are landmarks (K, 68, 2), beginning with the known one."""
    pictures = np.concatenate([references.crops, *(c[..., :3] for c in cascade.render(identity, landmarks[1:]))])
    return replace(
        references,
        crops=pictures,
        landmarks=np.concatenate([references.landmarks, landmarks[1:]]),
        mattes=np.repeat(references.mattes, len(pictures), axis=0),
    )


def _render(cascade: Cascade, identity: Identity, landmarks: NDArray[np.float32]) -> tuple[float, int]:
    process, peak, number = psutil.Process(), 0, 0
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        with Writers() as write:
            for chunk in cascade.render(identity, landmarks):
                for picture in chunk:
                    number += 1
                    write(write_png, frame_path(Path(folder), number), picture, {})
                peak = max(peak, process.memory_info().rss)
        return time.perf_counter() - start, peak
