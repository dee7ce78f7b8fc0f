import dataclasses

import numpy as np
import pytest
import torch

from backend_server.config import MotionConfig
from backend_server.data.articulation_examples import SPEAKER
from backend_server.data.corpus import Corpus
from backend_server.data.motion_examples import motion_examples
from backend_server.data.training_examples import fitting
from backend_server.metrics.landmarks import landmark_distance
from backend_server.motion import training
from backend_server.motion.evaluation import UNITS, evaluate_motion
from backend_server.motion.generator import load_motion_generator
from backend_server.motion.training import MotionTrainer, draw_chances, train_motion
from backend_server.speech.acoustic_model import load_acoustic_model
from shared.errors import Cancelled, CorpusError

SMALL = MotionConfig(context=10, encoder_channels=(8, 8, 8), hidden_size=16, run_frames=20, epochs=2, variations=1)


OVER_TIME = dataclasses.replace(SMALL, context=0, width=16, dropout=0.0, inner_dropout=0.0)


@pytest.fixture(params=[SMALL, OVER_TIME], ids=["windows", "over time"])
def trainer(request, corpus, level_model):
    data = Corpus(corpus)
    config = dataclasses.replace(fitting(request.param, level_model), learning_rate=5e-3)
    examples = motion_examples(data.clips("train"), level_model, np.random.default_rng(0))
    held_out = motion_examples(data.clips("val"), level_model, np.random.default_rng(0))
    return MotionTrainer(examples, torch.from_numpy(data.neutral_canonical), config, seed=0), held_out


def test_training_learns_a_mouth_that_opens_with_the_sound(trainer):
    trainer, held_out = trainer
    losses = [trainer.step() for _ in range(120)]
    assert losses[-1].distance < 0.3 * losses[0].distance
    figures = evaluate_motion(trainer.generator.eval(), held_out)
    assert figures.opening_correlation > 0.9
    assert figures.opening_amplitude == pytest.approx(1, abs=0.35)
    neutral = trainer.generator.neutral_canonical.numpy()
    still = [landmark_distance(np.broadcast_to(neutral, e.canonical.shape), e.canonical) for e in held_out]
    assert figures.lips_lmd < 0.6 * UNITS * np.mean(still)


def test_draws_are_balanced_and_a_share_of_them_is_modelled():
    config = MotionConfig(speaker_balance=1.0, modelled_share=0.25)
    chances = draw_chances(["a", "a", "a", "b", SPEAKER, SPEAKER], config)
    assert chances == pytest.approx([1 / 8, 1 / 8, 1 / 8, 3 / 8, 1 / 8, 1 / 8])
    assert draw_chances(["a", "a", "a", "b"], config) == pytest.approx([1 / 6, 1 / 6, 1 / 6, 1 / 2])


def test_batches_are_runs_of_consecutive_frames(trainer):
    trainer, _ = trainer
    features, positions, target, is_modelled = trainer.draw_batch()
    generator = trainer.generator
    assert features.shape[::2] == (8, 3)
    assert positions.shape == (8, 20)
    assert not is_modelled.any()
    assert positions.min() >= 0
    assert positions.max() <= features.shape[1] - generator.before - generator.after - 1
    assert target.shape == (8, 20, 68, 2)
    clips = np.stack([example.canonical for example in trainer.examples])
    for run in target.numpy():
        assert any(np.array_equal(run, clip[first : first + 20]) for clip in clips for first in range(11))


def test_batches_say_which_runs_are_modelled(corpus, level_model):
    data = Corpus(corpus)
    recorded = motion_examples(data.clips("train"), level_model, np.random.default_rng(0))
    modelled = [
        dataclasses.replace(example, speaker=SPEAKER, canonical=example.canonical + np.float32(1))
        for example in recorded
    ]
    config = dataclasses.replace(fitting(OVER_TIME, level_model), modelled_share=0.5, batch_size=16)
    trainer = MotionTrainer(recorded + modelled, torch.from_numpy(data.neutral_canonical), config, seed=0)
    _, _, target, is_modelled = trainer.draw_batch()
    moved = target.mean(dim=(1, 2, 3)) - float(np.mean([example.canonical.mean() for example in recorded]))
    assert torch.equal(moved > 0.5, is_modelled)
    assert 0 < is_modelled.sum() < 16


def test_the_same_seed_gives_the_same_weights(corpus, speech_weights, tmp_path):
    paths = [tmp_path / name for name in ("first.safetensors", "second.safetensors")]
    for path in paths:
        result = train_motion(corpus=corpus, speech_weights=speech_weights, out=path, config=SMALL, seed=3)
    first, second = (load_motion_generator(path).state_dict() for path in paths)
    assert all(torch.equal(tensor, second[name]) for name, tensor in first.items())
    assert result.known is not None
    assert result.unknown is not None
    generator = load_motion_generator(paths[0])
    assert np.array_equal(generator.neutral_canonical.numpy(), Corpus(corpus).neutral_canonical)
    model = load_acoustic_model(speech_weights)
    assert generator.config.features_per_second == model.features_per_second
    assert generator(torch.zeros(2, 50, model.channels)).shape[2:] == (68, 2)


def test_a_cancelled_training_goes_on_where_it_was(corpus, speech_weights, tmp_path):
    out, epochs = tmp_path / "motion.safetensors", []

    def stop_after_the_first(stage, step, steps):
        if stage == "motion":
            epochs.append(step)
            if len(epochs) == 1:
                raise Cancelled

    settings = {"corpus": corpus, "speech_weights": speech_weights, "out": out, "config": SMALL, "resume": True}
    with pytest.raises(Cancelled):
        train_motion(**settings, progress=stop_after_the_first)
    assert not out.exists()
    train_motion(**settings, progress=stop_after_the_first)
    assert epochs == [1, 2]
    assert [path.name for path in tmp_path.glob("motion*")] == ["motion.safetensors"]
    unbroken = tmp_path / "unbroken.safetensors"
    train_motion(**settings | {"out": unbroken})
    broken = load_motion_generator(out).state_dict()
    assert all(torch.equal(t, broken[name]) for name, t in load_motion_generator(unbroken).state_dict().items())


def test_a_corpus_without_training_clips_is_refused(corpus, speech_weights, tmp_path):
    index = corpus / "index.tsv"
    index.write_text(index.read_text().replace("\ttrain\t", "\tval\t"))
    with pytest.raises(CorpusError, match="no training clips"):
        train_motion(corpus=corpus, speech_weights=speech_weights, out=tmp_path / "out.safetensors")


def test_one_short_clip_does_not_shorten_the_runs_of_all(corpus, speech_weights, tmp_path, monkeypatch, caplog):
    runs = []

    class Stopped(MotionTrainer):
        def __init__(self, *args):
            super().__init__(*args)
            runs.append(self.run_frames)
            raise Cancelled

    monkeypatch.setattr(training, "MotionTrainer", Stopped)
    index, landmarks = corpus / "index.tsv", corpus / "a" / "3" / "landmarks.npz"
    with np.load(landmarks) as arrays:
        kept = {name: array[:6] if len(array) == 30 else array for name, array in arrays.items()}
    np.savez(landmarks, **kept)
    index.write_text(index.read_text().replace("a\t3\ttrain\t1.2\t30", "a\t3\ttrain\t0.24\t6"))
    with pytest.raises(Cancelled):
        train_motion(corpus=corpus, speech_weights=speech_weights, out=tmp_path / "out.safetensors", config=SMALL)
    assert runs == [SMALL.run_frames]
    assert "left out: 1 of 8 clips, shorter than 16 frames" in caplog.text
