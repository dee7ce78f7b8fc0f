"""Tests that what goes wrong with a killed batch is counted: the judge must not be blind."""

import shutil
from collections import Counter

import pytest

from backend_server.chaos.batch_kills import KINDS, LineWatch, draw_kills, judge_folders
from backend_server.chaos.batch_process import write_lines
from backend_server.chaos.counts import Counts


@pytest.fixture
def folders(tmp_path):
    """Two equal output folders of three lines."""
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    for number in range(3):
        (whole / f"line_{number}").mkdir(parents=True)
        (whole / f"line_{number}" / "line.json").write_text("{}")
        (whole / f"line_{number}" / "arkit.csv").write_text(str(number))
    (whole / ".batch").mkdir()
    shutil.copytree(whole, killed)
    return whole, killed


def test_what_is_missing_changed_or_left_over_is_counted(folders):
    whole, killed = folders
    counts = Counts("")
    judge_folders(counts, whole, killed)
    assert counts.is_clean
    (killed / "line_0" / "arkit.csv").unlink()
    (killed / "line_1" / "arkit.csv").write_text("2")
    (killed / ".batch" / "work").mkdir()
    (killed / ".report.csv.0123456789abcdef").write_text("")
    judge_folders(counts, whole, killed)
    assert counts.examples == {
        "LOST": ["line_0/arkit.csv is missing", "line_1/arkit.csv is changed"],
        "LEFT OVER": [".batch/work is besides", ".report.csv.0123456789abcdef is besides"],
    }


def test_a_line_that_is_made_again_or_vanishes_is_counted(folders):
    _, out = folders
    watch, counts = LineWatch(out), Counts("")
    for _ in range(2):
        watch.look(counts)
    assert counts.is_clean
    assert counts.numbers["completed"] == watch.count == 3
    shutil.rmtree(out / "line_0")
    shutil.copytree(out / "line_1", out / "again")
    shutil.rmtree(out / "line_1")
    (out / "again").rename(out / "line_1")
    watch.look(counts)
    assert (counts.numbers["LOST"], counts.numbers["TWICE"], counts.numbers["completed"]) == (1, 1, 3)


def test_a_seed_draws_the_same_kills_of_every_kind_in_order():
    kills = draw_kills(21, 1000, 5)
    assert kills == draw_kills(21, 1000, 5) != draw_kills(21, 1000, 6)
    assert Counter(kill.kind for kill in kills) == dict.fromkeys(KINDS, 7)
    moments = [kill.lines for kill in kills]
    assert moments == sorted(moments)
    assert len(set(moments)) > 10
    assert max(moments) < 1000


def test_every_line_is_another_sound(tmp_path):
    write_lines(tmp_path, 100)
    assert len({path.read_bytes() for path in tmp_path.iterdir()}) == 100
