"""Defines the message that tells what is said when: the words of a transcript, and phones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import numpy as np
from msgspec import Meta
from numpy.typing import NDArray

from .buffers import Buffer
from .message import Message, bad_value

MAX_TRANSCRIPT = 100_000  # characters; an hour of fast speech has 75 000

TranscriptText = Annotated[str, Meta(max_length=MAX_TRANSCRIPT)]


@dataclass(frozen=True)
class Said:
    """A word or a phone.

    Attributes:
        text: the word as the transcript has it, or the name of the phone.
        begin: seconds.
        end: seconds.
        confidence: 0 to 1; of a word whose letters hearing does not know, 0.
    """

    text: str
    begin: float
    end: float
    confidence: float


class SpokenWords(Message, frozen=True, kw_only=True, eq=False):
    """What is said in the sound of a job, and when: all of it at once."""

    BUFFERS = (
        Buffer("word_times", "<f8", ("W", 2), is_optional=True),
        Buffer("word_confidence", "<f4", ("W",), is_optional=True),
        Buffer("phone_times", "<f8", ("P", 2), is_optional=True),
        Buffer("phone_confidence", "<f4", ("P",), is_optional=True),
    )

    words: tuple[TranscriptText, ...] = ()  # in order, as the transcript has them
    phones: tuple[Annotated[str, Meta(max_length=8)], ...] = ()  # in order: ARPAbet without stress, and UE
    word_times: NDArray[np.float64] | None = None  # (W, 2) seconds in the sound: begin and end; None without words
    word_confidence: NDArray[np.float32] | None = None  # (W,) 0 to 1
    phone_times: NDArray[np.float64] | None = None  # (P, 2) as `word_times`
    phone_confidence: NDArray[np.float32] | None = None  # (P,) 0 to 1

    @classmethod
    def of(cls, words: Sequence[Said], phones: Sequence[Said], *, job: str, sequence: int) -> SpokenWords:
        """The message that tells of these words and phones."""
        word_times, word_confidence = _arrays(words)
        phone_times, phone_confidence = _arrays(phones)
        return cls(
            job=job,
            sequence=sequence,
            words=tuple(word.text for word in words),
            phones=tuple(phone.text for phone in phones),
            word_times=word_times,
            word_confidence=word_confidence,
            phone_times=phone_times,
            phone_confidence=phone_confidence,
        )

    @property
    def said_words(self) -> list[Said]:
        """The words with their times."""
        return _said(self.words, self.word_times, self.word_confidence)

    @property
    def said_phones(self) -> list[Said]:
        """The phones with their times."""
        return _said(self.phones, self.phone_times, self.phone_confidence)

    def check(self) -> None:
        """Checks that each text has its times, and that these are times."""
        for name, texts, times, confidence in (
            ("words", self.words, self.word_times, self.word_confidence),
            ("phones", self.phones, self.phone_times, self.phone_confidence),
        ):
            counts = [0 if array is None else len(array) for array in (times, confidence)]
            if counts != [len(texts)] * 2:
                raise bad_value(f"got {counts[0]} times and {counts[1]} confidences for {len(texts)} {name}")
            if times is not None and not (np.isfinite(times).all() and (times[:, 0] <= times[:, 1]).all()):
                raise bad_value(f"the times of the {name} are not finite numbers, or end before they begin")


def _arrays(said: Sequence[Said]) -> tuple[NDArray[np.float64] | None, NDArray[np.float32] | None]:
    """Times (N, 2) and confidences (N,); None without any."""
    if not said:
        return None, None
    times = np.array([(one.begin, one.end) for one in said], np.float64)
    return times, np.array([one.confidence for one in said], np.float32)


def _said(
    texts: Sequence[str], times: NDArray[np.float64] | None, confidence: NDArray[np.float32] | None
) -> list[Said]:
    if times is None or confidence is None:
        return []
    return [
        Said(text, begin, end, sureness)
        for text, (begin, end), sureness in zip(texts, times.tolist(), confidence.tolist(), strict=True)
    ]
