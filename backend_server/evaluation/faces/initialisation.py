"""Tunes a meta-learned network and a plainly pre-trained one to people held out, and compares them (Fig. 8)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from backend_server.data.corpus import Clip
from backend_server.evaluation.faces.ablation import recipe_figures
from backend_server.evaluation.faces.accuracy import BY_EPOCHS
from backend_server.evaluation.faces.figures import REAL, FaceFigures, face_table
from backend_server.evaluation.faces.judge import Judge, judging
from backend_server.evaluation.faces.networks import UPDATES, Networks
from backend_server.evaluation.faces.recipes import USUAL, Faces, Recipe, given_frames
from backend_server.evaluation.held_out import one_of_each
from backend_server.evaluation.page.charts import Panel, draw_panels
from backend_server.evaluation.page.report import Picture, Section
from backend_server.evaluation.page.sheets import telling_frames, write_sheet
from backend_server.evaluation.run import Context
from backend_server.metrics.figures import mean_of_numbers

META, PLAIN = "meta-learned", "plainly pre-trained"
CURVES, SHEET = "initialisation.png", "initialisation.jpg"


def run(context: Context) -> Section:
    """Trains the judged network further in both ways, and tunes either by the images of people it never saw."""
    with judging(context.embedding) as judge:
        return initialisation_section(context, Networks(context), judge)


def initialisation_section(
    context: Context, networks: Networks, judge: Judge, recipes: Sequence[Recipe] = BY_EPOCHS
) -> Section:
    """The section of some recipes, the longest last; the progress receives ("initialisation", done, of all)."""
    start = context.settings.weights / "texture.safetensors"
    trained = {name: networks.further(start, is_meta_learned=name == META) for name in (META, PLAIN)}
    faces = {name: Faces(network, context.seed, context.kept) for name, network in trained.items()}
    clips = one_of_each(context.people)
    judged = [judge.read(clip) for clip in clips]
    figures: dict[str, dict[Recipe, FaceFigures]] = {name: {} for name in faces}
    steps = len(faces) * len(recipes)
    for number, (name, own) in enumerate(faces.items()):
        for place, recipe in enumerate(recipes):
            context.progress("initialisation", number * len(recipes) + place, steps)
            figures[name][recipe] = recipe_figures(own, judged, judge, recipe)
    context.progress("initialisation", steps, steps)
    losses = {name: mean_losses(own, clips, recipes[-1]) for name, own in faces.items()}
    psnr = {name: {recipe.epochs: own.psnr for recipe, own in by_recipe.items()} for name, by_recipe in figures.items()}
    axis = "epochs of fine-tuning, K = 20"
    draw_panels(context.folder / CURVES, [Panel("loss of fine-tuning", axis, losses), Panel("PSNR, dB", axis, psnr)])
    _draw_sheet(context.folder / SHEET, faces, clips[0], recipes)
    rows = {f"{name}, {recipe.name}": own for name, by_recipe in figures.items() for recipe, own in by_recipe.items()}
    updates = ", ".join(f"{name}: {network.notes[UPDATES]}" for name, network in trained.items())
    return Section(
        "Where fine-tuning starts",
        (
            "The judged network trained further, on episodes (Fig. 3) or on pairs with the same learning rate, with as "
            f"many updates each ({updates}), then tuned to people it never saw and driven by their real landmarks. An "
            "update from episodes looks at more pictures than one from pairs. The paper trains both to the same loss "
            "and finds the meta-learned one far ahead after 10 epochs; its Fig. 8 prints no values.",
        ),
        (face_table("Meta-learned and plainly pre-trained (Fig. 8)", rows),),
        (
            Picture(CURVES, "Loss of fine-tuning and PSNR by epochs (Fig. 8b)."),
            Picture(SHEET, "Recorded frames, and the same frames from either start (Fig. 8a)."),
        ),
    )


def mean_losses(faces: Faces, clips: Sequence[Clip], recipe: Recipe = USUAL) -> dict[int, float]:
    """Loss of each epoch of fine-tuning, averaged over the clips whose tuning lasted so long."""
    curves = [faces.learn(clip, recipe).record.losses for clip in clips]
    longest = max(len(curve) for curve in curves)
    padded = [(*curve, *[float("nan")] * (longest - len(curve))) for curve in curves]
    return {epoch + 1: mean_of_numbers(curve[epoch] for curve in padded) for epoch in range(longest)}


def _draw_sheet(path: Path, faces: Mapping[str, Faces], clip: Clip, recipes: Sequence[Recipe]) -> None:
    moments, landmarks = telling_frames(clip, given_frames(clip)), clip.landmarks().landmarks
    numbers = list(moments.values())
    rows = [(REAL, clip.faces(numbers))]
    for recipe in recipes:
        for name, own in faces.items():
            rows.append((f"{name}, {recipe.name}", own.render(own.learn(clip, recipe), landmarks, numbers)))
    write_sheet(path, list(moments), rows, cell_pixels=144)
