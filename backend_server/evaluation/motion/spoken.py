"""Makes the sentences with phone times, never trained on, that judge articulation and hearing.

Spoken ones are from the Harvard lists (IEEE 1969), phonetically balanced English, in timbres of espeak-ng that training
does not use; their times are exact. Recorded ones are real people's; their times are found by alignment.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from backend_server.articulation.phones import TimedPhone
from backend_server.data.stop_closures import begin_with_closures
from backend_server.data.synthetic_speech import phones_of_text, synthesise
from backend_server.data.timed_speech import TimedSpeech, aligned_recordings
from backend_server.progress import Progress
from backend_server.speech.acoustic_model import CtcAcousticModel
from backend_server.speech.audio import to_waveform
from backend_server.speech.dataset import read_index

SENTENCES = (
    "The birch canoe slid on the smooth planks.",
    "Glue the sheet to the dark blue background.",
    "These days a chicken leg is a rare dish.",
    "Four hours of steady work faced us.",
    "A large size in stockings is hard to sell.",
    "The boy was there when the sun rose.",
    "Smoky fires lack flame and heat.",
    "Move the vat over the hot fire.",
    "Both brothers wear the same size.",
    "Hop over the fence and plunge in.",
    "The meal was cooked before the bell rang.",
    "The empty flask stood on the tin tray.",
)
VOICES = {"en-us+Annie": 45, "en-us+Michael": 50, "en-gb-x-rp+steph": 50, "en-gb-scotland+boris": 50}  # pitch
RATE_WORDS = 155  # a minute
PAUSE_SECONDS = 0.6  # of silence before and after each spoken sentence
RECORDED_PER_CORPUS = 24


@dataclass(frozen=True)
class Spoken:
    """One spoken sentence.

    Attributes:
        voice: whose, or from which corpus.
        text: what.
        waveform: (S,), 16 kHz.
        phones: what is said when, without gaps.
    """

    voice: str
    text: str
    waveform: NDArray[np.float32]
    phones: Sequence[TimedPhone]


def speak_sentences(progress: Progress, sentences: Sequence[str] = SENTENCES) -> list[Spoken]:
    """Every voice speaks every sentence.

    Raises:
        SpeechFaceError: espeak-ng is not installed.
    """
    spoken = []
    for voice, pitch in VOICES.items():
        for text in sentences:
            progress("speak", len(spoken), len(VOICES) * len(sentences))
            speech = synthesise(text, voice, RATE_WORDS, pitch)
            waveform = to_waveform(speech.clip.samples, speech.clip.sample_rate)
            timed = TimedSpeech(voice, waveform, begin_with_closures(speech))
            padded = timed.between_pauses(PAUSE_SECONDS, PAUSE_SECONDS)
            spoken.append(Spoken(voice, text, padded.waveform, padded.phones))
    progress("speak", len(spoken), len(spoken))
    return spoken


def read_recorded(folder: Path, aligner: CtcAcousticModel, count: int = RECORDED_PER_CORPUS) -> list[Spoken]:
    """Held-out sentences of a folder of speech, the first of each corpus that fit their text.

    Raises:
        CorpusError: the folder has no usable index.
        SpeechFaceError: espeak-ng is not installed, which tells the phones of a text.
    """
    held = [one for one in read_index(folder) if one.split == "val" and one.text]
    recorded = []
    for corpus in dict.fromkeys(one.corpus for one in held):
        of_corpus = (one for one in held if one.corpus == corpus)
        for utterance, speech in islice(aligned_recordings(of_corpus, aligner, phones_of_text), count):
            recorded.append(Spoken(corpus, utterance.text, speech.waveform, speech.phones))
    return recorded
