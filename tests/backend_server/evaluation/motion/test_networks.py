from dataclasses import replace
from typing import ClassVar

import numpy as np
import pytest

from backend_server.checkpoints import WEIGHTS_DIR, load_checkpoint
from backend_server.config import MotionConfig
from backend_server.data import training_examples
from backend_server.data.motion_examples import MotionExample
from backend_server.evaluation.motion import networks
from backend_server.evaluation.motion.networks import Networks, Training
from backend_server.motion.generator import KIND

SMALL = MotionConfig(
    listens_to="scores", encoder_channels=(4,), hidden_size=4, components=3, variations=1, batch_size=2, context=6
)


@pytest.fixture
def train(corpus_folder, context_of):
    """Trains two small networks and gives their files and the stages that were told of."""

    def run(epochs):
        stages = []
        context = context_of(corpus_folder, progress=lambda stage, step, steps: stages.append((stage, step, steps)))
        trained = Networks(context, context.corpus.clips("train"))
        files = trained.files(
            [
                Training("six", replace(SMALL, epochs=epochs)),
                Training("four", replace(SMALL, epochs=epochs, context=4)),
            ],
            "variants",
        )
        return files, stages

    return run


def test_networks_hear_the_clips_once_and_are_kept(train):
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


def test_a_cascade_with_another_motion_moves_as_that(train, neutral):
    files, _ = train(1)
    cascades = [networks.with_motion(WEIGHTS_DIR, file, "cpu") for file in files.values()]
    for cascade in cascades:
        np.testing.assert_allclose(cascade.neutral_canonical, neutral, atol=1e-6)
    sound, times = np.sin(np.arange(16_000) / 5).astype(np.float32), np.arange(10) / 25
    first, second = (cascade.animate(sound, 16_000, times).canonical for cascade in cascades)
    assert np.abs(first - second).max() > 1e-4


def test_a_cascade_with_another_motion_listens_as_the_folder_does(tmp_path, monkeypatch):
    for name in ("motion.safetensors", "blink.safetensors", "arkit.safetensors", "texture.safetensors", "speech.onnx"):
        (tmp_path / name).write_text(name)
    (tmp_path / "variant").write_text("another motion")
    monkeypatch.setattr(
        networks.Cascade, "load", lambda device, folder: {file.name: file.read_text() for file in folder.iterdir()}
    )
    assert networks.with_motion(tmp_path, tmp_path / "variant", "cpu") == {
        "motion.safetensors": "another motion",
        "blink.safetensors": "blink.safetensors",
        "arkit.safetensors": "arkit.safetensors",
        "speech.onnx": "speech.onnx",
    }


def test_what_was_trained_on_other_landmarks_is_trained_anew(train, corpus_folder):
    files, _ = train(1)
    path = corpus_folder / "a" / "0" / "landmarks.npz"
    with np.load(path) as arrays:
        changed = {**arrays, "canonical": arrays["canonical"] + np.float32(0.01)}
    np.savez(path, **changed)
    assert set(train(1)[0].values()).isdisjoint(files.values())


class StubTrainer:
    """Notes whose clips it is given."""

    seen: ClassVar[list[list[str]]] = []

    def __init__(self, examples, neutral, config, seed, device):
        self.seen.append(sorted(example.speaker for example in examples))
        self.result = self

    def set_learning_rate(self, epoch):
        pass

    def epoch(self):
        pass

    def state_dict(self):
        return {}


def test_nobody_who_is_left_out_is_trained_on_and_all_are_heard_once(corpus_folder, context_of, monkeypatch, tmp_path):
    monkeypatch.setattr(networks, "MotionTrainer", StubTrainer)
    monkeypatch.setattr(StubTrainer, "seen", [])
    heard = []

    def examples(clips, *arguments, **options):
        heard.append([clip.name for clip in clips])
        return [MotionExample(clip.speaker, clip.name, clip.split, np.zeros(1), np.zeros(1), ()) for clip in clips]

    def modelled(folders, *arguments):
        heard.append([folder.name for folder in folders])
        return [MotionExample("modelled", "said", "train", np.zeros(1), np.zeros(1), ())]

    monkeypatch.setattr(training_examples, "motion_examples", examples)
    monkeypatch.setattr(training_examples, "modelled_examples", modelled)
    (tmp_path / "speech").mkdir()
    (tmp_path / "speech" / "index.tsv").write_text("file\tsplit\ttext\n")
    context = context_of(corpus_folder)
    trained = Networks(context, context.corpus.clips(), tmp_path / "speech")
    one = replace(SMALL, epochs=1, modelled_share=0.4, has_usual_amplitude=False)
    files = trained.files([Training("all", one), Training("not a", one, "a"), Training("not b", one, "b")], "train")
    assert StubTrainer.seen == [
        ["a"] * 4 + ["b"] * 2 + ["modelled"],
        ["b", "b", "modelled"],
        ["a"] * 4 + ["modelled"],
    ]
    assert heard == [["0", "1", "2", "3", "0", "1"], ["speech"]]
    assert len(set(files.values())) == 3
