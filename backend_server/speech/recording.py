"""Listens to sound of any length without holding it in memory.

It is read three times, in blocks: first to choose its track and channels, then to measure its level, on which all
features depend, then to compute the features. Only a few numbers per second are kept from the first two times.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from math import ceil
from pathlib import Path
from typing import Protocol

import numpy as np
import soxr
import torch
from numpy.typing import NDArray
from torch import Tensor

from backend_server.config import SAMPLE_RATE
from backend_server.progress import Progress, silent
from backend_server.speech.acoustic_model import AcousticModel, CtcAcousticModel, gain_for
from backend_server.speech.audio import (
    AudioClip,
    Contents,
    check_length,
    check_measures,
    check_rate,
    read_blocks,
    read_contents,
    survey_file,
    to_channels,
)
from backend_server.speech.features import HOP_SAMPLES, LevelMeter, log_mel_blocks
from backend_server.speech.onnx_model import OnnxAcousticModel
from backend_server.speech.presence import BAND_GROUPS, group_levels, presence_at, presence_track
from backend_server.speech.survey import Survey, Surveyor
from backend_server.speech.tracks import SoundBlock
from shared.notes import Note

BLOCK_SECONDS = 8
BLOCK_SAMPLES = BLOCK_SECONDS * SAMPLE_RATE  # whole mel hops

Array = NDArray[np.float32]


class Sound(Protocol):
    """Anything that can be heard again and again from its beginning."""

    @property
    def seconds(self) -> float:
        """How long it is: exactly once it was surveyed, before that about, or 0 where that is not known."""
        ...

    @property
    def name(self) -> str:
        """Of its file; empty if it is no file's."""
        ...

    @property
    def notes(self) -> tuple[Note, ...]:
        """What the user should know of it."""
        ...

    def survey(self, tell: Callable[[float], None] = lambda _: None) -> Survey:
        """Hears it for the first time, if that was not done; `tell` is told of the seconds heard, again and again.

        Raises:
            SoundError: it cannot be read, or is not one sound of finite samples.
        """
        ...

    def blocks(self) -> Iterator[Array]:
        """The 16 kHz mono waveform in [-1, 1]: blocks of `BLOCK_SAMPLES`, the last one shorter.

        Raises:
            SoundError: as `survey`.
        """
        ...


