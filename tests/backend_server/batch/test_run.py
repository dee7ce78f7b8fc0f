"""Tests what a batch makes, what it makes again, and what it tells."""

import csv
import errno
import json
import re
from contextlib import suppress
from itertools import count

import numpy as np
import pytest
import soundfile
from filelock import FileLock

from backend_server.batch import line as line_module
from backend_server.batch import report as report_module
from backend_server.batch.line import LineMaker
from backend_server.batch.order import NOBODY, Job, Line, Plan
from backend_server.batch.run import BatchSettings, Order, run_batch
from backend_server.cascade import Cascade
from backend_server.files import atomic_write, temporary_name
from backend_server.identities.pictures import portrait_path
from backend_server.speech.recording import FileSound, listen
from shared.arkit import SHAPES
from shared.errors import ValueRangeError
from shared.rig.presets import open_mapping
from shared.timing import FrameRate, frame_times

pytestmark = pytest.mark.slow


@pytest.fixture
def studio(tmp_path, speech):
    """Five lines of two characters, one of them broken: the manifest and the characters."""
    (tmp_path / "vo").mkdir()
    quiet = np.concatenate([speech[:9_600], np.zeros(48_000, np.float32)])
    sounds = {"a": speech[:24_000], "b": speech[24_000:40_000], "quiet": quiet, "loud": np.clip(20 * speech, -1, 1)}
    for name, samples in sounds.items():
        soundfile.write(tmp_path / "vo" / f"{name}.wav", samples, 16_000)
    (tmp_path / "vo" / "broken.wav").write_text("no sound at all")
    rows = [
        "id;audio;character;language;outputs",
        "l1;vo\\a.wav;hero;en;curves arkit landmarks rig live-link json",
        "l2;vo\\b.wav;crowd;de;arkit",
        "l3;vo\\quiet.wav;crowd;;arkit",
        "l4;vo\\loud.wav;hero;;",
        "l5;vo\\broken.wav;crowd;;arkit",
    ]
    (tmp_path / "lines.csv").write_text("\r\n".join(rows), encoding="utf-8-sig")
    hero = {"images": [str(portrait_path())], "rig": ["oculus"], "gains": {"jawOpen": 0.5}, "blink": False}
    document = {"format": "speech_face.characters", "version": 1, "characters": {"hero": hero, "crowd": {}}}
    (tmp_path / "characters.json").write_text(json.dumps(document))
    return tmp_path


def run(folder, **changes):
    """Runs the studio's batch; the summary, and what was said and warned of."""
    said, warned, reports = [], [], []
    order = Order(str(folder / "lines.csv"), str(folder / "characters.json"), ("arkit",), FrameRate(30), 7)
    settings = BatchSettings(order, folder / "out", jobs=1, **changes)
    summary = run_batch(settings, lambda *report: reports.append(report), said.append, warned.append)
    assert reports[-1] == ("lines", 5, 5)
    return summary, said, warned


def table(path):
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.reader(file))
    return rows[0], np.array(rows[1:], np.float64)


