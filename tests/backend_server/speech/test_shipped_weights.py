"""The acoustic model that users receive: it hears words, at their time, at any loudness, and a little noise."""

import numpy as np
import pytest
import soxr

from backend_server.checkpoints import WEIGHTS_DIR
from backend_server.config import CHARACTERS
from backend_server.data.synthetic_speech import SAMPLE_TEXT
from backend_server.speech.acoustic_model import CtcAcousticModel, load_acoustic_model
from backend_server.speech.audio import read_audio, to_waveform
from backend_server.speech.decoding import BLANK, character_error_rate, decode_greedy, normalise_text
from backend_server.speech.encoder import STEP

WEIGHTS = WEIGHTS_DIR / "speech.safetensors"
SAMPLE = WEIGHTS_DIR.parent / "samples" / "speech.wav"


@pytest.fixture(scope="module")
def model() -> CtcAcousticModel:
    return load_acoustic_model(WEIGHTS)


@pytest.fixture(scope="module")
def sample() -> np.ndarray:
    clip = read_audio(SAMPLE)
    return to_waveform(clip.samples, clip.sample_rate)


def test_the_file_is_small_and_whole(model: CtcAcousticModel):
    assert WEIGHTS.stat().st_size < 8 * 2**20
    assert (model.channels, model.features_per_second) == (288, 125 / 3)
    assert all(bool(tensor.isfinite().all()) for tensor in model.state_dict().values())


def test_the_sample_is_heard(model: CtcAcousticModel, sample: np.ndarray):
    assert character_error_rate([normalise_text(SAMPLE_TEXT)], [decode_greedy(model.scores(sample))]) < 0.5


def test_silence_before_speech_moves_the_scores_and_nothing_else(model: CtcAcousticModel, sample: np.ndarray):
    plain = model.scores(sample)
    later = model.scores(np.concatenate([np.zeros(STEP * 80, np.float32), sample]))[80:]
    assert np.corrcoef(later.ravel(), plain.ravel())[0, 1] > 0.99  # attention hears the silence, too
    before = model.scores(np.concatenate([np.zeros(STEP * 80, np.float32), sample]))[:70]
    assert np.isin(before.argmax(1), (BLANK, CHARACTERS.index(" "))).mean() > 0.95  # nothing, or a pause


def test_a_phone_line_and_a_whisper_level_are_still_heard(model: CtcAcousticModel, sample: np.ndarray):
    narrow = soxr.resample(soxr.resample(0.01 * sample, 16000, 8000), 8000, 16000).astype(np.float32)
    assert character_error_rate([normalise_text(SAMPLE_TEXT)], [decode_greedy(model.scores(narrow))]) < 0.65
