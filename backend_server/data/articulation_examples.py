"""Which motion goes with synthetic speech, so that the motion network hears every sound of every language?

The corpus of faces knows few words. Synthetic speech knows all, and the exact time of each sound; the coarticulation
model (`articulation`) tells how a mouth says them.
"""

from __future__ import annotations

import random as plain_random
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from backend_server.articulation.motion import articulate
from backend_server.articulation.phones import SILENCE, TimedPhone
from backend_server.articulation.visemes import VisemeTable, load_visemes
from backend_server.config import CORPUS_FRAME_RATE, SAMPLE_RATE
from backend_server.data.flite_speech import has_flite
from backend_server.data.motion_examples import MotionExample, make_views
from backend_server.data.stop_closures import begin_with_closures
from backend_server.data.synthetic_corpus import speak
from backend_server.progress import Progress, silent
from backend_server.speech.acoustic_model import AcousticModel
from backend_server.speech.audio import to_waveform

SPEAKER = "synthetic"
SHORTEST_SECONDS = 3.2  # so that a run of 75 frames fits
LONGEST_PAUSE = 0.8  # seconds of silence put before and after the speech, at most, where it is long enough itself


def articulation_examples(
    texts: Sequence[str],
    model: AcousticModel,
    neutral: NDArray[np.float32],
    count: int,
    random: np.random.Generator,
    variations: int = 0,
    progress: Progress = silent,
) -> list[MotionExample]:
    """Examples of synthetic speech in many voices and languages, with the motion that its phones ask for.

    Args:
        texts: English.
        model: the acoustic model whose features the motion network shall read.
        neutral: canonical landmarks at rest, (68, 2).
        count: how many.
        random: of everything random.
        variations: further ways to hear each.
        progress: told of every example.

    Raises:
        SpeechFaceError: espeak-ng is not installed.
        WeightsError: the table of visemes cannot be read.
    """
    table, with_flite = load_visemes(), has_flite()
    words = plain_random.Random(int(random.integers(2**32)))
    examples = []
    for index in range(count):
        speech, voice, _, _ = speak(texts, words, with_flite)
        waveform = to_waveform(speech.clip.samples, speech.clip.sample_rate)
        before, after = _pauses(len(waveform) / SAMPLE_RATE, random)
        waveform = np.pad(waveform, [round(pause * SAMPLE_RATE) for pause in (before, after)])
        phones = _shifted(begin_with_closures(speech), before, len(waveform) / SAMPLE_RATE)
        times, canonical = _spoken(phones, table, neutral)
        views = make_views(waveform, model, variations, random)
        examples.append(MotionExample(SPEAKER, f"{index:05d} {voice}", "train", times, canonical, views))
        progress("speak", index + 1, count)
    return examples


def _pauses(seconds: float, random: np.random.Generator) -> tuple[float, float]:
    """Seconds of silence before and after speech."""
    total = max(random.uniform(0.2, LONGEST_PAUSE), SHORTEST_SECONDS - seconds)
    share = random.uniform(0.2, 0.8)
    return share * total, (1 - share) * total


def _shifted(phones: Sequence[TimedPhone], seconds: float, end: float) -> tuple[TimedPhone, ...]:
    """Phones later by some seconds, with silence before them and until the end."""
    moved = [TimedPhone(phone.name, phone.begin + seconds, phone.end + seconds) for phone in phones]
    return (TimedPhone(SILENCE, 0.0, seconds), *moved, TimedPhone(SILENCE, moved[-1].end, end))


def _spoken(
    phones: Sequence[TimedPhone], table: VisemeTable, neutral: NDArray[np.float32]
) -> tuple[NDArray[np.float64], NDArray[np.float32]]:
    """Frame times (T,) and canonical landmarks (T, 68, 2) of phones."""
    frames = int(phones[-1].end * CORPUS_FRAME_RATE)
    times = (np.arange(frames) + 0.5) / CORPUS_FRAME_RATE
    return times, neutral + articulate(phones, times, table)
