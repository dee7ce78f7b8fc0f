"""Keeps speech whose phones have known times, puts pauses around it, and finds the phones of recordings."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from backend_server.articulation.phones import SILENCE, TimedPhone
from backend_server.config import SAMPLE_RATE
from backend_server.speech.acoustic_model import CtcAcousticModel
from backend_server.speech.alignment import align_phones
from backend_server.speech.audio import read_audio, to_waveform
from backend_server.speech.dataset import Utterance
from shared.errors import SoundError

LOG = logging.getLogger(__name__)
LEAST_SURENESS = -0.8  # mean log-probability of an alignment; below it, the text is not what was said
LONGEST_SECONDS = 8.0


@dataclass(frozen=True)
class TimedSpeech:
    """Speech whose sounds are known.

    Attributes:
        name: of the voice or the file.
        waveform: (S,), 16 kHz.
        phones: what is said when, without gaps.
    """

    name: str
    waveform: NDArray[np.float32]
    phones: Sequence[TimedPhone]

    def between_pauses(self, before: float, after: float) -> TimedSpeech:
        """The same with so many seconds of digital silence before and after it."""
        waveform = np.pad(self.waveform, [round(pause * SAMPLE_RATE) for pause in (before, after)])
        moved = [replace(phone, begin=phone.begin + before, end=phone.end + before) for phone in self.phones]
        end = TimedPhone(SILENCE, moved[-1].end, len(waveform) / SAMPLE_RATE)
        return replace(self, waveform=waveform, phones=(TimedPhone(SILENCE, 0.0, before), *moved, end))


def aligned_recordings(
    utterances: Iterable[Utterance], aligner: CtcAcousticModel, transcribe: Callable[[str], Sequence[str]]
) -> Iterator[tuple[Utterance, TimedSpeech]]:
    """The recordings that are short enough and fit their English text, with the phones found in them.

    One that cannot be read is left out and logged.

    Args:
        utterances: in the order in which they are wanted.
        aligner: the acoustic model that finds the phones.
        transcribe: the phones of a text.
    """
    for utterance in utterances:
        try:
            clip = read_audio(utterance.path)
            waveform = to_waveform(clip.samples, clip.sample_rate)
        except SoundError as error:
            LOG.warning("left out: %s", error)
            continue
        if clip.seconds > LONGEST_SECONDS:
            continue
        said, scores = transcribe(utterance.text), aligner.phone_scores(waveform)
        if not 0 < len(said) <= len(scores):
            continue
        phones, sureness = align_phones(scores, said, aligner.features_per_second)
        if sureness >= LEAST_SURENESS:
            yield utterance, TimedSpeech(utterance.path.stem, waveform, phones)
