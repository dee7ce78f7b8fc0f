"""Turns a learnt face or an exception into a message for a client."""

from __future__ import annotations

import traceback
from collections.abc import Sequence

import numpy as np

from backend_server.identity import IdentityRecord
from shared.errors import ErrorCode, SpeechFaceError
from shared.notes import renamed
from shared.protocol import Adapted, Failed


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


def failure(error: BaseException) -> Failed:
    """The message that reports an exception: its code, one sentence, and the trace for the log."""
    detail = "".join(traceback.format_exception(error))
    if isinstance(error, SpeechFaceError):
        return Failed(code=error.code, sentence=error.sentence[:4000], detail=(error.detail or detail)[-8000:])
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":  # torch's own
        sentence = "the backend ran out of memory; use a shorter strip, or a device with more memory"
        return Failed(code=ErrorCode.OUT_OF_MEMORY, sentence=sentence, detail=detail[-8000:])
    sentence = f"the backend met an unexpected error ({type(error).__name__}: {error}); read its log"
    return Failed(code=ErrorCode.INTERNAL, sentence=sentence[:4000], detail=detail[-8000:])
