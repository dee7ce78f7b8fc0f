"""Tells which phones of a sound are said when, and which words of its transcript.

Words stand in the transcript or are not told: of those that the letters alone spell, too many are wrong. Their letters
tell where they are, roughly; their phones, which were learnt with their times, say when they begin and end.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise

import numpy as np
from numpy.typing import NDArray

from backend_server.articulation.phones import PHONES, SILENCE
from backend_server.progress import Progress, silent
from backend_server.speech.decoding import normalise_words
from backend_server.speech.word_alignment import MOST_LETTERS, HeardWord, align_words
from shared.notes import Note, NoteCode
from shared.speech_messages import Said

SURE_PHONE = 0.5  # probability; less sure ones are left out
LONGEST_STOP, LONGEST_OTHER = 0.12, 0.2  # seconds before its end in which a phone begins, as silence sounds like it
STOPS = frozenset(("P", "B", "T", "D", "K", "G", "CH", "JH"))
LETTERS_LAG = 0.06  # seconds by which letters come after the phones, as measured on GRID
REACH = 0.1  # seconds around its letters in which the phones of a word lie
HEARD_WORD = 0.1  # confidence; of a text that is not said, one word in eight is heard so well
NEIGHBOURS = 4  # words before and after one, by which it is judged whether the text is said here
FEWEST_HEARD = 0.5  # share of them

Array = NDArray[np.float32]


@dataclass(frozen=True)
class Spoken:
    """What is said when.

    Attributes:
        words: of the transcript, in order; none without one.
        phones: in order, without silences.
        notes: what the user should know of the transcript.
    """

    words: tuple[Said, ...] = ()
    phones: tuple[Said, ...] = ()
    notes: tuple[Note, ...] = ()


class SpokenListener:
    """Listens to a sound part by part, then tells what was said.

    Args:
        moments_per_second: of the probabilities.
    """

    def __init__(self, moments_per_second: float) -> None:
        self._rate = moments_per_second
        self._phones: list[NDArray[np.uint8]] = []  # the likeliest at each moment
        self._sureness: list[Array] = []
        self._letters: list[NDArray[np.float16]] = []  # an hour takes 9 MB

    def add(self, phones: Array, letters: Array) -> None:
        """Takes in the next part.

        Args:
            phones: probabilities of `PHONES` and the blank, (n, 42).
            letters: CTC scores of the characters and the blank before the softmax, (n, 29).
        """
        self._phones.append(phones.argmax(1).astype(np.uint8))
        self._sureness.append(phones.max(1))
        self._letters.append((letters - np.logaddexp.reduce(letters, axis=1, keepdims=True)).astype(np.float16))

    def spoken(self, transcript: str, progress: Progress = silent) -> Spoken:
        """What was said, with the words of a transcript where it is one of this sound; no words if it is empty."""
        if not self._phones:
            sentence = (
                "no words and no phones were heard: the weights listen through another acoustic model than the one "
                "that ships, which alone tells them"
            )
            return Spoken(notes=(Note(NoteCode.NO_LETTERS, sentence),))
        phones = self._heard_phones()
        written = normalise_words(transcript)
        if not written:
            return Spoken(phones=phones)
        known = [place for place, (_, letters) in enumerate(written) if 0 < len(letters) <= MOST_LETTERS]
        heard = align_words(np.concatenate(self._letters), [written[place][1] for place in known], progress)
        placed: dict[int, HeardWord | None] = dict(zip(known, _where_said(heard), strict=True))
        texts = [text for text, _ in written]
        return Spoken(_timed(texts, placed, phones, self._rate), phones, _notes(texts, placed))

    def _heard_phones(self) -> tuple[Said, ...]:
        """The phones that are heard surely, each from its first moment to its last."""
        best, sureness = np.concatenate(self._phones), np.concatenate(self._sureness)
        starts = np.flatnonzero(np.diff(best, prepend=-1))
        sure = np.add.reduceat(sureness, starts) / np.diff(starts, append=len(best))
        borders = np.maximum(np.append(starts, len(best)) - 0.5, 0) / self._rate  # between two moments
        phones = []
        for number, (start, confidence) in enumerate(zip(starts, sure, strict=True)):
            if best[start] >= len(PHONES) or confidence < SURE_PHONE or (name := PHONES[best[start]]) == SILENCE:
                continue
            end = float(borders[number + 1])
            longest = LONGEST_STOP if name in STOPS else LONGEST_OTHER
            phones.append(Said(name, max(float(borders[number]), end - longest), end, float(confidence)))
        return tuple(phones)


def _where_said(heard: Sequence[HeardWord | None]) -> list[HeardWord | None]:
    """The same without those of parts of the transcript that are not said: few of the words around are heard."""
    sure = np.array([word is not None and word.confidence >= HEARD_WORD for word in heard])
    parts = (sure[max(0, place - NEIGHBOURS) : place + NEIGHBOURS + 1] for place in range(len(heard)))
    return [word if part.mean() >= FEWEST_HEARD else None for word, part in zip(heard, parts, strict=True)]


def _timed(
    texts: Sequence[str], placed: Mapping[int, HeardWord | None], phones: Sequence[Said], rate: float
) -> tuple[Said, ...]:
    """The words with their times.

    Args:
        texts: of all words.
        placed: where those with letters were heard, by their place among `texts`; None for one that is left out.
        phones: all that were heard.
        rate: moments a second.
    """
    middles = np.array([(phone.begin + phone.end) / 2 for phone in phones])
    found = [(place, word) for place, word in placed.items() if word is not None]
    between = [(one.end + other.first) / 2 for (_, one), (_, other) in pairwise(found)]
    words: dict[int, Said] = {}
    end = 0.0
    for (place, word), earliest, latest in zip(found, [-np.inf, *between], [*between, np.inf], strict=False):
        reach = REACH * rate
        span = np.array([max(earliest, word.first - reach), min(latest, word.end + reach)]) - 0.5
        first, last = np.searchsorted(middles, span / rate - LETTERS_LAG)
        inside = phones[first:last]
        begin = inside[0].begin if inside else max(word.first / rate - LETTERS_LAG, 0.0)
        begin = max(begin, end)
        end = max(inside[-1].end if inside else word.end / rate - LETTERS_LAG, begin)
        words[place] = Said(texts[place], begin, end, word.confidence)
    _place_between(texts, placed, words, phones)
    return tuple(words[place] for place in sorted(words))


def _place_between(
    texts: Sequence[str], placed: Mapping[int, HeardWord | None], words: dict[int, Said], phones: Sequence[Said]
) -> None:
    """Gives words without letters the time between their neighbours, if these are heard."""
    unknown = [place for place in range(len(texts)) if place not in placed]
    left_out = {place for place, word in placed.items() if word is None}
    for _, group in groupby(enumerate(unknown), lambda pair: pair[1] - pair[0]):  # that follow one another
        places = [place for _, place in group]
        around = (places[0] - 1, places[-1] + 1)
        if words.keys().isdisjoint(around) or not left_out.isdisjoint(around):
            continue
        before, after = (words.get(place) for place in around)
        least, most = before.end if before else 0.0, after.begin if after else np.inf
        between = [phone for phone in phones if phone.begin >= least and phone.end <= most]
        begin = between[0].begin if between else least if before else most
        end = between[-1].end if between else most if after else least
        borders = np.linspace(begin, end, len(places) + 1).tolist()
        for place, (first, last) in zip(places, pairwise(borders), strict=True):
            words[place] = Said(texts[place], first, last, 0.0)


def _notes(texts: Sequence[str], placed: Mapping[int, HeardWord | None]) -> tuple[Note, ...]:
    """That words of the transcript have no letters, or are not said."""
    unknown = [text for place, text in enumerate(texts) if place not in placed]
    lacking = sum(word is None for word in placed.values())
    sentences = {}
    if unknown:
        so = "so they stand between their neighbours" if placed else "so they have no times"
        sentences[NoteCode.UNKNOWN_LETTERS] = (
            f"{len(unknown)} of {len(texts)} words of the transcript have no letters that hearing knows, such as "
            f"{unknown[0]!r:.60}, {so}; write numbers as words, and all in Latin letters"
        )
    if placed and lacking == len(placed):
        sentences[NoteCode.OTHER_TRANSCRIPT] = (
            f"the transcript does not fit the sound: hardly one of its {len(texts)} words, which begin with "
            f"{texts[0]!r:.60}, was heard, so it has no words; give the text of this sound"
        )
    elif lacking:
        first = next(texts[place] for place, word in placed.items() if word is None)
        sentences[NoteCode.OTHER_TRANSCRIPT] = (
            f"{lacking} of {len(texts)} words of the transcript were not heard and are left out, {first!r:.60} first; "
            "see whether it is what is said"
        )
    return tuple(Note(code, sentence) for code, sentence in sentences.items())
