"""A stop's closure belongs to the stop."""

import numpy as np
import pytest

from backend_server.articulation.phones import TimedPhone
from backend_server.data.stop_closures import begin_with_closures
from backend_server.data.synthetic_speech import SyntheticSpeech
from backend_server.speech.audio import AudioClip

RATE = 16_000


def spoken(names, quiet):
    """Phones of 0.2 s each, sounding except in the given stretches."""
    samples = np.full(int(0.2 * len(names) * RATE), 0.3, np.float32)
    for begin, end in quiet:
        samples[int(begin * RATE) : int(end * RATE)] = 0
    phones = tuple(TimedPhone(name, 0.2 * i, 0.2 * (i + 1)) for i, name in enumerate(names))
    return SyntheticSpeech(AudioClip(samples, RATE), phones)


def begins(names, quiet):
    found = begin_with_closures(spoken(names, quiet))
    assert [phone.end for phone in found[:-1]] == [phone.begin for phone in found[1:]]
    return pytest.approx([phone.begin for phone in found], abs=0.006)  # a step of the search


def test_the_silence_before_a_burst_becomes_the_stop():
    assert begins(["AA", "P", "AA"], [(0.15, 0.2)]) == [0.0, 0.15, 0.4]


def test_a_voiced_sound_and_a_stop_after_a_pause_stay():
    assert begins(["AA", "M"], [(0.15, 0.2)]) == [0.0, 0.2]
    assert begins(["SIL", "P"], [(0.0, 0.2)]) == [0.0, 0.2]
    assert begins(["AA", "T"], []) == [0.0, 0.2]


def test_no_closure_is_longer_than_closures_are():
    assert begins(["AA", "K"], [(0.0, 0.2)]) == [0.0, 0.08]
