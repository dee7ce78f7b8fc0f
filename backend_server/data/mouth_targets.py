"""Measures the mouth of a speaker; the acoustic model learns it beside characters and phones.

A few spans of the mouth, measured where there are pictures and modelled where there are phones. They are divided by how
far each person moves, since the sound does not tell how wide they open the mouth.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from backend_server.articulation.motion import articulate
from backend_server.articulation.phones import TimedPhone
from backend_server.articulation.visemes import VisemeTable
from backend_server.data.corpus import Corpus
from backend_server.data.motion_examples import rest_in_silence
from backend_server.speech.dataset import Utterance

# Points and axis (1 down) of each span: inner and outer opening, outer and inner width, jaw, upper lip.
SPANS = ((66, 62, 1), (57, 51, 1), (54, 48, 0), (64, 60, 0), (8, 27, 1), (51, 33, 1))
RATE = 50.0  # rows a second
LEAST_SPREAD = 0.5  # of the average person's; smaller spreads count as this

Array = NDArray[np.float32]


def mouth_spans(canonical: NDArray[np.floating], neutral: NDArray[np.floating]) -> Array:
    """The six spans of canonical landmarks (T, 68, 2) less those of the face at rest (68, 2), (T, 6)."""
    moved = canonical - neutral
    return np.stack([moved[:, one, axis] - moved[:, other, axis] for one, other, axis in SPANS], 1).astype(np.float32)


class MouthTargets:
    """Spans of the mouth for utterances of prepared corpora and of synthetic speech.

    Args:
        folders: of training data; those that are prepared corpora bring measured mouths.
        table: of visemes; the shipped one when None.
    """

    def __init__(self, folders: Sequence[Path], table: VisemeTable | None = None) -> None:
        self._table = table
        self._measured: dict[Path, tuple[NDArray[np.float64], Array]] = {}
        by_speaker: dict[str, list[Path]] = defaultdict(list)
        for corpus in [Corpus(folder) for folder in folders if (folder / "canonical.npz").exists()]:
            for clip in corpus.clips("train"):
                landmarks, neutral = clip.landmarks(), corpus.neutral_canonical
                resting = rest_in_silence(landmarks.canonical, neutral, clip.waveform(), landmarks.frame_times)
                spans = mouth_spans(resting, neutral)
                path = clip.folder / "speech.wav"
                self._measured[path] = (landmarks.frame_times, spans)
                by_speaker[clip.speaker].append(path)
        spreads = {s: np.concatenate([self._measured[p][1] for p in paths]).std(0) for s, paths in by_speaker.items()}
        self._usual = np.mean(list(spreads.values()), axis=0) if spreads else np.ones(len(SPANS))
        for speaker, paths in by_speaker.items():
            scale = np.maximum(spreads[speaker], LEAST_SPREAD * self._usual).astype(np.float32)
            self._measured |= {p: (self._measured[p][0], self._measured[p][1] / scale) for p in paths}

    def __call__(self, utterance: Utterance, seconds: float) -> Array | None:
        """Spans of the mouth over the spread of its speaker, evenly spread over an utterance; None when unknown.

        About 50 a second, (M, 6): the first speaks of second 0, the last of the end.
        """
        times = np.linspace(0.0, seconds, 1 + round(seconds * RATE))
        if utterance.path in self._measured:
            frame_times, spans = self._measured[utterance.path]
            return np.stack([np.interp(times, frame_times, span) for span in spans.T], 1).astype(np.float32)
        if not utterance.phones or not self._measured:
            return None
        names, begins = zip(*utterance.phones, strict=True)
        ends = (*begins[1:], seconds)
        phones = [TimedPhone(*phone) for phone in zip(names, begins, ends, strict=True)]
        return mouth_spans(articulate(phones, times, self._table), np.zeros((68, 2))) / self._usual.astype(np.float32)
