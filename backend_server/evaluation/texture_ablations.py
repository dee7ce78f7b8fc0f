"""Which losses and parts of the texture network make its faces what they are, beside the paper's answer (Table 3)?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple
from pathlib import Path

import numpy as np

from backend_server.data.corpus import Clip
from backend_server.evaluation import paper
from backend_server.evaluation.frame_figures import COLUMNS, Judge, TextureFigures
from backend_server.evaluation.identities import Identities, Recipe, given_frames
from backend_server.evaluation.picture_sheet import telling_frames, write_sheet
from backend_server.evaluation.report import Picture, Section, Table
from backend_server.evaluation.texture import REAL, ClipFigures, JudgedClip, made_frames, means_by_name
from backend_server.evaluation.texture_report import printed_figures, texture_table
from backend_server.evaluation.texture_variants import ABLATIONS, UPDATES, Ablation, TextureVariants, TrainedNetwork
from backend_server.progress import Progress

SHEET = "texture_ablations.jpg"


def variant_figures(
    network: TrainedNetwork, clips: Sequence[JudgedClip], judge: Judge, seed: int, kept: Path, recipe: Recipe
) -> TextureFigures:
    """Figures of a network's faces, driven by real landmarks; every person counts the same."""
    identities = Identities(network, seed, kept)
    results = [
        ClipFigures(
            one.clip,
            recipe.name,
            one.figures(judge, network, identities(one.clip, recipe), one.clip.landmarks().landmarks),
        )
        for one in clips
    ]
    return means_by_name(results)[recipe.name]


def texture_ablation_section(
    folder: Path,
    variants: TextureVariants,
    clips: Sequence[Clip],
    judge: Judge,
    progress: Progress,
    rows: Sequence[Ablation] = ABLATIONS,
) -> Section:
    """Trains each row's network where it is not kept, and judges its faces.

    Args:
        folder: of the report.
        variants: trains.
        clips: of people whom the networks never saw.
        judge: measures.
        progress: receives ("texture ablations", done, of all).
        rows: what is trained.
    """
    judged, first = [JudgedClip.read(clip) for clip in clips], clips[0]
    moments = telling_frames(first, given_frames(first))
    shown = [(REAL, first.faces(list(moments.values())))]
    figures = []
    for number, row in enumerate(rows):
        progress("texture ablations", number, len(rows))
        network, recipe = variants.from_pairs(row.config), Recipe(20, row.epochs)
        mean = variant_figures(network, judged, judge, variants.seed, variants.kept, recipe)
        figures.append((row.name, (*astuple(mean), network.notes[UPDATES])))
        identity = Identities(network, variants.seed, variants.kept)(first, recipe)
        made = made_frames(network, identity, first.landmarks().landmarks, np.array(list(moments.values())))
        shown.append((row.name, made.pictures))
    progress("texture ablations", len(rows), len(rows))
    write_sheet(folder / SHEET, list(moments), shown, cell_pixels=144)
    printed = {name: printed_figures(values) for name, values in paper.LOSSES_TCD_TIMIT.items()}
    return Section(
        "Losses and parts of the texture network",
        (
            f"Networks trained from random weights on pairs of the training people, each for {variants.budget.sentence}"
            ", then tuned by K = 20 images and driven by real landmarks. Compare them with one another, not with the "
            "shipped network, which was trained much longer. Rows of losses have the shipped network; the paper's "
            "figures are of TCD-TIMIT, trained to the end.",
        ),
        (
            Table("Losses and parts of the texture network (Table 3)", (*COLUMNS, "updates"), tuple(figures)),
            texture_table("The paper's losses, TCD-TIMIT (Table 3)", printed),
        ),
        (Picture(SHEET, "Real frames, and the same frames by each network."),),
    )
