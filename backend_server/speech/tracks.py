"""Decodes the sound tracks of any file, in blocks: what is there is heard, whatever the file says of itself.

Lengths come from decoding alone. A file may hold several sounds one after the other (joined MP3, chained Ogg): all of
them are heard, at the rate and with the channels of the first. What is damaged in the middle becomes silence of the
same length, so that sound and picture stay together.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
import soxr
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.error import EOFError as EndOfFile
from av.error import FFmpegError
from av.packet import Packet
from av.stream import Disposition
from numpy.typing import NDArray

from backend_server.speech.ogg import FilePart, ogg_parts
from shared.errors import SoundError

LOG = logging.getLogger(__name__)
BLOCK_SAMPLES = 2**16  # yielded at once
SHORTEST_GAP_SECONDS = 0.1  # between time stamps; shorter ones are how they are rounded
LONGEST_GAP_SECONDS = 600.0  # a longer jump is a clock that was set, not a sound that is missing
FAILURES_IN_A_ROW = 1000  # packets that cannot be read, after which a file is at its end
_BARE = ("mp3", "aac")  # packets alone, without time stamps
_TAG = b"ID3"
_ONLY_FILES = {"protocol_whitelist": "file"}  # a play list must not lead to other machines
_PLAIN = {
    "probesize": "8192",  # bytes that are looked at to learn what a file holds; else up to 5 MB
    "max_size": "16384",  # bytes of a packet of WAV; else 2048 where there are few samples a second
}

Samples = NDArray[np.float32]


@dataclass(frozen=True)
class Track:
    """One sound track of a file.

    Attributes:
        number: 1 is the first sound track.
        count: how many sound tracks the file has.
        title: as the file names it; empty if it does not.
        language: as the file says; empty if it does not.
        is_default: whether the file wants it to be heard.
        is_plain: whether it is PCM, which needs no looking into the samples to be decoded.
    """

    number: int
    count: int
    title: str = ""
    language: str = ""
    is_default: bool = False
    is_plain: bool = False

    def __str__(self) -> str:
        named = ", ".join(part for part in (self.title and f'"{self.title}"', self.language) if part)
        return f"sound track {self.number} of {self.count}" + (f" ({named})" if named else "")


@dataclass(frozen=True)
class SoundBlock:
    """Some seconds of a track.

    Attributes:
        samples: (S, channels), [-1, 1] or beyond in files of floats.
        sample_rate: Hz.
        lost_seconds: how much of it is silence because it is missing or damaged.
    """

    samples: Samples
    sample_rate: int
    lost_seconds: float = 0.0


class NoMediaError(Exception):
    """FFmpeg does not know this kind of file."""


def list_tracks(path: Path) -> tuple[list[Track], float]:
    """The sound tracks of a file in its order, and how long it says it is: maybe wrong, 0 if it does not say.

    Raises:
        NoMediaError: FFmpeg cannot open it.
        SoundError: it holds pictures alone.
    """
    with _opened(path) as container:
        streams = container.streams.audio
        if not streams and container.streams.video:
            raise SoundError(f"{path} holds pictures but no sound; choose a file with an audio track")
        if not streams:
            raise NoMediaError(str(path))
        tracks = [_track(stream, number, len(streams)) for number, stream in enumerate(streams, 1)]
        return tracks, max((container.duration or 0) / av.time_base, 0.0)


def _track(stream: AudioStream, number: int, count: int) -> Track:
    names = {name.lower(): text for name, text in stream.metadata.items()}
    title, language = names.get("title", ""), names.get("language", "")
    is_default = bool(stream.disposition & Disposition.default)
    is_plain = stream.codec_context.name.startswith("pcm_")
    return Track(number, count, title, "" if language == "und" else language, is_default, is_plain)


def read_track(path: Path, track: Track, *, is_stereo: bool = False) -> Iterator[SoundBlock]:
    """A track from its beginning to its end, in blocks of about `BLOCK_SAMPLES`.

    Args:
        path: of the file.
        track: from `list_tracks`.
        is_stereo: more than two channels are mixed to two where the file says which is which.

    Raises:
        NoMediaError: FFmpeg cannot open the file.
    """
    parts: list[Samples] = []
    count, lost, rate = 0, 0.0, 0
    for block in _alike(_joined(path, track, is_stereo=is_stereo)):
        parts.append(block.samples)
        count, lost, rate = count + len(block.samples), lost + block.lost_seconds, block.sample_rate
        if count >= BLOCK_SAMPLES:
            yield SoundBlock(np.concatenate(parts), rate, lost)
            parts, count, lost = [], 0, 0.0
    if count:
        yield SoundBlock(np.concatenate(parts), rate, lost)


def _joined(path: Path, track: Track, *, is_stereo: bool) -> Iterator[SoundBlock]:
    """A track, frame by frame, of all parts of a file; parts behind the first may have fewer tracks or be damaged."""
    for number, part in enumerate(ogg_parts(path)):
        try:
            container = _opened(path, part, is_plain=track.is_plain)
        except NoMediaError:
            if number == 0:
                raise
            continue
        with container:
            if streams := container.streams.audio[track.number - 1 :]:
                yield from _filled(container, streams[0], is_stereo=is_stereo)


def _opened(path: Path, part: tuple[int, int] | None = None, *, is_plain: bool = False) -> InputContainer:
    """A whole file, or a part of it; the samples of plain tracks are not looked into."""
    is_whole = part is None or part == (0, path.stat().st_size)
    source = f"file:{path}" if part is None or is_whole else FilePart(path, *part)
    try:
        return av.open(source, "r", options=_ONLY_FILES | _PLAIN if is_plain else _ONLY_FILES)
    except (FFmpegError, OSError, ValueError) as error:
        raise NoMediaError(str(error)) from error


def _packets(container: InputContainer, stream: AudioStream) -> Iterator[Packet | None]:
    """The packets of a stream; None for one that cannot be read."""
    failures = 0
    while failures < FAILURES_IN_A_ROW:
        try:
            for packet in container.demux(stream):
                yield packet
                failures = 0
        except EndOfFile:
            return
        except (FFmpegError, OSError, ValueError) as error:
            LOG.info("%s: %s", container.name, error)
            failures += 1
            yield None
        else:
            return


def _filled(container: InputContainer, stream: AudioStream, *, is_stereo: bool) -> Iterator[SoundBlock]:
    """Each decoded frame, after the silence that stands for what was lost before it."""
    failed = 0.0  # seconds of packets that could not be decoded since the last that could
    seconds, size = 0.0, 0  # of those that could
    due: float | None = None  # the time stamp that follows the last frame's end
    for packet in _packets(container, stream):
        if packet is None:
            continue
        try:
            frames = packet.decode()
        except (FFmpegError, ValueError) as error:
            LOG.info("%s: %s", container.name, error)
            failed += _seconds(packet) if container.format.name not in _BARE else _bare_seconds(packet, seconds, size)
            continue
        seconds, size = seconds + _seconds(packet), size + packet.size
        for frame in frames:
            if not isinstance(frame, AudioFrame) or not frame.samples:
                continue
            samples = _samples(frame, is_stereo=is_stereo)
            time = frame.time
            gap = failed if time is None or due is None else max(time - due, failed)
            if due is not None and (SHORTEST_GAP_SECONDS if not failed else 0.0) < gap < LONGEST_GAP_SECONDS:
                silence = np.zeros((round(gap * frame.sample_rate), samples.shape[1]), np.float32)
                yield SoundBlock(silence, frame.sample_rate, gap)
            yield SoundBlock(samples, frame.sample_rate)
            failed = 0.0
            due = (due or 0.0) + gap if time is None else time
            due += frame.samples / frame.sample_rate


def _seconds(packet: Packet) -> float:
    return float((packet.duration or 0) * (packet.time_base or 0))


def _bare_seconds(packet: Packet, seconds: float, size: int) -> float:
    """How long a packet that cannot be decoded lasted, where all that is damaged becomes one packet.

    Args:
        packet: of a file without time stamps.
        seconds: of those that could be decoded.
        size: of the same in bytes.
    """
    is_text = _TAG in bytes(packet)  # of a further file that was joined
    return _seconds(packet) if is_text or not size else packet.size * seconds / size


def _samples(frame: AudioFrame, *, is_stereo: bool) -> Samples:
    """The samples (S, channels) of a frame as floats."""
    if is_stereo and frame.layout.nb_channels > 2 and _is_placed(frame):
        (frame,) = AudioResampler(format="fltp", layout="stereo").resample(frame)
    values = frame.to_ndarray()  # (channels, S), or (1, S * channels) in turn
    values = values.T if frame.format.is_planar else values.reshape(-1, frame.layout.nb_channels)
    kind = values.dtype
    samples = values.astype(np.float32)
    if kind.kind == "u":
        samples = samples / np.float32(128) - 1
    elif kind.kind == "i":
        samples /= np.float32(2.0 ** (8 * kind.itemsize - 1))
    return samples


def _is_placed(frame: AudioFrame) -> bool:
    """Whether it is known where each channel comes from."""
    return not frame.layout.name.endswith(" channels")


def _alike(blocks: Iterator[SoundBlock]) -> Iterator[SoundBlock]:
    """Blocks at the rate and with the channels of the first one."""
    first: SoundBlock | None = None
    stream: soxr.ResampleStream | None = None
    source = 0  # the rate that the stream takes

    def ending() -> Iterator[SoundBlock]:
        if first is not None and stream is not None:
            rest = stream.resample_chunk(np.zeros((0, first.samples.shape[1]), np.float32), last=True)
            yield SoundBlock(rest, first.sample_rate)

    for block in blocks:
        first = first or block
        channels, rate = first.samples.shape[1], first.sample_rate
        samples = _with_channels(block.samples, channels)
        if block.sample_rate != source:
            yield from ending()
            source = block.sample_rate
            stream = None if source == rate else soxr.ResampleStream(source, rate, channels, dtype="float32")
        if stream is not None:
            samples = stream.resample_chunk(samples)
        yield SoundBlock(samples, rate, block.lost_seconds)
    yield from ending()


def _with_channels(samples: Samples, channels: int) -> Samples:
    """Samples (S, other) with so many channels: those that are missing repeat the mean."""
    if samples.shape[1] == channels:
        return samples
    return np.repeat(samples.mean(1, keepdims=True), channels, axis=1)
