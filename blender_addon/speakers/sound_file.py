# pyright: reportAttributeAccessIssue=false
"""Hears a part of a sound file through Blender's own decoder, as mono at 16 kHz, and says what is odd about the file.

Channels that cancel each other and silent first tracks are heard as the backend hears those of files. Levels above 1.0
are kept: the backend scales them and says so.
"""

from __future__ import annotations

import math
from collections.abc import Generator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import aud
import numpy as np
from numpy.typing import NDArray

from .._shared import channels, errors, notes, timing

SAMPLE_RATE = 16_000  # Hz, what the backend works at
_SILENCE = 1e-3  # peak, -60 dB
_RESAMPLE_QUALITY = 3  # aud's best
_MARGIN_SECONDS = 0.1  # read on both sides, for the resampler's edges
_UNHEARD_SECONDS = 0.25  # by which files are longer or shorter than they say, because codecs round
_LOOKED_AT_SECONDS = 60.0
_BLOCK_SECONDS = 1.0  # decoded in one step, which resampling makes slow
_MIXED = 1 << 19  # samples mixed in one step
_COMPARED = SAMPLE_RATE // 20  # samples before a block, when codecs have found their feet
_ALIKE = 1e-3  # of their loudness, by which they may differ
_ROUNDED = 2  # samples
_NO_TRACK = 1000  # opens only where Blender ignores the number of the track, because the format has one alone


@dataclass(frozen=True)
class Hearing:
    """A part of a sound file.

    Attributes:
        samples: f32 (S,) mono at `SAMPLE_RATE`, beyond [-1, 1] where the file is.
        notes: what the user should know of it.
    """

    samples: NDArray[np.float32]
    notes: tuple[notes.Note, ...] = ()


