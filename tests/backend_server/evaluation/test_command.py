import json

from backend_server.checkpoints import weights_version
from backend_server.commands import evaluate as command
from backend_server.progress import silent
from shared.errors import SpeechFaceError


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
    for picture in ("curves.png", "lips.png", "noise.png", "blinks.png", "eight_faces.png"):
        assert f'src="{picture}"' in page
        assert (out / picture).stat().st_size > 1000
    tables = json.loads((out / "report.json").read_text("utf-8"))["tables"]
    people = tables["Motion, held-out people (b; 2 clips)"]
    assert people["static, neutral"]["opening correlation"] == 0
    assert people["jaw by loudness"]["opening correlation"] > 0.99  # the corpus opens as loud as it speaks
    assert set(people) == {"ours", "static, neutral", "jaw by loudness"}
    assert "### Goals" in printed
