# pyright: reportAttributeAccessIssue=false, reportOptionalMemberAccess=false, reportArgumentType=false
"""Marks what is said in a strip on the timeline, where the strip lies: its words or its phones.

What was heard is kept with the strip, so that markers follow it, and change from words to phones, without a new run.
"""

from __future__ import annotations

import json
from enum import StrEnum
from itertools import groupby

import bpy
import numpy as np
from numpy.typing import NDArray

from .. import words
from .._shared import errors, protocol, timing
from ..properties import SPEECHFACE_Character, SPEECHFACE_Voice
from . import markers


class Marked(StrEnum):
    """What is marked."""

    NONE = "NONE"
    WORDS = "WORDS"
    PHONES = "PHONES"


def transcript_of(voice: SPEECHFACE_Voice | None) -> str:
    """The text of a strip that an artist has chosen; empty without one.

    Raises:
        ValueRangeError: it is too long.
    """
    if voice is None or voice.transcript is None:
        return ""
    text = voice.transcript.as_string()
    if len(text) > protocol.MAX_TRANSCRIPT:
        raise errors.ValueRangeError(
            f"the text {voice.transcript.name!r} has {len(text)} characters, and a transcript at most "
            f"{protocol.MAX_TRANSCRIPT}; give {voice.name!r} only what it says"
        )
    return text


def keep(
    voice: SPEECHFACE_Voice,
    spoken: protocol.SpokenWords,
    sent_times: NDArray[np.float64],
    heard_times: NDArray[np.float64],
) -> None:
    """Keeps with a voice what is said when.

    Args:
        voice: row of the strip.
        spoken: what was heard, in seconds of the sound that was sent.
        sent_times: (T,) seconds of the frames in that sound.
        heard_times: (T,) the same in the sound of the strip.
    """
    length = sent_times[-1] - sent_times[0]
    speed = (heard_times[-1] - heard_times[0]) / length if length else 1.0
    kept = {
        kind: [(one.text, round(heard_times[0] + (one.begin - sent_times[0]) * speed, 4)) for one in said]
        for kind, said in ((Marked.WORDS, spoken.said_words), (Marked.PHONES, spoken.said_phones))
    }
    voice.said = json.dumps(kept, ensure_ascii=False)


def write(
    scene: bpy.types.Scene,
    character: SPEECHFACE_Character,
    voice: SPEECHFACE_Voice,
    frames: timing.StripFrames | None,
) -> tuple[str, ...]:
    """Marks a strip anew, as its character's settings say now.

    Its earlier markers go, but for those that an artist has moved or renamed.

    Args:
        scene: of the character.
        character: who speaks.
        voice: row of the strip.
        frames: on which the strip's motion lies, with the seconds of its sound; None: nowhere.

    Returns:
        What an artist should know, as sentences.

    Raises:
        SpeechFaceError: markers would not be saved.
    """
    wanted, said = Marked(character.keys.markers), json.loads(voice.said) if voice.said else {}
    placed = _placed(said.get(wanted, ()), frames) if frames is not None else []
    markers.write(scene, _set_of(character, voice), placed)
    if wanted is Marked.WORDS and not said.get(wanted):
        return (
            words.fill("no word of {0} is marked: choose its transcript under Markers and generate again", voice.name),
        )
    if wanted is Marked.PHONES and not said.get(wanted):
        return (
            words.fill("no phone of {0} is marked: none was heard, or it was generated without markers", voice.name),
        )
    return ()


def clear(scene: bpy.types.Scene, character: SPEECHFACE_Character, voice: SPEECHFACE_Voice) -> int:
    """Takes the untouched markers of a strip away, and what is kept of it; returns how many went."""
    voice.said = ""
    return markers.clear(scene, _set_of(character, voice))


def _set_of(character: SPEECHFACE_Character, voice: SPEECHFACE_Voice) -> str:
    """The name of the set of markers; another character that speaks the same strip has its own."""
    return f"{character.token} {voice.token}"


def _placed(said: list[tuple[str, float]], frames: timing.StripFrames) -> list[markers.Item]:
    """One marker for all that begins on a frame, without what the strip does not show."""
    times = frames.frame_times
    step = float(times[-1] - times[0]) / (len(times) - 1) if len(times) > 1 else 1.0
    first = int(frames.scene_frames[0])
    rows = [(int(np.floor((seconds - times[0]) / step + 0.5)), text) for text, seconds in said]
    shown = [(row, text) for row, text in rows if 0 <= row < len(times)]
    return [
        markers.Item(first + row, " ".join(text for _, text in group))
        for row, group in groupby(shown, lambda pair: pair[0])
    ]
