"""What must the worker's engine be able to do? `backend_server.cascade.Cascade` is the one that ships."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from backend_server.identities.record import LearntFace
from backend_server.progress import Progress
from shared.motion_controls import MotionControls


class EngineMotion(Protocol):
    """The motion of one sound."""

    @property
    def frame_times(self) -> NDArray[np.float64]:
        """(T,) seconds."""
        ...

    @property
    def canonical(self) -> NDArray[np.float32]:
        """(T, 68, 2) canonical units."""
        ...

    @property
    def landmarks(self) -> NDArray[np.float32]:
        """(T, 68, 2) pixels of the crop."""
        ...

    @property
    def neutral(self) -> NDArray[np.float32]:
        """(68, 2) pixels of the crop."""
        ...

    @property
    def crop(self) -> NDArray[np.float32]:
        """(2, 3), from pixels of the crop to pixels of the first image."""
        ...


class Engine(Protocol):
    """Makes identities, motion and pictures."""

    @property
    def device(self) -> str:
        """Where it computes, "cpu" or "cuda:0"."""
        ...

    @property
    def weights_version(self) -> str:
        """Changes when the weights change."""
        ...

    def adapt(
        self,
        images: Sequence[NDArray[np.uint8]],
        landmarks: Sequence[NDArray[np.float32] | None] | None,
        *,
        epochs: int,
        seed: int,
        progress: Progress,
    ) -> LearntFace:
        """Learns a face."""
        ...

    def animate(
        self,
        speech: NDArray[np.float32],
        sample_rate: int,
        frame_times: NDArray[np.float64],
        identity: LearntFace | None,
        *,
        seed: int,
        blink: bool,
        controls: MotionControls,
        progress: Progress,
    ) -> EngineMotion:
        """Makes the motion of a sound."""
        ...

    def render(
        self, identity: LearntFace, landmarks: NDArray[np.float32], progress: Progress
    ) -> Iterator[NDArray[np.uint8]]:
        """Makes pictures, in chunks (n, H, W, 4)."""
        ...
