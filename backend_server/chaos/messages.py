"""Makes valid messages of every type of the protocol, small and seeded."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from shared.errors import ErrorCode
from shared.face_messages import (
    DeleteFace,
    ExportFace,
    FaceDeleted,
    FaceFile,
    Faces,
    ImportFace,
    LearntFace,
    ListFaces,
    RenameFace,
)
from shared.health import JobCounts, JobHealth, WorkerHealth
from shared.landmarks import POINT_COUNT
from shared.protocol import (
    FACE_SIZES,
    MESSAGE_TYPES,
    PROTOCOL_VERSION,
    Accepted,
    Adapted,
    AdaptRequest,
    AnimateRequest,
    Attach,
    Cancel,
    Cancelled,
    Done,
    Failed,
    FindMeshLandmarks,
    FindPhotoLandmarks,
    Hello,
    LandmarkCurves,
    MeshLandmarks,
    Message,
    PhotoLandmarks,
    Ping,
    Pong,
    Progress,
    RenderRequest,
    RigCurves,
    SpokenWords,
    Status,
    StatusReport,
    TextureFrames,
    Welcome,
)
from shared.speech_messages import Said

Random = np.random.Generator


def _job(random: Random) -> str:
    return random.bytes(8).hex()


def _times(random: Random) -> np.ndarray:
    return np.arange(random.integers(1, 6)) / 25


def _points(random: Random, *shape: int) -> np.ndarray:
    return random.normal(size=(*shape, POINT_COUNT, 2)).astype(np.float32)


def _curves(random: Random) -> LandmarkCurves:
    times = _times(random)
    return LandmarkCurves(
        job=_job(random),
        sequence=1,
        landmarks=_points(random, len(times)),
        canonical=_points(random, len(times)),
        frame_times=times,
        neutral=_points(random),
        crop=np.eye(2, 3, dtype=np.float32),
    )


def _words(random: Random) -> SpokenWords:
    words = [Said(text, 0.2 * place, 0.2 * place + 0.1, random.random()) for place, text in enumerate(("hi", "Bob!"))]
    return SpokenWords.of(words, words[:1], job=_job(random), sequence=2)


def _rig(random: Random) -> RigCurves:
    weights = random.uniform(size=(len(_times(random)), 3)).astype(np.float32)
    residual = weights[:, 0] if random.random() < 0.5 else None
    return RigCurves(job=_job(random), sequence=2, names=("aa", "O", "jawOpen"), weights=weights, residual=residual)


def _mesh(random: Random) -> FindMeshLandmarks:
    vertices = random.normal(size=(9, 3)).astype(np.float32)
    return FindMeshLandmarks(
        job=_job(random), vertices=vertices, triangles=random.integers(0, 9, (5, 3)).astype(np.int32)
    )


def _mesh_landmarks(random: Random) -> MeshLandmarks:
    return MeshLandmarks(
        job=_job(random),
        sequence=1,
        vertices=random.integers(0, 9, POINT_COUNT).astype(np.int32),
        confidence=random.random(POINT_COUNT).astype(np.float32),
        projection=np.eye(2, 3),
        picture=random.integers(0, 256, (4, 5, 3), dtype=np.uint8),
        points=_points(random, 1)[0],
    )


def _adapt(random: Random) -> AdaptRequest:
    images = tuple(random.integers(0, 256, (4, 5, 3), dtype=np.uint8) for _ in range(random.integers(1, 4)))
    landmarks = _points(random, len(images)) if random.random() < 0.5 else None
    return AdaptRequest(job=_job(random), images=images, landmarks=landmarks, epochs=int(random.integers(0, 3)))


def _animate(random: Random) -> AnimateRequest:
    references = (random.integers(0, 256, (4, 5, 3), dtype=np.uint8),) if random.random() < 0.5 else ()
    speech = random.uniform(-1, 1, 50).astype(np.float32)
    return AnimateRequest(
        job=_job(random),
        sample_rate=16_000,
        seed=int(random.integers(0, 1000)),
        speech=speech,
        frame_times=_times(random),
        size=int(random.choice(FACE_SIZES)),
        rig="oculus" if random.random() < 0.5 else "",
        wants_speech=bool(random.random() < 0.5),
        references=references,
    )


def _place(random: Random) -> int | None:
    return int(random.integers(0, 9)) if random.random() < 0.5 else None


def _report(random: Random) -> StatusReport:
    worker = WorkerHealth(pid=2, job=_job(random), stage="motion", step=1, steps=2, seconds_left=0.5)
    counts = JobCounts(by_state={"queued": int(random.integers(0, 9))}, failed={"no_face": 1})
    return StatusReport(
        backend="chaos",
        protocol=PROTOCOL_VERSION,
        pid=1,
        uptime_seconds=1.0,
        state="ready",
        worker=worker if random.random() < 0.5 else None,
        jobs=counts,
        listed=(JobHealth(id=_job(random), kind="adapt", state="queued", owner="chaos", age_seconds=1.5),),
    )


def _photos(random: Random) -> FindPhotoLandmarks:
    images = tuple(random.integers(0, 256, (4, 5, 3), dtype=np.uint8) for _ in range(random.integers(1, 3)))
    chosen = random.uniform(0, 4, (len(images), 2)).astype(np.float32) if random.random() < 0.5 else None
    return FindPhotoLandmarks(job=_job(random), images=images, chosen=chosen)


def _photo_landmarks(random: Random) -> PhotoLandmarks:
    return PhotoLandmarks(
        job=_job(random),
        sequence=1,
        picture=0,
        name="a.png",
        width=9,
        height=8,
        taken=0,
        landmarks=_points(random),
        confidence=random.random(POINT_COUNT).astype(np.float32),
        boxes=random.random((2, 3)).astype(np.float32),
    )


def _identity(random: Random) -> str:
    return random.bytes(32).hex()


def _bytes(random: Random) -> np.ndarray:
    return random.integers(0, 256, random.integers(1, 40), dtype=np.uint8)


def _faces(random: Random) -> Faces:
    count = int(random.integers(0, 3))
    faces = tuple(LearntFace(identity=_identity(random), name="a.png", epochs=3) for _ in range(count))
    previews = random.integers(0, 256, (count, 96, 96, 3), dtype=np.uint8) if count else None
    return Faces(count=count, faces=faces, previews=previews)


_MAKERS: dict[str, Callable[[Random], Message]] = {
    "Hello": lambda random: Hello(client="chaos"),
    "Welcome": lambda random: Welcome(backend="chaos", device="cpu", weights=("motion",)),
    "AdaptRequest": _adapt,
    "Adapted": lambda random: Adapted(
        job=_job(random), identity="0" * 64, neutral=_points(random), crop=np.eye(2, 3, dtype=np.float32)
    ),
    "AnimateRequest": _animate,
    "RenderRequest": lambda random: RenderRequest(
        job=_job(random), identity="0" * 64, landmarks=100 + 20 * _points(random, int(random.integers(1, 4)))
    ),
    "Accepted": lambda random: Accepted(job=_job(random), position=3),
    "Progress": lambda random: Progress(job=_job(random), stage="texture", step=1, steps=2, seconds_left=1.5),
    "LandmarkCurves": _curves,
    "RigCurves": _rig,
    "SpokenWords": _words,
    "FindMeshLandmarks": _mesh,
    "MeshLandmarks": _mesh_landmarks,
    "TextureFrames": lambda random: TextureFrames(
        job=_job(random), first_frame=0, frames=np.zeros((2, 4, 4, 4), np.uint8)
    ),
    "Done": lambda random: Done(job=_job(random), frame_count=2, seconds={"motion": 0.5}),
    "Failed": lambda random: Failed(job=_job(random), code=ErrorCode.NO_FACE, sentence="there is no face"),
    "Cancelled": lambda random: Cancelled(job=_job(random)),
    "Attach": lambda random: Attach(job=_job(random), received=2),
    "Cancel": lambda random: Cancel(job=_job(random), forgets=bool(random.random() < 0.5)),
    "Ping": lambda random: Ping(),
    "Pong": lambda random: Pong(),
    "Status": lambda random: Status(jobs_from=_place(random), ended_from=_place(random)),
    "StatusReport": _report,
    "FindPhotoLandmarks": _photos,
    "PhotoLandmarks": _photo_landmarks,
    "ListFaces": lambda random: ListFaces(faces_from=int(random.integers(0, 3))),
    "Faces": _faces,
    "RenameFace": lambda random: RenameFace(identity=_identity(random), name="Ann"),
    "DeleteFace": lambda random: DeleteFace(identity=_identity(random)),
    "FaceDeleted": lambda random: FaceDeleted(identity=_identity(random), freed_bytes=5),
    "ExportFace": lambda random: ExportFace(identity=_identity(random)),
    "FaceFile": lambda random: FaceFile(identity=_identity(random), name="Ann", content=_bytes(random)),
    "ImportFace": lambda random: ImportFace(content=_bytes(random)),
}


def valid_message(random: Random) -> Message:
    """A valid message; every type that this module knows is as likely as the others."""
    names = sorted(_MAKERS)
    return _MAKERS[names[random.integers(len(names))]](random)


def types_without_maker() -> set[str]:
    """Names of the protocol's messages that are never made here; empty, or the fuzz would leave them out."""
    return set(MESSAGE_TYPES) - set(_MAKERS)
