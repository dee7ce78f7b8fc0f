"""Makes the sentences with phone times, never trained on, that judge articulation and hearing.

Spoken ones are those of `sentences`, in timbres of espeak-ng that training does not use; their times are exact.
Recorded ones are real people's; their times are found by alignment.
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
from backend_server.evaluation.motion.sentences import HARVARD, OTHER_LANGUAGES, Language
from backend_server.progress import Progress
from backend_server.speech.acoustic_model import CtcAcousticModel
from backend_server.speech.audio import to_waveform
from backend_server.speech.dataset import read_index

TIMBRES = {"Annie": 45, "Michael": 50, "steph": 50, "boris": 50}  # with their pitch
ACCENTS = ("en-us", "en-us", "en-gb-x-rp", "en-gb-scotland")  # of the timbres' English
VOICES = {f"{accent}+{name}": pitch for accent, (name, pitch) in zip(ACCENTS, TIMBRES.items(), strict=True)}
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


def speak_sentences(progress: Progress, sentences: Sequence[str] = HARVARD) -> list[Spoken]:
    """Every English voice speaks every sentence.

    Raises:
        SpeechFaceError: espeak-ng is not installed.
    """
    return _speak([(voice, pitch, text) for voice, pitch in VOICES.items() for text in sentences], progress)


def speak_languages(progress: Progress, languages: Sequence[Language] = OTHER_LANGUAGES) -> dict[str, list[Spoken]]:
    """Every timbre speaks every sentence of each language, by the language's name.

    Raises:
        SpeechFaceError: espeak-ng is not installed.
    """
    return {
        one.name: _speak(
            [(f"{one.code}+{timbre}", pitch, text) for timbre, pitch in TIMBRES.items() for text in one.sentences],
            progress,
        )
        for one in languages
    }


def _speak(lines: Sequence[tuple[str, int, str]], progress: Progress) -> list[Spoken]:
    """Voices with their pitch say texts, each between two pauses."""
    spoken = []
    for voice, pitch, text in lines:
        progress("speak", len(spoken), len(lines))
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
