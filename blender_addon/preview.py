# pyright: reportAttributeAccessIssue=false, reportArgumentType=false
"""Shows one channel of a character without a key, and puts everything back as it was."""

from __future__ import annotations

import numpy as np

from . import character_keys
from ._shared import errors, rig_mapping
from .character import Character


class Preview:
    """One channel that is shown until `restore`.

    Args:
        character: whose channel it is.
        channel: shape key or bone.

    Raises:
        SpeechFaceError: the character has no such shape key or bone.
    """

    def __init__(self, character: Character, channel: rig_mapping.Channel) -> None:
        self._character = character
        self._channel = channel
        made, skipped = self._tracks(0.0)
        if not made:
            why = skipped[0].why if skipped else "it is muted"
            raise errors.SpeechFaceError(f"{channel.name} cannot be shown: {why}")
        self._before = [
            (track.owner, curve, character_keys.current(track.owner, curve)) for track in made for curve in track.curves
        ]

    def show(self, value: float) -> None:
        """Moves the character to a value of the channel."""
        for track in self._tracks(value)[0]:
            character_keys.put(track)

    def restore(self) -> None:
        """Puts back what was there before."""
        for owner, curve, value in self._before:
            character_keys.assign(owner, curve, value)

    def _tracks(self, value: float) -> tuple:
        return character_keys.tracks(self._character, [self._channel], np.array([[value]]))
