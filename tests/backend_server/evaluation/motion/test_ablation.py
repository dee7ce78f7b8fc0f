from dataclasses import replace

import numpy as np
import pytest

from backend_server.checkpoints import WEIGHTS_DIR, load_checkpoint
from backend_server.config import MotionConfig
from backend_server.evaluation.motion import ablation
from backend_server.motion.generator import KIND

SMALL = MotionConfig(
    listens_to="scores", encoder_channels=(4,), hidden_size=4, components=3, variations=1, batch_size=2, context=6
)


def test_each_variant_changes_one_thing():
    wanted = {variant.name: variant.config for variant in ablation.variants(SMALL, preset=SMALL)}
    assert wanted[ablation.FULL] == SMALL
    assert wanted[ablation.REGRESSION] == replace(SMALL, lambda_gan=0)
    contexts = [wanted[name] for name in wanted if name.startswith("context")]
    assert [config.context for config in contexts] == sorted({*ablation.CONTEXTS, SMALL.context})
    assert {replace(config, context=SMALL.context) for config in contexts} == {SMALL}


def test_losses_come_in_one_after_another_and_unused_ones_never():
    base = replace(SMALL, lambda_gan=1.0, lambda_mouth=0.0)
    steps = ablation.loss_variants(base)
    assert [step.name for step in steps] == ["Eq. 1", "+ Eq. 2", "+ Eq. 3", "+ Eq. 4"]
    assert [step.config.lambda_dir for step in steps] == [0, 0, base.lambda_dir, base.lambda_dir]
    assert steps[0].config.lambda_dist == base.lambda_dist
    assert steps[-1].config == base
    assert ablation.loss_variants(replace(base, lambda_mouth=0.5))[-1].name == "+ mouth"


@pytest.fixture
def train(corpus_folder, context_of):
    """Trains two small variants and gives their files and the stages that were told of."""

    def run(epochs):
        stages = []
        context = context_of(corpus_folder, progress=lambda stage, step, steps: stages.append((stage, step, steps)))
        files = ablation.train_variants(
            context,
            [
                ablation.Variant("six", replace(SMALL, epochs=epochs)),
                ablation.Variant("four", replace(SMALL, epochs=epochs, context=4)),
            ],
        )
        return files, stages

    return run


def test_variants_hear_the_clips_once_and_are_kept(train):
    files, stages = train(1)
    assert [stage for stage, _, _ in stages].count("listen") == 3  # training clips
    assert {name: load_checkpoint(file, KIND, MotionConfig)[0].context for name, file in files.items()} == {
        "six": 6,
        "four": 4,
    }
    again, stages = train(1)
    assert again == files
    assert {stage for stage, _, _ in stages} == {"variants"}
    files["four"].unlink()  # as after an interruption
    _, stages = train(1)
    assert ("variants", 2, 2) in stages
    assert files["four"].exists()
    assert set(train(2)[0].values()).isdisjoint(files.values())


def test_a_cascade_with_a_variant_moves_as_the_variant(train, neutral):
    files, _ = train(1)
    cascades = [ablation.with_motion(WEIGHTS_DIR, file, "cpu") for file in files.values()]
    for cascade in cascades:
        np.testing.assert_allclose(cascade.neutral_canonical, neutral, atol=1e-6)
    sound, times = np.sin(np.arange(16_000) / 5).astype(np.float32), np.arange(10) / 25
    first, second = (cascade.animate(sound, 16_000, times).canonical for cascade in cascades)
    assert np.abs(first - second).max() > 1e-4


def test_a_cascade_with_a_variant_listens_as_the_folder_does(tmp_path, monkeypatch):
    for name in ("motion.safetensors", "blink.safetensors", "texture.safetensors", "speech.onnx"):
        (tmp_path / name).write_text(name)
    (tmp_path / "variant").write_text("another motion")
    monkeypatch.setattr(
        ablation.Cascade, "load", lambda device, folder: {file.name: file.read_text() for file in folder.iterdir()}
    )
    assert ablation.with_motion(tmp_path, tmp_path / "variant", "cpu") == {
        "motion.safetensors": "another motion",
        "blink.safetensors": "blink.safetensors",
        "speech.onnx": "speech.onnx",
    }


def test_what_was_trained_on_other_landmarks_is_trained_anew(train, corpus_folder):
    files, _ = train(1)
    path = corpus_folder / "a" / "0" / "landmarks.npz"
    with np.load(path) as arrays:
        changed = {**arrays, "canonical": arrays["canonical"] + np.float32(0.01)}
    np.savez(path, **changed)
    assert set(train(1)[0].values()).isdisjoint(files.values())


def test_the_section_draws_contexts_and_losses(corpus_folder, context_of, perfect, tmp_path, monkeypatch):
    monkeypatch.setattr(ablation, "train_variants", lambda context, wanted: {one.name: one.name for one in wanted})
    monkeypatch.setattr(ablation, "with_motion", lambda weights, motion, device: perfect)
    section = ablation.run(context_of(corpus_folder, epochs=3))
    (people,) = (table.document() for table in section.tables if table.title == "Variants, held-out people")
    assert {ablation.FULL, ablation.REGRESSION, ablation.PAPER, "context 6", "Eq. 1"} <= set(people)
    assert people["context 6"]["opening correlation"] == pytest.approx(1, abs=1e-3)
    assert "3 epochs" in section.paragraphs[0]
    assert (tmp_path / section.pictures[0].file).stat().st_size > 1000
