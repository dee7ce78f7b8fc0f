"""Finds when the lips or the tongue close for a stop whose time is known only from its burst.

espeak-ng marks P, T, K and CH where they burst; the silence of the closure before it belongs to the sound before.
Lips that close at the burst would come 50 ms late.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from backend_server.articulation.phones import SILENCE, TimedPhone
from backend_server.data.synthetic_speech import SyntheticSpeech

VOICELESS_STOPS = frozenset(("P", "T", "K", "CH"))
LONGEST_CLOSURE = 0.12  # seconds
SHORTEST_REST = 0.02  # seconds that stay with the sound before
_QUIET = 1e-3  # of full scale; closures of espeak-ng are digital silence
_STEP = 0.005  # seconds


def begin_with_closures(speech: SyntheticSpeech) -> tuple[TimedPhone, ...]:
    """The phones of synthetic speech, where voiceless stops begin with the silence of their closure."""
    begins = [phone.begin for phone in speech.phones]
    for number, (before, phone) in enumerate(pairwise(speech.phones), start=1):
        if phone.name in VOICELESS_STOPS and before.name != SILENCE:
            earliest = max(phone.begin - LONGEST_CLOSURE, begins[number - 1] + SHORTEST_REST)
            while begins[number] - _STEP > earliest - 1e-9 and _is_quiet(speech, begins[number] - _STEP):
                begins[number] -= _STEP
    ends = [*begins[1:], speech.phones[-1].end] if begins else []
    return _timed(speech.phones, begins, ends)


def _is_quiet(speech: SyntheticSpeech, second: float) -> bool:
    """Whether nothing sounds in the step from a second, less a little at its end where the burst may begin."""
    first = int(second * speech.clip.sample_rate)
    block = speech.clip.samples[first : first + int(0.8 * _STEP * speech.clip.sample_rate)]
    return bool(np.abs(block).max(initial=0.0) < _QUIET)


def _timed(phones: Sequence[TimedPhone], begins: Sequence[float], ends: Sequence[float]) -> tuple[TimedPhone, ...]:
    return tuple(TimedPhone(phone.name, *times) for phone, *times in zip(phones, begins, ends, strict=True))
