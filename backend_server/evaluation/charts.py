"""How are figures drawn: as lines over an axis, as bars, as curves in time, as outlines of lips?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import NDArray

from backend_server.config import SAMPLE_RATE
from backend_server.evaluation.takes import Motion, Take
from backend_server.export.contact_sheet import ACCENT, INK, sheet_frames
from backend_server.metrics.landmarks import correlation, mouth_opening, mouth_width
from shared.landmarks import INNER_LIPS, LIPS, OUTER_LIPS

COLOURS = (INK, ACCENT, "#2a9d8f", "#e9a03b", "#7b5ea7")
FAINT = "#9fb3c8"
DOTS_AN_INCH = 100
LIP_PICTURES = 14  # a strip


@dataclass(frozen=True)
class Panel:
    """One set of axes with lines or bars.

    Attributes:
        title: above it.
        axis: what the positions are, with their unit.
        positions: numbers for lines, drawn from the first on the left to the last on the right, or names for bars.
        series: name -> one value a position.
        levels: name -> a value drawn as a dashed line across.
        marked: a position on which the paper settles, drawn as a dotted upright line.
    """

    title: str
    axis: str
    positions: Sequence[float] | Sequence[str]
    series: Mapping[str, Sequence[float]]
    levels: Mapping[str, float] = field(default_factory=dict)
    marked: float | None = None


def draw_panels(path: Path, panels: Sequence[Panel], quantity: str) -> None:
    """Panels side by side that share what stands upright, as "lips LMD, pixels"."""
    figure = _figure(4.3 * len(panels) + 0.6, 3.6)
    drawn = [value for panel in panels for values in panel.series.values() for value in values]
    highest = max([*drawn, *(value for panel in panels for value in panel.levels.values())])
    shared: Axes | None = None
    for place, panel in enumerate(panels):
        axes = figure.add_subplot(1, len(panels), place + 1, sharey=shared)
        if isinstance(panel.positions[0], str):
            _bars(axes, panel)
        else:
            positions = [float(position) for position in panel.positions]
            for colour, (name, values) in zip(COLOURS, panel.series.items(), strict=False):
                axes.plot(positions, values, "o-", color=colour, label=name, markersize=4, linewidth=1.6)
            axes.set_xticks(positions, [f"{position:g}" for position in positions])
            axes.xaxis.set_inverted(positions[-1] < positions[0])
        for style, (name, value) in zip(("--", ":", "-."), panel.levels.items(), strict=False):
            axes.axhline(value, color=FAINT, linestyle=style, linewidth=1.4, label=name)
        if panel.marked is not None:
            axes.axvline(panel.marked, color=FAINT, linewidth=1.0, label="the paper's choice")
        axes.set_title(panel.title, loc="left", fontsize=10)
        axes.set_xlabel(panel.axis)
        axes.set_ylim(0, 1.1 * highest)
        if place == 0:
            axes.set_ylabel(quantity)
        shared = shared or axes
    figure.legend(*_legend(figure), loc="outside lower center", ncols=3 * len(panels) // 2, fontsize=8, frameon=False)
    figure.savefig(path, dpi=DOTS_AN_INCH)


def draw_durations(path: Path, shares: Mapping[str, NDArray[np.floating]], means: Mapping[str, float]) -> None:
    """How many frames of 40 ms blinks last (Fig. 5).

    Args:
        path: a PNG file.
        shares: name -> share of the blinks that last 0, 1, 2 ... frames.
        means: name -> mean frames, as printed elsewhere, drawn as upright lines.
    """
    figure = _figure(8.5, 3.4)
    axes = figure.add_subplot()
    width = 0.8 / len(shares)
    for place, (name, share) in enumerate(shares.items()):
        offset = (place - (len(shares) - 1) / 2) * width
        axes.bar(np.arange(len(share)) + offset, share, width=width, color=COLOURS[place], label=name)
    for style, (name, value) in zip(("--", ":"), means.items(), strict=False):
        axes.axvline(value, color="#5b6b7c", linestyle=style, linewidth=1.2, label=name)
    axes.set_xlim(0.5, max(len(share) for share in shares.values()) - 0.5)
    axes.set_xlabel("duration, frames of 40 ms")
    axes.set_ylabel("share of blinks")
    axes.legend(fontsize=8, frameon=False)
    figure.savefig(path, dpi=DOTS_AN_INCH)


def draw_curves(path: Path, shown: Sequence[tuple[Take, Motion]]) -> None:
    """Sound, mouth opening and mouth width over time, real and made from the sound, a block a clip."""
    figure = _figure(11, 3.3 * len(shown))
    grid = figure.add_gridspec(3 * len(shown), 1, height_ratios=(0.45, 1, 0.8) * len(shown))
    for place, (take, made) in enumerate(shown):
        axes = [figure.add_subplot(grid[3 * place + row, 0]) for row in range(3)]
        end = float(take.frame_times[-1])
        _draw_waveform(axes[0], take.waveform)
        scores = []
        for row, (name, measure) in enumerate((("opening", mouth_opening), ("width", mouth_width)), 1):
            real, ours = measure(take.real), measure(made)
            axes[row].plot(take.frame_times, real, color=INK, linewidth=1.5, label="real")
            axes[row].plot(take.frame_times, ours, color=ACCENT, linewidth=1.5, label="from the sound")
            axes[row].set_ylabel(name)
            scores.append(f"{name} {correlation(ours, real):.2f}")
        title = f"{take.clip.speaker}: {take.clip.text.lower()}    (correlation: {', '.join(scores)})"
        axes[0].set_title(title, loc="left", fontsize=9)
        for one in axes:
            one.set_xlim(0, end)
            one.tick_params(labelsize=8)
        for one in axes[:2]:
            one.set_xticklabels([])
        if place == 0:
            axes[1].legend(loc="upper right", fontsize=8, frameon=False)
    figure.supxlabel("seconds; opening and width are shares of the distance of the eyes", fontsize=9)
    figure.savefig(path, dpi=DOTS_AN_INCH)


def draw_lips(path: Path, shown: Sequence[tuple[Take, Motion]]) -> None:
    """Outlines of the lips at chosen moments, real and made from the sound over one another, a strip a clip."""
    figure = _figure(12, 0.95 * len(shown) + 0.1)
    for row, (take, made) in enumerate(shown):
        lips = take.real[:, LIPS]
        low, high = lips.min((0, 1)), lips.max((0, 1))
        middle, size = (low + high) / 2, 0.6 * (high - low)
        opening = mouth_opening(take.real).astype(np.float32)
        moving = np.flatnonzero(opening > 0.1 * opening.max())
        first, last = (int(moving[0]), int(moving[-1]) + 1) if len(moving) else (0, len(opening))
        for column, frame in enumerate(first + sheet_frames(opening[first:last], LIP_PICTURES)):
            axes = figure.add_subplot(len(shown), LIP_PICTURES, row * LIP_PICTURES + column + 1)
            for motion, colour in ((take.real, INK), (made, ACCENT)):
                for lip in (OUTER_LIPS, INNER_LIPS):
                    points = np.vstack([motion[frame, lip], motion[frame, lip][:1]])
                    axes.plot(points[:, 0], points[:, 1], color=colour, linewidth=1.1)
            axes.set_xlim(middle[0] - size[0], middle[0] + size[0])
            axes.set_ylim(middle[1] + size[1], middle[1] - size[1])
            axes.set_aspect("equal")
            axes.set_axis_off()
            axes.set_title(f"{take.clip.speaker}, " * (column == 0) + f"{take.frame_times[frame]:.2f} s", fontsize=7)
    figure.savefig(path, dpi=DOTS_AN_INCH)


def _bars(axes: Axes, panel: Panel) -> None:
    width = 0.8 / len(panel.series)
    places = np.arange(len(panel.positions))
    for number, (name, values) in enumerate(panel.series.items()):
        offset = (number - (len(panel.series) - 1) / 2) * width
        bars = axes.bar(places + offset, values, width=width, color=COLOURS[number], label=name)
        axes.bar_label(bars, fmt="%.2f", fontsize=7, padding=1)
    axes.set_xticks(places, [str(name) for name in panel.positions], fontsize=8)


def _draw_waveform(axes: Axes, waveform: NDArray[np.float32]) -> None:
    hop = max(len(waveform) // 2000, 1)
    peaks = np.abs(waveform[: len(waveform) // hop * hop]).reshape(-1, hop).max(1)
    seconds = (np.arange(len(peaks)) + 0.5) * hop / SAMPLE_RATE
    axes.fill_between(seconds, -peaks, peaks, color=FAINT, linewidth=0)
    axes.set_yticks([])


def _legend(figure: Figure) -> tuple[list, list[str]]:
    """Every name of the figure's axes once."""
    named = {
        label: handle for axes in figure.axes for handle, label in zip(*axes.get_legend_handles_labels(), strict=True)
    }
    return list(named.values()), list(named)


def _figure(width: float, height: float) -> Figure:
    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure
