"""Sound files that are not what they say: each is heard as long as it is, or refused in one sentence."""

import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path

import av
import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from backend_server.commands.animate import SAMPLE_SPEECH
from backend_server.speech.recording import ArraySound, FileSound, listen
from shared.errors import SoundError

RATE = 16_000
SECONDS = 2.5

Samples = NDArray[np.float32]


@pytest.fixture(scope="module")
def voice() -> Samples:
    return soundfile.read(SAMPLE_SPEECH, dtype="float32")[0][: round(SECONDS * RATE)]


def encoded(
    samples: Samples, codec: str, kind: str, *, rate: int = RATE, layout: str = "mono", **options: str
) -> bytes:
    """A file of samples (S,) or (S, channels)."""
    file = BytesIO()
    samples = np.atleast_2d(samples.T)
    with av.open(file, "w", format=kind, container_options=options) as container:
        stream = container.add_stream(codec, rate=rate, layout=layout)
        for first in range(0, samples.shape[1], 960):
            part = np.ascontiguousarray(samples[:, first : first + 960], np.float32)
            frame = av.AudioFrame.from_ndarray(part, format="fltp", layout=layout)
            frame.sample_rate = rate
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return file.getvalue()


def mp3(samples: Samples, **settings) -> bytes:
    return encoded(samples, "libmp3lame", "mp3", **settings)


def opus(samples: Samples, **settings) -> bytes:
    return encoded(samples, "libopus", "ogg", **settings)


def with_sndfile(samples: Samples, kind: str, subtype: str, rate: int = RATE) -> bytes:
    file = BytesIO()
    soundfile.write(file, samples, rate, format=kind, subtype=subtype)
    return file.getvalue()


def vorbis(samples: Samples, rate: int = RATE) -> bytes:
    return with_sndfile(samples, "OGG", "VORBIS", rate)


def wav(samples: Samples, data_size: int | None = None, subtype: str = "PCM_16") -> bytes:
    """A WAV file that says its sound has `data_size` bytes."""
    file = bytearray(with_sndfile(samples, "WAV", subtype))
    place = file.index(b"data") + 4
    if data_size is not None:
        file[place : place + 4] = struct.pack("<I", data_size)
        file[4:8] = struct.pack("<I", data_size)
    return bytes(file)


