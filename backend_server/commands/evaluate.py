"""How good are the shipped weights on held-out sentences and people?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple, fields
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from backend_server.cascade import Cascade
from backend_server.commands.bench import machine
from backend_server.commands.output_folder import output_folder
from backend_server.config import CORPUS_FRAME_RATE
from backend_server.data.corpus import Clip, Corpus
from backend_server.evaluation.motion import (
    ClipMotion,
    by_split,
    evaluate_motion,
    figures_by_method,
)
from backend_server.evaluation.pictures import draw_blinks, draw_faces, draw_openings
from backend_server.evaluation.report import ReportTable, write_report
from backend_server.evaluation.texture import RECIPES, ClipTexture, evaluate_texture, mean_texture
from backend_server.metrics.blink import BlinkStatistics, blink_statistics
from backend_server.metrics.landmarks import eye_aspect_ratio
from backend_server.metrics.motion import MotionFigures
from backend_server.progress import Progress
from shared.timing import FrameRate, frame_times

TRAIN_CLIPS = 40  # of the training split; the held-out clips are all judged
BLINK_CLIPS = 200
BLINK_SECONDS = 6.0
SEED = 0


def evaluate(data: Path, out: Path, *, device: str, progress: Progress) -> str:
    """Writes report.md, report.json and pictures into `out` and returns the tables.

    Raises:
        CorpusError: `data` is no corpus, or holds no held-out clip.
    """
    corpus = Corpus(data)
    groups = by_split(corpus.clips(), lambda speaker: speaker in corpus.speakers("train"))
    groups["train"] = _spread(groups.get("train", []), TRAIN_CLIPS)
    with output_folder(out) as folder:
        cascade = Cascade.load(device)
        moved = {name: evaluate_motion(cascade, clips, progress) for name, clips in groups.items() if clips}
        tables = [_motion_table(name, clips) for name, clips in moved.items()]
        pictures = []
        for name, clips in moved.items():
            file = f"openings_{name.replace(' ', '_').replace('-', '_')}.png"
            draw_openings(folder / file, clips)
            pictures.append((file, f"Mouth opening, {name}"))
        generated, real = _blinks(cascade, corpus, progress)
        tables.append(_blink_table(generated, real))
        draw_blinks(folder / "blinks.png", generated.histogram, real.histogram)
        pictures.append(("blinks.png", "Duration of blinks (Fig. 5)"))
        textured = evaluate_texture(cascade, _one_each(groups.get("held-out people", [])), SEED, progress)
        if textured:
            tables.append(_texture_table(textured))
            draw_faces(folder / "faces.png", textured)
            pictures.append(("faces.png", "Held-out people: real frames, and the same frames rendered"))
        facts = {
            "weights": cascade.weights_version,
            "machine": machine(cascade.device),
            "date": datetime.now(UTC).date().isoformat(),
            "clips": ", ".join(f"{len(clips)} {name}" for name, clips in moved.items()),
        }
        return write_report(folder, facts, tables, pictures)


def _spread(clips: Sequence[Clip], count: int) -> list[Clip]:
    chosen = np.linspace(0, len(clips) - 1, min(count, len(clips))).round().astype(int)
    return [clips[i] for i in chosen]


def _one_each(clips: Sequence[Clip]) -> list[Clip]:
    return list({clip.speaker: clip for clip in reversed(clips)}.values())


def _motion_table(name: str, moved: Sequence[ClipMotion]) -> ReportTable:
    rows = tuple((method, astuple(figures)) for method, figures in figures_by_method(moved).items())
    columns = tuple(field.name.replace("_", " ") for field in fields(MotionFigures))
    return ReportTable(f"Motion, {name} ({len(moved)} clips)", columns, rows)


def _blinks(cascade: Cascade, corpus: Corpus, progress: Progress) -> tuple[BlinkStatistics, BlinkStatistics]:
    times = frame_times(BLINK_SECONDS, FrameRate(int(CORPUS_FRAME_RATE)))
    curves = []
    for seed in range(BLINK_CLIPS):
        progress("blinks", seed, BLINK_CLIPS)
        curves.append(eye_aspect_ratio(cascade.blink_landmarks(times, seed)))
    progress("blinks", BLINK_CLIPS, BLINK_CLIPS)
    real = [eye_aspect_ratio(clip.landmarks().canonical) for clip in corpus.clips("train")]
    return blink_statistics(curves, CORPUS_FRAME_RATE), blink_statistics(real, CORPUS_FRAME_RATE)


def _blink_table(generated: BlinkStatistics, real: BlinkStatistics) -> ReportTable:
    rows = tuple(
        (name, (statistics.rate, statistics.duration, statistics.depth, str(statistics.count)))
        for name, statistics in (("generated", generated), ("corpus", real))
    )
    return ReportTable("Blinks", ("blinks per second", "mean seconds", "depth", "count"), rows)


def _texture_table(results: Sequence[ClipTexture]) -> ReportTable:
    rows = tuple((recipe.name, astuple(mean_texture(results, recipe))) for recipe in RECIPES)
    return ReportTable("Texture, held-out people, real landmarks, 256 x 256", ("PSNR dB", "SSIM"), rows)
