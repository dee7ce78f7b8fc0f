import json
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from backend_server.__main__ import app
from backend_server.checkpoints import WEIGHTS_DIR, weights_version
from backend_server.commands import evaluate as command
from backend_server.evaluation import run
from backend_server.evaluation.goals import Goal
from backend_server.evaluation.motion import blinks, speed
from backend_server.evaluation.page.report import Section
from backend_server.evaluation.run import Settings
from backend_server.progress import silent
from shared.errors import CorpusError, ImageError, SpeechFaceError, ValueRangeError, WeightsError


def test_a_report_names_what_it_measured_and_how_to_repeat_it(corpus_folder, tmp_path, monkeypatch):
    def mute(progress):
        raise SpeechFaceError("there is no espeak-ng here")

    monkeypatch.setattr(run, "speak_sentences", mute)
    monkeypatch.setattr(speed, "SECONDS", 2.0)
    monkeypatch.setattr(blinks, "CLIP_COUNT", 3)
    out = tmp_path / "report"
    settings = Settings(corpus_folder, out, has_texture=False, device="cpu")
    printed = command.evaluate(settings, silent)
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
    asked = []

    def judge(context):
        asked.append(context)
        return Section("Faces", (), goals=(Goal("PSNR", 36.0, 37.0, is_least=True),))

    monkeypatch.setattr(command, "FACES", (judge,))
    settings = Settings(corpus_folder, tmp_path / "report", has_motion=False, device="cpu")
    command.evaluate(settings, silent)
    (context,) = asked
    assert [clip.speaker for clip in context.people] == ["b", "b"]  # never trained on
    assert context.kept.folder == tmp_path / "report_run"
    document = json.loads((tmp_path / "report" / "report.json").read_text("utf-8"))
    assert document["tables"] == {
        "Goals": {"PSNR": {"goal": "at least 36", "measured": "37.000", "reached": "yes", "set by": "ours"}}
    }
    assert weights_version() in document["facts"]["weights"]
    assert "--no-motion" in document["facts"]["command"]
    with pytest.raises(ValueRangeError, match="nothing is left to judge"):
        command.evaluate(replace(settings, has_texture=False), silent)
    index = corpus_folder / "index.tsv"
    index.write_text(index.read_text().replace("b\t0\tval", "b\t0\ttrain"))
    with pytest.raises(CorpusError, match="holds nobody out"):
        command.evaluate(settings, silent)


def test_motion_is_not_judged_without_voices_for_babble(corpus_folder, tmp_path):
    index = corpus_folder / "index.tsv"
    index.write_text(index.read_text("utf-8").replace("\ttrain\t", "\tval\t"), "utf-8")
    with pytest.raises(CorpusError, match="has no training clips, whose voices the babble is made of"):
        command.evaluate(Settings(corpus_folder, tmp_path / "report", has_texture=False, device="cpu"), silent)
    assert not (tmp_path / "report").exists()


def test_a_folder_of_weights_is_named_in_the_command_and_has_to_be_whole(corpus_folder, own_weights, tmp_path):
    settings = Settings(corpus_folder, tmp_path / "report", has_texture=False, weights=own_weights)
    assert f"--weights {own_weights}" in settings.command
    command.check_weights(own_weights, has_texture=False)
    with pytest.raises(WeightsError, match=r"lacks texture\.safetensors; copy"):
        command.check_weights(own_weights, has_texture=True)
    (own_weights / "speech.onnx").unlink()
    with pytest.raises(WeightsError, match=r"lacks speech\.safetensors"):
        command.evaluate(settings, silent)
    assert not settings.out.exists()
    telling = Settings(corpus_folder, tmp_path / "report", identity=tmp_path / "none.ckpt")
    assert f"--identity {tmp_path / 'none.ckpt'}" in telling.command
    with pytest.raises(WeightsError, match=r"none\.ckpt holds no weights of MobileFaceNet"):
        command.evaluate(telling, silent)
    plain = Settings(corpus_folder, tmp_path / "report")
    assert plain.weights == WEIGHTS_DIR
    assert "--weights" not in plain.command


