"""Trains motion networks with other contexts and losses, and judges them (Fig. 6 left and middle)."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from backend_server.config import PAPER_MOTION, MotionConfig
from backend_server.evaluation import paper
from backend_server.evaluation.motion.accuracy import COLUMNS, animated, judge_groups
from backend_server.evaluation.motion.networks import Networks, Training, with_motion
from backend_server.evaluation.motion.people import Method
from backend_server.evaluation.page.charts import Panel, draw_panels
from backend_server.evaluation.page.report import Picture, Section, Table
from backend_server.evaluation.run import Context

CONTEXTS = (2, 4, 6, 8, 12)
FULL = "shipped settings"
REGRESSION = "regression without discriminator"
PAPER = "the paper's preset"
LOSSES = {  # one after another, each with those before it
    "Eq. 1": "lambda_dist",
    "+ Eq. 2": "lambda_reg",
    "+ Eq. 3": "lambda_dir",
    "+ Eq. 4": "lambda_gan",
    "+ mouth": "lambda_mouth",  # not in Eq. 5, as the next
    "+ closures": "lambda_closure",
}


def run(context: Context) -> Section:
    """Pictures of the LMD by context and by losses, and all figures of every variant on the held-out groups."""
    base = replace(MotionConfig(), epochs=context.settings.epochs)
    methods: dict[str, Method] = {}
    networks = Networks(context, context.corpus.clips("train"))
    for name, file in networks.files(variants(base), "variants").items():
        cascade = with_motion(context.settings.weights, file, context.settings.device)
        methods[name] = partial(animated, cascade)
    figures = judge_groups(methods, context.held_out, "variants", context.progress)

    def lmd(positions: dict) -> dict[str, dict]:
        of_group = figures.items()
        return {group: {at: rows[name].lips_lmd for at, name in positions.items()} for group, rows in of_group}

    contexts = {one.config.context: one.name for one in context_variants(base)}
    losses = {one.name: one.name for one in loss_variants(base)}
    panels = [
        Panel("Context (Fig. 6 left)", "samples a window, 33 ms apart", lmd(contexts), marked=paper.CONTEXT),
        Panel("Losses (Fig. 6 middle)", "", lmd(losses)),
    ]
    draw_panels(context.folder / "ablations.png", panels, "lip landmarks LMD, pixels")
    return Section(
        "Context and losses of the motion network",
        (
            f"Motion networks trained for {base.epochs} epochs each on the corpus alone, from the shipped settings "
            "with one thing changed: the number of samples in a window, or losses left out. Compare them with one "
            "another rather than with the shipped network, which was trained otherwise. The paper's preset has its "
            f"own length of {PAPER_MOTION.epochs} epochs.",
            f"The paper finds the lowest LMD at {paper.CONTEXT} samples (198 ms) and with all losses of Eq. 5; its "
            "Fig. 6 prints no values.",
        ),
        tuple(Table.of_figures(f"Variants, {group}", COLUMNS, rows) for group, rows in figures.items()),
        (Picture("ablations.png", "LMD of the lip landmarks by context and by losses."),),
    )


def loss_variants(base: MotionConfig) -> list[Training]:
    """The base with its losses taken in one after another (Fig. 6 middle); the last one is the base itself."""
    used = {name: weight for name, weight in LOSSES.items() if getattr(base, weight) > 0}
    weights = list(used.values())
    return [
        Training(name, replace(base, **dict.fromkeys(weights[number:], 0.0))) for number, name in enumerate(used, 1)
    ]


def context_variants(base: MotionConfig) -> list[Training]:
    """The base with windows of several numbers of samples, its own among them if it has one (Fig. 6 left)."""
    contexts = sorted({*CONTEXTS, base.context} - {0})
    return [Training(f"context {context}", replace(base, context=context)) for context in contexts]


def variants(base: MotionConfig, preset: MotionConfig = PAPER_MOTION) -> list[Training]:
    """Everything that is compared. Variants that come to the same settings are trained once.

    Args:
        base: settings of all, with the number of epochs, but for the thing that each changes.
        preset: the paper's own settings.
    """
    beside = [Training(FULL, base), Training(REGRESSION, replace(base, lambda_gan=0.0)), Training(PAPER, preset)]
    return [*beside, *loss_variants(base), *context_variants(base)]
