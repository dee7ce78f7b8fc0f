"""How close are rendered faces to real frames of people the network never saw, driven by their real landmarks?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from backend_server.cascade import Cascade
from backend_server.data.corpus import Clip
from backend_server.evaluation.charts import draw_pictures
from backend_server.evaluation.report import Picture, Section, Table
from backend_server.face.reference import FaceReferences
from backend_server.face.rest_pose import distance_from_rest, rest_pose
from backend_server.metrics.image import psnr, ssim
from backend_server.progress import Progress

JUDGED_FRAMES = 25  # a clip, spread over it
SHOWN_FRAMES = 6


@dataclass(frozen=True)
class Recipe:
    """How a face is learnt: K images of the clip, for so many epochs."""

    name: str
    images: int
    epochs: int


RECIPES = (
    Recipe("K = 1, not tuned", 1, 0),
    Recipe("K = 1, 10 epochs", 1, 10),
    Recipe("K = 20, not tuned", 20, 0),
    Recipe("K = 20, 1 epoch", 20, 1),
    Recipe("K = 20, 10 epochs", 20, 10),
)


@dataclass(frozen=True)
class TextureFigures:
    """Mean figures over the judged frames of one clip and recipe."""

    psnr: float
    ssim: float


@dataclass(frozen=True)
class ClipTexture:
    """One clip learnt by one recipe: the figures, and some real and made frames (n, 256, 256, 3)."""

    clip: Clip
    recipe: Recipe
    figures: TextureFigures
    real: NDArray[np.uint8]
    made: NDArray[np.uint8]


def clip_references(clip: Clip, frames: Sequence[int]) -> FaceReferences:
    """Frames of a clip as the images a user would give; the whole crop counts as the person."""
    landmarks = clip.landmarks().landmarks
    order = sorted(frames, key=lambda frame: distance_from_rest(landmarks[frame]))
    return FaceReferences(
        crops=clip.faces(list(order)),
        landmarks=landmarks[order],
        mattes=np.full((len(order), 256, 256), 255, np.uint8),
        neutral_landmarks=rest_pose(landmarks[order[0]]),
        crop=np.eye(2, 3, dtype=np.float32),
        notes=(),
    )


def evaluate_texture(cascade: Cascade, clips: Sequence[Clip], seed: int, progress: Progress) -> list[ClipTexture]:
    """Learns and renders each clip by each recipe; the frames judged are never among the images given."""
    results = []
    steps = len(clips) * len(RECIPES)
    for number, (clip, recipe) in enumerate((c, r) for c in clips for r in RECIPES):
        progress("texture", number, steps)
        results.append(_learn_and_render(cascade, clip, recipe, seed))
    progress("texture", steps, steps)
    return results


def mean_texture(results: Sequence[ClipTexture], recipe: Recipe) -> TextureFigures:
    """Mean figures of one recipe over clips."""
    chosen = [result.figures for result in results if result.recipe == recipe]
    return TextureFigures(float(np.mean([f.psnr for f in chosen])), float(np.mean([f.ssim for f in chosen])))


def texture_section(folder: Path, results: Sequence[ClipTexture]) -> Section:
    """Figures by recipe, and faces of each clip: real ones above those rendered by each recipe."""
    rows: list[tuple[str, NDArray[np.uint8]]] = []
    for clip in dict.fromkeys(result.clip for result in results):
        of_clip = [result for result in results if result.clip == clip]
        rows.append((f"{clip.speaker}: real", of_clip[0].real))
        rows += [(f"{r.recipe.name}: {r.figures.psnr:.1f} dB", r.made) for r in of_clip]
    draw_pictures(folder / "faces.jpg", rows)
    figures = tuple((recipe.name, astuple(mean_texture(results, recipe))) for recipe in RECIPES)
    return Section(
        "Texture",
        ("Held-out people learnt from K frames of a clip and rendered from the real landmarks of other frames.",),
        (Table("Texture, held-out people, real landmarks, 256 x 256", ("PSNR, dB", "SSIM"), figures),),
        (Picture("faces.jpg", "Real frames, and the same frames rendered."),),
    )


def _learn_and_render(cascade: Cascade, clip: Clip, recipe: Recipe, seed: int) -> ClipTexture:
    landmarks = clip.landmarks().landmarks
    # The twenty of the largest recipe are set aside for all, so that every recipe is judged on the same frames.
    given = np.linspace(0, clip.frame_count - 1, max(r.images for r in RECIPES)).round().astype(int)
    if recipe.images == 1:
        given_here = [min(given, key=lambda frame: distance_from_rest(landmarks[frame]))]
    else:
        given_here = list(given)
    others = np.setdiff1d(np.arange(clip.frame_count), given)
    judged = others[np.linspace(0, len(others) - 1, min(JUDGED_FRAMES, len(others))).round().astype(int)]
    identity = cascade.fine_tune(clip_references(clip, given_here), epochs=recipe.epochs, seed=seed)
    made = np.concatenate(list(cascade.render(identity, landmarks[judged])))[..., :3]
    real = clip.faces(list(judged))
    figures = TextureFigures(
        float(np.mean([psnr(m, r) for m, r in zip(made, real, strict=True)])),
        float(np.mean([ssim(m, r) for m, r in zip(made, real, strict=True)])),
    )
    shown = np.linspace(0, len(judged) - 1, SHOWN_FRAMES).round().astype(int)
    return ClipTexture(clip, recipe, figures, real[shown], made[shown])
