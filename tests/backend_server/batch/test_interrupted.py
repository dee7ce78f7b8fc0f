"""Tests that a batch that is killed or cancelled loses nothing and does nothing twice."""

import random
import signal
import subprocess
import time
from contextlib import suppress

import psutil
import pytest

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
LINES = 24


def finished(out):
    """Every line that has its folder, with what shows that it was not written again."""
    found = {}
    for folder in out.glob("line_*"):
        status = (folder / "line.json").stat()
        found[folder.name] = (folder.stat().st_ino, status.st_ino, status.st_mtime_ns)
    return found


def wait_for_lines(out, count, process, seconds=300):
    deadline = time.monotonic() + seconds
    while len(list(out.glob("line_*"))) < count:
        assert process.poll() is None, process.stderr.read()
        assert time.monotonic() < deadline, f"{count} lines were not done within {seconds} s"
        time.sleep(0.01)  # between two looks at the folder


def test_killed_at_any_moment_and_resumed_it_gives_what_one_run_gives(manifest, start_batch, tree_of, tmp_path):
    source = manifest(LINES)
    whole = start_batch(source, "--out", tmp_path / "whole", "--jobs", 2)
    assert whole.wait() == 0, whole.stderr.read()
    draw = random.Random(14)
    out, before = tmp_path / "killed", {}
    for moment in sorted(draw.sample(range(1, LINES - 3), 3)):
        process = start_batch(source, "--out", out, "--jobs", 2, *(["--resume"] if before else []))
        wait_for_lines(out, moment, process)
        with suppress(subprocess.TimeoutExpired):
            process.wait(draw.random() * 0.1)  # anywhere in the lines in work
        process.kill()
        process.wait()
        now = finished(out)
        assert before.items() <= now.items()  # none done twice, none lost
        before = now
    last = start_batch("--resume", "--out", out, "--jobs", 2)  # without the manifest: the folder knows it
    printed, errors = last.communicate()
    assert last.returncode == 0, errors
    assert f"{LINES - len(before)} lines done, {len(before)} unchanged" in printed
    assert before.items() <= finished(out).items()
    assert tree_of(out) == tree_of(tmp_path / "whole")
    assert not (out / ".batch" / "work").exists()


def test_cancelled_it_ends_at_once_and_can_be_resumed(manifest, start_batch, tmp_path):
    source, out = manifest(LINES), tmp_path / "out"
    process = start_batch(source, "--out", out, "--jobs", 1)
    wait_for_lines(out, 2, process)
    start = time.monotonic()
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate()
    assert time.monotonic() - start < 3  # half a second where nothing else runs
    assert process.returncode == 130
    assert f"of {LINES} lines are done, --resume goes on" in errors
    done = finished(out)
    assert 2 <= len(done) < LINES
    assert not list((out / ".batch").glob("work/*"))
    again = start_batch(source, "--out", out, "--resume")
    assert again.wait() == 0
    assert done.items() <= finished(out).items()
    assert len(finished(out)) == LINES


def test_a_worker_that_dies_costs_its_own_line_alone(manifest, start_batch, tmp_path):
    source, out = manifest(LINES), tmp_path / "out"
    process = start_batch(source, "--out", out, "--jobs", 1)
    wait_for_lines(out, 2, process)
    workers = [child for child in psutil.Process(process.pid).children() if child.memory_info().rss > 200 * 2**20]
    workers[0].kill()
    _, errors = process.communicate()
    assert process.returncode == 1, errors
    assert errors.count("the process that made it died") == 1
    assert len(finished(out)) == LINES - 1
    assert start_batch(source, "--out", out, "--resume").wait() == 0
    assert len(finished(out)) == LINES


def test_exit_codes_and_all_problems_on_the_console(manifest, start_batch, tmp_path):
    source = manifest(2)
    source.write_text(source.read_text() + "\nline_000,vo/none.wav,\nx/y,vo/0.wav,\n")
    process = start_batch(source, "--out", tmp_path / "out")
    _, errors = process.communicate()
    assert process.returncode == 2
    assert "lines.csv has 3 problems, so nothing was done" in errors
    for sentence in ("row 4: the ID", "row 4: the sound vo/none.wav", 'row 5: the ID "x/y"'):
        assert sentence in errors
    assert not (tmp_path / "out").exists()