class SoundFile:
    """A file with sound; every method raises SoundError when it cannot be read.

    Args:
        path: where it is now.
        name: how the user calls it.
    """

    def __init__(self, path: Path, name: str) -> None:
        self.name = name
        self._path = path

    @property
    def seconds(self) -> float:
        """How long Blender takes it for; read once per file, because the panel asks at every redraw."""
        try:
            return _seconds(self._path, self._path.stat().st_mtime_ns)
        except aud.error as error:  # pyright: ignore[reportGeneralTypeIssues] (the stubs know no exception)
            raise self._unreadable(error) from error  # pyright: ignore[reportGeneralTypeIssues]

    def hear(self, start: float, end: float) -> Generator[float, None, Hearing]:
        """What is heard from `start` to `end` seconds, in steps; it is shorter where the sound ends earlier.

        Yields:
            How much of it was read, 0 to 1.
        """
        if end <= start:
            return Hearing(np.zeros(0, np.float32))
        samples, said = yield from self._part(0, start, end)
        if samples.size and not is_audible(samples):
            for track in range(1, self._track_count_if_first_is_silent()):
                other, said_of_other = yield from self._part(track, start, end)
                if is_audible(other):
                    samples, said = other, [self._other_track(track), *said_of_other]
                    break
        blocks = [slice(first, first + _MIXED) for first in range(0, len(samples), _MIXED)]
        products = np.zeros((samples.shape[1], samples.shape[1]), np.float64)
        for block in blocks:
            products += samples[block].T @ samples[block]
            yield 1.0
        heard = channels.heard_channels(products)
        said += heard.notes(self.name)
        mixed = np.empty(len(samples), np.float32)
        for block in blocks:  # aud's own mix would clip
            mixed[block] = samples[block][:, list(heard.channels)].mean(axis=1, dtype=np.float32)
            yield 1.0
        return Hearing(mixed, tuple(said))

    def _part(
        self, track: int, start: float, end: float
    ) -> Generator[float, None, tuple[NDArray[np.float32], list[notes.Note]]]:
        """A part of one track, (S, channels), and what is to be said if it does not end where Blender believes."""
        declared = self.seconds
        is_to_the_end = end > declared - _UNHEARD_SECONDS
        until = max(end, declared + 1.0 if is_to_the_end else 0.0) + _MARGIN_SECONDS  # more, to see if it goes on
        before = start - min(start, _MARGIN_SECONDS)
        samples = yield from self._decode_in_steps(track, before, until)
        real = before + len(samples) / SAMPLE_RATE
        least = min(end, declared) - _UNHEARD_SECONDS
        if before > 0 and real < least:  # perhaps only because the file cannot be entered there
            samples = self._decode(track, 0.0, until)
            real = len(samples) / SAMPLE_RATE
            samples = samples[timing.sample_index(before, SAMPLE_RATE) :]
        said = []
        if real < least:
            sentence = (
                f"{declared - real:.1f} s of its {declared:.1f} s are missing or damaged and count as silence; "
                "export the sound again if the face should speak there"
            )
            said.append(notes.Note(notes.NoteCode.DAMAGED_SOUND, sentence, self.name))
        elif is_to_the_end and len(samples) and real > declared + _UNHEARD_SECONDS:
            sentence = f"Blender takes it for {declared:.1f} s long, but it goes on; convert it to WAV to hear it all"
            said.append(notes.Note(notes.NoteCode.DAMAGED_SOUND, sentence, self.name))
        first = timing.sample_index(start - before, SAMPLE_RATE)
        return samples[first : first + timing.sample_index(end - start, SAMPLE_RATE)], said

    def _decode_in_steps(self, track: int, start: float, end: float) -> Generator[float, None, NDArray[np.float32]]:
        """As `_decode`, in blocks; yields how much was read, 0 to 1.

        A file that cannot be entered exactly between two blocks is decoded at once, and resampled in blocks, which
        takes most of the time.
        """
        if end - start <= 2 * _BLOCK_SECONDS:
            return self._decode(track, start, end)
        samples = yield from self._blocks(self._sound(track), start, end)
        if samples is None:
            try:
                decoded = self._sound(track).limit(start, end).cache()
            except aud.error as error:  # pyright: ignore[reportGeneralTypeIssues] (the stubs know no exception)
                raise self._unreadable(error) from error  # pyright: ignore[reportGeneralTypeIssues]
            samples = yield from self._blocks(decoded, 0.0, end - start)
        return self._decode(track, start, end) if samples is None else samples

    def _blocks(self, sound: aud.Sound, start: float, end: float) -> Generator[float, None, NDArray[np.float32] | None]:
        """(S, channels) at `SAMPLE_RATE`; None if what two blocks have in common is not alike.

        Each block is read from a little before it, from where the file has a whole sample, and which Blender, that
        counts seconds as float32, can name exactly in a long file.
        """
        made: NDArray[np.float32] | None = None
        count, at, grid = 0, start, self._grid(sound)
        while at < end:
            place = math.floor(at / grid)
            until = min((place + max(1, round(_BLOCK_SECONDS / grid))) * grid, end)
            entry = max(0, place - 1) * grid
            part = self._resampled(sound, entry, until + _MARGIN_SECONDS)
            skipped = timing.sample_index(at, SAMPLE_RATE) - timing.sample_index(entry, SAMPLE_RATE)
            if made is None:
                made = np.empty((timing.sample_index(end - start, SAMPLE_RATE) + 1, part.shape[1]), np.float32)
            elif not _are_alike(made[max(0, count - _COMPARED) : count], part[max(0, skipped - _COMPARED) : skipped]):
                return None
            if at > start and self._is_late(sound, entry, until + _MARGIN_SECONDS, len(part)):
                return None
            wanted = timing.sample_index(until, SAMPLE_RATE) - timing.sample_index(at, SAMPLE_RATE)
            part = part[skipped : skipped + wanted]
            made[count : count + len(part)] = part
            count += len(part)
            yield min(1.0, (until - start) / (end - start))
            if len(part) < wanted:
                break
            at = until
        return None if made is None else made[:count]

    def _is_late(self, sound: aud.Sound, entry: float, end: float, count: int) -> bool:
        """Whether fewer samples than expected came from `entry` because the sound was entered late, not as it ended."""
        if count >= timing.sample_index(end - entry, SAMPLE_RATE) - _ROUNDED:
            return False
        before = max(0.0, entry - 2 * _BLOCK_SECONDS)
        from_before = len(self._resampled(sound, before, end)) - timing.sample_index(entry - before, SAMPLE_RATE)
        return abs(from_before - count) > _ROUNDED

    def _grid(self, sound: aud.Sound) -> float:
        """Seconds, of a power of two, in which there is a whole number of samples."""
        try:
            rate = sound.specs[0]
        except aud.error as error:  # pyright: ignore[reportGeneralTypeIssues] (the stubs know no exception)
            raise self._unreadable(error) from error  # pyright: ignore[reportGeneralTypeIssues]
        return next((grid for grid in (0.25, 0.5) if float(rate * grid).is_integer()), 1.0)

    def _decode(self, track: int, start: float, end: float) -> NDArray[np.float32]:
        """(S, channels) at `SAMPLE_RATE`."""
        return self._resampled(self._sound(track), start, end)

    def _sound(self, track: int) -> aud.Sound:
        return aud.Sound(str(self._path), track)  # pyright: ignore[reportCallIssue] (the stubs know no constructor)

    def _resampled(self, sound: aud.Sound, start: float, end: float) -> NDArray[np.float32]:
        try:
            # `cache` decodes everything and raises; `data` alone would end Blender on a file that is no sound
            data = sound.limit(start, end).resample(SAMPLE_RATE, _RESAMPLE_QUALITY).cache().data()
        except aud.error as error:  # pyright: ignore[reportGeneralTypeIssues] (the stubs know no exception)
            raise self._unreadable(error) from error  # pyright: ignore[reportGeneralTypeIssues]
        return np.asarray(data, np.float32)

    def _track_count_if_first_is_silent(self) -> int:
        """How many tracks there are; 1 if the first is audible in another part."""
        count = self._track_count()
        starts = np.arange(0.0, self.seconds, _LOOKED_AT_SECONDS).tolist() if count > 1 else []
        is_silent = not any(is_audible(self._decode(0, start, start + _LOOKED_AT_SECONDS)) for start in starts)
        return count if is_silent else 1

    def _track_count(self) -> int:
        if self._has_track(_NO_TRACK):
            return 1
        count = 1
        while self._has_track(count):
            count += 1
        return count

    def _has_track(self, track: int) -> bool:
        try:
            return aud.Sound(str(self._path), track).specs is not None  # pyright: ignore[reportCallIssue] (no stub)
        except aud.error:  # pyright: ignore[reportGeneralTypeIssues] (the stubs know no exception)
            return False

    def _other_track(self, track: int) -> notes.Note:
        sentence = f"sound track {track + 1} of {self._track_count()} is heard: it is the first that is not silent"
        return notes.Note(notes.NoteCode.OTHER_TRACK, sentence, self.name)

    def _unreadable(self, error: object) -> errors.SoundError:
        return errors.SoundError(
            f"the sound {self.name} cannot be read; replace it with a WAV, FLAC, MP3 or OGG file", detail=str(error)
        )


def is_audible(samples: NDArray[np.float32]) -> bool:
    """Whether any of the samples is louder than what the backend calls silent."""
    return bool(samples.size) and not np.abs(samples).max() < _SILENCE  # also where it is not a number


def _are_alike(before: NDArray[np.float32], again: NDArray[np.float32]) -> bool:
    """Whether the same stretch of a sound was decoded twice."""
    if before.shape != again.shape:
        return False
    different = float(np.abs(before - again).mean()) if len(before) else 0.0
    return different <= _ALIKE * float(np.abs(before).mean()) + 1e-6


@lru_cache(maxsize=32)
def _seconds(path: Path, _modified_ns: int) -> float:
    sound = aud.Sound(str(path))  # pyright: ignore[reportCallIssue] (the stubs know no constructor)
    return sound.length / sound.specs[0]
