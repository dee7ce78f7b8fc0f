"""How close are rendered faces to real frames of people the network never saw, driven by their real landmarks?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from backend_server.data.corpus import Clip
from backend_server.evaluation.frame_figures import Frames, Judge, TextureFigures, middle_run, spread_frames
from backend_server.evaluation.identities import FaceNetwork, Identities, Recipe, given_frames
from backend_server.identity import Identity
from backend_server.progress import Progress

ONE_IMAGE, USUAL = Recipe(1, 10), Recipe(20, 10)  # the paper's K = 20 and 10 epochs
BY_IMAGES = (Recipe(1, 0), ONE_IMAGE, Recipe(5, 10), Recipe(10, 10), USUAL)  # Fig. 9
BY_EPOCHS = (Recipe(20, 0), Recipe(20, 1), Recipe(20, 5), USUAL)  # Table 4
RECIPES = tuple(dict.fromkeys((*BY_IMAGES, *BY_EPOCHS)))
REAL = "real frames"  # what the figures are where nothing is rendered
ANOTHER_CLIP = f"{USUAL.name}, from another clip"
_JUDGING = 60  # as long as so many images of fine-tuning


@dataclass(frozen=True)
class ClipFigures:
    """Figures of one clip, rendered in one way or real.

    Attributes:
        clip: whose frames are judged.
        name: the way.
        figures: what was measured.
    """

    clip: Clip
    name: str
    figures: TextureFigures


@dataclass(frozen=True)
class JudgedClip:
    """A clip with the frames that are judged: some spread over it and not given, and some side by side."""

    clip: Clip
    spread: Frames
    run: Frames

    @classmethod
    def read(cls, clip: Clip) -> JudgedClip:
        """Reads the frames."""
        return cls(clip, spread_frames(clip, given_frames(clip)), middle_run(clip))

    def figures(
        self, judge: Judge, network: FaceNetwork, identity: Identity, driving: NDArray[np.float32]
    ) -> TextureFigures:
        """Figures of the face rendered from landmarks (T, 68, 2) of the whole clip, pixels."""
        made, made_run = (made_frames(network, identity, driving, real.numbers) for real in (self.spread, self.run))
        return judge.judge(made, self.spread, made_run, self.run)


def made_frames(
    network: FaceNetwork, identity: Identity, driving: NDArray[np.float32], numbers: NDArray[np.integer]
) -> Frames:
    """Frames of those numbers, rendered from landmarks (T, 68, 2) of a whole clip."""
    landmarks = driving[numbers]
    pictures = np.concatenate(list(network.render(identity, landmarks)))[..., :3]
    return Frames(landmarks, pictures, numbers)


def evaluate_texture(
    identities: Identities, clips: Sequence[Clip], judge: Judge, progress: Progress, recipes: Sequence[Recipe] = RECIPES
) -> list[ClipFigures]:
    """Learns and renders each clip by each recipe; the frames judged are never among the images given.

    A person of several clips is also learnt from each of them by the usual recipe and judged on each other one.

    Args:
        identities: of the network that is judged.
        clips: of people whom the network never saw.
        judge: measures.
        progress: receives ("faces", done, of all), in images seen by fine-tuning.
        recipes: how faces are learnt.

    Returns:
        For each clip its real frames, those of each recipe, and those of each other clip.
    """
    results: list[ClipFigures] = []
    pairs = [(clip, source) for clip in clips for source in clips if source.speaker == clip.speaker]
    others = [(clip, source) for clip, source in pairs if source.name != clip.name and USUAL in recipes]
    done, steps = 0, sum(map(_work, recipes)) * len(clips) + _JUDGING * len(others)
    judged = {clip: JudgedClip.read(clip) for clip in clips}
    for clip in clips:
        real = clip.landmarks().landmarks
        results.append(ClipFigures(clip, REAL, judge.judge_real(judged[clip].spread, judged[clip].run)))
        for recipe in recipes:
            progress("faces", done, steps)
            figures = judged[clip].figures(judge, identities.network, identities(clip, recipe), real)
            results.append(ClipFigures(clip, recipe.name, figures))
            done += _work(recipe)
    for clip, source in others:
        progress("faces", done, steps)
        real = clip.landmarks().landmarks
        figures = judged[clip].figures(judge, identities.network, identities(source, USUAL), real)
        results.append(ClipFigures(clip, ANOTHER_CLIP, figures))
        done += _JUDGING
    progress("faces", steps, steps)
    return results


def means_by_name(results: Sequence[ClipFigures]) -> dict[str, TextureFigures]:
    """Means of each way; every person counts the same, however many clips there are."""
    means: dict[str, TextureFigures] = {}
    for name in dict.fromkeys(result.name for result in results):
        people: dict[str, list[TextureFigures]] = {}
        for result in results:
            if result.name == name:
                people.setdefault(result.clip.speaker, []).append(result.figures)
        means[name] = TextureFigures.mean([TextureFigures.mean(figures) for figures in people.values()])
    return means


def beside_real(means: Mapping[str, TextureFigures], names: Sequence[str]) -> dict[str, TextureFigures]:
    """The real frames first, then those of the names that were measured."""
    return {name: means[name] for name in (REAL, *names) if name in means}


def _work(recipe: Recipe) -> int:
    return recipe.images * recipe.epochs + _JUDGING
