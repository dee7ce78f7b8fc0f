"""Tests what `train` passes to the stages, which options it refuses, and what it reports."""

from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest

from backend_server.arkit.training import ArkitResult
from backend_server.articulation.visemes import load_visemes, save_visemes
from backend_server.blink.training import BlinkResult
from backend_server.checkpoints import WEIGHTS_DIR
from backend_server.commands import train as command
from backend_server.commands.train import TrainSettings, train
from backend_server.config import TextureTrainingConfig
from backend_server.metrics.arkit import ArkitFigures
from backend_server.metrics.blink import BlinkStatistics
from backend_server.metrics.motion import MotionFigures
from backend_server.motion.training import MotionResult
from backend_server.progress import silent
from backend_server.texture.learning.training import TextureResult
from shared.errors import ValueRangeError, WeightsError

FIGURES = MotionFigures(*[0.5] * len(fields(MotionFigures)))


@pytest.fixture
def settings(tmp_path):
    """Makes settings of a stage with the defaults of the command, and what it cannot do without."""

    def make(stage: str, **changes) -> TrainSettings:
        plain = TrainSettings(stage, (tmp_path / "corpus",), tmp_path / "weights", "cpu", False, None, "shipped", 0)
        needed = {"encoder": tmp_path / "encoder_model.ort"} if stage == "speech" else {}
        return replace(plain, **needed | changes)

    return make


@pytest.fixture
def handed(monkeypatch):
    """What each stage was called with; none of them trains."""
    calls: dict[str, dict] = {}

    def stand_in(name, result):
        def call(**arguments):
            calls[name] = arguments
            return result

        monkeypatch.setattr(command, f"train_{name}", call)

    blinking = BlinkStatistics(3, 0.3, 0.32, 0.8, np.zeros(1, np.int64))
    stand_in("speech", {"books": 0.25})
    stand_in("motion", MotionResult(None, FIGURES, None))
    stand_in("visemes", MotionResult(None, None, None))
    stand_in("blink", BlinkResult(0.1, blinking, blinking))
    stand_in("arkit", ArkitResult(0.1, ArkitFigures(*[0.5] * len(fields(ArkitFigures))), None))
    stand_in("texture", TextureResult(12, 3.0, 30.25, 29.5))
    stand_in("liveliness", "3 clips of 2 people")
    stand_in("mouth", "3 clips of 2 people")
    monkeypatch.setattr(command, "MouthTargets", lambda folders, table: table)
    return calls


def test_speech_and_motion_learn_from_the_visemes_beside_their_output(settings, handed, tmp_path):
    for stage in ("speech", "motion"):
        train(settings(stage), silent)
    assert handed["speech"]["mouth_of"] is handed["motion"]["visemes"] is None  # the shipped ones
    table = replace(load_visemes(), targets=load_visemes().targets / 2)
    save_visemes(tmp_path / "weights" / "visemes.safetensors", table, {})
    for stage in ("speech", "motion"):
        train(settings(stage), silent)
    for found in (handed["speech"]["mouth_of"], handed["motion"]["visemes"]):
        np.testing.assert_array_equal(found.targets, table.targets)
    assert handed["speech"]["processes"] >= 1


def test_motion_listens_through_the_named_model_the_one_beside_or_the_shipped_one(settings, handed, tmp_path):
    train(settings("motion"), silent)
    assert handed["motion"]["speech_weights"] == WEIGHTS_DIR / "speech.safetensors"
    (tmp_path / "weights").mkdir()
    (tmp_path / "weights" / "speech.onnx").touch()
    train(settings("motion"), silent)
    assert handed["motion"]["speech_weights"] == tmp_path / "weights" / "speech.onnx"


@pytest.mark.parametrize(("named", "there"), [("mine.onnx", "speech.safetensors"), ("mine.safetensors", "speech.onnx")])
def test_a_second_acoustic_model_is_refused_before_the_work(settings, handed, tmp_path, named, there):
    (tmp_path / "weights").mkdir()
    (tmp_path / "weights" / there).touch()
    (tmp_path / named).touch()
    with pytest.raises(WeightsError) as refused:
        train(settings("motion", speech=tmp_path / named), silent)
    assert named in str(refused.value)
    assert there in str(refused.value)
    assert "motion" not in handed


MISFITS = {
    "--minutes": {"minutes": 5.0},
    "--start": {"start": Path("a.safetensors")},
    "--encoder": {"encoder": Path("a.whl")},
    "--speech": {"speech": Path("a.onnx")},
    "--resume": {"resume": True},
    "--preset paper": {"preset": "paper"},
    "--vgg19": {"vgg19": Path("a.pth")},
    "--vggface": {"vggface": Path("a.pth")},
    "--second-order": {"is_second_order": True},
    "--batch": {"batch_size": 16},
    "further --data": {"data": (Path("a"), Path("b"))},
}


