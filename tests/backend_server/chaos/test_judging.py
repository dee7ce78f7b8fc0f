from dataclasses import replace

import pytest

from backend_server.chaos.counts import BAD, COLUMNS, Counts, markdown, totals
from backend_server.chaos.job import Result
from backend_server.chaos.judging import is_named, is_sentence, judge
from shared.errors import ErrorCode
from shared.protocol import Cancelled, Done, Failed

GOOD = Result(digest="same", ending=Done(), twice=0, starts=1, seconds=0.5, complaints=())


def failed(sentence, code=ErrorCode.INTERNAL):
    return Failed(code=code, sentence=sentence)


@pytest.mark.parametrize(
    ("changes", "column"),
    [
        ({}, "completed"),
        ({"digest": "other"}, "LOST"),
        ({"complaints": ("done after 3 of 4 frames",)}, "LOST"),
        ({"ending": Cancelled()}, "LOST"),
        ({"ending": None}, "HUNG"),
        ({"ending": failed("the disk is full; free some space")}, "failed with a reason"),
        ({"ending": failed("")}, "UNNAMED"),
        ({"ending": failed("two\nlines of text")}, "UNNAMED"),
        ({"ending": failed("x" * 20_000)}, "UNNAMED"),
    ],
)
def test_each_result_has_its_column(changes, column):
    counts = Counts("kind")
    judge(counts, replace(GOOD, **changes), "same", is_retried=False)
    assert {name for name, number in counts.numbers.items() if number} == {column}
    assert counts.is_clean is (column not in BAD)


def test_results_that_come_twice_are_counted_beside_the_end():
    counts = Counts("kind")
    judge(counts, replace(GOOD, twice=2), "same", is_retried=True)
    assert {name for name, number in counts.numbers.items() if number} == {"completed", "retried", "TWICE"}
    assert not counts.is_clean


def test_a_refusal_names_the_field():
    assert is_named(failed("Ping is refused: job = 3: expected `str`"), "job")
    assert not is_named(failed("the message is refused for some reason"), "job")
    assert is_named(failed("frame_times must be of shape (T), got ()"), "buffer", "frame_times")
    assert not is_named(failed("the message is refused for some reason"), "buffer", "frame_times")
    assert not is_sentence("the escape \x1b[2J clears a terminal")


def test_the_table_adds_up():
    first, second = Counts("first"), Counts("second")
    first.note("injections")
    second.note("injections", "a")
    second.note("HUNG", "b")
    assert totals([first, second]).numbers["injections"] == 2
    lines = markdown([first, second]).splitlines()
    assert lines[-1].startswith("| all | 2 | 0 |")
    assert all(line.count("|") == len(COLUMNS) + 2 for line in lines)
    assert second.examples["HUNG"] == ["b"]
