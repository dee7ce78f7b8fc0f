"""Plays music without end, so that speech can be heard in it: chords, a bass, and drums."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from backend_server.config import SAMPLE_RATE
from backend_server.speech.augmentation import Waveform

CHORDS = ((57, 60, 64, 69), (53, 57, 60, 65), (48, 55, 60, 64), (55, 59, 62, 67))  # MIDI: A minor, F, C, G
BEATS_PER_CHORD = 4
BEATS_PER_MINUTE = 112
OVERTONES = 8
CHORD_LEVEL, BASS_LEVEL, DRUM_LEVEL, HISS_LEVEL = 0.5, 1.0, 1.2, 0.5

Array = NDArray[np.floating]


def music(count: int, random: np.random.Generator) -> Waveform:
    """So many samples at 16 kHz, from a random beat on."""
    beat = round(60 * SAMPLE_RATE / BEATS_PER_MINUTE)
    first = int(random.integers(BEATS_PER_CHORD * len(CHORDS)))
    beats = range(first, first + count // beat + 1)
    return np.concatenate([_beat(number, beat, random) for number in beats])[:count].astype(np.float32)


def _beat(number: int, length: int, random: np.random.Generator) -> Array:
    """One beat: half a chord on each of its halves, the bass and a drum on the whole, a hiss on each quarter."""
    seconds = np.arange(length) / SAMPLE_RATE
    chord = CHORDS[number // BEATS_PER_CHORD % len(CHORDS)]
    since_half = seconds % (length / SAMPLE_RATE / 2)
    since_quarter = seconds % (length / SAMPLE_RATE / 4)
    notes = random.choice(chord, 3, replace=False)
    sound = CHORD_LEVEL * sum(_tone(note, seconds) for note in notes) * np.exp(-3 * since_half)
    sound += BASS_LEVEL * _tone(chord[0] - 24, seconds) * np.exp(-2 * seconds)
    sound += HISS_LEVEL * random.standard_normal(length) * np.exp(-60 * since_quarter)
    if number % 2:  # a snare after each thud
        return sound + DRUM_LEVEL * random.standard_normal(length) * np.exp(-25 * seconds)
    return sound + 2 * DRUM_LEVEL * np.sin(2 * np.pi * 9 * (1 - np.exp(-12 * seconds))) * np.exp(-12 * seconds)


def _tone(note: int, seconds: Array) -> Array:
    """A note with overtones, those below half the sample rate."""
    pitch = 440 * 2 ** ((note - 69) / 12)
    numbers = [one for one in range(1, OVERTONES + 1) if one * pitch < SAMPLE_RATE / 2]
    return np.sum([np.sin(2 * np.pi * one * pitch * seconds) / one for one in numbers], axis=0)
