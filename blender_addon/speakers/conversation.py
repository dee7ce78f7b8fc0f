"""Asks a backend questions that it answers at once, one after the other, without waiting for it.

No bpy here.
"""

from __future__ import annotations

from collections.abc import Generator

from .._shared import errors, line, protocol
from ..client import Client

ANSWER_SECONDS = 60.0  # many faces are read from a disk, or one is carried over a network

Talk = Generator[protocol.Message, protocol.Message, str]  # yields questions, takes answers, ends in a sentence


class Conversation:
    """Questions and their answers over a connection that others use too.

    Args:
        client: the connection, which somebody polls.
        talk: what is asked, and what is done with the answers.

    Attributes:
        sentence: what came of it, for the user; empty until it is over.
        error: why it failed; None if it did not.
    """

    def __init__(self, client: Client, talk: Talk) -> None:
        self.sentence = ""
        self.error: errors.SpeechFaceError | None = None
        self._client = client
        self._talk = talk
        self._question: protocol.Message | None = None
        self._was_ready = client.is_ready
        self._waits_since = client.clock()

    @property
    def is_over(self) -> bool:
        """Whether it has ended, well or badly."""
        return bool(self.sentence) or self.error is not None

    def tick(self) -> None:
        """Takes what was answered; called after each poll of the client. Every failure ends in `error`."""
        if self.is_over:
            return
        try:
            self._tick()
        except errors.SpeechFaceError as error:
            self.fail(error)

    def fail(self, error: errors.SpeechFaceError) -> None:
        """Ends it."""
        self.error = error
        self._talk.close()
        if self._question is not None:
            self._client.forget(self._question)

    def _tick(self) -> None:
        client = self._client
        if client.state is line.LineState.CLOSED:
            raise errors.SpeechFaceError("the backend was stopped before it had answered; try again")
        if not client.is_ready:
            client.check_patience(line.LOST_SECONDS if self._was_ready else line.STARTUP_SECONDS)
            self._waits_since = client.clock()
            return
        self._was_ready = True
        if self._question is None:
            self._go_on(None)
        elif (answer := client.answer(self._question)) is not None:
            if isinstance(answer, protocol.Failed):
                raise errors.failure(answer.code, answer.sentence, answer.detail)
            self._go_on(answer)
        elif client.clock() - self._waits_since > ANSWER_SECONDS:
            raise errors.SpeechFaceError(
                f"the backend has not answered within {ANSWER_SECONDS:g} s; read its log or restart it",
                code=errors.ErrorCode.BACKEND_UNREACHABLE,
            )

    def _go_on(self, answer: protocol.Message | None) -> None:
        """Asks the next question; a first one is asked with no answer."""
        try:
            self._question = next(self._talk) if answer is None else self._talk.send(answer)
            self._client.ask(self._question)
            self._waits_since = self._client.clock()
        except StopIteration as ended:
            self.sentence = ended.value
