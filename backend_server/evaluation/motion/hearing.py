"""Counts the characters that the acoustic model gets wrong, by corpus, noise and voice.

A model is judged on the split "val" of a folder of transcribed speech; a corpus without one on its split "test".
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from backend_server.evaluation.motion.sounds import CLEAN, Sound, Waveform, babble_noise, white_noise
from backend_server.evaluation.motion.spoken import Spoken
from backend_server.evaluation.page.report import Section, Table
from backend_server.evaluation.run import Context
from backend_server.progress import Progress
from backend_server.speech.acoustic_model import CtcAcousticModel
from backend_server.speech.audio import read_audio, to_waveform
from backend_server.speech.dataset import read_index
from backend_server.speech.decoding import character_error_rate, decode_greedy, normalise_text
from backend_server.speech.listener import open_scorer
from shared.errors import SpeechFaceError, WeightsError

SENTENCES_PER_CORPUS = 40
SNR_DB = (20.0, 10.0, 0.0)
TITLE = "Hearing: character error rate of the acoustic model"
BY_CORPUS, BY_VOICE = "Character error rate by corpus", "Character error rate by synthetic voice"
COLUMNS = (CLEAN.name, *(f"white, {db:.0f} dB" for db in SNR_DB), *(f"babble, {db:.0f} dB" for db in SNR_DB))


@dataclass(frozen=True)
class Sentence:
    """One transcribed sentence: the row it counts for, its sound (S,), and its text in the model's characters."""

    group: str
    waveform: Waveform
    text: str


def run(context: Context) -> Section:
    """Error rates on the folder of speech, the corpus and synthetic voices; the reason where nothing is measured."""
    settings = context.settings
    if settings.speech is None:
        return Section(TITLE, ("Not measured: no folder of transcribed speech was given with --speech.",))
    try:
        model = open_scorer(settings.weights, settings.device)
    except WeightsError as error:
        return Section(TITLE, (f"Not measured: {error}",))
    sounds = noises(context.voices)
    said = [*transcribed(settings.speech), *transcribed(settings.data)]
    rates = {BY_CORPUS: error_rates(model, said, sounds, context.progress)}
    try:
        rates[BY_VOICE] = error_rates(model, from_voices(context.spoken), sounds, context.progress)
        voices = "The synthetic voices speak the sentences of the articulation table."
    except SpeechFaceError as error:
        voices = f"Synthetic voices are not measured: {error}"
    return Section(
        TITLE,
        (
            "Greedy decoding without a language model; sentences that no training has heard. Noise is given as "
            f"signal-to-noise ratio in mean power. {voices}",
        ),
        tuple(
            Table(title, COLUMNS, tuple((group, tuple(row)) for group, row in of_group.items()))
            for title, of_group in rates.items()
        ),
    )


def transcribed(folder: Path, count: int = SENTENCES_PER_CORPUS) -> list[Sentence]:
    """The judged sentences of a folder of speech, so many of each corpus, spread over it.

    Raises:
        CorpusError: the folder has no usable index.
        SoundError: a file cannot be read.
    """
    utterances = [one for one in read_index(folder) if one.text]
    sentences = []
    for corpus in dict.fromkeys(one.corpus for one in utterances):
        of_corpus = [one for one in utterances if one.corpus == corpus]
        judged = [one for one in of_corpus if one.split == "val"] or [one for one in of_corpus if one.split == "test"]
        for place in np.linspace(0, len(judged) - 1, min(count, len(judged))).round().astype(int):
            clip = read_audio(judged[place].path)
            waveform = to_waveform(clip.samples, clip.sample_rate)
            sentences.append(Sentence(corpus, waveform, judged[place].text))
    return sentences


def from_voices(spoken: Sequence[Spoken]) -> list[Sentence]:
    """Spoken sentences, each counting for its voice."""
    return [Sentence(one.voice, one.waveform, normalise_text(one.text)) for one in spoken]


def noises(voices: Sequence[Waveform]) -> list[Sound]:
    """Clean, white noise and babble of other voices at several signal-to-noise ratios."""
    return [CLEAN, *(white_noise(-db) for db in SNR_DB), *(babble_noise(voices, db) for db in SNR_DB)]


def error_rates(
    model: CtcAcousticModel, sentences: Sequence[Sentence], sounds: Sequence[Sound], progress: Progress
) -> dict[str, list[float]]:
    """Character error rate of greedy decoding, by group, one a sound."""
    groups = list(dict.fromkeys(one.group for one in sentences))
    rates: dict[str, list[float]] = {group: [] for group in groups}
    for number, sound in enumerate(sounds):
        for place, group in enumerate(groups):
            progress("hearing", number * len(groups) + place, len(sounds) * len(groups))
            members = [one for one in sentences if one.group == group]
            heard = [decode_greedy(model.scores(sound.heard(one.waveform))) for one in members]
            rates[group].append(character_error_rate([one.text for one in members], heard))
    progress("hearing", 1, 1)
    return rates
