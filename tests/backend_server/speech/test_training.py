"""Training on letters that are tones: it learns them, and a resumed run is the unbroken one."""

from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch

from backend_server.checkpoints import load_checkpoint, save_checkpoint
from backend_server.config import SpeechConfig
from backend_server.speech import training
from backend_server.speech.acoustic_model import KIND, load_acoustic_model
from backend_server.speech.augmentation import AUGMENTATION, Augmentation
from backend_server.speech.dataset import Example, load_examples, read_index
from backend_server.speech.evaluation import evaluate_speech, few_of_each
from backend_server.speech.trainer import SpeechTrainer
from backend_server.speech.training import train_speech
from shared.errors import Cancelled, CorpusError, WeightsError

QUIET = Augmentation(
    speed=(1.0, 1.0),
    silence_probability=0.0,
    room_probability=0.0,
    noise_probability=0.0,
    band_probability=0.0,
    gate_probability=0.0,
    codec_probability=0.0,
    level_db=(0.0, 0.0),
)


@pytest.fixture(scope="module")
def examples(tone_corpus: Path) -> list[Example]:
    return load_examples(read_index(tone_corpus))


@pytest.fixture
def begin(examples: list[Example], tiny_config: SpeechConfig, tiny_encoder: dict[str, torch.Tensor]):
    """Makes a trainer of all examples, or of some, with the tiny settings or others."""

    def make(
        seed: int = 0,
        utterances: list[Example] = examples,
        augmentation: Augmentation = AUGMENTATION,
        **settings: float,
    ) -> SpeechTrainer:
        config = replace(tiny_config, **settings)
        return SpeechTrainer(config, tiny_encoder, utterances, seed, augmentation=augmentation)

    return make


