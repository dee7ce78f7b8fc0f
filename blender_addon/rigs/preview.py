# pyright: reportAttributeAccessIssue=false, reportArgumentType=false
"""Shows channels of a character without a key, and puts everything back as it was."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from .. import words
from .._shared import conversion, errors, rig_mapping
from . import character_keys
from .character import Character

_AT_ONCE = np.zeros(1)  # the time of the only frame


class _Shown:
    """Channels that are shown until `restore`.

    Args:
        character: whose channels they are.
        channels: shape keys or bones.
        name: what is shown, for sentences.

    Raises:
        SpeechFaceError: the character has none of these shape keys and bones.
    """

    def __init__(self, character: Character, channels: Sequence[rig_mapping.Channel], name: str) -> None:
        self._character = character
        self._channels = channels
        made, skipped = self._tracks(np.zeros(len(channels)))
        if not made:
            why = skipped[0].why if skipped else words.fill("it is muted")
            raise errors.SpeechFaceError(f"{name} cannot be shown: {why}")
        self._before = [
            (track.owner, curve, character_keys.current(track.owner, curve)) for track in made for curve in track.curves
        ]

    def restore(self) -> None:
        """Puts back what was there before."""
        for owner, curve, value in self._before:
            character_keys.assign(owner, curve, value)

    def _show(self, values: NDArray) -> None:
        for track in self._tracks(values)[0]:
            character_keys.put(track)

    def _tracks(self, values: NDArray) -> tuple:
        return character_keys.tracks(self._character, self._channels, values[None])


class Preview(_Shown):
    """One channel that is shown until `restore`.

    Args:
        character: whose channel it is.
        channel: shape key or bone.

    Raises:
        SpeechFaceError: the character has no such shape key or bone.
    """

    def __init__(self, character: Character, channel: rig_mapping.Channel) -> None:
        super().__init__(character, [channel], channel.name)

    def show(self, value: float) -> None:
        """Moves the character to a value of the channel."""
        self._show(np.array([value]))


class MappingPreview(_Shown):
    """A face that is shown through all channels of a mapping until `restore`, as a generation would make it.

    Args:
        character: whose channels they are.
        mapping: from ARKit's shapes to them.

    Raises:
        SpeechFaceError: the character has none of its shape keys and bones.
    """

    def __init__(self, character: Character, mapping: rig_mapping.RigMapping) -> None:
        super().__init__(character, mapping.channels, f"the mapping {mapping.name!r}")
        self._mapping = mapping

    def show(self, sources: Sequence[tuple[str, float]], share: float) -> None:
        """Moves the character to a share, 0 to 1, of a face that is made of shapes of ARKit with their weights."""
        face = conversion.source_weights([(shape, weight * share) for shape, weight in sources])
        self._show(conversion.rig_weights(self._mapping, face[None], _AT_ONCE)[0])
