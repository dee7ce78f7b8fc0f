"""Finds when each word of a transcript is said, by the letters that the acoustic model hears.

The letters are aligned as `alignment` aligns phones, in windows that overlap, so that an hour of sound needs no more
memory than a minute. What is said between two words without standing in the transcript is passed over.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from backend_server.progress import Progress, silent
from backend_server.speech.alignment import best_path
from backend_server.speech.decoding import BLANK, encode_text

WINDOW, KEPT = 1250, 830  # moments that are aligned together, and those at whose words we no longer look again
MOST_LETTERS = 800  # of a window: no one says more in thirty seconds
PASSING_OVER = -2.5  # logarithm: how unlikely it is that what is said between two words stands nowhere
SPACE = 0  # the class

Array = NDArray[np.float64]


@dataclass(frozen=True)
class HeardWord:
    """Where the letters of a word were heard.

    Attributes:
        first: the moment of its first letter.
        end: the one after its last.
        confidence: 0 to 1, geometric mean of its letters' probabilities where they are best.
    """

    first: int
    end: int
    confidence: float


def align_words(
    letters: NDArray[np.floating], words: Sequence[str], progress: Progress = silent
) -> list[HeardWord | None]:
    """When each word is heard; None for one whose place does not come before the sound ends.

    Args:
        letters: logarithms of the probabilities of the characters and the blank, (U, 29).
        words: in order, as `normalise_text` makes them, each with 1 to `MOST_LETTERS` letters.
        progress: told of each window.
    """
    heard: list[HeardWord | None] = []
    start = 0
    while len(heard) < len(words):
        progress("words", start, len(letters))
        is_last = start + WINDOW >= len(letters)
        window = letters[start : start + WINDOW].astype(np.float64)
        found = _align_window(window, words[len(heard) :], is_last=is_last)
        begun = KEPT
        for word in found:
            if not is_last and word.end > KEPT:
                begun = min(word.first, KEPT)
                break
            heard.append(HeardWord(start + word.first, start + word.end, word.confidence))
        if is_last:
            heard += [None] * (len(words) - len(heard))
        start += max(begun, KEPT // 2)
    progress("words", len(letters), len(letters))
    return heard


def _align_window(letters: Array, words: Sequence[str], *, is_last: bool) -> list[HeardWord]:
    """The words that are said from the beginning of a window on, as many as it holds; whole ones in the last."""
    parts: list[NDArray[np.int64]] = []  # the letters of each word
    ends: list[int] = [0]  # in letters, of all parts between which something else may be said
    for word in words:
        pieces = [encode_text(piece) for piece in word.split()]
        if ends[-1] + sum(map(len, pieces)) > min(MOST_LETTERS, len(letters)):
            break
        parts.append(np.concatenate(pieces))
        for piece in pieces:
            ends.append(ends[-1] + len(piece))
    if not parts:
        return []
    classes = np.concatenate(parts)
    states = np.repeat(letters[:, BLANK, None], 2 * len(classes) + 1, axis=1)
    states[:, 1::2] = letters[:, classes]
    silence = np.logaddexp(letters[:, BLANK], letters[:, SPACE])
    states[:, 2 * np.array(ends)] = np.maximum(silence, letters.max(1) + PASSING_OVER)[:, None]
    last = [state for end in ends for state in (2 * end, 2 * end - 1) if state >= 0]
    path, _ = best_path(states, last if is_last else range(states.shape[1]))
    begins = np.searchsorted(path, 2 * np.arange(len(classes)) + 1)  # the path never turns back
    stops = np.searchsorted(path, 2 * np.arange(len(classes)) + 1, side="right")
    found, letter = [], 0
    for part in parts:
        places = range(letter, letter + len(part))
        letter += len(part)
        if stops[letter - 1] == begins[letter - 1]:
            break  # the window ends before it
        best = [letters[begins[place] : stops[place], classes[place]].max() for place in places]
        found.append(HeardWord(int(begins[places[0]]), int(stops[places[-1]]), float(np.exp(np.mean(best)))))
    return found
