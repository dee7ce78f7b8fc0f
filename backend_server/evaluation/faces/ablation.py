"""Trains texture networks with other losses and parts, and judges their faces, beside the paper's answer (Table 3)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass, field, replace

from backend_server.config import PAPER_TEXTURE, TextureConfig
from backend_server.evaluation import paper
from backend_server.evaluation.faces.figures import (
    COLUMNS,
    REAL,
    ClipFigures,
    FaceFigures,
    face_table,
    means_by_name,
    printed_figures,
)
from backend_server.evaluation.faces.judge import Judge, JudgedClip, judging
from backend_server.evaluation.faces.networks import UPDATES, Networks
from backend_server.evaluation.faces.recipes import Faces, Recipe, given_frames
from backend_server.evaluation.held_out import one_of_each
from backend_server.evaluation.page.report import Picture, Section, Table
from backend_server.evaluation.page.sheets import telling_frames, write_sheet
from backend_server.evaluation.run import Context

SHEET = "texture_ablations.jpg"
SHIPPED = TextureConfig()


@dataclass(frozen=True)
class Ablation:
    """A row of the ablation: what it is called and what it changes.

    Attributes:
        name: as it stands in the table.
        changes: of `base`, by the name of the setting.
        base: whose settings are changed.
        epochs: of fine-tuning before it is judged.
    """

    name: str
    changes: Mapping[str, object] = field(default_factory=dict)
    base: TextureConfig = SHIPPED
    epochs: int = 10

    @property
    def config(self) -> TextureConfig:
        """The settings of the row."""
        return replace(self.base, **self.changes)


SHIPPED_SETTINGS = "all losses (Eq. 8, 9 and 10), shipped settings"
ABLATIONS = (  # a further difference from the paper is one further row
    Ablation("Eq. 8 alone", {"lambda_feat": 0.0, "lambda_adv": 0.0}),
    Ablation("Eq. 8 and 10", {"lambda_adv": 0.0}),
    Ablation(SHIPPED_SETTINGS),
    Ablation("squares in Eq. 8 and 10, as printed", {"pixel_norm": 2}),
    Ablation("mouth and eyes weigh as all else", {"mouth_weight": 0.0, "eye_weight": 0.0}),
    Ablation("no loss of sharpness", {"lambda_sharp": 0.0}),
    Ablation("one reference instead of attention", {"attends": False}),
    Ablation("teeth move with the lips", {"has_teeth": False, "draws_mouth": False}),
    Ablation("no mouth is drawn", {"draws_mouth": False}),
    Ablation("eyes are squeezed as lids close", {"slides_lids": False}),
    Ablation("hair, jaw and neck follow the head rigidly", {"follows": False}),
    Ablation("the warp is not corrected", {"flow_reach": 0.0}),
    Ablation("repaints where it learns to, not first where mouth and lids change", {"has_mask_prior": False}),
    Ablation("every pixel is shaded", {"shading_cell": 1}),
    # One step takes forty times as long as one of the shipped network.
    Ablation("the paper's network and settings, tuned for 1 epoch", base=PAPER_TEXTURE, epochs=1),
)


def run(context: Context) -> Section:
    """Trains each row's network where it is not kept, and judges it by one clip of each person held out."""
    networks = Networks(context)
    with judging(context.embedding) as judge:
        return ablation_section(context, networks, judge)


def ablation_section(
    context: Context, networks: Networks, judge: Judge, rows: Sequence[Ablation] = ABLATIONS
) -> Section:
    """The section of some rows; the progress receives ("texture ablations", done, of all)."""
    clips = [judge.read(clip) for clip in one_of_each(context.people)]
    first = clips[0].clip
    moments = telling_frames(first, given_frames(first))
    shown = [(REAL, first.faces(list(moments.values())))]
    figures = []
    for number, row in enumerate(rows):
        context.progress("texture ablations", number, len(rows))
        network, recipe = networks.from_pairs(row.config), Recipe(20, row.epochs)
        faces = Faces(network, context.seed, context.kept)
        figures.append((row.name, (*astuple(recipe_figures(faces, clips, judge, recipe)), network.notes[UPDATES])))
        landmarks = first.landmarks().landmarks
        shown.append((row.name, faces.render(faces.learn(first, recipe), landmarks, list(moments.values()))))
    context.progress("texture ablations", len(rows), len(rows))
    write_sheet(context.folder / SHEET, list(moments), shown, cell_pixels=144)
    printed = {name: printed_figures(values) for name, values in paper.LOSSES_TCD_TIMIT.items()}
    return Section(
        "Losses and parts of the texture network",
        (
            f"Networks trained from random weights on pairs of the training people, each for {networks.budget}, then "
            "tuned by K = 20 images and driven by real landmarks. Compare them with one another, not with the shipped "
            "network, which was trained much longer. Rows of losses have the shipped network; the paper's figures are "
            "of TCD-TIMIT, trained to the end and driven by the sound.",
        ),
        (
            Table("Losses and parts of the texture network (Table 3)", (*COLUMNS, "updates"), tuple(figures)),
            face_table("The paper's losses, TCD-TIMIT (Table 3)", printed),
        ),
        (Picture(SHEET, "Recorded frames, and the same frames by each network."),),
    )


def recipe_figures(faces: Faces, clips: Sequence[JudgedClip], judge: Judge, recipe: Recipe) -> FaceFigures:
    """Figures of faces learnt by one recipe and driven by real landmarks; every person counts the same."""
    results = []
    for one in clips:
        figures = judge.figures(one, faces, faces.learn(one.clip, recipe), one.clip.landmarks().landmarks)
        results.append(ClipFigures(one.clip, recipe.name, figures))
    return means_by_name(results)[recipe.name]
