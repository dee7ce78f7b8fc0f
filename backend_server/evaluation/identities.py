"""How is a face learnt once, however many tables ask for it?

An identity is kept under a name that changes with all it depends on, so an interrupted or repeated evaluation learns
only what is missing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from backend_server import config, texture
from backend_server.data.corpus import Clip
from backend_server.face.rest_pose import distance_from_rest, rest_pose
from backend_server.identity import FaceReferences, Identity, load_identity, save_identity

GIVEN_FRAMES = 20  # K of the largest recipe


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


class Identities:
    """Learns the faces of clips with one network.

    Args:
        network: that learns.
        seed: of the fine-tuning.
        kept: where tuned identities are kept and looked for; None keeps none.
    """

    def __init__(self, network: FaceNetwork, seed: int, kept: Path | None = None) -> None:
        self.network, self.seed, self.kept = network, seed, kept

    def __call__(self, clip: Clip, recipe: Recipe) -> Identity:
        """The person of a clip, learnt by a recipe."""
        frames = recipe_frames(clip, recipe.images)
        if self.kept is None or recipe.epochs == 0:
            return self._learn(clip, frames, recipe.epochs)
        parts = (self.network.weights_version, _code(), clip.speaker, clip.name, frames, recipe.epochs, self.seed)
        name = hashlib.sha256(repr(parts).encode()).hexdigest()[:16]
        file = self.kept / f"face-{name}.safetensors"
        if not file.exists():
            save_identity(file, self._learn(clip, frames, recipe.epochs))
        return load_identity(file)

    def _learn(self, clip: Clip, frames: Sequence[int], epochs: int) -> Identity:
        return self.network.fine_tune(clip_references(clip, frames), epochs=epochs, seed=self.seed)


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


@cache
def _code() -> str:
    """Changes with the code that tunes, and with its settings."""
    files = [Path(config.__file__), *sorted(Path(texture.__file__).parent.glob("*.py"))]
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()
