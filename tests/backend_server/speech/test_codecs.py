"""Codecs change the sound and keep its length and time."""

import numpy as np
import pytest

from backend_server.commands.animate import SAMPLE_SPEECH
from backend_server.speech.audio import read_audio
from backend_server.speech.codecs import CODECS, through_codec


@pytest.fixture(scope="module")
def speech() -> np.ndarray:
    return read_audio(SAMPLE_SPEECH).samples


@pytest.mark.parametrize("name", CODECS)
def test_a_codec_changes_the_sound_and_not_its_timing(speech: np.ndarray, name: str):
    coded = through_codec(speech, name)
    assert coded.shape == speech.shape
    span, reach = slice(8000, 40000), 400
    likeness = [np.dot(speech[span], coded[8000 + lag : 40000 + lag]) for lag in range(-reach, reach, 4)]
    assert abs(4 * int(np.argmax(likeness)) - reach) <= 80  # 5 ms
    assert not np.allclose(coded, speech, atol=1e-3)


@pytest.mark.parametrize("name", CODECS)
@pytest.mark.parametrize("samples", [160, 1601, 8000])
def test_a_codec_keeps_any_length(speech: np.ndarray, name: str, samples: int):
    coded = through_codec(speech[8000 : 8000 + samples], name)
    assert (coded.shape, coded.dtype) == ((samples,), np.float32)
    assert np.isfinite(coded).all()


@pytest.mark.parametrize("name", ["telephone", "mobile"])
def test_a_telephone_has_no_tones_above_four_kilohertz(speech: np.ndarray, name: str):
    hertz = np.fft.rfftfreq(len(speech), 1 / 16_000)
    before, after = (np.abs(np.fft.rfft(sound)) ** 2 for sound in (speech, through_codec(speech, name)))
    is_high, is_middle = hertz > 4500, (hertz > 500) & (hertz < 3000)
    assert after[is_high].sum() < 0.02 * before[is_high].sum()
    assert after[is_middle].sum() > 0.5 * before[is_middle].sum()
