"""Frames of an animation become the right files."""

from fractions import Fraction

import av
import numpy as np
import pytest

from backend_server.export.formats import FrameFormat, bytes_per_frame
from backend_server.export.frames import FrameSettings, frame_files
from backend_server.export.tags import synthetic_tags


@pytest.mark.parametrize(
    ("kind", "names"),
    [
        ("png", {"frames/frame_0001.png", "frames/frame_0002.png", "preview.mp4"}),
        ("exr", {"frames/frame_0001.exr", "frames/frame_0002.exr", "preview.mp4"}),
        ("mp4", {"film.mp4"}),
        ("mov", {"film.mov", "preview.mp4"}),
        ("webm", {"film.webm", "preview.mp4"}),
    ],
)
@pytest.mark.parametrize("channels", [3, 4])
def test_files_of_each_format_fit_their_estimate(tmp_path, rng, kind, names, channels):
    kind = FrameFormat(kind)
    height, width = 301, 401
    noise = rng.normal(0, 3, (2, height, width, channels))  # a photo's: light that changes slowly, and grain
    slope = np.linspace(30, 220, width)[:, None] + np.linspace(0, 25, height)[:, None, None]
    pictures = np.clip(slope + noise, 0, 255).astype(np.uint8)
    pictures[..., 3:] = 255 * (slope > 100)
    settings = FrameSettings(kind, Fraction(25), (10, 20, 30), synthetic_tags("abc", 3))
    with frame_files(tmp_path, settings, lambda: iter([np.zeros((1280, 1), np.float32)]), 16_000) as take:
        for picture in pictures:
            take(picture)
    files = {path.relative_to(tmp_path).as_posix(): path.stat().st_size for path in tmp_path.rglob("*.*")}
    assert files.keys() == names
    assert sum(files.values()) <= 2 * bytes_per_frame(kind, height, width)


def test_the_background_lies_under_faces_in_a_film_without_alpha(tmp_path):
    picture = np.full((64, 64, 4), (200, 100, 30, 0), np.uint8)
    settings = FrameSettings(FrameFormat.MP4, Fraction(25), (0, 255, 0), {})
    with frame_files(tmp_path, settings, lambda: iter([np.zeros((640, 1), np.float32)]), 16_000) as take:
        take(picture)
    with av.open(str(tmp_path / "film.mp4")) as film:
        pixels = next(film.decode(video=0)).to_ndarray(format="rgb24")
    np.testing.assert_allclose(pixels.mean((0, 1)), (0, 255, 0), atol=3)
