from dataclasses import replace

import numpy as np
import pytest

from backend_server.checkpoints import WEIGHTS_DIR, load_checkpoint
from backend_server.config import MotionConfig
from backend_server.data.corpus import Corpus
from backend_server.evaluation import variants
from backend_server.motion.generator import KIND

SMALL = MotionConfig(
    listens_to="scores", encoder_channels=(4,), hidden_size=4, components=3, variations=1, batch_size=2, context=6
)


def test_each_variant_changes_one_thing():
    wanted = {variant.name: variant.config for variant in variants.variants(SMALL, paper=SMALL)}
    assert wanted[variants.FULL] == SMALL
    assert wanted[variants.REGRESSION] == replace(SMALL, lambda_gan=0)
    contexts = [wanted[name] for name in wanted if name.startswith("context")]
    assert [config.context for config in contexts] == sorted({*variants.CONTEXTS, SMALL.context})
    assert {replace(config, context=SMALL.context) for config in contexts} == {SMALL}


def test_losses_come_in_one_after_another_and_unused_ones_never():
    base = replace(SMALL, lambda_gan=1.0, lambda_mouth=0.0)
    steps = variants.loss_variants(base)
    assert [step.name for step in steps] == ["Eq. 1", "+ Eq. 2", "+ Eq. 3", "+ Eq. 4"]
    assert [step.config.lambda_dir for step in steps] == [0, 0, base.lambda_dir, base.lambda_dir]
    assert steps[0].config.lambda_dist == base.lambda_dist
    assert steps[-1].config == base
    assert variants.loss_variants(replace(base, lambda_mouth=0.5))[-1].name == "+ mouth"


@pytest.fixture
def train(corpus_folder, tmp_path):
    """Trains two small variants and gives their files and the stages that were told of."""

    def run(epochs):
        stages = []
        files = variants.train_variants(
            [
                variants.Variant("six", replace(SMALL, epochs=epochs)),
                variants.Variant("four", replace(SMALL, epochs=epochs, context=4)),
            ],
            corpus=Corpus(corpus_folder),
            weights=WEIGHTS_DIR,
            kept=tmp_path / "kept",
            seed=0,
            device="cpu",
            progress=lambda stage, step, steps: stages.append((stage, step, steps)),
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
    cascades = [variants.with_motion(WEIGHTS_DIR, file, "cpu") for file in files.values()]
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
        variants.Cascade, "load", lambda device, folder: {file.name: file.read_text() for file in folder.iterdir()}
    )
    assert variants.with_motion(tmp_path, tmp_path / "variant", "cpu") == {
        "motion.safetensors": "another motion",
        "blink.safetensors": "blink.safetensors",
        "speech.onnx": "speech.onnx",
    }
