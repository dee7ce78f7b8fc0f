"""Asks a backend what it answers at once, and waits for the answer."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from ._shared import errors, line, protocol

ANSWER_SECONDS = 10.0

_Answer = TypeVar("_Answer", bound=protocol.Message)


class Questions:
    """The questions of one connection, and their answers.

    Args:
        connection: carries them.
        pump: sends and receives once, and waits at most so many seconds; hands all that arrives to `take`.
    """

    def __init__(self, connection: line.Line, pump: Callable[[float], None]) -> None:
        self._line = connection
        self._pump = pump
        self._answers: dict[str, protocol.Message] = {}  # question's ID -> its answer
        self._asked: set[str] = set()

    def take(self, message: protocol.Message) -> None:
        """Takes a message if it answers a question."""
        if message.parent in self._asked and not message.job:
            self._answers[message.parent] = message

    def ask(self, question: protocol.Message, kind: type[_Answer], timeout: float = ANSWER_SECONDS) -> _Answer:
        """The answer to a question, which is asked again on each new connection.

        Raises:
            SpeechFaceError: the backend refuses it, does not answer in time, or is of a release that cannot.
        """
        deadline = time.monotonic() + timeout
        self._asked.add(question.id)
        was_ready = False
        try:
            while question.id not in self._answers:
                if self._line.is_ready and not was_ready:
                    self._line.send(question)
                was_ready = self._line.is_ready
                self._pump(0.02)
                if time.monotonic() > deadline:
                    raise errors.SpeechFaceError(
                        f"the backend has not answered within {timeout:g} s; read its log or restart it",
                        code=errors.ErrorCode.BACKEND_UNREACHABLE,
                    )
            answer = self._answers.pop(question.id)
        finally:
            self._asked.discard(question.id)
        if isinstance(answer, protocol.Failed):
            raise errors.failure(answer.code, answer.sentence, answer.detail)
        if not isinstance(answer, kind):
            raise errors.SpeechFaceError(f"the backend answered with a {type(answer).__name__}; read its log")
        return answer
