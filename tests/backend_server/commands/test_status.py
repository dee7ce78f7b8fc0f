import io
import json

import pytest
from rich.console import Console

from backend_server.commands.status import as_json, status_table
from shared.health import JobCounts, WorkerHealth
from shared.protocol import StatusReport


@pytest.fixture
def report():
    """Makes a report with the given values."""

    def make(**values):
        return StatusReport(
            **{
                "backend": "Speech Face 1.2",
                "protocol": "2.2",
                "pid": 47,
                "uptime_seconds": 0.0,
                "state": "ready",
                **values,
            }
        )

    return make


def printed(report):
    file = io.StringIO()
    Console(file=file, width=160).print(status_table(report))
    return file.getvalue()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "there is no connection file"),
        (b"{", "is damaged"),
        (b"\xff\xfe", "is damaged"),
        ("folder", "cannot read"),
    ],
)
def test_without_a_usable_connection_file_it_says_one_sentence(run_command, tmp_path, content, words):
    path = tmp_path / "connection.json"
    if content == "folder":
        path.mkdir()
    elif content is not None:
        path.touch(mode=0o600)
        path.write_bytes(content)
    result = run_command("status", "--connection-file", path)
    assert result.exit_code == 2
    assert words in result.stderr
    assert result.stderr.count("\n") == 1
    assert result.stdout == ""


def test_the_table_says_what_the_worker_does(report):
    worker = WorkerHealth(
        pid=48, memory_bytes=2_100_000_000, job="abc", stage="texture", step=3, steps=9, seconds_left=75.0
    )
    text = printed(report(worker=worker, uptime_seconds=90_061))
    assert "process 48, 2.1 GB of memory" in text
    assert "job abc, texture 3/9, 1 min 15 s left" in text
    assert "runs for 1 d 1 h" in text


def test_the_table_says_why_it_is_unhealthy_and_what_failed(report):
    jobs = JobCounts(done=4, failed={"no_face": 2, "bad_sound": 1}, cancelled=5, retried=6)
    text = printed(report(state="unhealthy", trouble="the weights are [missing]", jobs=jobs))
    assert "unhealthy: the weights are [missing]" in text
    assert "4 done, 3 failed (bad_sound 1, no_face 2), 5 cancelled, 6 tried again" in text
    assert "none" in text


def test_the_json_holds_every_field_and_no_envelope(report):
    values = json.loads(as_json(report()))
    assert values.keys() == set(StatusReport.__struct_fields__) - {"id", "parent", "job", "sequence", "listed"}
