"""Training on letters that are tones: it learns them, and a resumed run is the unbroken one."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from backend_server.config import SpeechConfig
from backend_server.speech.acoustic_model import load_acoustic_model
from backend_server.speech.augmentation import Augmentation
from backend_server.speech.dataset import Features, load_features, read_index
from backend_server.speech.evaluation import evaluate_speech, few_of_each
from backend_server.speech.trainer import SpeechTrainer
from backend_server.speech.training import train_speech
from shared.errors import Cancelled, CorpusError, WeightsError


@pytest.fixture(scope="module")
def features(tone_corpus: Path, tiny_config: SpeechConfig) -> list[Features]:
    return load_features(read_index(tone_corpus), tiny_config)


def test_the_loss_falls(features: list[Features], tiny_config: SpeechConfig):
    trainer = SpeechTrainer(replace(tiny_config, epochs=60), features, seed=0)
    losses = [trainer.advance() for _ in range(trainer.steps)]
    assert np.mean(losses[-5:]) < 0.5 * np.mean(losses[:5])
    assert trainer.learning_rate() == pytest.approx(0.0, abs=1e-6)
    assert float(trainer.prior.sum()) == pytest.approx(1.0, abs=0.02)


def test_a_resumed_run_is_the_unbroken_one(features: list[Features], tiny_config: SpeechConfig, tmp_path: Path):
    unbroken = SpeechTrainer(tiny_config, features, seed=3)
    for _ in range(6):
        unbroken.advance()
    first = SpeechTrainer(tiny_config, features, seed=3)
    for _ in range(3):
        first.advance()
    first.save(tmp_path / "speech.training")
    second = SpeechTrainer(tiny_config, features, seed=3)
    second.resume(tmp_path / "speech.training")
    for _ in range(3):
        second.advance()
    assert second.step == unbroken.step == 6
    for (name, expected), got in zip(unbroken.weights().items(), second.weights().values(), strict=True):
        torch.testing.assert_close(got, expected, msg=name)


def test_a_state_of_other_settings_is_refused(features: list[Features], tiny_config: SpeechConfig, tmp_path: Path):
    trainer = SpeechTrainer(tiny_config, features, seed=0)
    trainer.save(tmp_path / "speech.training")
    longer = SpeechTrainer(replace(tiny_config, epochs=20), features, seed=0)
    longer.resume(tmp_path / "speech.training")
    other = SpeechTrainer(replace(tiny_config, channels=24), features, seed=0)
    with pytest.raises(WeightsError, match=r"\(channels: 16, now 24\); remove it"):
        other.resume(tmp_path / "speech.training")


def test_a_state_of_another_run_is_refused(features: list[Features], tiny_config: SpeechConfig, tmp_path: Path):
    state = tmp_path / "speech.training"
    SpeechTrainer(tiny_config, features, seed=0).save(state)
    with pytest.raises(WeightsError, match=r"\(seed: 0, now 1\); remove it"):
        SpeechTrainer(tiny_config, features, seed=1).resume(state)
    with pytest.raises(WeightsError, match=r"\(utterances: 10 of \d+ frames, now 9 of \d+ frames\)"):
        SpeechTrainer(tiny_config, features[:9], seed=0).resume(state)


def test_the_written_weights_are_the_average_with_the_prior_in_the_bias(
    features: list[Features], tiny_config: SpeechConfig
):
    trainer = SpeechTrainer(tiny_config, features, seed=0)
    trainer.augmentation = Augmentation(noise_probability=0.0)
    for _ in range(4):
        trainer.advance()
    shift = trainer.weights()["head.bias"].float() - trainer.average.module.head.bias.detach()
    expected = -tiny_config.label_prior * trainer.prior.log()
    torch.testing.assert_close(shift, expected, atol=2e-3, rtol=2e-3)


def test_train_speech_writes_weights_that_the_cascade_can_load(
    tone_corpus: Path, tiny_config: SpeechConfig, tmp_path: Path
):
    steps: list[tuple[str, int, int]] = []
    out = tmp_path / "speech.safetensors"
    errors = train_speech(
        corpora=[tone_corpus], out=out, config=tiny_config, progress=lambda *report: steps.append(report)
    )
    assert set(errors) == {tone_corpus.name}
    assert steps[-1] == ("training speech", len(steps), len(steps))
    scores = load_acoustic_model(out).scores(np.ones(3200, np.float32) * 0.1)
    assert scores.shape == (11, 29)
    again = train_speech(corpora=[tone_corpus], out=out, config=tiny_config, resume=True)
    assert again == errors


def test_training_ends_when_its_progress_says_so(tone_corpus: Path, tiny_config: SpeechConfig, tmp_path: Path):
    def stop(stage: str, step: int, steps: int) -> None:
        raise Cancelled

    with pytest.raises(Cancelled):
        train_speech(corpora=[tone_corpus], out=tmp_path / "w.safetensors", config=tiny_config, progress=stop)
    assert not (tmp_path / "w.safetensors").exists()


def test_nothing_to_train_on_is_refused(tmp_path: Path):
    (tmp_path / "index.tsv").write_text("file\tsplit\ttext\na.wav\tval\tyes\n")
    with pytest.raises(CorpusError, match="can be trained on"):
        train_speech(corpora=[tmp_path], out=tmp_path / "w.safetensors")


def test_errors_count_by_corpus(features: list[Features], tiny_config: SpeechConfig):
    model = SpeechTrainer(tiny_config, features, seed=0).network()
    assert set(evaluate_speech(model, features)) == {features[0].corpus}
    assert len(few_of_each(features, 3)) == 3