@pytest.fixture
def untrained(tiny_encoder: dict[str, torch.Tensor], monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file that is read as the tiny encoder."""
    file = Path("encoder.ort")
    monkeypatch.setattr(training, "read_moonshine", lambda path: {file: tiny_encoder}[path])
    return file


def test_the_loss_falls_whatever_is_done_to_the_sound(begin):
    trainer = begin()
    losses = [trainer.advance() for _ in range(trainer.steps)]
    assert np.mean(losses[-5:]) < 0.6 * np.mean(losses[:5])
    assert [group["lr"] for group in trainer.optimiser.param_groups] == pytest.approx([0.0] * 3, abs=1e-4)
    for prior in (trainer.prior, trainer.phone_prior):
        assert float(prior.sum()) == pytest.approx(1.0, abs=0.02)


def test_letters_that_are_tones_are_learnt(begin, examples: list[Example]):
    trainer = begin(epochs=60, augmentation=QUIET)
    (before,) = evaluate_speech(trainer.network(), examples).values()
    for _ in range(trainer.steps):
        trainer.advance()
    (after,) = evaluate_speech(trainer.network(), examples).values()
    assert before > 0.9
    assert after < 0.2


def test_a_resumed_run_is_the_unbroken_one(begin, tmp_path: Path):
    unbroken = begin(seed=3)
    losses = [unbroken.advance() for _ in range(6)]
    first = begin(seed=3)
    for _ in range(3):
        first.advance()
    first.save(tmp_path / "speech.training")
    second = begin(seed=3)
    second.resume(tmp_path / "speech.training")
    assert [second.advance() for _ in range(3)] == pytest.approx(losses[3:])
    assert second.step == unbroken.step == 6
    for (name, expected), got in zip(unbroken.weights().items(), second.weights().values(), strict=True):
        torch.testing.assert_close(got, expected, msg=name)


def test_a_run_can_begin_with_earlier_weights(begin, tiny_encoder: dict[str, torch.Tensor], tmp_path: Path):
    earlier = begin(seed=1)
    for _ in range(3):
        earlier.advance()
    weights = {name: tensor.clone() for name, tensor in earlier.weights().items()}
    save_checkpoint(tmp_path / "speech.safetensors", KIND, earlier.config, weights, {})
    trainer = begin(seed=2)
    trainer.start_from(tmp_path / "speech.safetensors")
    for name, got in trainer.weights().items():
        torch.testing.assert_close(got, weights[name], msg=name)
    for name, weight in trainer.teacher.named_parameters():
        assert torch.equal(weight, tiny_encoder[name]), name
    before = trainer.model.head.weight.detach().clone()
    trainer.advance()
    assert not torch.equal(trainer.model.head.weight, before)  # the optimiser moves what was read
    with pytest.raises(WeightsError, match=r"none\.safetensors"):
        trainer.start_from(tmp_path / "none.safetensors")


def test_another_seed_is_another_run(begin):
    assert begin(seed=1).advance() == begin(seed=1).advance() != begin(seed=2).advance()


def test_every_step_varies_the_sound_anew(begin, examples: list[Example]):
    still = {"learning_rate": 0.0, "upper_learning_rate": 0.0, "head_learning_rate": 0.0, "label_prior": 0.0}
    trainer = begin(utterances=examples[:1], **still)
    varied = [trainer.advance() for _ in range(4)]
    assert len(set(varied)) == 4
    still_sound = begin(utterances=examples[:1], augmentation=QUIET, **still)
    assert still_sound.advance() == still_sound.advance()


def test_what_is_heard_without_noise_stays_what_the_first_encoder_said(begin):
    def loss(weight: float, augmentation: Augmentation) -> float:
        return begin(clean_weight=weight, augmentation=augmentation).advance()

    noisy = replace(QUIET, noise_probability=1.0, snr_db=(0.0, 0.0))
    assert loss(100.0, QUIET) == pytest.approx(loss(0.0, QUIET), rel=1e-5)  # nothing to be unlike
    assert loss(100.0, noisy) > loss(0.0, noisy) + 1.0


def test_training_moves_all_layers_but_the_first_encoder(begin, tiny_encoder: dict[str, torch.Tensor]):
    trainer = begin()
    for _ in range(2):
        trainer.advance()
    for name, weight in trainer.model.encoder.named_parameters():
        assert not torch.equal(weight, tiny_encoder[name]), name
    for name, weight in trainer.teacher.named_parameters():
        assert torch.equal(weight, tiny_encoder[name]), name
        assert weight.grad is None


def test_mouths_and_timed_phones_are_learnt(begin, examples: list[Example]):
    rows = np.linspace(-1, 1, 20, dtype=np.float32)[:, None].repeat(6, 1)
    phones, begins = np.array([3, 8]), np.array([0.0, 0.1], np.float32)
    labelled = [replace(item, mouth=rows, phones=phones, begins=begins, text="") for item in examples]
    trainer = begin(utterances=labelled, clean_weight=0.0, epochs=30, augmentation=QUIET)
    losses = [trainer.advance() for _ in range(trainer.steps)]
    assert losses[0] > 3.0  # about log(42) of the phones, and twice a third of the mouth
    assert losses[-1] < 0.5 * losses[0]


def test_a_voice_too_fast_for_its_text_counts_no_longer_as_text(begin, examples: list[Example]):
    fitting = [replace(item, waveform=item.waveform[: 425 * len(item.text)]) for item in examples]  # just
    fast = replace(QUIET, speed=(1.1, 1.1))
    assert begin(utterances=fitting, clean_weight=0.0, augmentation=fast).advance() == 0.0
    assert begin(utterances=fitting, clean_weight=0.0, augmentation=QUIET).advance() > 1.0


def test_a_state_of_other_settings_is_refused(begin, tmp_path: Path):
    trainer = begin()
    trainer.save(tmp_path / "speech.training")
    begin(epochs=20).resume(tmp_path / "speech.training")
    with pytest.raises(WeightsError, match=r"\(mouth_weight: 2\.0, now 3\.0\); move it away"):
        begin(mouth_weight=3.0).resume(tmp_path / "speech.training")


def test_a_state_of_another_run_is_refused(begin, examples: list[Example], tmp_path: Path):
    state = tmp_path / "speech.training"
    begin(seed=0).save(state)
    with pytest.raises(WeightsError, match=r"\(seed: 0, now 1\); move it away"):
        begin(seed=1).resume(state)
    with pytest.raises(WeightsError, match=r"\(utterances: 10 of \d+ samples, now 9 of \d+ samples\)"):
        begin(utterances=examples[:9]).resume(state)


def test_the_written_weights_are_the_average_with_the_prior_in_the_bias(begin, tiny_config: SpeechConfig):
    trainer = begin()
    for _ in range(4):
        trainer.advance()
    trainer.step = 200  # from which on the prior counts in full
    weights, average = trainer.weights(), trainer.average.module
    for head, prior in (("head", trainer.prior), ("phone_head", trainer.phone_prior)):
        shift = weights[f"{head}.bias"] - average.get_parameter(f"{head}.bias").detach()
        torch.testing.assert_close(shift, -tiny_config.label_prior * prior.log())
    torch.testing.assert_close(weights["encoder.scale"], average.encoder.scale.detach())
    assert not torch.equal(average.encoder.scale, trainer.model.encoder.scale)


def test_train_speech_writes_weights_that_the_cascade_can_load(
    tone_corpus: Path, tiny_config: SpeechConfig, untrained: Path, tmp_path: Path
):
    steps: list[tuple[str, int, int]] = []
    out = tmp_path / "speech.safetensors"
    config = replace(tiny_config, epochs=2)
    run = partial(train_speech, corpora=[tone_corpus], encoder=untrained, out=out, config=config)
    errors = run(progress=lambda *report: steps.append(report))
    assert set(errors) == {tone_corpus.name}
    assert steps[-1] == ("training speech", len(steps), len(steps))
    model = load_acoustic_model(out)
    assert model.config == config
    assert model.scores(np.ones(3200, np.float32) * 0.1).shape == (9, 29)
    _, _, notes = load_checkpoint(out, KIND, SpeechConfig)
    assert notes == {"step": str(len(steps)), f"cer_{tone_corpus.name}": f"{errors[tone_corpus.name]:.4f}"}
    assert run(resume=True) == errors


def test_utterances_with_a_measured_mouth_come_more_often(
    tone_corpus: Path, tiny_config: SpeechConfig, untrained: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    caplog.set_level("INFO")
    mouths = {"0.wav": np.zeros((4, 6), np.float32)}
    train_speech(
        corpora=[tone_corpus],
        encoder=untrained,
        out=tmp_path / "w.safetensors",
        config=replace(tiny_config, mouth_repeats=5, epochs=1),
        mouth_of=lambda utterance, seconds: mouths.get(utterance.path.name),
    )
    assert "12 utterances to train on" in caplog.text  # eight, and four times the one again


def test_training_ends_when_its_progress_says_so(
    tone_corpus: Path, tiny_config: SpeechConfig, untrained: Path, tmp_path: Path
):
    def stop(stage: str, step: int, steps: int) -> None:
        raise Cancelled

    out = tmp_path / "w.safetensors"
    with pytest.raises(Cancelled):
        train_speech(corpora=[tone_corpus], encoder=untrained, out=out, config=tiny_config, progress=stop)
    assert not out.exists()


def test_nothing_to_train_on_is_refused(tmp_path: Path):
    (tmp_path / "index.tsv").write_text("file\tsplit\ttext\na.wav\tval\tyes\n")
    with pytest.raises(CorpusError, match="can be trained on"):
        train_speech(corpora=[tmp_path], encoder=tmp_path / "none.ort", out=tmp_path / "w.safetensors")


def test_an_encoder_that_is_missing_is_refused(tone_corpus: Path, tmp_path: Path):
    with pytest.raises(WeightsError, match=r"cannot read .*none\.ort"):
        train_speech(corpora=[tone_corpus], encoder=tmp_path / "none.ort", out=tmp_path / "w.safetensors")


def test_errors_count_by_corpus(begin, examples: list[Example]):
    model = begin().network()
    assert set(evaluate_speech(model, examples)) == {examples[0].corpus}
    assert len(few_of_each(examples, 3)) == 3
