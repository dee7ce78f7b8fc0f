"""Defines the failures that a user can meet.

Only `SpeechFaceError` crosses the wire: a code for programs and one sentence for people.
"""

from __future__ import annotations

from enum import StrEnum


class ErrorCode(StrEnum):
    """Names a kind of failure on the wire; the values never change."""

    BAD_MESSAGE = "bad_message"
    UNSUPPORTED = "unsupported"
    VERSION_MISMATCH = "version_mismatch"
    TOO_LARGE = "too_large"
    BAD_CONNECTION_FILE = "bad_connection_file"
    BACKEND_UNREACHABLE = "backend_unreachable"
    BAD_SOUND = "bad_sound"
    BAD_IMAGE = "bad_image"
    NO_FACE = "no_face"
    BAD_FACE = "bad_face"
    BAD_VALUE = "bad_value"
    UNKNOWN_IDENTITY = "unknown_identity"
    UNKNOWN_JOB = "unknown_job"
    UNKNOWN_CLIENT = "unknown_client"
    NO_SPACE = "no_space"
    OUT_OF_MEMORY = "out_of_memory"
    WORKER_DIED = "worker_died"
    BAD_WEIGHTS = "bad_weights"
    BAD_CORPUS = "bad_corpus"
    INTERNAL = "internal"


class SpeechFaceError(Exception):
    """A failure with one sentence that a user can act on.

    Attributes:
        code: the kind of failure.
        sentence: what was wrong, with its value, and what to do.
        detail: for the log; may be empty.
    """

    code: ErrorCode = ErrorCode.INTERNAL

    def __init__(self, sentence: str, *, code: ErrorCode | None = None, detail: str = "") -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.detail = detail
        if code is not None:
            self.code = code


class MessageError(SpeechFaceError):
    """Bytes on the wire are not a message of this protocol.

    Attributes:
        message_id: of the refused message, when its header could be read.
        job: of the refused message, when its header could be read.
    """

    code = ErrorCode.BAD_MESSAGE
    message_id: str = ""
    job: str = ""


class ConnectionFileError(SpeechFaceError):
    """The connection file is missing, damaged, or readable by others."""

    code = ErrorCode.BAD_CONNECTION_FILE


class SoundError(SpeechFaceError):
    """The sound cannot be read or holds no speech."""

    code = ErrorCode.BAD_SOUND


class ImageError(SpeechFaceError):
    """A file or array is not an image this program can use."""

    code = ErrorCode.BAD_IMAGE


class NoFaceError(SpeechFaceError):
    """An image holds no face that the detector finds."""

    code = ErrorCode.NO_FACE


class FaceError(SpeechFaceError):
    """A face was found but cannot be used: too small, or in profile."""

    code = ErrorCode.BAD_FACE


class ValueRangeError(SpeechFaceError):
    """A setting lies outside its range."""

    code = ErrorCode.BAD_VALUE


class ShapeError(SpeechFaceError):
    """An array does not have the expected shape."""

    code = ErrorCode.BAD_VALUE


class WeightsError(SpeechFaceError):
    """A weights file is missing, damaged, or belongs to another network."""

    code = ErrorCode.BAD_WEIGHTS


class CorpusError(SpeechFaceError):
    """A training corpus is missing or empty."""

    code = ErrorCode.BAD_CORPUS


class NoSpaceError(SpeechFaceError):
    """The disk does not have enough free space."""

    code = ErrorCode.NO_SPACE


class NoteError(SpeechFaceError):
    """A note, where the user wants notes to be errors."""

    code = ErrorCode.BAD_VALUE


class Cancelled(Exception):  # noqa: N818 (a request, not an error)
    """Raised from a progress report to end the work at once; never an error."""


_CLASSES: dict[ErrorCode, type[SpeechFaceError]] = {
    kind.code: kind
    for kind in (
        MessageError, ConnectionFileError, SoundError, ImageError, NoFaceError, FaceError, ValueRangeError,
        WeightsError, CorpusError, NoSpaceError,
    )
}  # fmt: skip


def failure(code: ErrorCode, sentence: str, detail: str = "") -> SpeechFaceError:
    """The failure that another program told of, as an instance of the narrowest class for its code."""
    return _CLASSES.get(code, SpeechFaceError)(sentence, code=code, detail=detail)
