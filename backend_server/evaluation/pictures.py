"""What do the figures of an evaluation look like?"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import NDArray

from backend_server.evaluation.motion import ClipMotion
from backend_server.evaluation.texture import ClipTexture
from backend_server.export.contact_sheet import ACCENT, INK
from backend_server.metrics.landmarks import correlation, mouth_opening

CURVE_COUNT = 6


def draw_openings(path: Path, moved: Sequence[ClipMotion]) -> None:
    """Mouth opening over time, real and generated, of a few clips."""
    shown = list(moved)[:: max(len(moved) // CURVE_COUNT, 1)][:CURVE_COUNT]
    figure = _figure(14, 2.2 * len(shown))
    for place, one in enumerate(shown):
        axes = figure.add_subplot(len(shown), 1, place + 1)
        real, ours = mouth_opening(one.real), mouth_opening(one.made["ours"])
        axes.plot(one.frame_times, real, color=INK, label="real")
        axes.plot(one.frame_times, ours, color=ACCENT, label="from the sound")
        title = f"{one.clip.speaker}  {one.clip.text}  (correlation {correlation(ours, real):.2f})"
        axes.set_title(title, loc="left", fontsize=9)
        axes.set_xlim(float(one.frame_times[0]), float(one.frame_times[-1]))
        if place == 0:
            axes.legend(loc="upper right", fontsize=8)
    figure.savefig(path, dpi=80)


def draw_faces(path: Path, results: Sequence[ClipTexture]) -> None:
    """Real frames above those rendered by each recipe, one block of rows a clip."""
    rows: list[tuple[str, NDArray[np.uint8]]] = []
    for clip in dict.fromkeys(result.clip for result in results):
        of_clip = [result for result in results if result.clip == clip]
        rows.append((f"{clip.speaker}: real", of_clip[0].real))
        rows += [(f"{r.recipe.name}: {r.figures.psnr:.1f} dB", r.made) for r in of_clip]
    columns = len(rows[0][1])
    figure = _figure(1.6 * columns + 1.2, 1.6 * len(rows))
    for y, (name, pictures) in enumerate(rows):
        for x, picture in enumerate(pictures):
            axes = figure.add_subplot(len(rows), columns, y * columns + x + 1)
            axes.imshow(picture)
            axes.set_axis_off()
            if x == 0:
                axes.set_title(name, loc="left", fontsize=7)
    figure.savefig(path, dpi=90)


def draw_blinks(path: Path, generated: NDArray[np.int64], real: NDArray[np.int64]) -> None:
    """How many frames blinks last, generated beside the corpus' own (Fig. 5)."""
    figure = _figure(8, 3.5)
    axes = figure.add_subplot()
    for histogram, offset, colour, name in ((real, -0.2, INK, "corpus"), (generated, 0.2, ACCENT, "generated")):
        share = histogram / max(int(histogram.sum()), 1)
        axes.bar(np.arange(len(share)) + offset, share, width=0.4, color=colour, label=name)
    axes.set_xlabel("frames of 40 ms")
    axes.set_ylabel("share of blinks")
    axes.legend()
    figure.savefig(path, dpi=80)


def _figure(width: float, height: float) -> Figure:
    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure
