"""Names moments by hours, minutes, seconds and frames, as recordings and editors do."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from shared.errors import ValueRangeError
from shared.timing import FrameRate

_LAYOUT = re.compile(r"(\d\d):([0-5]\d):([0-5]\d):(\d+(?:\.\d+)?)")
_PARTS = 1000  # of a frame, the last three digits


def timecodes(seconds: NDArray[np.float64], rate: FrameRate) -> list[str]:
    """`HH:MM:SS:FF.mmm`: frames are counted at `rate`, mmm are thousandths of a frame.

    At 30 / 1.001 frames per second and its multiples, the numbers of the first frames of each minute are left out but
    for each tenth (drop-frame, SMPTE ST 12-1), so that the timecode stays with the clock; at 24 / 1.001, for which
    there is no such count, it falls behind by 3.6 s an hour. The count starts again after 24 hours.

    Args:
        seconds: (T,), at least 0.
        rate: whole frames per second, or those divided by 1.001.

    Raises:
        ValueRangeError: a time is below 0 or not finite, or such frames have no timecode.
    """
    count, dropped = _count(rate)
    if not np.isfinite(seconds).all() or (seconds < 0).any():
        raise ValueRangeError(f"a timecode begins at 0 s, and {np.min(seconds):g} s are given; shift the times")
    found = []
    for part in np.rint(rate.frames(seconds) * _PARTS).astype(np.int64).tolist():
        frame, thousandths = divmod(part, _PARTS)
        tens, rest = divmod(frame, 600 * count - 9 * dropped)
        frame += dropped * (9 * tens + max(0, (rest - dropped) // (60 * count - dropped)))
        whole, frame = divmod(frame, count)
        minutes, whole_seconds = divmod(whole, 60)
        hours, minutes = divmod(minutes, 60)
        found.append(f"{hours % 24:02d}:{minutes:02d}:{whole_seconds:02d}:{frame:02d}.{thousandths:03d}")
    return found


def timecode_seconds(texts: Sequence[str], rate: FrameRate) -> NDArray[np.float64]:
    """Seconds (T,) of timecodes counted at `rate`.

    Raises:
        ValueRangeError: a text is no timecode at this rate.
    """
    count, dropped = _count(rate)
    frames = np.empty(len(texts))
    for index, text in enumerate(texts):
        found = _LAYOUT.fullmatch(text)
        hours, minutes, whole_seconds = (int(digits) for digits in found.groups()[:3]) if found else (0, 0, 0)
        frame = float(found[4]) if found else count
        is_left_out = frame < dropped and whole_seconds == 0 and minutes % 10 != 0
        if frame >= count or is_left_out:
            raise ValueRangeError(
                f'"{text}" is no timecode at {rate.frames_per_second:g} frames per second; '
                f"expected HH:MM:SS:FF.mmm, for instance {timecodes(np.array([61.5]), rate)[0]}"
            )
        minutes += 60 * hours
        frames[index] = (60 * minutes + whole_seconds) * count + frame - dropped * (minutes - minutes // 10)
    return rate.seconds(frames)


def _count(rate: FrameRate) -> tuple[int, int]:
    """How many frame numbers a second has, and how many are left out in nine minutes of ten."""
    exact = rate.exact
    if exact.denominator == 1:
        return exact.numerator, 0
    count = exact * 1001 / 1000
    if count.denominator != 1:
        raise ValueRangeError(
            f"a timecode counts whole frames, and {rate.frames_per_second:g} frames per second are none; "
            "set 23.976, 24, 25, 29.97, 30, 50, 59.94 or 60"
        )
    return count.numerator, count.numerator // 15 if count.numerator % 30 == 0 else 0
