"""What small MP3 files and noise gates take away changes neither the level nor the motion."""

from io import BytesIO

import av
import numpy as np
import pytest
import soundfile
import soxr
import torch
from scipy.signal import lfilter

from backend_server.cascade import Cascade
from backend_server.commands.animate import SAMPLE_SPEECH
from backend_server.config import SpeechConfig
from backend_server.metrics.landmarks import mouth_opening
from backend_server.speech.features import log_mel, normalise, speech_level
from backend_server.speech.holes import MASK, SpeechLevelMeter, speech_level_of

CONFIG = SpeechConfig()
RATE = 16_000


@pytest.fixture(scope="module")
def spoken():
    """Speech in a room with some noise."""
    speech = soundfile.read(SAMPLE_SPEECH, dtype="float32")[0]
    noise = np.asarray(lfilter([1], [1, -0.7], np.random.default_rng(0).standard_normal(len(speech))))
    return (speech + noise * np.sqrt(np.mean(speech**2) / np.mean(noise**2) / 300)).astype(np.float32)


def gated(samples):
    """Zeros wherever the envelope of 5 ms is 30 dB below its peak."""
    share = np.exp(-1 / (RATE * 0.005))
    envelope = np.sqrt(lfilter([1 - share], [1, -share], samples.astype(np.float64) ** 2))
    return np.where(envelope > envelope.max() * 10 ** (-30 / 20), samples, 0).astype(np.float32)


def small_mp3(samples, rate):
    """As heard from 32 kbit/s, at the moments of the original."""
    file = BytesIO()
    with av.open(file, "w", format="mp3") as container:
        stream = container.add_stream("libmp3lame", rate=rate, layout="mono")
        stream.bit_rate = 32_000
        frame = av.AudioFrame.from_ndarray(soxr.resample(samples, RATE, rate)[None], format="fltp", layout="mono")
        frame.sample_rate = rate
        container.mux(stream.encode(frame))
        container.mux(stream.encode())
    file.seek(0)
    with av.open(file) as container:
        heard = np.concatenate([frame.to_ndarray()[0] for frame in container.decode(audio=0)])
    return np.resize(soxr.resample(heard, rate, RATE), len(samples)).astype(np.float32)


def mel_of(samples):
    return log_mel(torch.from_numpy(samples), CONFIG)


@pytest.fixture(scope="module")
def opening():
    cascade = Cascade.load("cpu")

    def measured(samples):
        times = np.arange(int(len(samples) / RATE * 25)) / 25
        return mouth_opening(cascade.animate(samples, RATE, times, blink=False).landmarks)

    return measured


@pytest.mark.parametrize(
    ("change", "least"),
    [(gated, 0.975), (lambda x: small_mp3(x, 44_100), 0.95), (lambda x: small_mp3(x, 48_000), 0.95)],
    ids=["gate", "mp3 at 44.1 kHz", "mp3 at 48 kHz"],
)
def test_a_voice_with_holes_keeps_its_motion(spoken, opening, change, least):
    assert np.corrcoef(opening(spoken), opening(change(spoken)))[0, 1] > least


def test_speech_without_holes_is_heard_as_ever(spoken):
    mel = mel_of(spoken)
    level = speech_level_of(mel)
    assert level.masking == 0
    torch.testing.assert_close(level.bands, speech_level(mel), atol=1e-4, rtol=0)
    torch.testing.assert_close(level.normalise(mel), normalise(mel, speech_level(mel)), atol=1e-4, rtol=0)


def test_holes_neither_lower_the_level_nor_count_as_silence(spoken):
    clean, mel = speech_level_of(mel_of(spoken)), mel_of(small_mp3(spoken, 44_100))
    holed = speech_level_of(mel)
    assert holed.masking > 0.9
    assert (speech_level(mel) - clean.bands).min() < -6
    assert (holed.bands - clean.bands).abs().max() < 4
    assert holed.normalise(mel).min() > MASK / 3 - 0.1
    assert speech_level_of(mel_of(gated(spoken))).masking == 1


def test_a_meter_hears_the_same_in_blocks(spoken):
    mel = mel_of(gated(spoken))
    meter = SpeechLevelMeter()
    for block in mel.split([1, 1, 300, 2, len(mel) - 304]):
        meter.add(block)
    whole = speech_level_of(mel)
    assert meter.level.masking == pytest.approx(whole.masking)
    torch.testing.assert_close(meter.level.bands, whole.bands, atol=1e-4, rtol=0)


def test_masking_covers_cells_below_the_floor_and_fills_those_within_speech():
    level = speech_level_of(torch.zeros(10, 4))
    level = type(level)(level.bands, masking=1.0)
    silent, partly = torch.full((1, 4), -20.0), torch.tensor([[0.0, 0.0, 0.0, -20.0]])
    torch.testing.assert_close(level.normalise(silent), torch.full((1, 4), -6.47 / 3), atol=0.01, rtol=0)
    torch.testing.assert_close(level.normalise(partly), torch.tensor([[0.0, 0.0, 0.0, -2.5 / 3]]), atol=0.01, rtol=0)
