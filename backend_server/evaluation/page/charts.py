"""Draws figures: as lines or bars in panels side by side, as curves in time, as the lengths of blinks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import ceil
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import NDArray

from backend_server.config import SAMPLE_RATE
from backend_server.evaluation.held_out import Take
from backend_server.export.contact_sheet import ACCENT, INK
from backend_server.metrics.landmarks import correlation, mouth_opening, mouth_width

COLOURS = (INK, ACCENT, "#2a9d8f", "#e9a03b", "#7b5ea7")
FAINT = "#9fb3c8"
DOTS_PER_INCH = 100
MOST_MARKS = 11  # numbers under one panel

Curve = Mapping[int, float] | Mapping[float, float] | Mapping[str, float]
"""A value for each position: numbers make lines, names make bars."""


@dataclass(frozen=True)
class Panel:
    """One set of axes with lines or bars.

    Attributes:
        title: above it.
        axis: what the positions are, with their unit.
        series: curves by name; lines are drawn from their first position on the left to the last on the right.
        printed: the paper's curves, dashed.
        levels: name -> a value drawn as a line across.
        marked: a position on which the paper settles, drawn as an upright line.
    """

    title: str
    axis: str
    series: Mapping[str, Curve]
    printed: Mapping[str, Curve] = field(default_factory=dict)
    levels: Mapping[str, float] = field(default_factory=dict)
    marked: float | None = None


def draw_panels(path: Path, panels: Sequence[Panel], quantity: str | None = None) -> None:
    """Writes panels side by side as a PNG file.

    Args:
        path: of the file.
        panels: from left to right.
        quantity: what stands upright in all of them, from 0 to one end, as "lips LMD, pixels"; None leaves each panel
            its own range and quantity, which its title says.
    """
    drawn = figure(3.8 * len(panels) + 0.5, 3.5)
    first: Axes | None = None
    for place, panel in enumerate(panels):
        axes = drawn.add_subplot(1, len(panels), place + 1, sharey=first if quantity else None)
        _draw_panel(axes, panel)
        first = first or axes
    if quantity and first:
        first.set_ylim(bottom=0)
        first.set_ylabel(quantity)
    named = {
        label: handle for axes in drawn.axes for handle, label in zip(*axes.get_legend_handles_labels(), strict=True)
    }
    columns = max(3 * len(panels) // 2, 3)
    drawn.legend(
        list(named.values()), list(named), loc="outside lower center", ncols=columns, fontsize=8, frameon=False
    )
    drawn.savefig(path, dpi=DOTS_PER_INCH)


def draw_durations(path: Path, shares: Mapping[str, NDArray[np.floating]], means: Mapping[str, float]) -> None:
    """How many frames of 40 ms blinks last (Fig. 5).

    Args:
        path: a PNG file.
        shares: name -> share of the blinks that last 0, 1, 2 ... frames.
        means: name -> mean frames, as printed elsewhere, drawn as upright lines.
    """
    drawn = figure(8.5, 3.4)
    axes = drawn.add_subplot()
    _bars(axes, {name: dict(enumerate(share.tolist())) for name, share in shares.items()})
    for style, (name, value) in zip(("--", ":"), means.items(), strict=False):
        axes.axvline(value, color="#5b6b7c", linestyle=style, linewidth=1.2, label=name)
    axes.set_xlim(0.5, max(len(share) for share in shares.values()) - 0.5)
    axes.set_xlabel("duration, frames of 40 ms")
    axes.set_ylabel("share of blinks")
    axes.legend(fontsize=8, frameon=False)
    drawn.savefig(path, dpi=DOTS_PER_INCH)


def draw_curves(path: Path, shown: Sequence[tuple[Take, NDArray[np.float32]]]) -> None:
    """Sound, mouth opening and mouth width over time, real and made from the sound, a block a clip."""
    drawn = figure(11, 3.3 * len(shown))
    grid = drawn.add_gridspec(3 * len(shown), 1, height_ratios=(0.45, 1, 0.8) * len(shown))
    for place, (take, made) in enumerate(shown):
        axes = [drawn.add_subplot(grid[3 * place + row, 0]) for row in range(3)]
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
    drawn.supxlabel("seconds; opening and width are shares of the distance of the eyes", fontsize=9)
    drawn.savefig(path, dpi=DOTS_PER_INCH)


def figure(width: float, height: float) -> Figure:
    """An empty figure of so many inches that can be saved as a PNG file."""
    empty = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(empty)
    return empty


def _draw_panel(axes: Axes, panel: Panel) -> None:
    names = list(next(iter(panel.series.values())))
    if isinstance(names[0], str):
        for bars in _bars(axes, panel.series):
            axes.bar_label(bars, fmt="%.2f", fontsize=7, padding=1)
        axes.set_xticks(range(len(names)), [str(name) for name in names], fontsize=8)
    else:
        positions = [float(name) for name in names]
        for colour, (name, curve) in zip(COLOURS, panel.series.items(), strict=False):
            axes.plot(*_points(curve), "o-", color=colour, label=name, markersize=4, linewidth=1.6)
        for name, curve in panel.printed.items():
            axes.plot(*_points(curve), "s--", color=FAINT, label=name, markersize=4, linewidth=1.4)
        marks = positions[:: ceil(len(positions) / MOST_MARKS)]
        axes.set_xticks(marks, [f"{mark:g}" for mark in marks])
        axes.xaxis.set_inverted(positions[-1] < positions[0])
    for style, (name, value) in zip((":", "-.", "--"), panel.levels.items(), strict=False):
        axes.axhline(value, color=FAINT, linestyle=style, linewidth=1.4, label=name)
    if panel.marked is not None:
        axes.axvline(panel.marked, color=FAINT, linewidth=1.0, label="the paper's choice")
    axes.set_title(panel.title, loc="left", fontsize=10)
    axes.set_xlabel(panel.axis)
    axes.grid(axis="y", color="#e6ebf0", linewidth=0.8)
    axes.set_axisbelow(True)


def _bars(axes: Axes, series: Mapping[str, Curve]) -> list:
    """Draws the curves as bars side by side; returns the bars of each."""
    width = 0.8 / len(series)
    drawn = []
    for number, (name, curve) in enumerate(series.items()):
        places = np.arange(len(curve)) + (number - (len(series) - 1) / 2) * width
        drawn.append(axes.bar(places, list(curve.values()), width=width, color=COLOURS[number], label=name))
    return drawn


def _points(curve: Curve) -> tuple[list, list[float]]:
    return list(curve), list(curve.values())


def _draw_waveform(axes: Axes, waveform: NDArray[np.float32]) -> None:
    hop = max(len(waveform) // 2000, 1)
    peaks = np.abs(waveform[: len(waveform) // hop * hop]).reshape(-1, hop).max(1)
    seconds = (np.arange(len(peaks)) + 0.5) * hop / SAMPLE_RATE
    axes.fill_between(seconds, -peaks, peaks, color=FAINT, linewidth=0)
    axes.set_yticks([])
