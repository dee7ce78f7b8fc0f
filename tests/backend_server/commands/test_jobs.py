import io
import json

import pytest
from rich.console import Console

from backend_server.commands.job_table import as_json, chosen, chosen_ended, ended_table, job_table, outcome
from shared.errors import ErrorCode, ValueRangeError
from shared.health import JobHealth
from shared.protocol import Cancelled, Done, Failed

JOBS = (
    JobHealth(
        id="abcd01",
        kind="animate",
        state="running",
        owner="Blender\x1b[31m",
        age_seconds=75,
        follower_count=2,
        result_count=4,
        stage="texture",
        step=3,
        steps=9,
        seconds_left=61.0,
    ),
    JobHealth(id="abcd02", state="parked"),
    JobHealth(id="abcd", state="queued", kind="adapt", result_count=1),
)


def test_the_table_says_all_and_obeys_nobody():
    file = io.StringIO()
    Console(file=file, width=160, force_terminal=False).print(job_table(JOBS))
    text = file.getvalue()
    for words in (
        "1 min 15 s",
        "2 clients",
        "texture 3/9, 1 min 1 s left, 4 results",
        "not known",
        "nobody",
        "1 result",
    ):
        assert words in text
    assert "\x1b" not in text
    assert "3 jobs; end one with `jobs cancel ID`" in text


def test_the_json_holds_every_field():
    values = json.loads(as_json(JOBS))
    assert [entry["id"] for entry in values] == ["abcd01", "abcd02", "abcd"]
    assert values[1].keys() == set(JobHealth.__struct_fields__)


def test_a_whole_id_or_a_beginning_of_one_is_enough():
    assert chosen(JOBS, ["abcd", "abcd0" + "1"], is_parked=True) == ["abcd", "abcd01", "abcd02"]
    for beginning, words in (
        ("abcd0", "2 jobs have IDs that begin with abcd0"),
        ("abc", '"abc" is too short'),
        ("xyz01", "no job that runs or waits"),
    ):
        with pytest.raises(ValueRangeError, match=words):
            chosen(JOBS, [beginning], is_parked=False)
    with pytest.raises(ValueRangeError, match="no job was chosen"):
        chosen(JOBS, [], is_parked=False)


def test_ended_jobs_are_shown_and_found_by_their_beginnings():
    ended = [JobHealth(id="abcd01", state="ended", size_bytes=2_400_000_000, owner="me\x1b", age_seconds=75)]
    file = io.StringIO()
    Console(file=file, width=160, force_terminal=False).print(ended_table(ended))
    text = file.getvalue()
    for words in ("abcd01", "ended", "2,400.0 MB", "1 min 15 s", "1 job, 2,400.0 MB", "not known"):
        assert words in text
    assert "\x1b" not in text
    assert chosen_ended(ended, ["abcd01", "abcd"]) == ["abcd01"]
    with pytest.raises(ValueRangeError, match="no job that has ended has an ID that begins with xyz01"):
        chosen_ended(ended, ["xyz01"])


def test_ends_are_told_apart():
    assert outcome(Cancelled(job="a")) == "a cancelled"
    assert outcome(Done(job="a")) == "a had ended before: done"
    failed = Failed(job="a", code=ErrorCode.NO_FACE, sentence="there is\n no face")
    assert outcome(failed) == r"a had ended before: failed: there is\n no face"


def test_without_a_connection_file_all_commands_say_one_sentence(run_command, tmp_path):
    for arguments in (
        ("list",),
        ("list", "--ended"),
        ("forget", "abcd01"),
        ("cancel", "abcd01"),
        ("cancel", "--parked"),
    ):
        result = run_command("jobs", *arguments, "--connection-file", tmp_path / "none.json")
        assert result.exit_code == 2
        assert "there is no connection file" in result.stderr