def test_a_studio_batch(studio):
    out = studio / "out"
    summary, _, warned = run(studio)
    assert str(summary) == "4 lines done, 1 failed"
    assert len(warned) == 1
    assert re.match("l5: .*broken.wav is not a sound file that can be read", warned[0])
    made = {folder.name: {path.name for path in folder.iterdir()} for folder in out.iterdir() if folder.is_dir()}
    rig_files = {"rig_oculus.csv", "rig_oculus.json"}
    assert made == {
        ".batch": {"faces", "lock", "order.json", "reports.json"},
        "l1": {"curves.json", "arkit.csv", "landmarks.npz", "live_link.csv", "arkit.json", "line.json", *rig_files},
        "l2": {"arkit.csv", "line.json"},
        "l3": {"arkit.csv", "line.json"},
        "l4": {"arkit.csv", "line.json"},
    }

    # The numbers are those that the cascade makes of the sound, with the seed that is told and the character's gains.
    result = json.loads((out / "l1" / "line.json").read_text())
    recording = listen(FileSound(studio / "vo" / "a.wav"))
    times = frame_times(recording.seconds, FrameRate(30))
    motion = Cascade.load("cpu").animate_recording(recording, times, seed=result["seed"], blink=False)
    _, weights = table(out / "l1" / "arkit.csv")
    motion.arkit[:, SHAPES.index("jawOpen")] *= 0.5
    np.testing.assert_allclose(weights[:, 1:], motion.arkit, atol=2e-4)
    heading, rig = table(out / "l1" / "rig_oculus.csv")
    assert heading == ["time", *(channel.name for channel in open_mapping("oculus").channels)]
    curves = json.loads((out / "l1" / "rig_oculus.json").read_text())
    np.testing.assert_allclose(rig[:, heading.index("aa")], curves["channels"]["aa"], atol=1e-4)
    assert (result["language"], result["frames"], result["seconds"]) == ("en", 45, 1.5)

    with (out / "report.csv").open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    assert rows[0]["id"] == "l5"
    assert {row["id"] for row in rows[1:3]} == {"l3", "l4"}  # before the two that nobody need look at
    reasons = {row["id"]: row["look_at"] for row in rows}
    assert "silence: nobody speaks in" in reasons["l3"]
    assert "clipping:" in reasons["l4"]
    assert "not a sound file" in reasons["l5"]
    assert reasons["l2"] == ""
    assert [row["row"] for row in rows if row["id"] == "l5"] == ["6"]
    page = (out / "report.html").read_text(encoding="utf-8")
    places = [page.index(f">{name}<") for name in ("l3", "l4", "l1")]
    assert max(places[:2]) < places[2]
    assert page.count("<polyline") == 4
    points = re.findall(r'points="([^"]+)"', page)
    assert all(len(set(plot.split())) > 10 for plot in points)


def test_what_is_unchanged_is_left_and_what_changed_is_made_again(studio, tree_of):
    out = studio / "out"
    run(studio)
    first = tree_of(out)
    summary, _, _ = run(studio)
    assert (summary.done, summary.unchanged, summary.failed) == (0, 4, 1)
    assert tree_of(out) == first

    (out / "l2" / "arkit.csv").write_text("mine")
    (studio / "vo" / "b.wav").write_bytes((studio / "vo" / "a.wav").read_bytes())
    (studio / "vo" / "quiet.wav").write_bytes(b"")
    (studio / "vo" / "broken.wav").write_bytes((studio / "vo" / "a.wav").read_bytes())
    (out / "report.csv").write_text("my comments")
    (studio / "lines.csv").write_text((studio / "lines.csv").read_text().replace("l3;vo\\quiet.wav", "l3;vo\\a.wav"))
    summary, said, _ = run(studio)
    assert (summary.done, summary.unchanged, summary.failed) == (3, 2, 0)  # l2, l3 and l5 have other sounds now
    assert (out / "l2 (kept)" / "arkit.csv").read_text() == "mine"
    assert (out / "report (kept).csv").read_text() == "my comments"
    assert len(said) == 2
    assert not (out / "l3 (kept)").exists()  # nobody had changed it


@pytest.mark.parametrize("moment", range(4))
def test_a_batch_killed_while_it_writes_its_reports_knows_them_again(maker, tmp_path, speech, monkeypatch, moment):
    out, rate, writes = tmp_path / "out", FrameRate(25), count()
    outcome = maker.make(job(tmp_path, speech))

    def killed(path):
        if next(writes) == moment:
            raise KeyboardInterrupt
        return atomic_write(path)

    report_module.write_reports(out, [], rate)
    with monkeypatch.context() as patch, suppress(KeyboardInterrupt):
        patch.setattr(report_module, "atomic_write", killed)
        report_module.write_reports(out, [outcome], rate)
    assert report_module.write_reports(out, [outcome], rate) == []
    assert "(kept)" not in " ".join(path.name for path in out.iterdir())
    (out / "report.csv").write_text("my comments")
    assert report_module.write_reports(out, [outcome], rate) == [str(out / "report (kept).csv")]


