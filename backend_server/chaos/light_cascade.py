"""Animates without networks: quick, the same on every machine, and every frame of every job is another one.

The worker loads it by the name `CASCADE`. The seed of a request is the pattern of its frames; the special seeds below
make it misbehave.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from backend_server.identity import FaceReferences, Identity, IdentityRecord, rows
from backend_server.landmark_motion import LandmarkMotion
from backend_server.progress import Progress
from backend_server.speech.spoken import Spoken
from shared.arkit import SHAPES
from shared.errors import SoundError
from shared.head import POSE
from shared.landmarks import POINT_COUNT
from shared.motion_controls import MotionControls
from shared.notes import Note
from shared.speech_messages import Said

CASCADE = "backend_server.chaos.light_cascade:LightCascade"
SIDE_VARIABLE = "SPEECH_FACE_CHAOS_SIDE"  # pixels of a frame's side
PAUSE_VARIABLE = "SPEECH_FACE_CHAOS_PAUSE"  # seconds between chunks

NO_MEMORY, WAITS, BAD_SOUND = range(2**32 - 3, 2**32)  # seeds
_CHUNK = 16
_CROP_SIDE = 256


class LightJudge:
    """Lets all frames pass and sees nothing wrong with them."""

    def __enter__(self) -> LightJudge:
        return self

    def __exit__(self, *_: object) -> None: ...

    def looked_at_before(self, first: int) -> NDArray[np.int64]:
        """None."""
        return np.zeros(0, np.int64)

    def watch(self, chunks: Iterator[NDArray[np.uint8]], first: int = 0) -> Iterator[NDArray[np.uint8]]:
        """The same frames."""
        return chunks

    def notes(self) -> tuple[Note, ...]:
        """Nothing to say."""
        return ()


class LightFaceAtSize:
    """Repeats the pixels of frames, so that they have so many a side."""

    def __init__(self, size: int) -> None:
        self._size = size

    def place(self, frame: NDArray[np.uint8], landmarks: NDArray[np.float32]) -> NDArray[np.uint8]:
        """A frame u8 (size, size, 4) of one that is smaller."""
        places = np.arange(self._size) * len(frame) // self._size
        return frame[places][:, places]


class LightCascade:
    """Stands in for the cascade in a worker process of `chaos`."""

    device = "cpu"
    weights_version = "0123456789ab"

    def __init__(self) -> None:
        self._side = int(os.environ.get(SIDE_VARIABLE, "64"))
        self._pause = float(os.environ.get(PAUSE_VARIABLE, "0.02"))
        self._seed = 0

    @classmethod
    def load(cls, device: str) -> LightCascade:
        """The cascade; every device will do."""
        return cls()

    def adapt(
        self,
        images: tuple[NDArray[np.uint8], ...],
        landmarks: NDArray[np.float32] | None,
        *,
        epochs: int,
        seed: int,
        progress: Progress,
        **_: object,
    ) -> Identity:
        """A face at rest that depends on the number of images alone."""
        for epoch in range(epochs):
            progress("fine-tuning", epoch, epochs)
            time.sleep(self._pause)
        picture = np.zeros((_CROP_SIDE, _CROP_SIDE, 3), np.uint8)
        neutral = _neutral() + np.float32(len(images))
        references = FaceReferences(
            crops=picture[None],
            landmarks=neutral[None],
            mattes=picture[None, ..., 0],
            foreground=picture,
            neutral_landmarks=neutral,
            crop=np.eye(2, 3, dtype=np.float32),
        )
        record = IdentityRecord(
            learnt_at=datetime.now(UTC),
            weights_version=self.weights_version,
            image_count=len(images),
            epochs=epochs,
            losses=(),
            held_out_psnr=None,
            neutral=rows(neutral),
            crop=rows(references.crop),
        )
        return Identity(references, {}, record)

    def animate(
        self,
        speech: NDArray[np.float32],
        sample_rate: int,
        frame_times: NDArray[np.float64],
        identity: Identity | None,
        *,
        seed: int,
        blink: bool,
        controls: MotionControls,
        transcript: str | None,
        progress: Progress,
    ) -> LandmarkMotion:
        """Landmarks that move with the frame's number and the seed; of a transcript, two words a second."""
        self._seed = seed
        progress("speech", 0, 2)
        if seed == NO_MEMORY:
            raise MemoryError
        if seed == BAD_SOUND:
            raise SoundError("the sound is silent; choose another strip")
        step = 0
        while seed == WAITS:
            progress("speech", step, 2**31)
            step += 1
            time.sleep(0.01)
        time.sleep(self._pause)
        progress("motion", 1, 2)
        index = np.arange(len(frame_times), dtype=np.float32)
        moved = np.stack([np.sin(index / 3 + seed % 100), 0.01 * index], axis=1)
        landmarks = (_neutral() + moved[:, None]).astype(np.float32)
        neutral = _neutral() if identity is None else identity.references.neutral_landmarks
        canonical = landmarks * np.float32(controls.intensity)
        arkit = np.sin(index[:, None] / 9 + np.arange(len(SHAPES), dtype=np.float32)) ** 2
        spoken = None if transcript is None else _spoken(transcript)
        crop, head = np.eye(2, 3, dtype=np.float32), np.zeros((len(index), len(POSE)), np.float32)
        return LandmarkMotion(
            frame_times, canonical, landmarks, neutral, crop, arkit, head, still=landmarks, spoken=spoken
        )

    def result_judge(self, landmarks: NDArray[np.float32]) -> LightJudge:
        """Nobody looks at these frames."""
        return LightJudge()

    def face_at_size(self, identity: Identity, size: int) -> LightFaceAtSize:
        """Makes frames larger."""
        return LightFaceAtSize(size)

    def render(
        self, identity: Identity, landmarks: NDArray[np.float32], progress: Progress
    ) -> Iterator[NDArray[np.uint8]]:
        """Frames u8 (n, side, side, 4); the first pixels of each tell the frame's landmarks and the seed."""
        pattern = np.arange(self._side * self._side * 4, dtype=np.uint32).reshape(self._side, self._side, 4)
        for first in range(0, len(landmarks), _CHUNK):
            progress("texture", first, len(landmarks))
            time.sleep(self._pause)
            chunk = landmarks[first : first + _CHUNK]
            heights = np.round((chunk[:, 0, 1] - _neutral()[0, 1]) * 100).astype(np.uint32)
            factors = 2 * (heights + np.uint32(self._seed % 9973)) + 1
            yield ((pattern[None] * factors[:, None, None, None]) >> 8).astype(np.uint8)
        progress("texture", len(landmarks), len(landmarks))


def _spoken(transcript: str) -> Spoken:
    words = tuple(Said(word, place / 2, place / 2 + 0.25, 0.5) for place, word in enumerate(transcript.split()))
    return Spoken(words, (Said("AA", 0.0, 0.5, 1.0),))


def _neutral() -> NDArray[np.float32]:
    x, y = np.meshgrid(np.linspace(60, 190, POINT_COUNT // 4), np.linspace(90, 220, 4))
    return np.stack([x.ravel(), y.ravel()], axis=1).astype(np.float32)
