"""Makes speech sound as after a telephone, a call over the internet, or a small MP3."""

from __future__ import annotations

import io
from typing import cast

import av
import numpy as np
from av.audio.resampler import AudioResampler
from av.audio.stream import AudioStream
from numpy.typing import NDArray

from backend_server.config import SAMPLE_RATE

# name: container, encoder, sample rate, bits per second (None where the codec has no choice)
CODECS: dict[str, tuple[str, str, int, int | None]] = {
    "opus-6": ("ogg", "libopus", 16_000, 6_000),
    "opus-12": ("ogg", "libopus", 16_000, 12_000),
    "mp3-16": ("mp3", "libmp3lame", 16_000, 16_000),
    "mp3-32": ("mp3", "libmp3lame", 16_000, 32_000),
    "telephone": ("wav", "pcm_mulaw", 8_000, None),
    "mobile": ("amr", "libopencore_amrnb", 8_000, None),
}


def through_codec(waveform: NDArray[np.float32], name: str) -> NDArray[np.float32]:
    """A 16 kHz waveform (S,) encoded and decoded again, of the same length and in time with itself to 5 ms.

    Args:
        waveform: [-1, 1].
        name: one of `CODECS`.
    """
    container, encoder, rate, bits = CODECS[name]
    file = io.BytesIO()
    pcm = (waveform.clip(-1.0, 1.0) * 32767.0).astype(np.int16)
    frame = av.AudioFrame.from_ndarray(pcm[None], format="s16", layout="mono")
    frame.sample_rate = SAMPLE_RATE
    with av.open(file, "w", format=container) as output:
        stream = cast(AudioStream, output.add_stream(encoder, rate=rate, layout="mono"))
        if bits:
            stream.bit_rate = bits
        shaped = AudioResampler(stream.format, "mono", rate, stream.codec_context.frame_size or None)
        for part in [*shaped.resample(frame), *shaped.resample(None), None]:
            output.mux(stream.encode(part))
    file.seek(0)
    back = AudioResampler("flt", "mono", SAMPLE_RATE)
    with av.open(file, "r") as encoded:
        heard = [part.to_ndarray()[0] for frame in encoded.decode(audio=0) for part in back.resample(frame)]
    heard += [part.to_ndarray()[0] for part in back.resample(None)]
    whole = np.concatenate(heard)[: len(waveform)]
    return np.pad(whole, (0, len(waveform) - len(whole))).astype(np.float32)
