"""Small videos of a real face, made by the tests."""

from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from skimage.data import astronaut

RATE = 16000
CODECS = {
    ".mp4": ("libx264", "aac"),
    ".mov": ("libx264", "pcm_s16le"),
    ".mkv": ("libx264", "libopus"),
    ".avi": ("mpeg4", "libmp3lame"),
    ".webm": ("libvpx", "libopus"),
    ".mpg": ("mpeg1video", "mp2"),
}


PHOTO = astronaut()


def face_picture(step: int, width: int, height: int, face_pixels: float, faces: int) -> np.ndarray:
    """The astronaut's head, `face_pixels` large, swaying with `step`; beside it `faces - 1` more."""
    scale = face_pixels / 93
    picture = np.full((height, width, 3), 120, np.uint8)
    for place in range(faces):
        x = width * (2 * place + 1) / (2 * faces) + 3 * np.sin(step / 3)
        matrix = np.array([[scale, 0, x - 223 * scale], [0, scale, height * 0.5 - 115 * scale]])
        mask = cv2.warpAffine(
            np.ones((230, 230), np.uint8), matrix @ [[1, 0, 110], [0, 1, 0], [0, 0, 1]], (width, height)
        )
        head = cv2.warpAffine(PHOTO, matrix, (width, height), flags=cv2.INTER_AREA)
        picture[mask > 0] = head[mask > 0]
    return picture


@pytest.fixture(scope="session")
def make_video():
    """Writes a video: a face that sways, and a tone from `tone_from` seconds on; returns its path."""

    def make(
        path: Path, *, seconds=1.4, fps=25, face_pixels=100.0, faces=1, size=(320, 240), has_sound=True, tone_from=0.8
    ) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        video_codec, audio_codec = CODECS[path.suffix]
        with av.open(str(path), "w") as container:
            video = container.add_stream(video_codec, rate=fps)
            video.options = {"deadline": "realtime", "cpu-used": "8", "preset": "ultrafast"}
            video.width, video.height, video.pix_fmt, video.bit_rate = *size, "yuv420p", 2_000_000
            audio = container.add_stream(audio_codec, rate=48000, layout="mono") if has_sound else None
            for step in range(round(seconds * fps)):
                picture = face_picture(step, *size, face_pixels, faces)
                container.mux(video.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
            container.mux(video.encode(None))
            if audio is not None:
                times = np.arange(round(seconds * 48000)) / 48000
                tone = np.where(times >= tone_from, 8000 * np.sin(2 * np.pi * 440 * times), 0).astype(np.int16)
                frame = av.AudioFrame.from_ndarray(tone[None], format="s16", layout="mono")
                frame.sample_rate, frame.pts, frame.time_base = 48000, 0, Fraction(1, 48000)
                container.mux(audio.encode(frame))
                container.mux(audio.encode(None))
        return path

    return make
