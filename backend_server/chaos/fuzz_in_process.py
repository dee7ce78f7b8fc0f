"""Sends spoilt messages through the decoder and the service's desk, without a socket or a worker."""

from __future__ import annotations

import logging
import tempfile
from collections import deque
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np

from backend_server.chaos.chunk_mutation import spoilt_chunks
from backend_server.chaos.counts import Counts
from backend_server.chaos.judging import is_named, is_sentence
from backend_server.chaos.messages import valid_message
from backend_server.chaos.mutation import Mutant, mutate
from backend_server.identities.store import IdentityStore
from backend_server.progress import Progress, silent
from backend_server.service.clients import Clients
from backend_server.service.desk import Desk
from backend_server.service.intake import read
from backend_server.service.jobs import Scheduler
from backend_server.service.settings import ServiceSettings
from backend_server.service.storage.store import JobStore
from backend_server.service.work.worker_process import WorkerProcess
from shared import wire
from shared.assembly import Assembler
from shared.errors import MessageError
from shared.protocol import Failed, Hello
from shared.wire import Bytes

_CLIENT = b"chaos"
_MESSAGES_PER_DESK = 200  # then the queue is emptied
_SHARE_IN_CHUNKS = 0.1
_STEPS = 50  # messages between two reports


def fuzz_in_process(count: int, seed: int, progress: Progress = silent) -> Counts:
    """Spoils and decodes so many messages; counts what was refused with a sentence, and what was not.

    Raises:
        Cancelled: `progress` asked for the end.
    """
    counts = Counts("fuzz in process")
    random = np.random.default_rng(seed)
    log = logging.getLogger("backend_server.service")
    before = log.level
    log.setLevel(logging.CRITICAL + 1)  # each refusal would be a line
    try:
        _fuzz(counts, count, random, progress)
    finally:
        log.setLevel(before)
    progress("fuzz", count, count)
    return counts


def _fuzz(counts: Counts, count: int, random: np.random.Generator, progress: Progress) -> None:
    with tempfile.TemporaryDirectory(prefix="speech_face_chaos_") as folder:
        assembler = Assembler()
        for first in range(0, count, _MESSAGES_PER_DESK):
            desk = _Desk(Path(folder) / str(first))
            try:
                for number in range(first, min(first + _MESSAGES_PER_DESK, count)):
                    if number % _STEPS == 0:
                        progress("fuzz", number, count)
                    parts = wire.encode(valid_message(random))
                    if random.random() < _SHARE_IN_CHUNKS:
                        _judge_chunks(counts, assembler, spoilt_chunks(parts, random))
                    else:
                        _judge(counts, desk, mutate(parts, random))
            finally:
                desk.close()


def _judge(counts: Counts, desk: _Desk, mutant: Mutant) -> None:
    counts.note("injections")
    refusal: MessageError | None = None
    try:
        wire.decode(mutant.parts)
    except MessageError as error:
        refusal = error
    except Exception as error:  # noqa: BLE001 (this is what the fuzz looks for)
        counts.note("SERVER DEAD", f"decode, {mutant.how} {mutant.field}: {type(error).__name__}: {error}")
        return
    try:
        replies = [wire.decode(parts) for parts in desk.answer(mutant.parts)]
    except Exception as error:  # noqa: BLE001 (likewise)
        counts.note("SERVER DEAD", f"desk, {mutant.how} {mutant.field}: {type(error).__name__}: {error}")
        return
    if refusal is None:
        counts.note("completed")
        return
    refused = [reply for reply in replies if isinstance(reply, Failed)]
    if not refused:
        counts.note("LOST", f"{mutant.how} {mutant.field}: refused without an answer: {refusal.sentence}")
    elif not is_named(refused[-1], mutant.field, mutant.buffer):
        counts.note("UNNAMED", f"{mutant.how} {mutant.field}: {refused[-1].sentence!r}")
    else:
        counts.note("failed with a reason", f"{mutant.how}: {refused[-1].sentence}")


def _judge_chunks(counts: Counts, assembler: Assembler, chunks: Sequence[Sequence[Bytes]]) -> None:
    counts.note("injections")
    refusal: MessageError | None = None
    for chunk in chunks:
        try:
            whole = assembler.take(chunk)
            if whole is not None:
                wire.decode(whole)
        except MessageError as error:
            refusal = error
        except Exception as error:  # noqa: BLE001 (this is what the fuzz looks for)
            counts.note("SERVER DEAD", f"chunk: {type(error).__name__}: {error}")
            return
    if refusal is None:
        counts.note("completed")
    elif not is_sentence(refusal.sentence):
        counts.note("UNNAMED", f"chunk: {refusal.sentence!r}")
    else:
        counts.note("failed with a reason", f"chunk: {refusal.sentence}")


class _Socket:
    """Takes what the service sends."""

    def __init__(self) -> None:
        self.sent: list[list[Bytes]] = []

    def send_multipart(self, parts: Sequence[Bytes], flags: int = 0, **_: object) -> None:
        """Keeps a message."""
        self.sent.append(list(parts[1:]))


class _IdleWorker:
    """A worker that never gets ready, so that the queue only grows."""

    pid = 0
    socket = None

    def send(self, parts: Sequence[Bytes]) -> bool:
        """Takes nothing."""
        return False

    def receive(self) -> None:
        """Says nothing."""

    def death(self) -> None:
        """It lives."""

    def close(self) -> None:
        """Nothing ends."""


class _Desk:
    """The service's own desk, store, queue and list of clients, with one greeted client."""

    def __init__(self, folder: Path) -> None:
        settings = ServiceSettings(connection_file=folder / "connection.json", data_dir=folder, spare_bytes=0)
        self._socket = _Socket()
        self._store = JobStore(settings.job_dir)
        self._clients = Clients(cast(Any, self._socket), self._store)
        scheduler = Scheduler(self._store, settings, lambda: cast(WorkerProcess, _IdleWorker()), self._clients.tell)
        identities = IdentityStore(settings.identity_dir).prepare()
        self._desk = Desk("cpu", self._clients, self._store, scheduler, identities)
        self.answer(wire.encode(Hello(client="chaos")))

    def answer(self, parts: Sequence[Bytes]) -> deque[list[Bytes]]:
        """What the service sends when this message arrives."""
        self._desk.handle(_CLIENT, read(parts, None))
        self._store.settle()
        self._desk.faces.settle()
        self._clients.flush()
        sent, self._socket.sent = self._socket.sent, []
        return deque(sent)

    def close(self) -> None:
        """Gives the folder back."""
        self._desk.faces.close()
        self._store.close()
