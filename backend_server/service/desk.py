"""Answers each message of a client."""

from __future__ import annotations

import logging
import time
from pathlib import Path

import backend_server
from backend_server.identities.store import IdentityStore
from backend_server.service.clients import Clients
from backend_server.service.faces import FaceDesk
from backend_server.service.health import Health, backend_name
from backend_server.service.intake import Arrival
from backend_server.service.jobs import Scheduler
from backend_server.service.logs import escaped
from backend_server.service.outcome import adapted_answer, failure
from backend_server.service.storage.job_index import JobRecord
from backend_server.service.storage.queue_file import JobOrigin, JobState
from backend_server.service.storage.store import JobStore
from shared.errors import ErrorCode, MessageError, SpeechFaceError, ValueRangeError
from shared.protocol import (
    KINDS,
    Accepted,
    AdaptRequest,
    AnimateRequest,
    Attach,
    Cancel,
    Cancelled,
    DeleteFace,
    ExportFace,
    FindMeshLandmarks,
    FindPhotoLandmarks,
    Hello,
    ImportFace,
    ListFaces,
    Message,
    Ping,
    Pong,
    RenameFace,
    RenderRequest,
    Request,
    Status,
    Welcome,
)

LOG = logging.getLogger(__name__)

_PIXEL_BYTES = 4  # of a frame
_CURVE_BYTES = 2 * 68 * 2 * 4
_LONGEST_OWNER = 100  # characters of a client's name that the queue keeps