@pytest.mark.parametrize("stage", command.TAKEN)
@pytest.mark.parametrize("option", MISFITS)
def test_an_option_is_looked_at_or_refused(settings, handed, stage, option):
    asked = settings(stage, **MISFITS[option])
    if option in command.TAKEN[stage]:
        command._check(asked)
        return
    with pytest.raises(ValueRangeError, match=f"train {stage} takes no {option}"):
        train(asked, silent)
    assert not handed


def test_speech_begins_with_an_encoder(settings, handed, run_command, tmp_path):
    train(settings("speech"), silent)
    assert handed.pop("speech")["encoder"] == tmp_path / "encoder_model.ort"
    common = ("train", "speech", "--data", tmp_path, "--out", tmp_path / "weights")
    assert run_command(*common, "--encoder", tmp_path / "a.whl").exit_code == 0
    assert handed.pop("speech")["encoder"] == tmp_path / "a.whl"
    refused = run_command(*common)
    assert refused.exit_code == 2
    (sentence,) = refused.stderr.strip().splitlines()
    assert "give --encoder: the wheel of the package moonshine-voice, or the encoder_model.ort in it" in sentence
    assert not handed


def test_the_papers_motion_takes_one_corpus(settings, handed):
    with pytest.raises(ValueRangeError, match="--preset paper takes no further --data"):
        train(settings("motion", preset="paper", data=(Path("a"), Path("b"))), silent)
    assert not handed


def test_texture_is_told_of_feature_networks_and_of_the_order_of_its_gradients(run_command, handed, tmp_path):
    common = ("train", "texture", "--data", tmp_path, "--out", tmp_path / "weights")
    done = run_command(*common, "--vgg19", tmp_path / "a.pth", "--vggface", tmp_path / "b.pth", "--second-order")
    assert done.exit_code == 0, done.stderr
    assert (handed["texture"]["vgg19"], handed["texture"]["vggface"]) == (tmp_path / "a.pth", tmp_path / "b.pth")
    assert handed["texture"]["training"] == TextureTrainingConfig(is_second_order=True)
    run_command(*common)
    assert handed["texture"]["training"] == TextureTrainingConfig()
    assert handed["texture"]["vgg19"] is handed["texture"]["vggface"] is None


def test_texture_takes_as_many_pairs_as_are_asked_for_and_tells_what_it_came_to(run_command, handed, tmp_path):
    done = run_command("train", "texture", "--data", tmp_path, "--out", tmp_path / "weights", "--batch", "16")
    assert done.exit_code == 0, done.stderr
    assert handed["texture"]["training"] == TextureTrainingConfig(batch_size=16)
    told = "12 updates in 3 s; held-out PSNR 30.25 dB, of the warp alone 29.50 dB"
    assert told in " ".join(done.stdout.split())


def test_a_file_of_words_is_no_feature_network(run_command, tmp_path):
    words = tmp_path / "words.pth"
    words.write_text("hello world")
    refused = run_command(
        "train", "texture", "--data", tmp_path, "--out", tmp_path / "weights", "--vgg19", words, "--device", "cpu"
    )
    assert refused.exit_code == 2
    (sentence,) = refused.stderr.strip().splitlines()
    assert sentence == f"error: no weights of VGG19: {words} is damaged, or PyTorch did not save it"
    assert not (tmp_path / "weights").exists()


def test_a_stage_may_stand_behind_the_folders(run_command, handed, tmp_path):
    for arguments in (
        ("--data", tmp_path / "corpus", "speech", "motion", "--out", tmp_path / "weights"),
        ("--data", tmp_path / "corpus", "speech", "--out", tmp_path / "weights", "motion"),
        ("motion", "--out", tmp_path / "weights", "--data", tmp_path / "corpus", "speech"),
    ):
        handed.clear()
        done = run_command("train", *arguments)
        assert done.exit_code == 0, done.stderr
        assert (handed["motion"]["corpus"], handed["motion"]["speech"]) == (tmp_path / "corpus", [Path("speech")])


def test_results_are_told_in_words(settings, handed):
    told = {stage: train(settings(stage), silent) for stage in command.TAKEN}
    assert "character error rate: books 0.250" in told["speech"]
    assert "held-out sentences: opening correlation 0.500" in told["motion"]
    assert "0.30 blinks a second of 0.32 s" in told["blink"]
    assert "held-out sentences: jaw open 0.500" in told["arkit"]
    assert "no held-out clips" in told["visemes"]
    assert "how heads and brows move, from 3 clips of 2 people" in told["liveliness"]
    assert "the colours of mouths, from 3 clips of 2 people" in told["mouth"]
    for line in told.values():
        assert "weights/" in line
        assert "(" not in line
