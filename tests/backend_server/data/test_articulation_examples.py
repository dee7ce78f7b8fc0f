"""Speech without pictures becomes examples that motion training can take."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

import backend_server.data.articulation_examples as articulation_examples_module
from backend_server.articulation.phones import PHONES
from backend_server.articulation.visemes import load_visemes
from backend_server.config import MotionConfig
from backend_server.data.articulation_examples import (
    SPEAKER,
    articulation_examples,
    modelled_examples,
    recorded_examples,
)
from backend_server.data.motion_examples import make_views
from backend_server.metrics.landmarks import CLOSED_OPENING, mouth_opening
from backend_server.speech.audio import write_wav
from backend_server.speech.dataset import Utterance

pytest.importorskip("espeakng_loader")

REST_SECONDS = 0.25  # before and after the sound, from which on the mouth is at rest


class Loudness:
    """An acoustic model of one channel, 50 features a second."""

    channels = 1
    features_per_second = 50.0

    def features(self, waveform):
        return np.abs(waveform[: len(waveform) // 320 * 320]).reshape(-1, 320).mean(1, keepdims=True)


def examples(seed):
    neutral = load_visemes().neutral
    texts = ["THE BOY WAS THERE WHEN THE SUN ROSE", "MOVE THE VAT OVER THE HOT FIRE"]
    return articulation_examples(texts, Loudness(), neutral, 4, np.random.default_rng(seed), variations=1)


def test_mouths_move_while_there_is_sound_and_rest_before_and_after():
    for one in examples(0):
        frames = len(one.frame_times)
        assert (one.speaker, one.split, len(one.views)) == (SPEAKER, "train", 2)
        assert one.canonical.shape == (frames, 68, 2)
        assert one.canonical.dtype == np.float32
        assert frames >= 75
        opening = mouth_opening(one.canonical)
        loud = np.interp(one.frame_times, np.arange(len(one.views[0].features)) / 50, one.views[0].features[:, 0])
        assert opening[loud > 0.01].mean() > 2 * opening[loud == 0].mean()
        sounding = one.frame_times[loud > 0]
        is_far = (one.frame_times < sounding[0] - REST_SECONDS) | (one.frame_times > sounding[-1] + REST_SECONDS)
        assert is_far.any()
        assert opening[is_far].max() < CLOSED_OPENING < opening.max()


def test_the_seed_decides_what_is_said():
    first, again, other = (examples(seed) for seed in (1, 1, 2))
    assert [one.name for one in first] == [one.name for one in again]
    np.testing.assert_array_equal(first[0].canonical, again[0].canonical)
    assert [one.name for one in first] != [one.name for one in other]


def test_the_last_few_who_spoke_babble_behind_the_next(monkeypatch):
    heard = []

    def watched(waveform, model, count, random, voices=()):
        heard.append((waveform, list(voices)))
        return make_views(waveform, model, count, random, voices)

    monkeypatch.setattr(articulation_examples_module, "KEPT_VOICES", 2)
    monkeypatch.setattr(articulation_examples_module, "make_views", watched)
    examples(0)
    assert [len(voices) for _, voices in heard] == [0, 1, 2, 2]
    for (spoken, _), (_, voices) in pairwise(heard):
        assert voices[-1].tobytes() in spoken.tobytes()


def test_recorded_sentences_are_aligned_and_those_that_do_not_fit_their_text_left_out(tmp_path, caplog):
    class Aligner:
        """Hears silence, then M, then AA, then silence in every recording; 0.2 s each but the last."""

        features_per_second = 50.0

        def phone_scores(self, waveform):
            scores = np.zeros((50, len(PHONES) + 1), np.float32)
            for first, last, name in ((0, 10, "SIL"), (10, 20, "M"), (20, 30, "AA"), (30, 50, "SIL")):
                scores[first:last, PHONES.index(name)] = 9.0
            return scores

    for name, seconds in (("fits", 1), ("other", 1), ("long", 9)):
        write_wav(tmp_path / f"{name}.wav", 0.1 * np.ones(seconds * 16000))
    (tmp_path / "text.wav").write_text("not a sound")
    said = {"ma": ("M", "AA"), "see": ("S", "IY")}  # what is too long is not even transcribed
    spoken = [
        Utterance(tmp_path / "text.wav", "x", "train", "ma"),
        Utterance(tmp_path / "long.wav", "x", "train", "as long as that"),
        Utterance(tmp_path / "fits.wav", "x", "train", "ma"),
        Utterance(tmp_path / "other.wav", "x", "train", "see"),
    ]
    neutral, random = load_visemes().neutral, np.random.default_rng(0)
    made = recorded_examples(spoken, Loudness(), Aligner(), said.__getitem__, neutral, 5, random)
    assert [one.name for one in made] == ["fits"]
    assert caplog.text.count("left out: ") == 1
    assert "text.wav" in caplog.text
    begin = int(np.argmax(made[0].views[0].features[:, 0] > 0.01)) / 50  # of the recording, behind the pause before it
    opening = mouth_opening(made[0].canonical)
    assert opening[np.abs(made[0].frame_times - begin - 0.3).argmin()] < CLOSED_OPENING
    assert opening[np.abs(made[0].frame_times - begin - 0.5).argmin()] > 2 * CLOSED_OPENING


def test_the_table_of_visemes_decides_how_the_mouth_moves():
    table = load_visemes()
    still = replace(table, targets=np.zeros_like(table.targets))
    random = np.random.default_rng(0)
    (one,) = articulation_examples(["MOVE THE VAT"], Loudness(), table.neutral, 1, random, table=still)
    np.testing.assert_allclose(one.canonical - table.neutral, 0, atol=1e-6)


def test_without_phone_scores_recorded_sentences_are_left_out_with_a_warning(tmp_path, monkeypatch, caplog):
    (tmp_path / "speech.onnx").touch()
    (tmp_path / "index.tsv").write_text("file\ttext\na.wav\tmove the vat\n")
    write_wav(tmp_path / "a.wav", 0.1 * np.ones(16000))
    monkeypatch.setattr(articulation_examples_module, "WEIGHTS_DIR", tmp_path)
    neutral, config = load_visemes().neutral, MotionConfig(synthetic_clips=1, recorded_clips=1, variations=0)
    made = modelled_examples([tmp_path], Loudness(), neutral, config, np.random.default_rng(0))
    assert len(made) == 1
    assert "recorded sentences are left out" in caplog.text
    assert "speech.onnx" in caplog.text
