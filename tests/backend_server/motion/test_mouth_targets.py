"""What the acoustic model learns about mouths: measured ones by person, modelled ones by phones."""

import numpy as np
import pytest

from backend_server.articulation.phones import SILENCE
from backend_server.data.corpus import Corpus
from backend_server.data.mouth_targets import MouthTargets, mouth_spans
from backend_server.speech.dataset import Utterance, read_index


def test_spans_by_hand():
    neutral = np.random.default_rng(0).normal(size=(68, 2))
    moved = np.repeat(neutral[None], 2, axis=0)
    moved[1, 66, 1] += 0.2  # the lower lip falls
    moved[1, 48, 0] -= 0.1  # one corner goes out
    assert mouth_spans(moved, neutral)[0] == pytest.approx(np.zeros(6), abs=1e-6)
    assert mouth_spans(moved, neutral)[1] == pytest.approx([0.2, 0, 0.1, 0, 0, 0], abs=1e-6)


def test_measured_mouths_are_divided_by_how_far_the_person_moves(corpus):
    targets = MouthTargets([corpus])
    utterances = [u for u in read_index(corpus) if u.split == "train"]
    mouths = [targets(utterance, 1.2) for utterance in utterances]
    assert all(mouth.shape == (61, 6) for mouth in mouths)
    assert np.concatenate(mouths)[:, 0].std() == pytest.approx(1.0, abs=0.15)
    clip = Corpus(corpus).clips("train")[0]
    opening = clip.landmarks().canonical[:, 66, 1]
    assert np.corrcoef(mouths[0][::2, 0][:29], opening[:29])[0, 1] > 0.7


def test_phones_open_and_close_a_modelled_mouth(corpus):
    phones = ((SILENCE, 0.0), ("AA", 0.4), ("M", 0.8), (SILENCE, 1.0))
    targets = MouthTargets([corpus])
    mouth = targets(Utterance(corpus / "x.wav", "x", "train", "", phones), 1.5)
    assert mouth[30, 0] > mouth[44, 0] + 0.5
    assert mouth[5, 0] < 0.3 * mouth[30, 0]
    assert targets(Utterance(corpus / "y.wav", "y", "train", "yes"), 1.5) is None
    assert MouthTargets([])(Utterance(corpus / "x.wav", "x", "train", "", phones), 1.5) is None


def test_the_last_row_speaks_of_the_end_of_the_utterance(corpus):
    targets = MouthTargets([corpus])
    utterance = next(u for u in read_index(corpus) if u.split == "train")
    long, short = (targets(utterance, end) for end in (0.40, 0.37))  # the pictures are 0.04 s apart
    assert short[-1] == pytest.approx((long[18] + long[19]) / 2, abs=1e-5)