def half(file: bytes) -> bytes:
    return file[: len(file) // 2]


def damaged(file: bytes) -> bytes:
    """A file whose middle fifth is overwritten."""
    first, last = 2 * len(file) // 5, 3 * len(file) // 5
    return file[:first] + bytes(last - first) + file[last:]


def flac_that_says(file: bytes, sample_count: int) -> bytes:
    """A FLAC file with another count in its header (36 bits from the 22nd byte on)."""
    header = bytearray(file)
    header[21] = (header[21] & 0xF0) | (sample_count >> 32)
    header[22:26] = struct.pack(">I", sample_count & 0xFFFFFFFF)
    return bytes(header)


def au(samples: Samples) -> bytes:
    file = bytearray(with_sndfile(samples, "AU", "PCM_16"))
    file[8:12] = b"\xff" * 4  # unknown length
    return bytes(file)


def tracks(*sounds: Samples, default: int | None = None) -> bytes:
    """A Matroska file with one track a sound."""
    file = BytesIO()
    with av.open(file, "w", format="matroska") as container:
        streams = [container.add_stream("pcm_s16le", rate=RATE, layout="mono") for _ in sounds]
        for number, stream in enumerate(streams):
            stream.disposition = av.stream.Disposition(int(number == default))
            stream.metadata["title"] = f"take {number + 1}"
        for samples, stream in zip(sounds, streams, strict=True):
            whole = np.rint(samples * 32767).astype(np.int16)
            frame = av.AudioFrame.from_ndarray(whole[None], format="s16", layout="mono")
            frame.sample_rate = RATE
            frame.pts = 0
            container.mux(stream.encode(frame))
    return file.getvalue()


def in_the_centre(voice: Samples) -> Samples:
    """A voice in the third of six channels."""
    channels = np.zeros((len(voice), 6), np.float32)
    channels[:, 2] = voice
    return channels


@dataclass(frozen=True)
class Case:
    name: str
    make: Callable[[Samples], bytes]
    seconds: float = SECONDS
    codes: set[str] = field(default_factory=set)
    heard: Callable[[Samples], Samples] | None = lambda voice: voice
    suffix: str = ""
    within: float = 0.1  # seconds


def twice(voice: Samples) -> Samples:
    return np.tile(voice, 2)


CASES = [
    Case("plain.wav", wav),
    Case("mp3 without a Xing header", lambda v: mp3(v, write_xing="0")),
    Case("half an mp3", lambda v: half(mp3(v)), SECONDS / 2, heard=lambda v: v[: len(v) // 2]),
    Case("joined mp3", lambda v: 2 * mp3(v), 2 * SECONDS, heard=None, within=0.2),
    Case("joined mp3, no Xing", lambda v: 2 * mp3(v, write_xing="0"), 2 * SECONDS, heard=None, within=0.2),
    Case("joined mp3 of two rates", lambda v: mp3(v) + mp3(v, rate=32_000), 1.5 * SECONDS, heard=None, within=0.15),
    Case("mp3 and text behind it", lambda v: mp3(v) + b"no sound, only words. " * 500),
    Case("mp3 and nothing behind it", lambda v: mp3(v) + bytes(20_000)),
    Case("mp3 damaged in the middle", lambda v: damaged(mp3(v)), codes={"damaged_sound"}, heard=None, within=0.2),
    Case("half an aac", lambda v: half(encoded(v, "aac", "adts")), SECONDS / 2, heard=None, within=0.3),
    Case("chained vorbis", lambda v: 2 * vorbis(v), 2 * SECONDS, heard=twice),
    Case("chained vorbis of two rates", lambda v: vorbis(v) + vorbis(v, 32_000), 1.5 * SECONDS, heard=None),
    Case("chained opus", lambda v: 2 * opus(v), 2 * SECONDS, heard=twice),
    Case("chained opus and vorbis", lambda v: opus(v) + vorbis(v), 2 * SECONDS, heard=twice),
    Case("half an opus", lambda v: half(opus(v)), SECONDS / 2, heard=None, within=1.0),
    Case("opus damaged in the middle", lambda v: damaged(opus(np.tile(v, 8))), 8 * SECONDS, {"damaged_sound"}, None),
    Case("wav of size 0", lambda v: wav(v, 0)),
    Case("wav of size FFFFFFFF", lambda v: wav(v, 0xFFFFFFFF)),
    Case("wav that says twice its size", lambda v: wav(v, 4 * len(v))),
    Case("half a wav", lambda v: half(wav(v)), SECONDS / 2, heard=lambda v: v[: len(v) // 2]),
    Case("wav and noise behind it", lambda v: wav(v) + np.random.default_rng(0).bytes(30_000)),
    Case("wav of 65,636 samples", lambda v: wav(np.resize(v, 65_636)), 65_636 / RATE, within=1e-3, heard=None),
    Case("8 bits", lambda v: wav(v, subtype="PCM_U8")),
    Case("24 bits", lambda v: wav(v, subtype="PCM_24")),
    Case("double floats", lambda v: wav(v, subtype="DOUBLE")),
    Case("au of unknown length", au),
    Case("aiff", lambda v: with_sndfile(v, "AIFF", "PCM_16")),
    Case("flac without a length", lambda v: flac_that_says(with_sndfile(v, "FLAC", "PCM_16"), 0)),
    Case("flac that says ten hours", lambda v: flac_that_says(with_sndfile(v, "FLAC", "PCM_16"), 36_000 * RATE)),
    Case("half a flac", lambda v: half(with_sndfile(v, "FLAC", "PCM_16")), SECONDS / 2, heard=None, within=0.5),
    Case("a kind that only libsndfile knows", lambda v: with_sndfile(v, "MAT5", "PCM_16"), suffix=".mat"),
    Case("floats at +14 dB", lambda v: wav(5 * v / np.abs(v).max(), subtype="FLOAT"), codes={"scaled_sound"}),
    Case("floats at +0.5 dB", lambda v: wav(1.06 * v / np.abs(v).max(), subtype="FLOAT")),
    Case("antiphase", lambda v: wav(np.stack([v, -v], axis=1)), codes={"one_channel"}),
    Case("antiphase and hiss", lambda v: wav(np.stack([v, 0.001 - 0.95 * v], axis=1)), codes={"one_channel"}),
    Case("one channel of two", lambda v: wav(np.stack([0 * v, v], axis=1))),
    Case("one channel of six", lambda v: encoded(in_the_centre(v), "pcm_f32le", "wav", layout="5.1")),
    Case("silent, default", lambda v: tracks(0 * v, v, default=1), codes={"other_track"}),
    Case("other words, default", lambda v: tracks(v[::-1], v, default=1), codes={"other_track"}),
    Case("silent, none is default", lambda v: tracks(0 * v, 0 * v, v), codes={"other_track"}),
    Case("default is silent", lambda v: tracks(v, 0 * v, default=1)),
    Case("default is first", lambda v: tracks(v, v[::-1], default=0)),
]


def likeness(one: Samples, other: Samples) -> float:
    """The greatest correlation of two waveforms over shifts of up to 0.1 s."""
    count = min(len(one), len(other))
    size = 2 * count
    products = np.fft.irfft(np.fft.rfft(one[:count], size) * np.conj(np.fft.rfft(other[:count], size)))
    near = np.concatenate([products[:1600], products[-1600:]])
    return float(near.max() / np.linalg.norm(one[:count]) / np.linalg.norm(other[:count]))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_sound_is_heard_as_it_is_and_what_is_odd_is_noted(tmp_path: Path, voice: Samples, case: Case):
    path = tmp_path / ("sound" + case.suffix)  # a name that says nothing
    path.write_bytes(case.make(voice))
    recording = listen(FileSound(path))
    assert recording.seconds == pytest.approx(case.seconds, abs=case.within)
    assert {note.code for note in recording.notes} == case.codes
    assert {note.about for note in recording.notes} <= {path.name}
    waveform = np.concatenate(list(recording.sound.blocks()))
    assert len(waveform) == recording.sample_count
    if case.heard is not None:
        assert likeness(waveform, case.heard(voice)) > 0.98
        assert np.abs(waveform).max() > 0.9 * min(np.abs(voice).max(), 1.0)


def test_damage_is_told_in_seconds_and_keeps_its_place(tmp_path: Path, voice: Samples):
    path = tmp_path / "talk.opus"
    path.write_bytes(damaged(opus(np.tile(voice, 8))))
    recording = listen(FileSound(path))
    (note,) = recording.notes
    assert note.sentence.startswith(
        f"{recording.sound.survey().lost_seconds:.1f} s of its 20.0 s are missing or damaged"
    )
    waveform = np.concatenate(list(recording.sound.blocks()))
    assert likeness(waveform[-RATE:], np.tile(voice, 8)[-RATE:]) > 0.9


def test_the_track_that_is_heard_is_named(tmp_path: Path, voice: Samples):
    path = tmp_path / "talk.mkv"
    path.write_bytes(tracks(0 * voice, voice))
    sound = FileSound(path)
    (note,) = listen(sound).notes
    assert str(note) == 'talk.mkv: sound track 2 of 2 ("take 2") is heard: it is the first that is not silent'
    assert sound.survey().document() == {
        **{"track": 2, "of": 2, "title": "take 2", "language": "", "seconds": SECONDS},
        **{"sample_rate": RATE, "channels": 1, "heard_channels": [1]},
    }


@pytest.mark.parametrize(
    ("name", "make", "reason"),
    [
        ("mute.mkv", lambda v: tracks(0 * v, 0 * v), "the sound is silent"),
        ("list.m3u8", lambda _: b"#EXTM3U\n#EXTINF:1,\nhttp://localhost:1/a.mp3\n", "is not a sound file"),
        ("nan.wav", lambda v: wav(np.append(v, np.nan), subtype="FLOAT"), "1 samples of the sound are not numbers"),
        ("none.mp3", lambda v: mp3(v)[:100], "sound"),
    ],
)
def test_a_file_without_a_voice_is_refused_in_one_sentence(tmp_path: Path, voice: Samples, name, make, reason):
    (tmp_path / name).write_bytes(make(voice))
    with pytest.raises(SoundError, match=reason) as caught:
        listen(FileSound(tmp_path / name))
    assert "\n" not in caught.value.sentence


@pytest.mark.parametrize("as_file", [True, False])
def test_loud_floats_are_heard_as_the_quiet_ones(tmp_path: Path, voice: Samples, as_file: bool):
    def heard(samples: Samples, name: str) -> Samples:
        (tmp_path / name).write_bytes(wav(samples, subtype="FLOAT"))
        sound = FileSound(tmp_path / name) if as_file else ArraySound(samples, RATE)
        recording = listen(sound)
        codes.append([note.code for note in recording.notes])
        return np.concatenate(list(recording.sound.blocks()))

    codes: list[list[str]] = []
    normal = voice / np.abs(voice).max()
    np.testing.assert_allclose(heard(30 * normal, "loud.wav"), heard(normal, "quiet.wav"), atol=1e-3)
    clicked = normal.copy()
    clicked[20_000] = 1e9
    assert likeness(np.delete(heard(clicked, "click.wav"), 20_000), np.delete(normal, 20_000)) > 0.99
    assert codes == [["scaled_sound"], [], ["scaled_sound"]]


def test_an_array_of_opposite_channels_is_heard(voice: Samples):
    recording = listen(ArraySound(np.stack([0.95 * voice, -voice], axis=1), RATE))
    (note,) = recording.notes
    assert note.sentence.startswith("channel 2 of 2 alone is heard")
    np.testing.assert_allclose(np.concatenate(list(recording.sound.blocks())), -voice, atol=1e-6)


@pytest.mark.parametrize(
    ("make", "channels"),
    [
        (lambda v: with_sndfile(v, "WAV", "PCM_16", 44_100), 1),
        (lambda v: with_sndfile(np.stack([v, -v], axis=1), "FLAC", "PCM_16", 44_100), 2),
        (lambda v: encoded(in_the_centre(v), "aac", "matroska", rate=44_100, layout="5.1"), 2),
        (lambda v: with_sndfile(np.repeat(v[:, None], 9, 1), "WAV", "PCM_16", 44_100), 1),  # nobody knows from where
    ],
)
def test_a_film_gets_the_rate_and_up_to_two_channels(tmp_path: Path, voice: Samples, make, channels: int):
    path = tmp_path / "talk"
    path.write_bytes(make(voice))
    sound = FileSound(path)
    blocks = list(sound.as_given())
    assert {block.shape[1] for block in blocks} == {channels}
    assert sum(len(block) for block in blocks) == pytest.approx(len(voice), abs=2_100)  # AAC fills its last frame up
    assert sound.survey().sample_rate == 44_100
    assert np.concatenate(blocks).std(axis=0) == pytest.approx(voice.std(), rel=0.35)  # none is the mean of opposites
