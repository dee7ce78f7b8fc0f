"""Answers what clients ask about the learnt faces, in a thread of its own: it waits for the disk, and for no job.

A face that a job needs, waiting or running, is not deleted: the request is refused. What is told was done before.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable

import numpy as np

from backend_server.identities.gallery import list_faces, show_faces
from backend_server.identities.store import SHORT_DIGITS, IdentityStore
from backend_server.identity import encoded_identity
from backend_server.service.clients import Clients
from backend_server.service.outcome import failure
from backend_server.service.storage.disk import DiskThread
from shared.errors import ErrorCode, SpeechFaceError, ValueRangeError
from shared.face_messages import DeleteFace, ExportFace, FaceDeleted, FaceFile, ImportFace, ListFaces, RenameFace
from shared.protocol import FaceQuestion, Message

LOG = logging.getLogger(__name__)

_MOST_QUESTIONS = 4  # of one client that are not answered yet


class FaceDesk:
    """The learnt faces as clients see them.

    Args:
        identities: the faces.
        clients: who asks.
        faces_of_jobs: IDs of the faces that jobs need which have not ended, one for each job.
        weights_version: of the worker's weights; None while it loads them.
    """

    def __init__(
        self,
        identities: IdentityStore,
        clients: Clients,
        faces_of_jobs: Callable[[], list[str]],
        weights_version: Callable[[], str | None],
    ) -> None:
        self._identities = identities
        self._clients = clients
        self._faces_of_jobs = faces_of_jobs
        self._weights_version = weights_version
        self._thread = DiskThread("faces")
        self._open: Counter[bytes] = Counter()
        self._leaving: Counter[str] = Counter()

    @property
    def is_busy(self) -> bool:
        """Whether something was asked that is not answered."""
        return self._thread.is_busy

    @property
    def unwritten_bytes(self) -> int:
        """Bytes of imported faces that wait in memory until they are written."""
        return self._thread.pending_bytes

    def is_leaving(self, identity: str) -> bool:
        """Whether a face is being deleted; for new jobs it is gone already."""
        return self._leaving[identity] > 0

    def check(self, identity: str) -> None:
        """Checks that a new job can have a face.

        Raises:
            SpeechFaceError: there is no such face, its file is damaged, or it is being deleted.
        """
        if self.is_leaving(identity):
            raise SpeechFaceError(
                f"the identity {identity[:SHORT_DIGITS]} is being deleted; adapt the images again",
                code=ErrorCode.UNKNOWN_IDENTITY,
            )
        self._identities.check(identity)

    def ask(self, client: bytes, question: FaceQuestion) -> None:
        """Begins to answer a question.

        Raises:
            SpeechFaceError: the client asks too much at once, or a job needs the face that shall be deleted.
        """
        if self._open[client] + self._clients.large_answers(client) >= _MOST_QUESTIONS:
            raise SpeechFaceError(
                f"{_MOST_QUESTIONS} questions about faces are not answered yet; ask again when they are",
                code=ErrorCode.TOO_LARGE,
            )
        leaving = question.identity if isinstance(question, DeleteFace) else ""
        if leaving and (needed := self._faces_of_jobs().count(leaving)):
            jobs = "a job that waits or runs needs" if needed == 1 else f"{needed} jobs that wait or run need"
            raise ValueRangeError(
                f"{jobs} the face {leaving[:SHORT_DIGITS]}, so it is kept; cancel what needs it, or wait for its end"
            )
        version = self._weights_version()
        self._open[client] += 1
        if leaving:
            self._leaving[leaving] += 1

        def then(answer: object, error: Exception | None) -> None:
            self._open[client] -= 1
            self._open, self._leaving = +self._open, self._leaving - Counter([leaving] if leaving else [])
            if error is not None and not isinstance(error, SpeechFaceError):
                LOG.error("a %s cannot be answered", type(question).__name__, exc_info=error)
            if client in self._clients.names:
                told = failure(error, parent=question.id) if error is not None else answer
                assert isinstance(told, Message)
                self._clients.reply(client, told)

        size = question.content.nbytes if isinstance(question, ImportFace) else 0
        self._thread.submit(lambda: self._answer(question, version), then, size)

    def collect(self) -> None:
        """Sends the answers that are ready."""
        self._thread.collect()

    def settle(self) -> None:
        """Waits until everything that was asked is answered."""
        self._thread.settle()

    def close(self) -> None:
        """Waits until what was asked is done."""
        self._thread.close()

    def _answer(self, question: FaceQuestion, version: str | None) -> Message:
        """Runs in the thread."""
        store = self._identities
        match question:
            case ListFaces():
                return list_faces(store, question.faces_from, version, question.id)
            case RenameFace():
                store.rename(question.identity, question.name)
                return show_faces(store, [question.identity], len(store.names()), version, question.id)
            case DeleteFace():
                if question.identity not in store.names():
                    store.check(question.identity)
                freed = store.delete(question.identity)
                LOG.info("the face %.12s was deleted as a client asked", question.identity)
                return FaceDeleted(parent=question.id, identity=question.identity, freed_bytes=freed)
            case ExportFace():
                face = store.load(question.identity)
                content = np.frombuffer(encoded_identity(face), np.uint8)
                return FaceFile(parent=question.id, identity=question.identity, name=face.record.title, content=content)
            case ImportFace():
                record = store.take_in(question.content.tobytes())
                LOG.info("the face %.12s was imported from a client", record.identity)
                return show_faces(store, [record.identity], len(store.names()), version, question.id)
