"""Converts between scene frames and times in a sound.

Frame rates are exact fractions, and every time is computed from its frame number and never summed up. So an hour at
29.97 frames per second ends where Blender's own playback ends. Seconds are float64.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from .errors import ValueRangeError

MAX_FPS = 1000.0
_FLOAT32_ROUNDING = 2.0**-24  # Blender keeps fps_base as float32: 1.001 arrives as 1.00100004673
_FRAME_TOLERANCE = 1e-6  # of a frame: 0.28 s x 25 is 7 frames, though the product is 7.000000000000001


@dataclass(frozen=True)
class FrameRate:
    """Scene frames per second, as Blender stores them: `fps / fps_base`, 24 / 1.001 for 23.976.

    Attributes:
        fps: whole frames, at least 1.
        fps_base: divisor; the float32 nearest to a simple fraction counts as that fraction.
    """

    fps: int
    fps_base: float = 1.0

    def __post_init__(self) -> None:
        if self.fps < 1 or not math.isfinite(self.fps_base) or self.fps_base <= 0:
            raise ValueRangeError(f"a frame rate of {self.fps} / {self.fps_base} is impossible; set it above 0")
        if self.fps / self.fps_base > MAX_FPS:
            raise ValueRangeError(f"{self.fps / self.fps_base:g} frames per second are too many; set up to {MAX_FPS:g}")

    @classmethod
    def from_decimal(cls, rate: float) -> FrameRate:
        """The frame rate that people write as 25, 12.5, 23.976 or 29.97."""
        if not math.isfinite(rate) or not 0 < rate <= MAX_FPS:
            raise ValueRangeError(f"{rate} frames per second are impossible; set a number above 0, up to {MAX_FPS:g}")
        nearest = round(rate)
        if nearest and abs(rate - nearest) < 1e-9:
            return cls(nearest)
        broadcast = round(rate * 1.001)
        if broadcast and abs(broadcast / 1.001 - rate) < 0.005:
            return cls(broadcast, 1.001)
        return cls(math.ceil(rate), math.ceil(rate) / rate)

    @property
    def exact(self) -> Fraction:
        """Frames per second as a fraction: 24000/1001 for 24 / 1.001."""
        base = Fraction(self.fps_base)
        simple = base.limit_denominator(1000)
        return Fraction(self.fps) / (simple if abs(simple - base) <= base * Fraction(_FLOAT32_ROUNDING) else base)

    @property
    def frames_per_second(self) -> float:
        """Frames per second as the nearest float64."""
        return float(self.exact)

    def seconds(self, frames: NDArray | float) -> NDArray[np.float64]:
        """Seconds that `frames` (a number or an array of any shape, may be fractional) take."""
        rate = self.exact
        return np.asarray(frames, np.float64) * rate.denominator / rate.numerator

    def frames(self, seconds: NDArray | float) -> NDArray[np.float64]:
        """Frames, fractional, that `seconds` (a number or an array of any shape) take."""
        rate = self.exact
        return np.asarray(seconds, np.float64) * rate.numerator / rate.denominator


@dataclass(frozen=True)
class StripPlacement:
    """Where a sound strip lies in the scene.

    Attributes:
        content_start: scene frame at which the untrimmed strip begins; may be fractional and negative.
        left_handle: first visible scene frame after the trim.
        right_handle: the scene frame after the last visible one.
        sound_offset_seconds: how long after `content_start` the sound begins, as the video container says.
        speed: seconds of sound heard in one second of the scene.
    """

    content_start: float
    left_handle: float
    right_handle: float
    sound_offset_seconds: float = 0.0
    speed: float = 1.0


@dataclass(frozen=True)
class StripFrames:
    """The visible frames of a strip.

    Attributes:
        scene_frames: whole scene frames, int64 (T,), ascending by one.
        frame_times: seconds within the sound file at these frames, f64 (T,); below 0 before the sound begins.
    """

    scene_frames: NDArray[np.int64]
    frame_times: NDArray[np.float64]


def strip_frames(frame_rate: FrameRate, strip: StripPlacement) -> StripFrames:
    """Scene frames that a strip covers, and the time within its sound file at each.

    Raises:
        ValueRangeError: a number is not finite, the speed is not above 0, or no frame is visible.
    """
    numbers = (strip.content_start, strip.left_handle, strip.right_handle, strip.sound_offset_seconds, strip.speed)
    if not all(math.isfinite(n) for n in numbers):
        raise ValueRangeError(f"the sound strip's placement holds a number that is not finite: {numbers}")
    if strip.speed <= 0:
        raise ValueRangeError(f"a strip speed of {strip.speed:g} is impossible; set it above 0")
    first, end = _first_frame(strip.left_handle), _first_frame(strip.right_handle)
    if end <= first:
        raise ValueRangeError(
            f"the sound strip shows no frame between its handles {strip.left_handle:g} and {strip.right_handle:g}; "
            "lengthen it"
        )
    scene_frames = np.arange(first, end, dtype=np.int64)
    heard = frame_rate.seconds(scene_frames - float(strip.content_start)) - strip.sound_offset_seconds
    return StripFrames(scene_frames, heard * strip.speed)


def frame_times(duration_seconds: float, frame_rate: FrameRate) -> NDArray[np.float64]:
    """Times in seconds, f64 (T,), of the ceil(duration x rate) frames that a sound alone fills, from 0 on.

    Raises:
        ValueRangeError: the duration is not a finite number above 0.
    """
    if not math.isfinite(duration_seconds) or duration_seconds <= 0:
        raise ValueRangeError(f"a sound of {duration_seconds} s fills no frame; use a longer one")
    return frame_rate.seconds(np.arange(max(1, _first_frame(float(frame_rate.frames(duration_seconds))))))


def sample_index(seconds: float, sample_rate: int) -> int:
    """The sample nearest to a time."""
    return round(seconds * sample_rate)


def sample_seconds(index: int, sample_rate: int) -> float:
    """The time of a sample in seconds."""
    return index / sample_rate


def _first_frame(position: float) -> int:
    return math.ceil(position - _FRAME_TOLERANCE)