def test_what_a_killed_batch_left_under_temporary_names_is_deleted(studio):
    out = studio / "out"
    (out / ".batch" / "work").mkdir(parents=True)
    places = (out / "report.csv", out / ".batch" / "order.json", out / ".batch" / "work" / "l1")
    left = [temporary_name(path) for path in places]
    other = temporary_name(out / "mine.csv")
    for path in (*left, other):
        path.write_text("half")
    run(studio)
    assert [path for path in left if path.exists()] == []
    assert other.exists()


def job(tmp_path, speech, name="x", **changes):
    soundfile.write(tmp_path / "x.wav", speech[:16_000], 16_000)
    values = {"audio": str(tmp_path / "x.wav"), "outputs": ("curves",), **changes}
    return Job(Line(2, name, values["audio"], "", "", values["outputs"]), NOBODY, None)


@pytest.fixture
def maker(tmp_path):
    plan = Plan(str(tmp_path / "out"), FrameRate(25), device="cpu")
    plan.inside.mkdir(parents=True)
    return LineMaker(plan)


def test_a_full_disk_costs_one_sentence_and_leaves_nothing(maker, tmp_path, speech, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(line_module, "write_json_curves", full)
        outcome = maker.make(job(tmp_path, speech))
    assert outcome.sentence == f"the disk of {tmp_path / 'out'} is full; free some space and run again with --resume"
    assert [path.name for path in (tmp_path / "out").iterdir()] == [".batch"]
    assert list((tmp_path / "out" / ".batch" / "work").iterdir()) == []
    assert maker.make(job(tmp_path, speech)).state == "done"


def test_a_sound_that_vanished_costs_one_sentence(maker, tmp_path, speech):
    gone = job(tmp_path, speech, audio=str(tmp_path / "gone.wav"))
    assert "gone.wav cannot be read or written (No such file or directory)" in maker.make(gone).sentence


def test_lines_blink_at_different_times_and_repeatably(maker, tmp_path, speech):
    seeds = [maker.make(job(tmp_path, speech, name)).result.seed for name in ("x", "y")]
    assert seeds[0] != seeds[1]
    assert maker.make(job(tmp_path, speech, "x")).state == "unchanged"


def test_a_fault_inside_is_told_and_costs_one_line(maker, tmp_path, speech, monkeypatch):
    monkeypatch.setattr(line_module, "write_json_curves", lambda *_: 1 / 0)
    outcome = maker.make(job(tmp_path, speech))
    assert "ZeroDivisionError" in outcome.sentence
    assert "Traceback" in outcome.detail


def settings_of(tmp_path, **changes):
    (tmp_path / "x.csv").write_text("id,audio\n")
    return BatchSettings(**{"order": Order(str(tmp_path / "x.csv")), "out": tmp_path / "out", **changes})


def refused(settings):
    with pytest.raises(ValueRangeError) as caught:
        run_batch(settings, lambda *_: None, lambda _: None, lambda _: None)
    return caught.value.sentence


def test_what_cannot_be_resumed_is_refused(tmp_path, manifest):
    assert "no batch was begun in" in refused(settings_of(tmp_path, is_resumed=True))
    assert "there is nothing to do" in refused(settings_of(tmp_path, order=None))
    (tmp_path / "out" / ".batch").mkdir(parents=True)
    (tmp_path / "out" / ".batch" / "order.json").write_text('{"source":"y.csv"}')
    sentence = refused(settings_of(tmp_path, is_resumed=True))
    assert "asked for otherwise (source " in sentence
    assert "'y.csv'" in sentence


def test_one_batch_at_a_time_writes_into_a_folder(tmp_path, manifest):
    inside = tmp_path / "out" / ".batch"
    inside.mkdir(parents=True)
    with FileLock(inside / "lock"):
        assert "another batch is writing into" in refused(settings_of(tmp_path, order=Order(str(manifest(1)))))


def test_results_do_not_go_among_the_sounds(tmp_path, manifest):
    order = Order(str(manifest(1).parent / "vo"))
    assert "lies in the folder of the sounds" in refused(
        settings_of(tmp_path, order=order, out=tmp_path / "vo" / "out")
    )