class Desk:
    """Passes each request to the part of the service that can do it.

    Args:
        device: as requested; `Welcome` reports it until the worker has chosen one.
        clients: the connected clients.
        store: the jobs.
        scheduler: the queue and the worker.
        identities: known faces.

    Attributes:
        health: of the service.
        faces: answers what is asked about learnt faces.
    """

    def __init__(
        self, device: str, clients: Clients, store: JobStore, scheduler: Scheduler, identities: IdentityStore
    ) -> None:
        self._device = device
        self._clients = clients
        self._store = store
        self._scheduler = scheduler
        self._identities = identities
        self.health = Health(device, clients, store, scheduler)
        self.faces = FaceDesk(
            identities, clients, lambda: [job.origin.face for job in store.jobs()], lambda: self.weights_version
        )

    @property
    def weights_version(self) -> str | None:
        """Of the worker's weights; None while it loads them."""
        welcome = self._scheduler.welcome
        return welcome.weights_version if welcome else None

    def handle(self, client: bytes, arrival: Arrival) -> None:
        """Answers one message, or says why it was refused."""
        message, refusal = arrival.message, arrival.refusal
        if message is None:
            if refusal is not None:
                LOG.warning("refused: %s", refusal.sentence)
                self._clients.reply(client, failure(refusal, job=refusal.job, parent=refusal.message_id))
            return
        is_known = self._clients.knows(client)
        try:
            if isinstance(message, Hello):
                LOG.info("client %.200s says hello", message.client or "without a name")
                self._clients.greet(client, message.client)
                self._clients.reply(client, self._welcome(message))
            elif isinstance(message, Status):
                self._clients.reply(client, self.health.report(message.id, message.jobs_from, message.ended_from))
            elif not is_known:
                raise MessageError(
                    "this connection is new to the backend; send Hello first", code=ErrorCode.UNKNOWN_CLIENT
                )
            else:
                self._answer(client, message, arrival)
        except Exception as error:  # it costs this message, and nothing else
            if not isinstance(error, SpeechFaceError):
                LOG.exception("a %s cannot be answered", type(message).__name__)
            self._clients.reply(client, failure(error, job=message.job, parent=message.id))

    def _answer(self, client: bytes, message: Message, arrival: Arrival) -> None:
        match message:
            case AdaptRequest() | AnimateRequest() | RenderRequest() | FindMeshLandmarks() | FindPhotoLandmarks():
                self._begin(client, message, arrival)
            case Attach():
                self._follow(client, message, message.received)
            case Cancel():
                record = self._store.find(message.job)
                if record is None:
                    raise _unknown_job(message.job)
                if message.forgets:
                    self._forget(client, message, record)
                    return
                if not self._clients.follows(client, message.job):
                    has_ended = record.state is JobState.ENDED
                    received = record.results - 1 if has_ended else record.results
                    self._clients.attach(client, message.job, received, message.id)
                self._scheduler.cancel(message.job)
            case ListFaces() | RenameFace() | DeleteFace() | ExportFace() | ImportFace():
                self.faces.ask(client, message)
            case Ping():
                self._clients.reply(client, Pong(parent=message.id))
            case _:
                raise MessageError(
                    f"a {type(message).__name__} is only sent by the backend", code=ErrorCode.UNSUPPORTED
                )

    def _begin(self, client: bytes, request: Request, arrival: Arrival) -> None:
        if self._store.find(request.job) is not None:  # sent again after a lost connection
            self._follow(client, request, 0)
            return
        self._clients.attach(client, request.job, 0, request.id)
        kind = KINDS[type(request).__name__]
        owner = escaped(self._clients.program(client)[:_LONGEST_OWNER])[:_LONGEST_OWNER]
        face = request.identity if isinstance(request, AnimateRequest | RenderRequest) else ""
        if face:
            self.faces.check(face)
        origin = JobOrigin(kind, owner, time.time(), face)
        if isinstance(request, AnimateRequest):
            has_face = bool(request.identity or request.references)
            frame_bytes = _CURVE_BYTES + (_frame_bytes(request.size) if request.wants_texture and has_face else 0)
            needed_bytes = len(request.frame_times) * frame_bytes
            self._scheduler.submit(request.job, arrival.parts, needed_bytes, request.id, origin)
            return
        if isinstance(request, RenderRequest):
            needed_bytes = len(request.landmarks) * _frame_bytes(request.size)
            self._scheduler.submit(request.job, arrival.parts, needed_bytes, request.id, origin)
            return
        is_here = bool(arrival.identity) and not self.faces.is_leaving(arrival.identity)
        known = self._identities.record(arrival.identity) if is_here else None
        # One that was learnt by an earlier version lacks its photo, which the worker has to cut out.
        if known is not None and known.photo_pixels is not None and isinstance(request, AdaptRequest):
            answer = adapted_answer(known, is_cached=True, names=request.names)
            self._scheduler.finish(request.job, arrival.parts, answer, request.id, origin)
        else:
            self._scheduler.submit(request.job, arrival.parts, 0, request.id, origin)

    def _follow(self, client: bytes, message: Message, received: int) -> None:
        record = self._store.find(message.job)
        if record is None:
            raise _unknown_job(message.job)
        self._clients.attach(client, message.job, received, message.id)
        if record.state in (JobState.QUEUED, JobState.RUNNING):  # one that arrives is accepted when it is stored
            position = self._scheduler.position(message.job)
            self._clients.reply(client, Accepted(job=message.job, parent=message.id, position=position))

    def _forget(self, client: bytes, message: Cancel, record: JobRecord) -> None:
        if record.state is not JobState.ENDED:
            raise ValueRangeError(f"job {message.job} has not ended; cancel it first")
        if self._clients.is_attached(message.job):
            raise ValueRangeError(f"the results of job {message.job} are being sent to a client; try again later")
        self._store.forget(message.job)
        LOG.info("job %s and its results were deleted as a client asked", message.job)
        self._clients.reply(client, Cancelled(job=message.job, parent=message.id))

    def _welcome(self, hello: Hello) -> Welcome:
        weights = Path(backend_server.__file__).with_name("weights").glob("*.safetensors")
        return Welcome(
            parent=hello.id,
            backend=backend_name(),
            device=worker.device if (worker := self._scheduler.welcome) else self._device,
            weights=tuple(sorted(path.stem for path in weights)),
            weights_version=self.weights_version or "",
            spool_free_bytes=self._store.free_bytes(),
        )


def _frame_bytes(size: int) -> int:
    return size * size * _PIXEL_BYTES


def _unknown_job(job: str) -> SpeechFaceError:
    return SpeechFaceError(f"there is no job {job or 'without an ID'}; send it again", code=ErrorCode.UNKNOWN_JOB)