@pytest.mark.parametrize("out", ["report", "."])
def test_what_was_trained_is_kept_beside_the_report(corpus_folder, tmp_path, monkeypatch, out):
    (tmp_path / "report").mkdir()
    monkeypatch.chdir(tmp_path / "report" if out == "." else tmp_path)
    assert Settings(corpus_folder, Path(out)).kept == tmp_path / "report_run"


def test_options_select_the_experiments(corpus_folder, tmp_path):
    def chosen(has_people=True, **options):
        return command.experiments(Settings(corpus_folder, tmp_path, **options), has_people)

    faces, motion = [*command.FACES], [*command.MOTION]
    assert chosen() == faces + motion
    assert chosen(has_motion=False) == faces
    assert chosen(has_texture=False) == chosen(has_people=False) == motion
    ablations = [*command.MOTION_ABLATIONS, *command.FACE_ABLATIONS]
    assert chosen(has_ablations=True) == faces + motion + ablations
    assert chosen(has_ablations=True, has_texture=False) == [*motion, *command.MOTION_ABLATIONS]
    assert chosen(has_ablations=True, has_motion=False) == [*faces, *command.FACE_ABLATIONS]
    assert chosen(leaves_one_out=True) == [*faces, *motion, *command.PEOPLE_LEFT_OUT]
    assert chosen(leaves_one_out=True, has_motion=False) == faces
    compared = [*faces, *command.COMPARED_FACES]
    assert chosen(beside=tmp_path, has_motion=False) == chosen(talkers=tmp_path, has_motion=False) == compared
    assert chosen(portraits=tmp_path, has_motion=False) == faces


def test_the_command_says_what_was_trained_and_how_long(corpus_folder, tmp_path):
    def told(**options):
        return Settings(corpus_folder, tmp_path, **options).command

    assert "epochs" not in told()
    assert told(leaves_one_out=True, epochs=4).endswith("--leave-one-out --epochs 4")
    assert told(has_ablations=True, leaves_one_out=True, has_texture=False).endswith(
        "--leave-one-out --epochs 15 --ablations --no-texture"
    )
    assert "leave" not in told(leaves_one_out=True, has_motion=False)


def test_what_is_asked_of_faces_is_checked_before_anything_is_judged(corpus_folder, tmp_path):
    texture = WEIGHTS_DIR / "texture.safetensors"

    def fails_with(error, match, **options):
        with pytest.raises(error, match=match):
            command.evaluate(Settings(corpus_folder, tmp_path / "report", device="cpu", **options), silent)
        assert not (tmp_path / "report").exists()

    fails_with(
        ValueRangeError, "--beside and --talkers would judge", beside=texture, talkers=corpus_folder, has_texture=False
    )
    fails_with(WeightsError, r"motion\.safetensors does not hold weights", beside=WEIGHTS_DIR / "motion.safetensors")
    fails_with(CorpusError, "nowhere holds no corpus", talkers=tmp_path / "nowhere")
    fails_with(ImageError, "nowhere cannot be read", portraits=tmp_path / "nowhere")
    index = corpus_folder / "index.tsv"
    everyone = index.read_text("utf-8")
    index.write_text("\n".join(row for row in everyone.splitlines() if not row.startswith("b")) + "\n", "utf-8")
    fails_with(CorpusError, "holds nobody out of training whose face", beside=texture)
    index.write_text(everyone.replace("\tval\t", "\ttrain\t"), "utf-8")
    fails_with(CorpusError, "has no clips in the split val, whose faces --talkers judges", talkers=corpus_folder)


def test_the_command_line_says_what_stands_beside_and_who_else_is_judged(corpus_folder, tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr(command, "evaluate", lambda settings, progress: asked.append(settings) or "tables")
    paths = {"beside": tmp_path / "a.safetensors", "talkers": tmp_path / "wild", "portraits": tmp_path / "photos"}
    options = [str(word) for name, path in paths.items() for word in (f"--{name}", path)]
    line = ["--data", str(corpus_folder), "--out", str(tmp_path), "--no-motion", *options]
    result = CliRunner().invoke(app, ["evaluate", *line])
    assert result.exit_code == 0, result.output
    (settings,) = asked
    assert settings == Settings(corpus_folder, tmp_path, has_motion=False, **paths)
    assert " ".join(options) in settings.command
    assert "--beside" not in Settings(corpus_folder, tmp_path).command
