"""How good are faces of held-out people as a user gets them, driven by landmarks that come from the sound?"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from backend_server.cascade import Cascade
from backend_server.config import SAMPLE_RATE
from backend_server.data.corpus import Clip
from backend_server.evaluation.frame_figures import Judge
from backend_server.evaluation.identities import Identities
from backend_server.evaluation.texture import REAL, USUAL, ClipFigures, JudgedClip
from backend_server.identity import Identity
from backend_server.progress import Progress
from backend_server.retarget import procrustes_align
from shared.landmarks import STABLE

BY_LANDMARKS = "driven by the real landmarks"
BY_SOUND = "driven by the sound"
BY_SOUND_ON_HEAD = "driven by the sound, head moved as it really did"
WAYS = (BY_LANDMARKS, BY_SOUND, BY_SOUND_ON_HEAD)

Landmarks = NDArray[np.float32]


def drivings(cascade: Cascade, clip: Clip, identity: Identity, seed: int) -> dict[str, Landmarks]:
    """Landmarks (T, 68, 2) of a whole clip that drive a face, by way, pixels of the crop.

    Args:
        cascade: hears, moves and retargets.
        clip: its own sound is heard.
        identity: whose face.
        seed: of the blinks.
    """
    data = clip.landmarks()
    heard = cascade.animate(clip.waveform(), SAMPLE_RATE, data.frame_times, identity, seed=seed).landmarks
    return {
        BY_LANDMARKS: data.landmarks,
        BY_SOUND: heard,
        BY_SOUND_ON_HEAD: with_head(heard, identity.references.neutral_landmarks, data.landmarks),
    }


def with_head(landmarks: Landmarks, neutral: Landmarks, real: Landmarks) -> Landmarks:
    """A motion without head movement, moved as the head of another recording of that face moved.

    Args:
        landmarks: (T, 68, 2), around the face at rest.
        neutral: (68, 2), that face.
        real: (T, 68, 2), whose head is followed.
    """
    stable = list(STABLE)
    return procrustes_align(neutral[stable], real[:, stable]).apply(landmarks).astype(np.float32)


def evaluate_from_sound(
    cascade: Cascade, identities: Identities, clips: Sequence[Clip], judge: Judge, progress: Progress
) -> list[ClipFigures]:
    """Figures of each clip, real and rendered in each of the three ways, learnt by the usual recipe.

    Args:
        cascade: hears each clip and moves its face.
        identities: of the network that is judged.
        clips: of people whom the networks never saw.
        judge: measures.
        progress: receives ("faces from sound", done, of all).
    """
    results = []
    for number, clip in enumerate(clips):
        judged, identity = JudgedClip.read(clip), identities(clip, USUAL)
        results.append(ClipFigures(clip, REAL, judge.judge_real(judged.spread, judged.run)))
        for place, (name, driving) in enumerate(drivings(cascade, clip, identity, identities.seed).items()):
            progress("faces from sound", number * len(WAYS) + place, len(clips) * len(WAYS))
            figures = judged.figures(judge, identities.network, identity, driving)
            results.append(ClipFigures(clip, name, figures))
    progress("faces from sound", len(clips) * len(WAYS), len(clips) * len(WAYS))
    return results
