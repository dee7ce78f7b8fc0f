"""Makes one film of frames and sound."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import chain
from pathlib import Path
from types import TracebackType
from typing import cast

import av
import numpy as np
from av.audio.stream import AudioStream
from av.video.reformatter import ColorPrimaries, ColorRange, Colorspace, ColorTrc
from av.video.stream import VideoStream
from numpy.typing import NDArray

SOUND_BIT_RATES = {"mono": 128_000, "stereo": 192_000}  # bits/s
_TAGGED = {"movflags": "+faststart+use_metadata_tags"}


@dataclass(frozen=True)
class FilmKind:
    """Codecs and options of one kind of film; `with_alpha` is empty if it cannot have alpha."""

    picture_codec: str
    opaque: str
    with_alpha: str
    sound_codec: str
    picture_options: dict[str, str] = field(default_factory=dict)
    container_options: dict[str, str] = field(default_factory=dict)
    has_even_sides: bool = False


KINDS = {
    ".mp4": FilmKind(
        "libx264", "yuv420p", "", "aac", {"crf": "18", "preset": "veryfast"}, _TAGGED, has_even_sides=True
    ),
    ".mov": FilmKind(  # ProRes 4444, for editors
        "prores_ks", "yuv444p10le", "yuva444p10le", "pcm_s16le", {"profile": "4444", "vendor": "apl0"}, _TAGGED
    ),
    ".webm": FilmKind(  # VP9, for browsers and game engines; its frames that are never shown cannot have alpha
        "libvpx-vp9",
        "yuv420p",
        "yuva420p",
        "libopus",
        {"crf": "20", "b": "0", "deadline": "good", "cpu-used": "4", "auto-alt-ref": "0"},
    ),
}


class Film:
    """A film that is written one picture at a time; frames and sound start together; used in a `with` block.

    Args:
        path: the file to write; .mp4 is H.264 and AAC without alpha, .mov ProRes 4444 and PCM, .webm VP9 and Opus.
        frame_rate: frames per second.
        sound: blocks (S, channels), [-1, 1], of one channel or two, that follow one another; each is asked for when the
            frame before its first one is reached.
        sample_rate: of the sound, Hz; the film has the same where its kind allows.
        tags: text written into the file's metadata.
    """

    def __init__(
        self,
        path: Path,
        frame_rate: Fraction,
        sound: Iterator[NDArray[np.float32]],
        sample_rate: int,
        tags: dict[str, str],
    ) -> None:
        self._kind = KINDS[path.suffix]
        self._frame_rate = frame_rate
        first = next(sound, None)
        self._blocks = sound if first is None else chain([first], sound)
        self._layout = "mono" if first is None or first.shape[1] == 1 else "stereo"
        self._sample_rate = sample_rate
        self._number = 0
        self._heard = 0
        self._file = av.open(str(path), "w", options=self._kind.container_options)
        self._file.metadata.update(tags)
        pictures = self._file.add_stream(self._kind.picture_codec, rate=frame_rate, options=self._kind.picture_options)
        self._pictures = cast(VideoStream, pictures)  # a codec's name tells the type checker nothing
        rate = _film_rate(self._kind.sound_codec, sample_rate)
        heard = self._file.add_stream(self._kind.sound_codec, rate=rate, layout=self._layout)
        self._sound = cast(AudioStream, heard)
        self._sound.bit_rate = SOUND_BIT_RATES[self._layout]

    def __enter__(self) -> Film:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._file:
            if error is None:
                self._file.mux(self._pictures.encode())
                for block in self._blocks:
                    self._add_sound(block)
                self._file.mux(self._sound.encode())

    def add(self, picture: NDArray[np.uint8]) -> None:
        """Writes the next picture, (H, W, 3), or (H, W, 4) with straight alpha where the kind of film has it.

        All have the size of the first; an MP4 loses the last row or column of an odd number.
        """
        height, width = picture.shape[:2]
        if self._kind.has_even_sides:
            height, width = height - height % 2, width - width % 2
        has_alpha = picture.shape[-1] == 4
        layout = self._kind.with_alpha if has_alpha else self._kind.opaque
        if self._number == 0:
            self._begin(height, width, layout)
        pixels = np.ascontiguousarray(picture[:height, :width])
        frame = av.VideoFrame.from_ndarray(pixels, format="rgba" if has_alpha else "rgb24").reformat(
            format=layout, dst_colorspace=Colorspace.ITU709, dst_color_range=ColorRange.MPEG
        )
        frame.pts = self._number
        frame.time_base = 1 / self._frame_rate
        self._file.mux(self._pictures.encode(frame))
        until = self._number / self._frame_rate * self._sample_rate
        while self._heard <= until and (block := next(self._blocks, None)) is not None:
            self._add_sound(block)
        self._number += 1

    def _begin(self, height: int, width: int, layout: str) -> None:
        """Sets the size, and Rec. 709 at any size, so that players show the colours unchanged."""
        stream = self._pictures
        stream.height, stream.width, stream.pix_fmt = height, width, layout
        coder = stream.codec_context
        coder.colorspace = Colorspace.ITU709
        coder.color_primaries = ColorPrimaries.BT709
        coder.color_trc = ColorTrc.BT709
        coder.color_range = ColorRange.MPEG

    def _add_sound(self, block: NDArray[np.float32]) -> None:
        sound = av.AudioFrame.from_ndarray(np.ascontiguousarray(block.T), format="fltp", layout=self._layout)
        sound.sample_rate = self._sample_rate
        sound.time_base = Fraction(1, self._sample_rate)
        sound.pts = self._heard
        self._file.mux(self._sound.encode(sound))
        self._heard += len(block)


def _film_rate(codec: str, sample_rate: int) -> int:
    """The sample rate itself, or else the next higher one that a codec has, or its highest."""
    rates = av.Codec(codec, "w").audio_rates
    if not rates or sample_rate in rates:
        return sample_rate
    return min((rate for rate in rates if rate > sample_rate), default=max(rates))
