"""Reads sound and makes it the 16 kHz mono waveform that every network hears."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

from backend_server.config import (
    LONGEST_SPEECH_SECONDS,
    QUIETEST_SPEECH_DB,
    SAMPLE_RATE,
    SHORTEST_SPEECH_SECONDS,
)
from backend_server.speech.survey import Survey, Surveyor
from backend_server.speech.tracks import BLOCK_SAMPLES, NoMediaError, SoundBlock, Track, list_tracks, read_track
from shared.errors import SoundError

LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class AudioClip:
    """Mono sound as it was recorded.

    Attributes:
        samples: f32 (S,), [-1, 1].
        sample_rate: Hz.
    """

    samples: NDArray[np.float32]
    sample_rate: int

    @property
    def seconds(self) -> float:
        """Length of the clip."""
        return len(self.samples) / self.sample_rate


def read_audio(path: Path) -> AudioClip:
    """Reads the sound of any audio or video file, as the one channel that is heard.

    Raises:
        SoundError: no such file, a folder, no file, an empty one, no sound in it, or longer than the limit.
    """
    survey = survey_file(path)
    blocks = [survey.mix(block.samples) for block in read_blocks(path, survey.track)]
    return AudioClip(np.concatenate(blocks), survey.sample_rate)


@dataclass(frozen=True)
class Contents:
    """What a file says of itself.

    Attributes:
        tracks: those that may be heard, the default one first; None stands for a file that only libsndfile may know.
        seconds: how long it is, for a bar of progress: it may be wrong, and is 0 where the file does not say.
    """

    tracks: tuple[Track | None, ...]
    seconds: float


def read_contents(path: Path) -> Contents:
    """Asks a file what it holds.

    Raises:
        SoundError: no such file, a folder, no file, an empty one, or one without sound.
    """
    _check_file(path)
    try:
        tracks, seconds = list_tracks(path)
    except NoMediaError:
        return Contents((None,), 0.0)
    first = sorted(tracks, key=lambda track: not track.is_default)
    return Contents(tuple(first), min(seconds, LONGEST_SPEECH_SECONDS))


def survey_file(path: Path, tell: Callable[[float], None] = lambda _: None, contents: Contents | None = None) -> Survey:
    """Hears a file for the first time: its default track, or else the first that is not silent.

    Args:
        path: of an audio or video file.
        tell: called after every block with the seconds of the track that were heard.
        contents: of the file, if they were read already.

    Raises:
        SoundError: as `read_audio`, or samples that are not finite.
    """
    tracks = (contents or read_contents(path)).tracks
    surveys = (_survey_track(path, track, tell) for track in tracks)
    first = next(surveys)
    chosen = first if first.is_audible else next((one for one in surveys if one.is_audible), first)
    if chosen.sample_count == 0:
        raise SoundError(f"{path} holds no sound; export it again with an audio track")
    return chosen


def _survey_track(path: Path, track: Track | None, tell: Callable[[float], None]) -> Survey:
    surveyor, count = Surveyor(), 0
    for block in read_blocks(path, track):
        surveyor.add(block)
        count += len(block.samples)
        tell(count / block.sample_rate)
    return surveyor.survey(track)


def read_blocks(path: Path, track: Track | None, *, is_stereo: bool = False) -> Iterator[SoundBlock]:
    """The sound of a file in blocks that follow one another.

    Args:
        path: of an audio or video file.
        track: which one; None for a file that FFmpeg does not know and libsndfile may.
        is_stereo: more than two channels are mixed to two where the file says which is which.

    Raises:
        SoundError: it cannot be read, or is longer than the limit.
    """
    count = 0
    try:
        for block in _other_blocks(path) if track is None else read_track(path, track, is_stereo=is_stereo):
            count += len(block.samples)
            check_length(count / block.sample_rate, str(path))
            yield block
    except (NoMediaError, OSError) as error:  # it was there when its contents were read
        raise SoundError(f"{path} can no longer be read ({error}); was it moved meanwhile?") from error


def _other_blocks(path: Path) -> Iterator[SoundBlock]:
    """The sound of a file that FFmpeg does not know."""
    try:
        with soundfile.SoundFile(path) as file:
            while len(samples := file.read(BLOCK_SAMPLES, dtype="float32", always_2d=True)):
                yield SoundBlock(np.asarray(samples, np.float32), file.samplerate)
    except soundfile.LibsndfileError as error:
        LOG.info("%s: %s", path, error)
        raise SoundError(f"{path} is not a sound file that can be read; use WAV, FLAC, MP3, Ogg or MP4") from error


def _check_file(path: Path) -> None:
    if not path.exists():
        raise SoundError(f"there is no sound file {path}; check the path")
    if path.is_dir():
        raise SoundError(f"{path} is a folder; name one sound file inside it")
    if not path.is_file():  # reading it might never end
        raise SoundError(f"{path} is a pipe, socket or device; save the sound as a file and give that")
    if path.stat().st_size == 0:
        raise SoundError(f"{path} is empty (0 bytes); export the sound again")


def check_length(seconds: float, name: str) -> None:
    """Raises SoundError when a sound is longer than the limit."""
    if seconds > LONGEST_SPEECH_SECONDS:
        raise SoundError(
            f"{name} lasts {seconds:.0f} s, longer than the limit of {LONGEST_SPEECH_SECONDS:.0f} s; cut it into pieces"
        )


def to_waveform(samples: NDArray[np.floating], sample_rate: int) -> NDArray[np.float32]:
    """A 16 kHz mono waveform (S,) within [-1, 1] of samples (S,) or (S, channels) at any rate.

    Raises:
        SoundError: the rate is not positive, or the array is not one sound of finite samples.
    """
    check_rate(sample_rate)
    channels = to_channels(samples)
    surveyor = Surveyor()
    surveyor.add(SoundBlock(channels, sample_rate))
    waveform = surveyor.survey().mix(channels)
    if sample_rate != SAMPLE_RATE:
        waveform = soxr.resample(waveform, sample_rate, SAMPLE_RATE)
    return np.ascontiguousarray(waveform.clip(-1.0, 1.0), dtype=np.float32)


def to_channels(samples: NDArray[np.floating]) -> NDArray[np.float32]:
    """Samples (S,) or (S, channels) as (S, channels).

    Raises:
        SoundError: the array has another shape.
    """
    channels = np.asarray(samples, dtype=np.float32)
    if channels.ndim == 1:
        channels = channels[:, None]
    if channels.ndim != 2 or channels.shape[1] == 0:
        raise SoundError(f"the sound has shape {channels.shape}; expected (samples,) or (samples, channels)")
    return channels


def check_rate(sample_rate: int) -> None:
    """Raises SoundError when a sample rate is not positive."""
    if sample_rate <= 0:
        raise SoundError(f"the sample rate is {sample_rate} Hz; it must be above 0")


def check_measures(sample_count: int, peak: float) -> None:
    """Refuses a 16 kHz waveform that cannot hold speech, by its length and its loudest sample.

    Raises:
        SoundError: empty, too short, too long, or silent throughout.
    """
    if sample_count == 0:
        raise SoundError("the sound is empty (0 samples); choose a sound with speech")
    seconds = sample_count / SAMPLE_RATE
    if seconds < SHORTEST_SPEECH_SECONDS:
        raise SoundError(
            f"the sound lasts {seconds:.3f} s, below the limit of {SHORTEST_SPEECH_SECONDS} s; choose a longer one"
        )
    check_length(seconds, "the sound")
    peak_db = 20.0 * np.log10(max(peak, 1e-10))
    if peak_db < QUIETEST_SPEECH_DB:
        raise SoundError(
            f"the sound is silent: its peak is {peak_db:.0f} dBFS, below {QUIETEST_SPEECH_DB:.0f} dBFS; "
            "check the recording or raise its level"
        )


def write_wav(path: Path, samples: NDArray[np.floating], sample_rate: int = SAMPLE_RATE) -> None:
    """Writes mono samples (S,) in [-1, 1] as 16-bit PCM."""
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, np.asarray(samples, dtype=np.float32), sample_rate, subtype="PCM_16", format="WAV")
