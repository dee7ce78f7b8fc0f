"""Learns the faces of held-out clips: from how many images, for how many epochs. Each is learnt once and kept."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from backend_server.data.corpus import Clip
from backend_server.evaluation.kept import Kept
from backend_server.face.rest_pose import distance_from_rest, rest_pose
from backend_server.identity import FaceReferences, Identity, load_identity, save_identity

GIVEN_FRAMES = 20  # K of the largest recipe
OTHER_CLIPS = 3  # of the same person, from which a clip's face is also learnt


class FaceNetwork(Protocol):
    """What learns and renders faces, such as `Cascade`."""

    @property
    def weights_version(self) -> str:
        """Changes with the weights."""
        ...

    def fine_tune(self, references: FaceReferences, *, epochs: int, seed: int) -> Identity:
        """The identity of some faces."""
        ...

    def render(self, identity: Identity, landmarks: NDArray[np.float32]) -> Iterator[NDArray[np.uint8]]:
        """Pictures in chunks (n, 256, 256, 4), from landmarks (T, 68, 2) in pixels."""
        ...


@dataclass(frozen=True)
class Recipe:
    """How a face is learnt: from K images of a clip, for so many epochs."""

    images: int
    epochs: int

    @property
    def name(self) -> str:
        """As in "K = 20, 10 epochs"."""
        tuned = f"{self.epochs} epoch{'s' * (self.epochs != 1)}" if self.epochs else "not tuned"
        return f"K = {self.images}, {tuned}"

    @property
    def name_from_another_clip(self) -> str:
        """The name where the images are of another clip of the person."""
        return f"{self.name}, from another clip"


ONE_IMAGE, USUAL = Recipe(1, 10), Recipe(20, 10)  # the paper's K = 20 and 10 epochs


@dataclass(frozen=True)
class Faces:
    """Learns and renders the faces of clips with one network.

    Attributes:
        network: that learns.
        seed: of the fine-tuning.
        kept: what was learnt before.
    """

    network: FaceNetwork
    seed: int
    kept: Kept

    def learn(self, clip: Clip, recipe: Recipe) -> Identity:
        """The person of a clip, learnt by a recipe."""
        references = clip_references(clip, recipe_frames(clip, recipe.images))
        if recipe.epochs == 0:
            return self._tune(references, 0)
        data = [getattr(references, field.name) for field in fields(references)]
        depends_on = (self.network.weights_version, recipe, self.seed, *data)

        def make(path: Path) -> None:
            save_identity(path, self._tune(references, recipe.epochs))

        return load_identity(self.kept.file("face", depends_on, make))

    def render(
        self, identity: Identity, landmarks: NDArray[np.float32], numbers: Sequence[int] | NDArray[np.integer]
    ) -> NDArray[np.uint8]:
        """Frames of those numbers, u8 (n, 256, 256, 3), rendered from landmarks (T, 68, 2) of a whole clip."""
        return np.concatenate(list(self.network.render(identity, landmarks[np.asarray(numbers)])))[..., :3]

    def _tune(self, references: FaceReferences, epochs: int) -> Identity:
        return self.network.fine_tune(references, epochs=epochs, seed=self.seed)


def given_frames(clip: Clip) -> NDArray[np.int64]:
    """The images of the largest recipe, spread over the clip; set aside for all, so that all are judged alike."""
    return np.linspace(0, clip.frame_count - 1, GIVEN_FRAMES).round().astype(np.int64)


def recipe_frames(clip: Clip, count: int) -> list[int]:
    """The images that a recipe learns from: so many of those that are given, or of them the one nearest to rest."""
    given = given_frames(clip)
    if count > 1:
        return [int(frame) for frame in given[np.linspace(0, len(given) - 1, count).round().astype(int)]]
    landmarks = clip.landmarks().landmarks
    return [int(min(given, key=lambda frame: distance_from_rest(landmarks[frame])))]


def clip_references(clip: Clip, frames: Sequence[int]) -> FaceReferences:
    """Frames of a clip as the images a user would give; the whole crop counts as the person."""
    landmarks = clip.landmarks().landmarks
    order = sorted(frames, key=lambda frame: distance_from_rest(landmarks[frame]))
    crops = clip.faces(list(order))
    return FaceReferences(
        crops=crops,
        landmarks=landmarks[order],
        mattes=np.full((len(order), 256, 256), 255, np.uint8),
        foreground=crops[0],
        neutral_landmarks=rest_pose(landmarks[order[0]]),
        crop=np.eye(2, 3, dtype=np.float32),
    )


def other_clips(clip: Clip, clips: Sequence[Clip]) -> list[Clip]:
    """Other clips of the same person, up to three: those that follow it in their order, the first after the last."""
    own = [one for one in clips if one.speaker == clip.speaker]
    place = own.index(clip)
    return (own[place + 1 :] + own[:place])[:OTHER_CLIPS]
