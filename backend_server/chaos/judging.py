"""Judges one job: complete and equal, or failed with a sentence; everything else is a fault of the service."""

from __future__ import annotations

from backend_server.chaos.counts import Counts
from backend_server.chaos.job import Result
from shared.errors import ErrorCode
from shared.protocol import Done, Failed

_LONGEST_SENTENCE = 4000  # characters; a longer one is no sentence


def judge(counts: Counts, result: Result, digest: str, *, is_retried: bool) -> None:
    """Counts one result.

    Args:
        counts: of its kind.
        result: what the client got.
        digest: of the undisturbed run of the same job.
        is_retried: whether a server or worker had to begin it again.
    """
    ending = result.ending
    if result.twice:
        counts.note("TWICE", f"{result.twice} results or ends came again")
    match ending:
        case None:
            counts.note("HUNG", f"no end within {result.seconds:.0f} s")
        case Done() if result.complaints or result.digest != digest:
            counts.note("LOST", "; ".join(result.complaints) or "done, but other results than undisturbed")
        case Done():
            counts.note("completed")
            if is_retried:
                counts.note("retried")
        case Failed() if is_sentence(ending.sentence):
            counts.note("failed with a reason", f"{ending.code}: {ending.sentence}")
        case Failed():
            counts.note("UNNAMED", f"{ending.code}: {ending.sentence!r:.200}")
        case _:
            counts.note("LOST", f"it ended as {type(ending).__name__}, which nobody asked for")


def is_sentence(text: str) -> bool:
    """Whether it is one line of readable length that says something."""
    return 10 <= len(text) <= _LONGEST_SENTENCE and text.isprintable()


def is_named(refusal: Failed, field: str, buffer: str = "") -> bool:
    """Whether a refusal is a sentence that names the spoilt field, if that has a name.

    A buffer under another name is missing under its own, so the sentence names that one.
    """
    says_field = not field or field == "name" or field in refusal.sentence or refusal.code is ErrorCode.VERSION_MISMATCH
    says_buffer = bool(buffer) and buffer in refusal.sentence
    return is_sentence(refusal.sentence) and (says_field or says_buffer)
