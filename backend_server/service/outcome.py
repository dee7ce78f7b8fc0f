"""Turns a learnt face or an exception into a message for a client."""

from __future__ import annotations

import traceback
from collections.abc import Sequence

import numpy as np

from backend_server.identity import IdentityRecord
from shared.errors import ErrorCode, SpeechFaceError
from shared.notes import renamed
from shared.protocol import Adapted, Failed

_LONGEST_SENTENCE = 4000  # characters; the protocol allows more
_LONGEST_DETAIL = 8000
_NO_MEMORY = (  # how libraries say it that have no exception of their own for it
    "can't allocate memory",
    "cannot allocate memory",
    "not enough memory",
    "insufficient memory",
    "out of memory",
    "bad_alloc",
    "can't start new thread",
)


def adapted_answer(
    record: IdentityRecord, *, is_cached: bool, job: str = "", sequence: int = 0, names: Sequence[str] = ()
) -> Adapted:
    """The message that announces a learnt face; `names` are those of the files now, which the notes name."""
    return Adapted(
        job=job,
        sequence=sequence,
        identity=record.identity,
        epochs=record.epochs,
        is_cached=is_cached,
        losses=record.losses,
        held_out_psnr=record.held_out_psnr,
        neutral=np.array(record.neutral, np.float32),
        crop=np.array(record.crop, np.float32),
        notes=renamed(record.notes, dict(zip(record.image_names, names, strict=False))),
    )


def failed(code: ErrorCode, sentence: str, detail: str = "", *, job: str = "", parent: str = "") -> Failed:
    """The message of a failure; texts that are too long for a message are cut, so it can always be sent."""
    return Failed(
        code=code, sentence=_cut(sentence, _LONGEST_SENTENCE), detail=detail[-_LONGEST_DETAIL:], job=job, parent=parent
    )


def failure(error: BaseException, *, job: str = "", parent: str = "") -> Failed:
    """The message that reports an exception: its code, one sentence, and the trace for the log."""
    detail = "".join(traceback.format_exception(error))
    if isinstance(error, SpeechFaceError):
        return failed(error.code, error.sentence, error.detail or detail, job=job, parent=parent)
    if is_out_of_memory(error):
        sentence = "the backend ran out of memory; use a shorter strip, or a device with more memory"
        return failed(ErrorCode.OUT_OF_MEMORY, sentence, detail, job=job, parent=parent)
    sentence = f"the backend met an unexpected error ({type(error).__name__}: {error}); read its log"
    return failed(ErrorCode.INTERNAL, sentence, detail, job=job, parent=parent)


def worker_died(when: str, reason: str) -> Failed:
    """The message for a job whose worker process died."""
    sentence = f"the worker process died {when} ({reason}); if memory ran out, use a shorter strip or fewer images"
    return failed(ErrorCode.WORKER_DIED, sentence)


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an exception says that memory ran out, in whatever words."""
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":  # torch's own
        return True
    return not isinstance(error, SpeechFaceError) and any(words in str(error).lower() for words in _NO_MEMORY)


def _cut(text: str, longest: int) -> str:
    return text if len(text) <= longest else f"{text[: longest - 4]} ..."