class FileSound:
    """The sound of an audio or video file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._survey: Survey | None = None
        self._only_block: Array | None = None  # of a short sound, which is decoded once for all hearings

    @cached_property
    def _contents(self) -> Contents:
        return read_contents(self.path)

    @property
    def seconds(self) -> float:
        """As decoded; before that as the file says."""
        return self._survey.seconds if self._survey else self._contents.seconds

    @property
    def name(self) -> str:
        """As `Sound.name`."""
        return self.path.name

    @property
    def notes(self) -> tuple[Note, ...]:
        """As `Sound.notes`."""
        return self.survey().notes(self.name)

    def survey(self, tell: Callable[[float], None] = lambda _: None) -> Survey:
        """As `Sound.survey`."""
        self._survey = self._survey or survey_file(self.path, tell, self._contents)
        return self._survey

    def blocks(self) -> Iterator[Array]:
        """As `Sound.blocks`."""
        if self._only_block is not None:
            yield self._only_block
            return
        survey = self.survey()
        for_hearing = read_blocks(self.path, survey.track)
        clips = (AudioClip(survey.mix(block.samples), block.sample_rate) for block in for_hearing)
        count, block = 0, None
        for count, block in enumerate(_waveform_blocks(clips), 1):  # noqa: B007 (used after the loop)
            yield block
        self._only_block = block if count == 1 else None

    def as_given(self) -> Iterator[Array]:
        """The sound for a film, (S, channels): its own rate, one channel or two, within [-1, 1]."""
        survey = self.survey()
        for block in read_blocks(self.path, survey.track, is_stereo=True):
            is_known = block.samples.shape[1] <= 2
            yield survey.mix.scaled(block.samples) if is_known else survey.mix(block.samples)[:, None]


class ArraySound:
    """Samples (S,) or (S, channels) in memory.

    Raises:
        SoundError: the rate is not positive, or the array has another shape.
    """

    name = ""

    def __init__(self, samples: NDArray[np.floating], sample_rate: int) -> None:
        check_rate(sample_rate)
        self._samples, self._rate = samples, sample_rate
        self._survey: Survey | None = None

    @property
    def seconds(self) -> float:
        """Exactly."""
        return len(self._samples) / self._rate

    @property
    def notes(self) -> tuple[Note, ...]:
        """As `Sound.notes`."""
        return self.survey().notes()

    def survey(self, tell: Callable[[float], None] = lambda _: None) -> Survey:
        """As `Sound.survey`."""
        if self._survey is None:
            surveyor, count = Surveyor(), 0
            for block in self._own_blocks():
                surveyor.add(block)
                count += len(block.samples)
                tell(count / self._rate)
            self._survey = surveyor.survey()
        return self._survey

    def blocks(self) -> Iterator[Array]:
        """As `Sound.blocks`."""
        mix = self.survey().mix
        return _waveform_blocks(AudioClip(mix(block.samples), block.sample_rate) for block in self._own_blocks())

    def _own_blocks(self) -> Iterator[SoundBlock]:
        check_length(self.seconds, "the sound")
        for first in range(0, max(len(self._samples), 1), BLOCK_SAMPLES):
            yield SoundBlock(to_channels(self._samples[first : first + BLOCK_SAMPLES]), self._rate)


@dataclass(frozen=True)
class Recording:
    """A sound that was listened to once.

    Attributes:
        sound: to be heard again.
        sample_count: at 16 kHz.
        level: of its speech in each mel band, (64,), as `features.speech_level`.
        group_levels: of eight groups of bands, (F, 8), 100 a second, as `speech.presence` reads them.
        peaks: the loudest sample of every 10 ms, (P,).
        notes: what the user should know of it.
    """

    sound: Sound
    sample_count: int
    level: Tensor
    group_levels: Array
    peaks: Array
    notes: tuple[Note, ...] = ()

    @property
    def seconds(self) -> float:
        """Length of the sound."""
        return self.sample_count / SAMPLE_RATE

    def presence(self, frame_times: NDArray[np.float64]) -> Array:
        """How much each frame belongs to speech, (T,), 0 to 1."""
        return presence_at(presence_track(self.group_levels, group_levels(self.level[None])[0]), frame_times)


def listen(sound: Sound, progress: Progress = silent) -> Recording:
    """Reads a sound for the first time and measures it.

    Args:
        sound: to be measured.
        progress: told of every block.

    Raises:
        SoundError: it cannot be read, is not finite, empty, too short, too long, or silent throughout.
    """
    about = ceil(sound.seconds)
    progress("listening", 0, about)

    def surveyed(seconds: float) -> None:
        done = int(seconds)
        progress("listening", done, max(done, about))  # what a file says of its length may be wrong

    sound.survey(surveyed)
    total = ceil(sound.seconds)
    progress("listening", total, total)
    progress("speech", 0, total)
    meter, count = LevelMeter(), 0
    levels, peaks = bytearray(), bytearray()  # many small arrays between large ones would fragment the memory

    def measured() -> Iterator[Tensor]:
        nonlocal count, peaks
        for number, block in enumerate(sound.blocks(), 1):
            count += len(block)
            hops = np.pad(np.abs(block), (0, -len(block) % HOP_SAMPLES)).reshape(-1, HOP_SAMPLES)
            peaks += hops.max(1).tobytes()
            yield torch.from_numpy(block)
            done = number * BLOCK_SECONDS
            progress("speech", min(done, total or done), total or done)

    for mel in log_mel_blocks(measured()):
        meter.add(mel)
        levels += group_levels(mel).tobytes()
    loudest = np.frombuffer(peaks, np.float32)
    check_measures(count, float(loudest.max(initial=0.0)))
    groups = np.frombuffer(levels, np.float32).reshape(-1, BAND_GROUPS)
    return Recording(sound, count, meter.level, groups, loudest, sound.notes)


def feature_blocks(model: AcousticModel, recording: Recording) -> Iterator[Array]:
    """The features of a recording, (n, channels) at a time, in their order.

    Our own network hears it in windows, and so does a user's own that says how far it sees. Any other is given the
    whole waveform, because its normalisation is unknown.
    """
    if isinstance(model, OnnxAcousticModel):
        yield from model.feature_blocks(recording.sound.blocks())
        return
    if not isinstance(model, CtcAcousticModel):
        yield model.features(np.concatenate(list(recording.sound.blocks())))
        return
    yield from model.feature_blocks(recording.sound.blocks(), gain_for(recording.level))


def heard_blocks(
    model: AcousticModel, recording: Recording, *, wants_letters: bool
) -> Iterator[tuple[Array, Array | None]]:
    """`feature_blocks`, each with the CTC scores (n, 29) of the same moments where they are wanted.

    Only our own network scores letters, and beside its hidden layer alone: None from others.
    """
    if wants_letters and isinstance(model, CtcAcousticModel) and model.listens_to == "hidden":
        yield from model.feature_and_score_blocks(recording.sound.blocks(), gain_for(recording.level))
        return
    for block in feature_blocks(model, recording):
        yield block, None


def _waveform_blocks(clips: Iterable[AudioClip]) -> Iterator[Array]:
    """Mono clips that follow one another, as 16 kHz blocks of `BLOCK_SAMPLES` within [-1, 1]."""
    kept: list[Array] = []
    held = 0
    for part in _resampled(clips):
        kept.append(part.clip(-1.0, 1.0))
        held += len(part)
        if held >= BLOCK_SAMPLES:
            whole = np.concatenate(kept)
            for first in range(0, held - BLOCK_SAMPLES + 1, BLOCK_SAMPLES):
                yield whole[first : first + BLOCK_SAMPLES]
            held %= BLOCK_SAMPLES
            kept = [whole[len(whole) - held :]]
    if held:
        yield np.concatenate(kept)


def _resampled(clips: Iterable[AudioClip]) -> Iterator[Array]:
    stream: soxr.ResampleStream | None = None
    for clip in clips:
        if clip.sample_rate == SAMPLE_RATE:
            yield clip.samples
            continue
        stream = stream or soxr.ResampleStream(clip.sample_rate, SAMPLE_RATE, 1, dtype="float32")
        yield stream.resample_chunk(clip.samples)
    if stream is not None:
        yield stream.resample_chunk(np.zeros(0, np.float32), last=True)
