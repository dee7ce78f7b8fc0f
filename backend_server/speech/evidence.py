"""Judges whether anybody speaks in a recording at all, or whether it is music or noise.

Our acoustic model is sure of many different phones wherever somebody speaks, in any language and in noise, and of
hardly one in music. A recording is only called speechless if no part of it could be speech.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from shared.notes import Note, NoteCode

LEAST_SECONDS = 2.0  # a shorter sound is never called speechless
SURE = 0.5  # probability of a phone
SAYING = 0.5  # probability of all phones together, above which a moment counts for the confidence
FEWEST_PHONES = 3  # different ones in a part; a short word has four, instruments two


class SpeechEvidence:
    """What a recording shows of speech, part by part."""

    def __init__(self) -> None:
        self._seconds = 0.0
        self._is_speech = False
        self._said = self._surest = 0.0  # probabilities summed over moments at which something is said

    def add(self, phones: NDArray[np.float32], moments_per_second: float) -> None:
        """Takes in the next part: the probabilities of the phones, without silence and blank, at moments (n, P)."""
        self._seconds += len(phones) / moments_per_second
        voiced = phones[phones.sum(1) > SAYING]
        self._said += float(voiced.sum())
        self._surest += float(voiced.max(1, initial=0.0).sum())
        sure = phones.argmax(1)[phones.max(1) > SURE]
        self._is_speech |= len(np.unique(sure)) >= FEWEST_PHONES

    @property
    def confidence(self) -> float | None:
        """How sure the hearing is which phone is said, where one is: 0 to 1; None if nothing is said."""
        return self._surest / self._said if self._said else None

    @property
    def notes(self) -> tuple[Note, ...]:
        """That no speech was heard, if so."""
        if self._is_speech or self._seconds < LEAST_SECONDS:
            return ()
        sentence = (
            f"no speech was heard: {self._seconds:.1f} s of sound are like music or noise, and the mouth moves to them "
            "all the same; choose a sound with a voice"
        )
        return (Note(NoteCode.NO_SPEECH, sentence),)
