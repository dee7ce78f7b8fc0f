"""Makes examples of motion for speech without pictures, so that the motion network hears every sound.

The corpus of faces has few words. Other speech has all: synthetic speech with the exact time of each sound, and
recorded sentences whose sounds are found by alignment. The coarticulation model (`articulation`) moves a mouth to them.
"""

from __future__ import annotations

import logging
import random as plain_random
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from itertools import count as count_from
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from backend_server.articulation.motion import articulate
from backend_server.articulation.visemes import VisemeTable
from backend_server.checkpoints import WEIGHTS_DIR
from backend_server.config import CORPUS_FRAME_RATE, SAMPLE_RATE, MotionConfig
from backend_server.data.motion_examples import KEPT_VOICES, MotionExample, make_views, rest_in_silence
from backend_server.data.stop_closures import begin_with_closures
from backend_server.data.synthetic_corpus import speak
from backend_server.data.synthetic_speech import phones_of_text
from backend_server.data.timed_speech import TimedSpeech, aligned_recordings
from backend_server.progress import Progress, silent
from backend_server.speech.acoustic_model import AcousticModel, CtcAcousticModel
from backend_server.speech.audio import to_waveform
from backend_server.speech.dataset import Utterance, training_sentences
from backend_server.speech.listener import open_scorer
from shared.errors import WeightsError

LOG = logging.getLogger(__name__)

SPEAKER = "modelled"
SHORTEST_SECONDS = 3.2  # so that a run of 75 frames fits
LONGEST_PAUSE = 0.8  # seconds of silence, before and after together, around speech that is long enough itself


def modelled_examples(
    folders: Sequence[Path],
    model: AcousticModel,
    neutral: NDArray[np.float32],
    config: MotionConfig,
    random: np.random.Generator,
    table: VisemeTable | None = None,
    progress: Progress = silent,
) -> list[MotionExample]:
    """Examples of the sentences of transcribed speech, said by synthetic voices and as they were recorded.

    Where neither `model` nor the shipped acoustic model scores phones, the recorded ones are left out with a warning.

    Args:
        folders: of transcribed speech; its training split is used.
        model: the acoustic model whose features the motion network reads.
        neutral: canonical landmarks at rest, (68, 2).
        config: how many.
        random: source of randomness.
        table: of visemes; the shipped one when None.
        progress: told of every example.

    Raises:
        CorpusError: a folder has no usable index, or none has an English sentence to train on.
        SpeechFaceError: espeak-ng is not installed.
    """
    sentences, variations = training_sentences(folders), min(config.variations, 1)
    texts = [sentence.text for sentence in sentences]
    spoken = articulation_examples(texts, model, neutral, config.synthetic_clips, random, variations, table, progress)
    try:
        aligner = model if isinstance(model, CtcAcousticModel) else open_scorer(WEIGHTS_DIR)
    except WeightsError as error:
        LOG.warning("recorded sentences are left out, their phones cannot be found: %s", error)
        return spoken
    count = config.recorded_clips
    return spoken + recorded_examples(
        sentences, model, aligner, phones_of_text, neutral, count, random, variations, table, progress
    )


def articulation_examples(
    texts: Sequence[str],
    model: AcousticModel,
    neutral: NDArray[np.float32],
    count: int,
    random: np.random.Generator,
    variations: int = 0,
    table: VisemeTable | None = None,
    progress: Progress = silent,
) -> list[MotionExample]:
    """Examples of synthetic speech in many voices and languages, with the motion of its phones.

    Args:
        texts: English.
        model: the acoustic model whose features the motion network reads.
        neutral: canonical landmarks at rest, (68, 2).
        count: how many.
        random: source of randomness.
        variations: further ways to hear each.
        table: of visemes; the shipped one when None.
        progress: told of every example.

    Raises:
        SpeechFaceError: espeak-ng is not installed.
        WeightsError: the table of visemes cannot be read.
    """
    said = _synthetic(texts, random)
    return _examples(said, model, neutral, count, random, variations, table, partial(progress, "speak"))


def recorded_examples(
    utterances: Sequence[Utterance],
    model: AcousticModel,
    aligner: CtcAcousticModel,
    transcribe: Callable[[str], Sequence[str]],
    neutral: NDArray[np.float32],
    count: int,
    random: np.random.Generator,
    variations: int = 0,
    table: VisemeTable | None = None,
    progress: Progress = silent,
) -> list[MotionExample]:
    """Examples of recorded sentences without pictures, with the motion of their aligned phones.

    Args:
        utterances: recordings with English texts; those that cannot be read, are too long or do not fit their
            text are left out.
        model: the acoustic model whose features the motion network reads.
        aligner: the acoustic model that finds the phones.
        transcribe: the phones of a text.
        neutral: canonical landmarks at rest, (68, 2).
        count: how many at most.
        random: source of randomness.
        variations: further ways to hear each.
        table: of visemes; the shipped one when None.
        progress: told of every example.

    Raises:
        WeightsError: the table of visemes cannot be read.
    """
    shuffled = (utterances[index] for index in random.permutation(len(utterances)))
    said = (speech for _, speech in aligned_recordings(shuffled, aligner, transcribe))
    return _examples(said, model, neutral, count, random, variations, table, partial(progress, "align"))


def _synthetic(texts: Sequence[str], random: np.random.Generator) -> Iterator[TimedSpeech]:
    """Endless synthetic speech."""
    words = plain_random.Random(int(random.integers(2**32)))
    for index in count_from(0):
        speech, voice, _, _ = speak(texts, words)
        waveform = to_waveform(speech.clip.samples, speech.clip.sample_rate)
        yield TimedSpeech(f"{index:05d} {voice}", waveform, begin_with_closures(speech))


def _examples(
    said: Iterable[TimedSpeech],
    model: AcousticModel,
    neutral: NDArray[np.float32],
    count: int,
    random: np.random.Generator,
    variations: int,
    table: VisemeTable | None,
    progress: Callable[[int, int], None],
) -> list[MotionExample]:
    """Examples of the first `count` of what is said, each between two pauses, with earlier voices as babble."""
    examples: list[MotionExample] = []
    voices: deque[NDArray[np.float32]] = deque(maxlen=KEPT_VOICES)
    for one in islice(said, count):
        padded = one.between_pauses(*_pauses(len(one.waveform) / SAMPLE_RATE, random))
        times, canonical = _spoken(padded, neutral, table)
        views = make_views(padded.waveform, model, variations, random, voices)
        voices.append(one.waveform)
        examples.append(MotionExample(SPEAKER, one.name, "train", times, canonical, views))
        progress(len(examples), count)
    return examples


def _pauses(seconds: float, random: np.random.Generator) -> tuple[float, float]:
    """Seconds of silence before and after speech."""
    total = max(random.uniform(0.2, LONGEST_PAUSE), SHORTEST_SECONDS - seconds)
    share = random.uniform(0.2, 0.8)
    return share * total, (1 - share) * total


def _spoken(
    speech: TimedSpeech, neutral: NDArray[np.float32], table: VisemeTable | None
) -> tuple[NDArray[np.float64], NDArray[np.float32]]:
    """Frame times (T,) and canonical landmarks (T, 68, 2) of speech, at rest where nobody speaks, as measured ones are.

    The dominance model lets some sounds part the lips half a second ahead, longer than the motion network hears.
    """
    frames = int(speech.phones[-1].end * CORPUS_FRAME_RATE)
    times = (np.arange(frames, dtype=np.float64) + 0.5) / CORPUS_FRAME_RATE
    moved = neutral + articulate(speech.phones, times, table)
    return times, rest_in_silence(moved, neutral, speech.waveform, times)
