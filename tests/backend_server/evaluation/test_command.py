import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from backend_server.checkpoints import WEIGHTS_DIR, weights_version
from backend_server.commands import evaluate as command
from backend_server.evaluation.faces import Judged
from backend_server.evaluation.goals import Goal
from backend_server.progress import silent
from shared.errors import CorpusError, SpeechFaceError, ValueRangeError, WeightsError


def test_a_report_names_what_it_measured_and_how_to_repeat_it(corpus_folder, tmp_path, monkeypatch):
    def mute(progress):
        raise SpeechFaceError("there is no espeak-ng here")

    monkeypatch.setattr(command, "speak_sentences", mute)
    monkeypatch.setattr(command, "SPEED_SECONDS", 2.0)
    out = tmp_path / "report"
    settings = command.EvaluateSettings(corpus_folder, out, has_texture=False, device="cpu")
    printed = command.evaluate(settings, silent, blink_clips=3)
    page = (out / "report.html").read_text("utf-8")
    for expected in (weights_version(), "CPU threads", f"--data {corpus_folder} --out {out} --no-texture"):
        assert expected in page
    assert "there is no espeak-ng here" in page
    for picture in ("curves.png", "lips.png", "noise.png", "visemes.png", "blinks.png", "eight_faces.png"):
        assert f'src="{picture}"' in page
        assert (out / picture).stat().st_size > 1000
    tables = json.loads((out / "report.json").read_text("utf-8"))["tables"]
    people = tables["Motion, held-out people (b; 2 clips)"]
    assert people["static, neutral"]["opening correlation"] == 0
    assert people["jaw by loudness"]["opening correlation"] > 0.99  # the corpus opens as loud as it speaks
    assert set(people) == {"ours", "static, neutral", "jaw by loudness"}
    assert "### Goals" in printed


def test_faces_alone_can_be_judged_and_nothing_cannot(corpus_folder, tmp_path, monkeypatch):
    asked = {}

    def judge(folder, cascade, clips, **settings):
        asked.update(settings, clips=[clip.speaker for clip in clips])
        return Judged((), (Goal("PSNR", 36.0, 37.0, is_least=True),))

    monkeypatch.setattr(command, "judge_faces", judge)
    settings = command.EvaluateSettings(corpus_folder, tmp_path / "report", has_motion=False, device="cpu")
    command.evaluate(settings, silent)
    assert asked["clips"] == ["b", "b"]  # never trained on
    assert asked["kept"] == tmp_path / "report_run"
    document = json.loads((tmp_path / "report" / "report.json").read_text("utf-8"))
    assert document["tables"] == {
        "Goals": {"PSNR": {"goal": "at least 36", "measured": "37.000", "reached": "yes"} | {"the paper, GRID": None}}
    }
    assert weights_version() in document["facts"]["weights"]
    assert "--no-motion" in document["facts"]["command"]
    with pytest.raises(ValueRangeError, match="nothing is left to judge"):
        command.evaluate(replace(settings, has_texture=False), silent)
    index = corpus_folder / "index.tsv"
    index.write_text(index.read_text().replace("b\t0\tval", "b\t0\ttrain"))
    with pytest.raises(CorpusError, match="holds nobody out"):
        command.evaluate(settings, silent)


@pytest.fixture
def own_weights(tmp_path) -> Path:
    """A folder whose motion listens through an ONNX file, as far as names go."""
    folder = tmp_path / "weights"
    folder.mkdir()
    for stage in ("motion", "blink"):
        shutil.copy(WEIGHTS_DIR / f"{stage}.safetensors", folder)
    (folder / "speech.onnx").write_bytes(b"a model")
    return folder


def test_a_folder_of_weights_is_named_in_the_command_and_has_to_be_whole(corpus_folder, own_weights, tmp_path):
    settings = command.EvaluateSettings(corpus_folder, tmp_path / "report", has_texture=False, weights=own_weights)
    assert f"--weights {own_weights}" in settings.command
    command.check_weights(own_weights, has_texture=False)
    with pytest.raises(WeightsError, match=r"lacks texture\.safetensors; copy"):
        command.check_weights(own_weights, has_texture=True)
    (own_weights / "speech.onnx").unlink()
    with pytest.raises(WeightsError, match=r"lacks speech\.safetensors"):
        command.evaluate(settings, silent)
    assert not settings.out.exists()
    telling = command.EvaluateSettings(corpus_folder, tmp_path / "report", identity=tmp_path / "none.ckpt")
    assert f"--identity {tmp_path / 'none.ckpt'}" in telling.command
    with pytest.raises(WeightsError, match=r"none\.ckpt holds no weights of MobileFaceNet"):
        command.evaluate(telling, silent)
    plain = command.EvaluateSettings(corpus_folder, tmp_path / "report")
    assert plain.weights == WEIGHTS_DIR
    assert "--weights" not in plain.command


def test_what_only_our_own_acoustic_model_scores_is_said_to_be_missing(
    corpus_folder, own_weights, tmp_path, monkeypatch
):
    settings = command.EvaluateSettings(corpus_folder, tmp_path, speech=corpus_folder, weights=own_weights)
    section = command._hearing(settings, [], [], silent)
    assert "Not measured: phones and characters are scored by speech.safetensors alone" in section.paragraphs[0]
    monkeypatch.setattr(command, "speak_sentences", lambda progress: ["spoken"])
    monkeypatch.setattr(command, "articulate", lambda cascade, spoken, recorded, progress: {"all": recorded})
    figures, spoken, reason = command._articulated(settings, None, silent)  # pyright: ignore[reportArgumentType]
    assert (figures, spoken) == ({"all": []}, ["spoken"])
    assert "speech.onnx" in reason


@pytest.mark.parametrize("out", ["report", "."])
def test_trained_variants_are_kept_beside_the_report(corpus_folder, tmp_path, monkeypatch, out):
    asked = {}
    monkeypatch.setattr(command.variants, "train_variants", lambda wanted, **settings: asked.update(settings) or {})
    (tmp_path / "report").mkdir()
    monkeypatch.chdir(tmp_path / "report" if out == "." else tmp_path)
    command._networks(command.EvaluateSettings(corpus_folder, Path(out)), None, silent)  # pyright: ignore[reportArgumentType]
    assert asked["kept"] == tmp_path / "report_run"
    assert asked["weights"] == WEIGHTS_DIR
