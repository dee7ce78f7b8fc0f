"""Says what the cascade makes of a sound."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from backend_server.speech.spoken import Spoken
from shared.notes import Note


@dataclass(frozen=True)
class LandmarkMotion:
    """The motion of one face.

    Attributes:
        frame_times: (T,) seconds in the sound.
        canonical: l_t^M, (T, 68, 2) canonical units.
        landmarks: l_t, (T, 68, 2) pixels of the face crop.
        neutral: l_p, (68, 2) pixels of the face crop.
        crop: (2, 3), from pixels of the crop to pixels of the source image.
        arkit: weights of `shared.arkit.SHAPES`, (T, 52), 0 to 1; the same for every face.
        head: how the head is turned, (T, 6), as `shared.head.POSE`; `landmarks` turn with it, `canonical` does not.
        still: the landmarks of a head that is not turned, as `landmarks`.
        notes: what the user should know of the sound.
        confidence: how sure the hearing was of what is said, as `SpeechEvidence.confidence`.
        spoken: words and phones, where they were wanted.
    """

    frame_times: NDArray[np.float64]
    canonical: NDArray[np.float32]
    landmarks: NDArray[np.float32]
    neutral: NDArray[np.float32]
    crop: NDArray[np.float32]
    arkit: NDArray[np.float32]
    head: NDArray[np.float32]
    still: NDArray[np.float32]
    notes: tuple[Note, ...] = ()
    confidence: float | None = None
    spoken: Spoken | None = None
