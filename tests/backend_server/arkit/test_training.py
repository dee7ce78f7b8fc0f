from dataclasses import replace

import numpy as np
import pytest
import torch

from backend_server.arkit import training
from backend_server.arkit.network import load_arkit_network
from backend_server.arkit.training import ArkitTrainer, draw_chances, evaluate_arkit, train_arkit
from backend_server.config import ArkitConfig
from backend_server.data.arkit_examples import arkit_examples
from backend_server.data.corpus import Corpus
from shared.arkit import SHAPES
from shared.errors import Cancelled, CorpusError, WeightsError

SMALL = ArkitConfig(hidden_size=8, batch_size=32, steps=4)


@pytest.fixture
def clips(corpus):
    return Corpus(corpus).clips("train")


@pytest.fixture
def examples(corpus, clips):
    return arkit_examples(clips, Corpus(corpus).neutral_canonical)


def test_people_are_drawn_alike_and_those_with_few_clips_less(clips):
    assert [clip.speaker for clip in clips] == ["a"] * 4 + ["b"] * 2
    assert draw_chances(clips, 2) == pytest.approx([1 / 8] * 4 + [1 / 4] * 2)
    assert draw_chances(clips, 3) == pytest.approx([3 / 20] * 4 + [1 / 5] * 2)
    assert draw_chances(clips, 100) == pytest.approx([1 / 6] * 6)


def test_training_lowers_the_loss_and_repeats_itself(examples):
    first, second = (ArkitTrainer(examples, replace(SMALL, batch_size=128), seed=1) for _ in range(2))
    losses = [first.step() for _ in range(60)]
    assert np.mean(losses[-5:]) < 0.5 * np.mean(losses[:5])
    assert [second.step() for _ in range(3)] == losses[:3]


def test_a_stranger_opens_the_jaw_as_far_as_the_score_above_the_own_rest_says(corpus, tmp_path):
    out = tmp_path / "arkit.safetensors"
    result = train_arkit(corpus=corpus, out=out, config=ArkitConfig(steps=300))
    assert result.known is not None
    assert result.unknown is not None
    assert result.known.jaw_open > 0.95
    assert result.unknown.jaw_open > 0.95
    assert np.isnan(result.unknown.mouth_funnel)  # it never moves
    data = Corpus(corpus)
    (stranger,) = arkit_examples(data.clips("val", "c"), data.neutral_canonical)
    assert stranger.weights[:, SHAPES.index("jawOpen")].max() > 0.5
    made = load_arkit_network(out).weights(torch.from_numpy(stranger.displacements)).numpy()
    for name in ("jawOpen", "eyeBlinkLeft"):
        shape = SHAPES.index(name)
        assert np.abs(made[:, shape] - stranger.weights[:, shape]).mean() < 0.1
    assert made[:, SHAPES.index("cheekPuff")].max() < 0.05


def test_rest_is_that_of_the_median_person(examples):
    network = ArkitTrainer(examples, SMALL, seed=0).network
    shape = SHAPES.index("jawOpen")
    assert float(network.usual_rest[shape]) == pytest.approx(-2, abs=0.1)  # the lower of two
    assert evaluate_arkit(network, []) is None


def test_weights_are_written_and_the_same_for_a_seed(corpus, tmp_path):
    paths = [tmp_path / "first.safetensors", tmp_path / "second.safetensors"]
    for path in paths:
        train_arkit(corpus=corpus, out=path, config=SMALL, seed=5)
    first, second = (load_arkit_network(path).state_dict() for path in paths)
    assert all(torch.equal(tensor, second[name]) for name, tensor in first.items())


def test_a_training_that_was_stopped_goes_on_as_an_unbroken_one(corpus, tmp_path, monkeypatch):
    def stop(stage, step, steps):
        if step == 3:
            raise Cancelled

    monkeypatch.setattr(training, "_SAVE_EVERY", 2)
    out, unbroken = tmp_path / "arkit.safetensors", tmp_path / "unbroken.safetensors"
    with pytest.raises(Cancelled):
        train_arkit(corpus=corpus, out=out, config=SMALL, progress=stop)
    assert not out.exists()
    with pytest.raises(WeightsError, match=r"arkit\.training belongs to another run \(hidden_size: 8, now 16\)"):
        train_arkit(corpus=corpus, out=out, config=replace(SMALL, hidden_size=16), resume=True)
    train_arkit(corpus=corpus, out=out, config=SMALL, resume=True)
    train_arkit(corpus=corpus, out=unbroken, config=SMALL)
    first, second = (load_arkit_network(path).state_dict() for path in (out, unbroken))
    assert all(torch.equal(tensor, second[name]) for name, tensor in first.items())
    assert not list(tmp_path.glob("*.training"))


def test_a_corpus_without_training_clips_or_without_scores_is_refused(corpus, tmp_path):
    (corpus / "a" / "0" / "arkit.npz").unlink()
    with pytest.raises(CorpusError, match="prepare the corpus again"):
        train_arkit(corpus=corpus, out=tmp_path / "arkit.safetensors")
    index = corpus / "index.tsv"
    index.write_text(index.read_text().replace("train", "val"))
    with pytest.raises(CorpusError, match="no training clips"):
        train_arkit(corpus=corpus, out=tmp_path / "arkit.safetensors")
