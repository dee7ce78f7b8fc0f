"""Films have every frame at its time, unchanged colours and alpha, sound of the right length, and tags."""

from fractions import Fraction

import av
import numpy as np
import pytest
from av.audio.resampler import AudioResampler

from backend_server.export.tags import synthetic_tags
from backend_server.export.video import Film

TAGS = synthetic_tags("abc", 3)


def write(path, frames, rate, sound=()):
    with Film(path, rate, iter(sound), 16_000, TAGS) as film:
        for frame in frames:
            film.add(frame)


def decoded(path):
    """The pictures of a film; FFmpeg's own VP9 decoder leaves alpha out, libvpx does not."""
    with av.open(str(path)) as film:
        stream = film.streams.video[0]
        if path.suffix != ".webm":
            return list(film.decode(video=0))
        decoder = av.CodecContext.create("libvpx-vp9", "r")
        return [picture for packet in film.demux(stream) for picture in decoder.decode(packet)]


@pytest.mark.parametrize("suffix", ["mp4", "mov", "webm"])
@pytest.mark.parametrize("rate", [Fraction(25), Fraction(30000, 1001)])
def test_a_film_has_every_frame_at_its_time(tmp_path, rng, rate, suffix):
    frames = [np.full((64, 64, 3), 8 * n, np.uint8) for n in range(30)]
    waveform = (0.1 * rng.standard_normal((16_000, 1))).astype(np.float32)
    path = tmp_path / f"film.{suffix}"
    write(path, frames, rate, np.split(waveform, 4))
    pictures = decoded(path)
    assert [float(p.pts * p.time_base) for p in pictures] == pytest.approx([n / rate for n in range(30)], abs=1e-3)
    brightness = [p.to_ndarray(format="rgb24").mean() for p in pictures]
    assert brightness == pytest.approx([8 * n for n in range(30)], abs=4)
    with av.open(str(path)) as film:
        assert film.streams.video[0].average_rate == rate
        heard = sum(f.samples / f.sample_rate for f in film.decode(audio=0))
    assert heard == pytest.approx(1.0, abs=0.13)  # AAC fills its last frames up


@pytest.mark.parametrize("suffix", ["mp4", "mov", "webm"])
def test_a_film_says_that_it_is_synthetic(tmp_path, suffix):
    path = tmp_path / f"film.{suffix}"
    write(path, [np.zeros((16, 16, 3), np.uint8)], Fraction(25))
    with av.open(str(path)) as film:
        found = {name.lower(): text for name, text in film.metadata.items()}  # Matroska's names are capitals
    assert {name.lower(): text for name, text in TAGS.items()}.items() <= found.items()


@pytest.mark.parametrize(("suffix", "tolerance"), [("mov", 1), ("webm", 3)])
def test_colour_and_straight_alpha_stay(tmp_path, suffix, tolerance):
    picture = np.empty((63, 65, 4), np.uint8)  # odd sides stay odd
    picture[:32], picture[32:] = (200, 100, 30, 128), (20, 180, 240, 0)
    path = tmp_path / f"film.{suffix}"
    write(path, [picture] * 3, Fraction(25))
    for frame in decoded(path):
        pixels = frame.to_ndarray(format="rgba").astype(int)
        assert pixels.shape == picture.shape
        for row in (8, 56):
            np.testing.assert_allclose(pixels[row, 30], picture[row, 30], atol=tolerance)


@pytest.mark.parametrize(("suffix", "size"), [("mp4", (720, 1280)), ("mov", (721, 1281)), ("webm", (721, 1281))])
def test_a_large_opaque_film_keeps_its_colours(tmp_path, suffix, size):
    picture = np.full((721, 1281, 3), (200, 100, 30), np.uint8)
    path = tmp_path / f"film.{suffix}"
    write(path, [picture] * 2, Fraction(25))
    frame = decoded(path)[1]
    assert (frame.height, frame.width) == size
    with av.open(str(path)) as film:
        assert film.streams.video[0].codec_context.colorspace == 1  # ITU-T H.273: Rec. 709
    pixels = frame.reformat(format="rgb24", src_colorspace="ITU709").to_ndarray()
    np.testing.assert_allclose(pixels.mean((0, 1)), (200, 100, 30), atol=2)


def test_a_failure_between_frames_comes_through(tmp_path):
    def failing():
        yield np.zeros((16, 16, 3), np.uint8)
        raise ArithmeticError

    with pytest.raises(ArithmeticError):
        write(tmp_path / "film.mp4", failing(), Fraction(25))
    with pytest.raises(ArithmeticError), Film(tmp_path / "none.mov", Fraction(25), iter(()), 16_000, {}):
        raise ArithmeticError


@pytest.mark.parametrize(
    ("suffix", "sample_rate", "wanted"),
    [
        ("mp4", 44_100, 44_100),
        ("mp4", 96_000, 96_000),
        ("mp4", 192_000, 96_000),
        ("mp4", 37_000, 44_100),
        ("mov", 192_000, 192_000),
        ("webm", 44_100, 48_000),
    ],
)
@pytest.mark.parametrize("channels", [1, 2])
def test_a_film_carries_the_sound_as_it_was_given(tmp_path, suffix, sample_rate, wanted, channels):
    seconds = np.arange(2 * sample_rate) / sample_rate
    tones = np.stack([0.3 * np.sin(2 * np.pi * hertz * seconds) for hertz in (9_000, 500)[:channels]], axis=1)
    path = tmp_path / f"film.{suffix}"
    with Film(path, Fraction(25), iter(np.array_split(tones.astype(np.float32), 7)), sample_rate, TAGS) as film:
        for _ in range(50):
            film.add(np.zeros((16, 16, 3), np.uint8))
    with av.open(str(path)) as film:
        stream = film.streams.audio[0]
        assert (stream.rate, stream.channels) == (wanted, channels)
        planar = AudioResampler(format="fltp", layout="mono" if channels == 1 else "stereo")
        parts = [part.to_ndarray() for frame in film.decode(audio=0) for part in planar.resample(frame)]
    heard = np.concatenate(parts, axis=1)
    assert heard.shape[1] / wanted == pytest.approx(2.0, abs=0.06)
    for samples, hertz in zip(heard, (9_000, 500), strict=False):
        spectrum = np.abs(np.fft.rfft(samples[: 2 * wanted - 4_000].astype(np.float64)))
        assert spectrum.argmax() * wanted / (2 * wanted - 4_000) == pytest.approx(hertz, abs=2)
