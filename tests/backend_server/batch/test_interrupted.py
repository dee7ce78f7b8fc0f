"""Tests that a batch that is cancelled, or loses a worker, loses nothing and does nothing twice.

That one which is killed at any moment does not either, `chaos --batch` proves: `chaos/test_command.py`.
"""

import signal
import threading
import time
from concurrent.futures import Future

import psutil
import pytest

from backend_server.batch import local
from backend_server.chaos.batch_process import finished_lines
from backend_server.chaos.waiting import wait_until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
LINES = 24


def wait_for_lines(out, count, process, seconds=300):
    deadline = time.monotonic() + seconds
    while len(list(out.glob("line_*"))) < count:
        assert process.poll() is None, process.stderr.read()
        assert time.monotonic() < deadline, f"{count} lines were not done within {seconds} s"
        time.sleep(0.01)  # between two looks at the folder


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
    done = finished_lines(out)
    assert 2 <= len(done) < LINES
    assert not list((out / ".batch").glob("work/*"))
    again = start_batch(source, "--out", out, "--resume")
    assert again.wait() == 0
    assert done.items() <= finished_lines(out).items()
    assert len(finished_lines(out)) == LINES


def test_stopping_does_not_wait_for_a_result_that_never_comes(monkeypatch):
    """Pebble may lose a task that it takes at the moment in which it is stopped."""

    class Pool:
        def __init__(self, *_, **__):
            self.submit = lambda *_: Future()
            self.stop = self.join = lambda: None

    monkeypatch.setattr(local, "ProcessPool", Pool)
    workers = local.LocalWorkers(plan=None, count=2)
    waited_for = [workers.make(job=None) for _ in range(5)]
    stopping = threading.Thread(target=workers.stop, daemon=True)
    stopping.start()
    stopping.join(10)
    assert not stopping.is_alive()
    assert all(future.done() for future in waited_for)


def test_a_worker_that_dies_costs_its_own_line_alone(manifest, start_batch, tmp_path):
    source, out = manifest(LINES), tmp_path / "out"
    process = start_batch(source, "--out", out, "--jobs", 1)
    wait_for_lines(out, 2, process)
    workers = [child for child in psutil.Process(process.pid).children() if child.memory_info().rss > 200 * 2**20]
    workers[0].kill()
    _, errors = process.communicate()
    assert process.returncode == 1, errors
    assert errors.count("the process that made it died") == 1
    assert len(finished_lines(out)) == LINES - 1
    assert start_batch(source, "--out", out, "--resume").wait() == 0
    assert len(finished_lines(out)) == LINES


def test_a_worker_that_dies_while_it_loads_costs_no_line(manifest, start_batch, tmp_path):
    process = start_batch(manifest(LINES), "--out", tmp_path / "out", "--jobs", 2)
    workers = []

    def has_workers():
        children = psutil.Process(process.pid).children()
        workers[:] = [child for child in children if any("spawn_main" in word for word in child.cmdline())]
        return len(workers) == 2

    assert wait_until(has_workers, 120)
    workers[0].kill()
    printed, errors = process.communicate()
    assert process.returncode == 0, errors
    assert f"{LINES} lines done, 0 failed" in printed


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
