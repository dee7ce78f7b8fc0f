"""Finds for the frames that a strip covers now what was made for the frames that it covered when it was heard.

A strip may be moved, trimmed or retimed, and the scene may get another rate, while a face is generated or afterwards.
What was made belongs to times in the sound, so it can be laid on the new frames. No bpy here.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .._shared import errors, timing

_EXACT = 1e-6  # of a frame; a place that is as near as this to a row is that row


@dataclass(frozen=True)
class Followed:
    """What is known of a strip's frames.

    Attributes:
        scene_frames: int64 (K,), ascending by one: those of its frames for which something was made.
        places: f64 (K,) in the rows that were made; between two rows where no row has the frame's time.
        missing_count: frames that the strip covers besides.
        is_moved: whether anything differs from what was heard.
    """

    scene_frames: NDArray[np.int64]
    places: NDArray[np.float64]
    missing_count: int
    is_moved: bool

    def values(self, rows: NDArray) -> NDArray:
        """Rows (T, ...) read at the places, linearly between two: (K, ...)."""
        if not self.is_moved:
            return rows
        before = np.minimum(self.places.astype(int), len(rows) - 1)
        after = np.minimum(before + 1, len(rows) - 1)
        share = (self.places - before).reshape(-1, *[1] * (rows.ndim - 1))
        return rows[before] * (1 - share) + rows[after] * share

    def frames(self, heard: timing.StripFrames) -> timing.StripFrames:
        """The scene frames with the seconds of the sound at each.

        Args:
            heard: the rows.
        """
        step = float(np.diff(heard.frame_times).mean()) if len(heard.frame_times) > 1 else 0.0
        return timing.StripFrames(self.scene_frames, heard.frame_times[0] + self.places * step)

    @property
    def pictures(self) -> list[int]:
        """The index of the nearest row for each frame."""
        return np.floor(self.places + 0.5).astype(int).tolist()


def follow(heard: timing.StripFrames, now: timing.StripFrames) -> Followed:
    """Lays what was made for the frames that were heard onto the frames of now.

    Raises:
        SoundError: the strip shows nothing of what was heard.
    """
    step = float(np.diff(heard.frame_times).mean()) if len(heard.frame_times) > 1 else 1.0
    places = (now.frame_times - heard.frame_times[0]) / step
    near = np.round(places)
    places = np.where(np.abs(places - near) < _EXACT, near, places)
    last = len(heard.frame_times) - 1
    is_known = (places > -0.5) & (places < last + 0.5)
    if not is_known.any():
        raise errors.SoundError("the strip shows nothing of what was heard any more; generate again")
    places = np.clip(places[is_known], 0, last)
    frames = now.scene_frames[is_known]
    is_same = len(frames) == len(heard.scene_frames) and np.array_equal(frames, heard.scene_frames)
    is_same = is_same and np.array_equal(places, np.arange(last + 1))
    return Followed(frames, places, int((~is_known).sum()), not is_same)
