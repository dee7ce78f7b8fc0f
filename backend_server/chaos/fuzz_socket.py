"""Sends spoilt messages to a real server through an encrypted connection, with good jobs in between."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

import numpy as np

from backend_server.chaos.chunk_mutation import spoilt_chunks
from backend_server.chaos.client import ChaosClient
from backend_server.chaos.counts import Counts
from backend_server.chaos.injections import ALIVE_SECONDS, good_server
from backend_server.chaos.job import Job, Result
from backend_server.chaos.judging import is_sentence, judge
from backend_server.chaos.messages import valid_message
from backend_server.chaos.mutation import Mutant, mutate
from backend_server.chaos.server import ChaosServer
from backend_server.chaos.variants import VARIANT_COUNT, animation
from backend_server.progress import Progress, silent
from shared import wire
from shared.errors import MessageError
from shared.protocol import Failed, Message

_BATCH = 25  # messages between two Pings
_BATCHES_PER_JOB = 4
_CHUNKED = 5  # messages in chunks after each batch
_PATIENCE_SECONDS = 120.0  # for a good job: requests that stayed valid run before it, and some load the face detector


def fuzz_socket(count: int, seed: int, whole: Sequence[Result], progress: Progress = silent) -> list[Counts]:
    """Sends so many spoilt messages; returns the counts of the messages, of those in chunks and of the good jobs.

    Args:
        count: of messages.
        seed: of the messages.
        whole: the undisturbed results of each variant.
        progress: of the messages.

    Raises:
        SpeechFaceError: the server does not start.
        Cancelled: `progress` asked for the end.
    """
    fuzz = _SocketFuzz(seed)
    with tempfile.TemporaryDirectory(prefix="speech_face_chaos_") as folder, fuzz:
        for first in range(0, count, _BATCH):
            progress("socket", first, count)
            server, client = fuzz.stage or fuzz.begin(Path(folder))
            fuzz.send(server, client, min(_BATCH, count - first))
            if fuzz.stage is not None and first // _BATCH % _BATCHES_PER_JOB == 0:
                variant = first // _BATCH % VARIANT_COUNT
                fuzz.jobs.note("injections")
                result = Job(client, animation(variant)).run(_PATIENCE_SECONDS)
                judge(fuzz.jobs, result, whole[variant].digest, is_retried=result.starts > 1)
        progress("socket", count, count)
    return [fuzz.messages, fuzz.chunks, fuzz.jobs]


class _SocketFuzz:
    """The server that is fuzzed, and a fresh one after each that dies."""

    def __init__(self, seed: int) -> None:
        self.messages = Counts("fuzz through a socket")
        self.chunks = Counts("chunks through a socket")
        self.jobs = Counts("good jobs between them")
        self.stage: tuple[ChaosServer, ChaosClient] | None = None
        self._random = np.random.default_rng((seed, 1))
        self._stack = ExitStack()
        self._servers = 0

    def __enter__(self) -> _SocketFuzz:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def begin(self, folder: Path) -> tuple[ChaosServer, ChaosClient]:
        """Starts the next server."""
        self._servers += 1
        self.stage = self._stack.enter_context(good_server(folder / f"server{self._servers}"))
        return self.stage

    def send(self, server: ChaosServer, client: ChaosClient, count: int) -> None:
        """Sends some spoilt messages and counts the answers; ends the server when it is lost."""
        mutants = [mutate(wire.encode(valid_message(self._random)), self._random) for _ in range(count)]
        refused = sum(_is_refused(mutant) for mutant in mutants)
        for mutant in mutants:
            self.messages.note("injections")
            if mutant.parts:
                client.send_parts(mutant.parts)
        if not self._answers(server, client, self.messages, count, refused):
            return
        for _ in range(_CHUNKED):
            self.chunks.note("injections")
            for chunk in spoilt_chunks(wire.encode(valid_message(self._random)), self._random):
                client.send_parts(chunk)
        self._answers(server, client, self.chunks, _CHUNKED, None)

    def _answers(
        self, server: ChaosServer, client: ChaosClient, counts: Counts, count: int, refused: int | None
    ) -> bool:
        """Counts the answers, of which so many must be refusals; False when the server was lost."""
        answers = client.until_pong(ALIVE_SECONDS)
        if not server.is_alive or answers is None:
            counts.note("SERVER DEAD", server.last_words)
            self.stage = None
            self._stack.close()
            return False
        deadline = time.monotonic() + ALIVE_SECONDS  # a Pong overtakes the answers to large messages
        while len(said := _refusals(answers)) < (refused or 0) and time.monotonic() < deadline:
            answers += client.poll(0.05)
        refused = min(len(said), count) if refused is None else refused
        for _ in range(count - refused):
            counts.note("completed")
        for failed in said[:refused]:
            named = is_sentence(failed.sentence)
            counts.note("failed with a reason" if named else "UNNAMED", f"{failed.sentence!r}")
        for _ in range(refused - len(said)):
            counts.note("LOST", "a message was refused without an answer")
        return True


def _refusals(answers: list[Message]) -> list[Failed]:
    return [message for message in answers if isinstance(message, Failed) and not message.sequence]


def _is_refused(mutant: Mutant) -> bool:
    try:
        wire.decode(mutant.parts)
    except MessageError:
        return bool(mutant.parts)
    return False
