"""Says which channels of a sound are heard together as one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .notes import Note, NoteCode

_SILENT_CHANNEL = 1e-4  # of the power of the loudest channel: 40 dB below it
_CANCELLED_SHARE = 0.1  # of the power that the channels would have together if they were independent


@dataclass(frozen=True)
class Heard:
    """The channels that are heard.

    Attributes:
        channels: their indices; the mean of these is the sound.
        do_all_cancel: whether the channels together would cancel each other, so that one alone is heard.
        channel_count: of the sound.
    """

    channels: tuple[int, ...]
    do_all_cancel: bool
    channel_count: int

    def notes(self, name: str = "") -> tuple[Note, ...]:
        """What the user should know of it.

        Args:
            name: of the file.
        """
        if not self.do_all_cancel:
            return ()
        sentence = (
            f"channel {self.channels[0] + 1} of {self.channel_count} alone is heard, because together the channels "
            "cancel each other (one is the other turned upside down)"
        )
        return (Note(NoteCode.ONE_CHANNEL, sentence, name),)


def heard_channels(products: NDArray[np.floating]) -> Heard:
    """Which channels of a sound are heard.

    Args:
        products: (channels, channels), samples.T @ samples.
    """
    powers = np.diag(products)
    if not len(powers):
        return Heard((0,), False, 0)
    loud = np.flatnonzero(powers > _SILENT_CHANNEL * powers.max())
    together = products[np.ix_(loud, loud)].sum()
    do_all_cancel = len(loud) > 1 and bool(together < _CANCELLED_SHARE * powers[loud].sum())
    if do_all_cancel or not len(loud):
        loud = np.array([powers.argmax()])
    return Heard(tuple(loud.tolist()), do_all_cancel, len(powers))
