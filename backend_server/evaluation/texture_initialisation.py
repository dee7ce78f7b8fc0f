"""Is a meta-learned network a better place for fine-tuning to start from than a plainly pre-trained one (Fig. 8)?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from backend_server.data.corpus import Clip
from backend_server.evaluation.frame_figures import Judge, TextureFigures
from backend_server.evaluation.identities import Identities, Recipe, given_frames
from backend_server.evaluation.picture_sheet import telling_frames, write_sheet
from backend_server.evaluation.report import Picture, Section
from backend_server.evaluation.texture import BY_EPOCHS, REAL, USUAL, JudgedClip, made_frames
from backend_server.evaluation.texture_ablations import variant_figures
from backend_server.evaluation.texture_charts import Lines, draw_lines
from backend_server.evaluation.texture_report import texture_table
from backend_server.evaluation.texture_variants import UPDATES, TextureVariants, TrainedNetwork
from backend_server.metrics.figures import mean_of_numbers
from backend_server.progress import Progress

META, PLAIN = "meta-learned", "plainly pre-trained"
CURVES, SHEET = "initialisation.png", "initialisation.jpg"


def initialisation_section(
    folder: Path,
    variants: TextureVariants,
    start: Path,
    clips: Sequence[Clip],
    judge: Judge,
    progress: Progress,
    recipes: Sequence[Recipe] = BY_EPOCHS,
) -> Section:
    """Trains a network further in both ways, and tunes either by the images of people it never saw.

    Args:
        folder: of the report.
        variants: trains.
        start: weights file that both begin with.
        clips: of people whom the networks never saw.
        judge: measures.
        progress: receives ("initialisation", done, of all).
        recipes: by epochs, the longest last.
    """
    networks = {name: variants.further(start, is_meta_learned=name == META) for name in (META, PLAIN)}
    judged = [JudgedClip.read(clip) for clip in clips]
    figures: dict[str, dict[Recipe, TextureFigures]] = {name: {} for name in networks}
    steps = len(networks) * len(recipes)
    for number, (name, network) in enumerate(networks.items()):
        for place, recipe in enumerate(recipes):
            progress("initialisation", number * len(recipes) + place, steps)
            figures[name][recipe] = variant_figures(network, judged, judge, variants.seed, variants.kept, recipe)
    progress("initialisation", steps, steps)
    losses = {name: mean_losses(variants, network, clips, recipes[-1]) for name, network in networks.items()}
    psnr = {name: {recipe.epochs: own.psnr for recipe, own in by_recipe.items()} for name, by_recipe in figures.items()}
    axis = "epochs of fine-tuning, K = 20"
    draw_lines(folder / CURVES, [Lines("loss of fine-tuning", axis, losses), Lines("PSNR, dB", axis, psnr)])
    _draw_sheet(folder / SHEET, variants, networks, clips[0], recipes)
    rows = {f"{name}, {recipe.name}": own for name, by_recipe in figures.items() for recipe, own in by_recipe.items()}
    updates = ", ".join(f"{name}: {network.notes[UPDATES]}" for name, network in networks.items())
    return Section(
        "Where fine-tuning starts",
        (
            "The judged network trained further, on episodes (Fig. 3) or on pairs with the same learning rate, with as "
            f"many updates each ({updates}), then tuned to people it never saw. An update from episodes looks at more "
            "pictures than one from pairs. The paper trains both to the same loss and finds the meta-learned one far "
            "ahead after 10 epochs; its Fig. 8 prints no values.",
        ),
        (texture_table("Meta-learned and plainly pre-trained (Fig. 8)", rows),),
        (
            Picture(CURVES, "Loss of fine-tuning and PSNR by epochs (Fig. 8b)."),
            Picture(SHEET, "Real frames, and the same frames from either start (Fig. 8a)."),
        ),
    )


def mean_losses(
    variants: TextureVariants, network: TrainedNetwork, clips: Sequence[Clip], recipe: Recipe = USUAL
) -> dict[int, float]:
    """Loss of each epoch of fine-tuning, averaged over the clips whose tuning lasted so long."""
    identities = Identities(network, variants.seed, variants.kept)
    curves = [identities(clip, recipe).record.losses for clip in clips]
    longest = max(len(curve) for curve in curves)
    padded = [(*curve, *[float("nan")] * (longest - len(curve))) for curve in curves]
    return {epoch + 1: mean_of_numbers(curve[epoch] for curve in padded) for epoch in range(longest)}


def _draw_sheet(
    path: Path,
    variants: TextureVariants,
    networks: Mapping[str, TrainedNetwork],
    clip: Clip,
    recipes: Sequence[Recipe],
) -> None:
    moments, landmarks = telling_frames(clip, given_frames(clip)), clip.landmarks().landmarks
    rows = [(REAL, clip.faces(list(moments.values())))]
    for recipe in recipes:
        for name, network in networks.items():
            identity = Identities(network, variants.seed, variants.kept)(clip, recipe)
            made = made_frames(network, identity, landmarks, np.array(list(moments.values())))
            rows.append((f"{name}, {recipe.name}", made.pictures))
    write_sheet(path, list(moments), rows, cell_pixels=144)
