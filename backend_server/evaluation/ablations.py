"""Which context and which losses are best, beside the paper's answer (Fig. 6 left and middle)?"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from backend_server.config import PAPER_MOTION, MotionConfig
from backend_server.evaluation import paper
from backend_server.evaluation.charts import Panel, draw_panels
from backend_server.evaluation.motion import figures_table
from backend_server.evaluation.report import Picture, Section
from backend_server.evaluation.variants import PAPER, REGRESSION, context_variants, loss_variants
from backend_server.metrics.motion import MotionFigures


def ablation_section(folder: Path, figures: Mapping[str, Mapping[str, MotionFigures]], base: MotionConfig) -> Section:
    """Pictures of the LMD by context and by losses, and all figures of every variant.

    Args:
        folder: of the report.
        figures: of the variants of `base`, by group and name.
        base: what was varied.
    """
    contexts, losses = context_variants(base), loss_variants(base)
    printed = {f"the paper's final LMD, {corpus}": lmd for corpus, lmd in paper.LIPS_LMD.items()}
    panels = [
        Panel(
            "Context (Fig. 6 left)",
            "samples a window, 33 ms apart",
            [one.config.context for one in contexts],
            {group: [rows[one.name].lips_lmd for one in contexts] for group, rows in figures.items()},
            printed,
            paper.CONTEXT,
        ),
        Panel(
            "Losses (Fig. 6 middle)",
            "",
            [one.name for one in losses],
            {group: [rows[one.name].lips_lmd for one in losses] for group, rows in figures.items()},
            printed,
        ),
    ]
    draw_panels(folder / "ablations.png", panels, "lips LMD, pixels")
    names = [*(one.name for one in (*losses, *contexts)), REGRESSION, PAPER]
    return Section(
        "Context and losses",
        (
            f"Motion networks trained for {base.epochs} epochs each on the corpus alone, from the shipped settings "
            "with one thing changed: the number of samples in a window, or losses left out. Compare them with one "
            "another rather than with the shipped network, which was trained otherwise. The paper's preset has its "
            f"own length of {PAPER_MOTION.epochs} epochs.",
            f"The paper finds the lowest LMD at {paper.CONTEXT} samples (198 ms) and with all losses of Eq. 5; its "
            "Fig. 6 prints no values.",
        ),
        tuple(
            figures_table(f"Variants, {group}", {name: rows[name] for name in names}) for group, rows in figures.items()
        ),
        (Picture("ablations.png", "LMD of the lips by context and by losses."),),
    )
