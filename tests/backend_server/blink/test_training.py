from dataclasses import replace

import numpy as np
import pytest
import torch

from backend_server.blink import training
from backend_server.blink.generator import load_blink_generator
from backend_server.blink.targets import collect_targets
from backend_server.blink.training import BlinkTrainer, train_blink
from backend_server.config import BlinkConfig
from shared.errors import Cancelled, CorpusError, WeightsError


@pytest.fixture
def corpus(tmp_path, make_clip, neutral):
    """A prepared corpus of three clips, without sound and pictures."""
    folder, rows = tmp_path / "corpus", ["speaker\tclip\tsplit\tseconds\tframes\ttext"]
    folder.mkdir()
    np.savez(folder / "canonical.npz", neutral_canonical=neutral)
    for name, starts in (("0", (20, 50)), ("1", (30,)), ("2", ())):
        (folder / "a" / name).mkdir(parents=True)
        canonical = make_clip(*starts, seed=int(name)).astype(np.float32)
        arrays = {"landmarks": canonical, "canonical": canonical, "neutral": neutral, "crop": np.eye(2, 3)}
        np.savez(folder / "a" / name / "landmarks.npz", frame_times=np.arange(75) / 25, **arrays)
        rows.append(f"a\t{name}\ttrain\t3.0\t75\tbin blue")
    (folder / "index.tsv").write_text("\n".join(rows) + "\n")
    return folder


def test_training_lowers_the_loss_and_repeats_itself(make_clip, neutral):
    targets = collect_targets([make_clip(20, 50), make_clip(30)], neutral, 25.0)
    config = BlinkConfig(hidden_size=16, batch_size=32, learning_rate=2e-2)
    first, second = (BlinkTrainer(targets, torch.from_numpy(neutral), config, seed=1) for _ in range(2))
    losses = [first.step() for _ in range(25)]
    assert np.mean(losses[-5:]) < 0.8 * np.mean(losses[:5])
    assert [second.step() for _ in range(3)] == losses[:3]


def test_weights_are_written_and_the_same_for_a_seed(corpus, tmp_path):
    config = BlinkConfig(hidden_size=8, batch_size=8, steps=2)
    paths = [tmp_path / "first.safetensors", tmp_path / "second.safetensors"]
    for path in paths:
        result = train_blink(corpus=corpus, out=path, config=config, seed=5)
    assert result.corpus.count == 3
    first, second = (load_blink_generator(path).state_dict() for path in paths)
    assert all(torch.equal(tensor, second[name]) for name, tensor in first.items())


def test_a_cancelled_training_leaves_no_weights(corpus, tmp_path):
    def stop(stage, step, steps):
        raise Cancelled

    with pytest.raises(Cancelled):
        train_blink(corpus=corpus, out=tmp_path / "blink.safetensors", config=BlinkConfig(steps=2), progress=stop)
    assert not (tmp_path / "blink.safetensors").exists()


def test_a_training_that_was_stopped_goes_on_as_an_unbroken_one(corpus, tmp_path, monkeypatch):
    def stop(stage, step, steps):
        if step == 3:
            raise Cancelled

    monkeypatch.setattr(training, "_SAVE_EVERY", 2)
    config = BlinkConfig(hidden_size=8, batch_size=8, steps=4)
    out, unbroken = tmp_path / "blink.safetensors", tmp_path / "unbroken.safetensors"
    with pytest.raises(Cancelled):
        train_blink(corpus=corpus, out=out, config=config, progress=stop)
    with pytest.raises(WeightsError, match=r"blink\.training belongs to another run \(hidden_size: 8, now 16\)"):
        train_blink(corpus=corpus, out=out, config=replace(config, hidden_size=16), resume=True)
    train_blink(corpus=corpus, out=out, config=config, resume=True)
    train_blink(corpus=corpus, out=unbroken, config=config)
    first, second = (load_blink_generator(path).state_dict() for path in (out, unbroken))
    assert all(torch.equal(tensor, second[name]) for name, tensor in first.items())
    assert not list(tmp_path.glob("*.training"))


def test_a_corpus_without_training_clips_is_refused(corpus, tmp_path):
    index = corpus / "index.tsv"
    index.write_text(index.read_text().replace("train", "val"))
    with pytest.raises(CorpusError, match="no training clips"):
        train_blink(corpus=corpus, out=tmp_path / "blink.safetensors")
