"""Cuts what the sync network sees and hears out of talking faces: grey mouths, and the sound around each."""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from backend_server.data.corpus import Clip
from backend_server.retarget import procrustes_align
from backend_server.speech.features import FLOOR, SPREAD, log_mel, normalise, speech_level
from backend_server.speech.presence import MOMENTS_PER_SECOND
from shared.landmarks import LEFT_EYE, LIPS, RIGHT_EYE, STABLE

MOUTH_HEIGHT, MOUTH_WIDTH = 32, 48  # pixels of a mouth
WIDTH_IN_EYE_DISTANCES = 1.25  # what a mouth shows: both corners and the skin that they move
LOWERED_IN_EYE_DISTANCES = 0.08  # below the middle of the resting lips, as the jaw opens downwards
SILENCE = FLOOR / SPREAD  # a normalised log-mel frame of silence
SOUND_FRAMES = 20  # log-mel frames of one picture, 0.2 s
_FINER = 2  # the mouth is read at so many times its size, so that nothing aliases

Points = NDArray[np.floating]


@dataclass(frozen=True)
class Film:
    """Picture and sound of a talking face, 25 pictures a second.

    Attributes:
        speaker: who is seen.
        mouths: u8 (T, 32, 48), grey.
        sounds: f32 (T, 20, 64), the 0.2 s of normalised log-mel frames around each picture.
    """

    speaker: str
    mouths: NDArray[np.uint8]
    sounds: NDArray[np.float32]

    def late(self, frames: int) -> Film:
        """The same film whose face comes so many frames late, or early when negative; what has no partner is cut."""
        kept = len(self.mouths) - abs(frames)
        seen, heard = max(-frames, 0), max(frames, 0)
        return replace(self, mouths=self.mouths[seen : seen + kept], sounds=self.sounds[heard : heard + kept])

    def with_sound(self, other: Film) -> Film:
        """The same face with the sound of another film; both are cut to the shorter."""
        kept = min(len(self.mouths), len(other.sounds))
        return replace(self, mouths=self.mouths[:kept], sounds=other.sounds[:kept])

    def still(self) -> Film:
        """The same sound with a face that keeps its first mouth."""
        return replace(self, mouths=np.repeat(self.mouths[:1], len(self.mouths), axis=0))


def read_film(clip: Clip) -> Film:
    """The film of a clip as it was recorded.

    Raises:
        CorpusError: a file of it is missing or damaged.
    """
    data = clip.landmarks()
    mouths = mouth_pictures(clip.faces(), data.landmarks, data.neutral)
    return Film(clip.speaker, mouths, sound_windows(clip.waveform(), data.frame_times))


def mouth_pictures(pictures: NDArray[np.uint8], landmarks: Points, neutral: Points) -> NDArray[np.uint8]:
    """The mouths of face crops, grey, u8 (T, 32, 48).

    The cut-out follows the head by the points that speech does not move, never the lips: where the landmarks of the
    mouth are said to be tells the network nothing.

    Args:
        pictures: (T, 256, 256, 3), RGB; the eye line is level.
        landmarks: (T, 68, 2), pixels.
        neutral: (68, 2), the same face at rest, pixels.
    """
    stable, eyes = list(STABLE), np.linalg.norm(neutral[LEFT_EYE].mean(0) - neutral[RIGHT_EYE].mean(0))
    heads = procrustes_align(neutral[stable], landmarks[:, stable])
    pixel = WIDTH_IN_EYE_DISTANCES * eyes / (_FINER * MOUTH_WIDTH)  # of the crop, of one finer pixel
    size = (_FINER * MOUTH_WIDTH, _FINER * MOUTH_HEIGHT)
    centre = neutral[LIPS].mean(0) + np.array([0, LOWERED_IN_EYE_DISTANCES * eyes])
    corner = centre - pixel * (np.array(size) - 1) / 2
    mouths = np.empty((len(pictures), MOUTH_HEIGHT, MOUTH_WIDTH), np.uint8)
    for number, picture in enumerate(pictures):
        matrix, offset = heads.matrix[number], heads.offset[number]
        cut = np.column_stack([matrix * pixel, matrix @ corner + offset])  # finer pixel to pixel of the crop
        finer = cv2.warpAffine(
            picture, cut, size, flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP, borderMode=cv2.BORDER_REPLICATE
        )
        grey = cv2.cvtColor(finer, cv2.COLOR_RGB2GRAY)
        mouths[number] = cv2.resize(grey, (MOUTH_WIDTH, MOUTH_HEIGHT), interpolation=cv2.INTER_AREA)
    return mouths


def sound_windows(waveform: NDArray[np.float32], frame_times: NDArray[np.float64]) -> NDArray[np.float32]:
    """The 0.2 s of sound around each moment, f32 (T, 20, 64), relative to the level of the clip's speech.

    Args:
        waveform: (S,), 16 kHz.
        frame_times: (T,), seconds; beyond the sound there is silence.
    """
    mel = log_mel(torch.from_numpy(waveform))
    heard = normalise(mel, speech_level(mel)).numpy()
    first = np.rint(frame_times * MOMENTS_PER_SECOND).astype(int) - SOUND_FRAMES // 2
    places = first[:, None] + np.arange(SOUND_FRAMES)
    windows = heard[np.clip(places, 0, len(heard) - 1)]
    windows[(places < 0) | (places >= len(heard))] = SILENCE
    return windows
