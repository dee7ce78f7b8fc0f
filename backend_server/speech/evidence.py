"""Judges whether anybody speaks in a recording at all, or whether it is music or noise.

Speech changes its spectrum within 40 ms more than held notes do, and our acoustic model is sure of some of its phones.
Noise hides both, so less is asked where the sound stands less above its pauses. A recording is only called speechless
if no part of it could be speech.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from backend_server.speech.features import FLOOR
from backend_server.speech.presence import MOMENTS_PER_SECOND, group_levels, lift_above_pauses, presence_track
from shared.notes import Note, NoteCode

LEAST_SECONDS = 2.0  # of a part that is judged; a shorter sound is never called speechless
CHANGE_MOMENTS = 4  # 40 ms
ACTIVE = -5.0  # natural-log units relative to the level of speech; quieter moments are pauses
CHANGE_PERCENTILE = 75  # of the changes between active moments
SUREST_SHARE = 0.1  # of the moments, over which the model's sureness is averaged
# From a lift above the pauses on, in natural-log units: the least change, natural-log units, and the least sureness.
LIMITS = ((2.5, 0.75, 0.3), (1.2, 0.46, 0.3), (0.6, 0.33, 0.2))

Array = NDArray[np.float32]


class SpeechEvidence:
    """What a recording shows of speech, part by part.

    Args:
        levels: of groups of bands, (F, 8), 100 a second.
        level: of the speech in each mel band, (64,).
    """

    def __init__(self, levels: Array, level: Tensor) -> None:
        groups = group_levels(level[None])[0]
        self._levels = np.maximum(levels - groups, FLOOR)
        self._lift = lift_above_pauses(levels, groups)
        self._is_steady = not presence_track(levels, groups).any()
        self._seconds = 0.0
        self._could_be_speech = False
        self._is_judged = False

    def add(self, sureness: Array, moments_per_second: float) -> None:
        """Takes in the next part: how likely the likeliest phone is, (n,), at moments that follow the last part's."""
        begin, self._seconds = self._seconds, self._seconds + len(sureness) / moments_per_second
        if self._seconds - begin < LEAST_SECONDS:
            return
        self._is_judged = True
        part = self._levels[round(begin * MOMENTS_PER_SECOND) : round(self._seconds * MOMENTS_PER_SECOND)]
        is_active = part.mean(1) > ACTIVE
        both = is_active[CHANGE_MOMENTS:] & is_active[:-CHANGE_MOMENTS]
        changes = np.abs(part[CHANGE_MOMENTS:] - part[:-CHANGE_MOMENTS]).mean(1)[both]
        change = float(np.percentile(changes, CHANGE_PERCENTILE)) if len(changes) else 0.0
        surest = np.sort(sureness)[-max(round(SUREST_SHARE * len(sureness)), 1) :].mean()
        limits = next(((least, sure) for lift, least, sure in LIMITS if self._lift > lift), (0.0, 0.0))
        self._could_be_speech |= not self._is_steady and change >= limits[0] and float(surest) >= limits[1]

    @property
    def notes(self) -> tuple[Note, ...]:
        """That no speech was heard, if so."""
        if self._could_be_speech or not self._is_judged:
            return ()
        sentence = (
            f"no speech was heard: {self._seconds:.1f} s of sound are like music or noise, and the mouth moves to them "
            "all the same; choose a sound with a voice"
        )
        return (Note(NoteCode.NO_SPEECH, sentence),)
