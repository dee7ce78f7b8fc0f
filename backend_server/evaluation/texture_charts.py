"""How do figures of rendered faces look over the number of images or epochs (Fig. 8, Fig. 9, Table 4)?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from backend_server.evaluation.charts import COLOURS, DOTS_AN_INCH, FAINT

Curve = Mapping[int, float]
"""A value for each position."""


@dataclass(frozen=True)
class Lines:
    """One set of axes with its own range.

    Attributes:
        title: above it, with the unit.
        axis: what the positions are.
        curves: by name.
        printed: the paper's, dashed.
        levels: name -> a value drawn across.
    """

    title: str
    axis: str
    curves: Mapping[str, Curve]
    printed: Mapping[str, Curve] = field(default_factory=dict)
    levels: Mapping[str, float] = field(default_factory=dict)


def draw_lines(path: Path, panels: Sequence[Lines]) -> None:
    """Writes sets of axes side by side as a PNG file, each with a range of its own."""
    figure = Figure(figsize=(3.6 * len(panels) + 0.4, 3.4), layout="constrained")
    FigureCanvasAgg(figure)
    handles = {}
    for place, panel in enumerate(panels):
        axes = figure.add_subplot(1, len(panels), place + 1)
        for colour, (name, curve) in zip(COLOURS, panel.curves.items(), strict=False):
            (handles[name],) = axes.plot(
                list(curve), list(curve.values()), "o-", color=colour, markersize=4, linewidth=1.6
            )
        for name, curve in panel.printed.items():
            (handles[name],) = axes.plot(
                list(curve), list(curve.values()), "s--", color=FAINT, markersize=4, linewidth=1.4
            )
        for style, (name, value) in zip((":", "-."), panel.levels.items(), strict=False):
            handles[name] = axes.axhline(value, color=FAINT, linestyle=style, linewidth=1.4)
        ticks = sorted({position for curve in panel.curves.values() for position in curve})
        axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
        axes.set_title(panel.title, loc="left", fontsize=10)
        axes.set_xlabel(panel.axis)
        axes.grid(axis="y", color="#e6ebf0", linewidth=0.8)
    figure.legend(list(handles.values()), list(handles), loc="outside lower center", ncols=4, fontsize=8, frameon=False)
    figure.savefig(path, dpi=DOTS_AN_INCH)
