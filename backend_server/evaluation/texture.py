"""How close are rendered faces to real frames of people the network never saw, driven by their real landmarks?"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from dataclasses import astuple, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from backend_server.cascade import Cascade
from backend_server.data.corpus import Clip
from backend_server.evaluation.charts import draw_pictures
from backend_server.evaluation.frame_figures import COLUMNS, Frames, Judge, TextureFigures, middle_run, spread_frames
from backend_server.evaluation.report import Picture, Section, Table
from backend_server.face.reference import FaceReferences
from backend_server.face.rest_pose import distance_from_rest, rest_pose
from backend_server.face.tracker import FaceTracker
from backend_server.metrics.identity import FaceEmbedding
from backend_server.progress import Progress
from backend_server.texture.identity import Identity

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
REAL = Recipe("real frames", 0, 0)  # what the figures are where nothing is rendered


@dataclass(frozen=True)
class ClipTexture:
    """One clip learnt by one recipe, or real: the figures, and some of the frames (n, 256, 256, 3)."""

    clip: Clip
    recipe: Recipe
    figures: TextureFigures
    shown: NDArray[np.uint8]


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


def evaluate_texture(
    cascade: Cascade,
    clips: Sequence[Clip],
    seed: int,
    progress: Progress,
    embedding: FaceEmbedding | None = None,
    recipes: Sequence[Recipe] = RECIPES,
) -> list[ClipTexture]:
    """Learns and renders each clip by each recipe; the frames judged are never among the images given.

    Args:
        cascade: its texture network is judged.
        clips: of people whom the network never saw.
        seed: of the fine-tuning.
        progress: receives ("texture", done, of all).
        embedding: tells people apart, for the distances of identity.
        recipes: how faces are learnt.

    Returns:
        For each clip its real frames, then those of each recipe.
    """
    results: list[ClipTexture] = []
    steps = len(clips) * len(recipes)
    with closing(FaceTracker()) as tracker:
        judge = Judge(tracker, embedding)
        for number, clip in enumerate(clips):
            given = _given_frames(clip, max(recipe.images for recipe in recipes))
            real, run = spread_frames(clip, given), middle_run(clip)
            results.append(ClipTexture(clip, REAL, judge.judge_real(real, run), _shown(real.pictures)))
            for done, recipe in enumerate(recipes):
                progress("texture", number * len(recipes) + done, steps)
                identity = cascade.fine_tune(
                    clip_references(clip, _given_here(clip, given, recipe)), epochs=recipe.epochs, seed=seed
                )
                made, made_run = (_rendered(cascade, identity, frames) for frames in (real, run))
                figures = judge.judge(made, real, made_run, run)
                results.append(ClipTexture(clip, recipe, figures, _shown(made)))
    progress("texture", steps, steps)
    return results


def texture_section(folder: Path, results: Sequence[ClipTexture]) -> Section:
    """Figures by recipe, and faces of each clip: real ones above those rendered by each recipe."""
    rows = [(_label(result), result.shown) for result in results]
    draw_pictures(folder / "faces.jpg", rows)
    recipes = dict.fromkeys(result.recipe for result in results)
    means = {r.name: TextureFigures.mean([one.figures for one in results if one.recipe == r]) for r in recipes}
    figures = tuple((name, astuple(mean)) for name, mean in means.items())
    return Section(
        "Texture",
        (
            "Held-out people learnt from K frames of a clip and rendered from the real landmarks of other frames.",
            "Mouth PSNR: in the box of the lips and a fifth more on each side. CPBD: share of edges without visible "
            "blur. Lips LMD: lips found anew in the frames by the face tracker, against the driving ones; on real "
            "frames it is the tracker's own error. Flicker: mean change from frame to frame over a second, away from "
            "moving landmarks; deviation: of each pixel over that second; in real frames both hold the camera's noise "
            "and the head's motion. ACD and identity distance need a network that tells people apart.",
        ),
        (Table("Texture, held-out people, real landmarks, 256 x 256", COLUMNS, figures),),
        (Picture("faces.jpg", "Real frames, and the same frames rendered."),),
    )


def _given_frames(clip: Clip, count: int) -> NDArray[np.int64]:
    """The images of the largest recipe; they are set aside for all, so that every recipe is judged on the same ones."""
    return np.linspace(0, clip.frame_count - 1, count).round().astype(np.int64)


def _given_here(clip: Clip, given: NDArray[np.int64], recipe: Recipe) -> list[int]:
    """The images that a recipe learns from: all that are given, or of them the one nearest to rest."""
    if recipe.images > 1:
        return [int(frame) for frame in given]
    landmarks = clip.landmarks().landmarks
    return [int(min(given, key=lambda frame: distance_from_rest(landmarks[frame])))]


def _rendered(cascade: Cascade, identity: Identity, frames: Frames) -> NDArray[np.uint8]:
    return np.concatenate(list(cascade.render(identity, frames.landmarks)))[..., :3]


def _shown(pictures: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return pictures[np.linspace(0, len(pictures) - 1, SHOWN_FRAMES).round().astype(int)]


def _label(result: ClipTexture) -> str:
    if result.recipe == REAL:
        return f"{result.clip.speaker}: real"
    return f"{result.recipe.name}: {result.figures.psnr:.1f} dB"
