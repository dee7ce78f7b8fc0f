import numpy as np
import pytest

from shared import protocol
from shared.health import JobCounts, JobHealth, WorkerHealth
from shared.notes import Note, NoteCode


def _array(dtype, *shape):
    size = int(np.prod(shape))
    return (np.arange(size) % 200).astype(dtype).reshape(shape)


@pytest.fixture
def messages():
    """One message of every type, with all its buffers."""
    return {
        type(m).__name__: m
        for m in (
            protocol.Hello(client="test 1.0"),
            protocol.Welcome(backend="b", device="cpu", weights=("speech",), weights_version="0a", spool_free_bytes=5),
            protocol.AdaptRequest(
                job="j1",
                epochs=3,
                names=("a.png", "b.png", "c.heic"),
                images=(_array("u1", 4, 5, 3), _array("u1", 6, 2, 4)),
                files=(_array("u1", 9),),
                landmarks=np.stack([_array("f4", 68, 2), *[np.full((68, 2), np.nan, np.float32)] * 2]),
                chosen=np.array([[2, 3], [np.nan, np.nan], [4, 5]], np.float32),
            ),
            protocol.Adapted(
                identity="ab" * 32,
                losses=(0.5, 0.25),
                notes=(Note(NoteCode.SEVERAL_FACES, "two faces", "a.png"),),
                neutral=_array("f4", 68, 2),
                crop=_array("f4", 2, 3),
            ),
            protocol.AnimateRequest(
                sample_rate=16_000,
                seed=7,
                size=512,
                rig="arkit",
                wants_speech=True,
                transcript="Hello, world!",
                speech=_array("f4", 800) / 200,
                frame_times=np.arange(2) / 25.0,
                references=(_array("u1", 3, 4, 3),),
            ),
            protocol.RenderRequest(job="j1", identity="ab" * 32, size=512, landmarks=_array("f4", 2, 68, 2)),
            protocol.Accepted(job="j1", parent="p", position=2),
            protocol.Progress(job="j1", stage="texture", step=3, steps=9, seconds_left=1.5),
            protocol.LandmarkCurves(
                job="j1",
                sequence=1,
                landmarks=_array("f4", 2, 68, 2),
                canonical=_array("f4", 2, 68, 2),
                frame_times=np.arange(2) / 25.0,
                neutral=_array("f4", 68, 2),
                crop=_array("f4", 2, 3),
            ),
            protocol.FindMeshLandmarks(
                job="j1", vertices=_array("f4", 4, 3), triangles=np.array([[0, 1, 2], [3, 2, 1]], np.int32)
            ),
            protocol.MeshLandmarks(
                job="j1",
                sequence=1,
                vertices=np.arange(68, dtype=np.int32),
                confidence=np.linspace(0, 1, 68, dtype=np.float32),
                projection=np.eye(2, 3),
                picture=np.zeros((4, 5, 3), np.uint8),
                points=_array("f4", 68, 2),
            ),
            protocol.RigCurves(
                job="j1",
                sequence=2,
                names=("aa", "oh"),
                weights=_array("f4", 2, 2) / 200,
                residual=_array("f4", 2),
            ),
            protocol.SpokenWords(
                job="j1",
                sequence=3,
                words=("Hello,", "world!"),
                phones=("HH", "AH", "L"),
                word_times=np.arange(4.0).reshape(2, 2),
                word_confidence=_array("f4", 2) / 2,
                phone_times=np.arange(6.0).reshape(3, 2),
                phone_confidence=_array("f4", 3) / 3,
            ),
            protocol.TextureFrames(job="j1", sequence=2, first_frame=0, frames=_array("u1", 2, 8, 8, 4)),
            protocol.Done(
                job="j1",
                sequence=3,
                frame_count=2,
                texture_count=2,
                seconds={"speech": 0.25},
                notes=(Note("new_code", "s"),),
            ),
            protocol.Failed(code=protocol.ErrorCode.NO_FACE, sentence="no face", detail="log"),
            protocol.Cancelled(job="j1"),
            protocol.Attach(job="j1", received=2),
            protocol.Cancel(job="j1", forgets=True),
            protocol.Ping(),
            protocol.Pong(),
            protocol.Status(jobs_from=3, ended_from=4),
            protocol.StatusReport(
                backend="Speech Face 1.0",
                protocol="2.2",
                pid=47,
                uptime_seconds=1.5,
                state="ready",
                device="cpu",
                worker=WorkerHealth(
                    pid=48, memory_bytes=1, job="j1", stage="texture", step=3, steps=9, seconds_left=2.5
                ),
                jobs=JobCounts(by_state={"queued": 2}, done=3, failed={"no_face": 1}, cancelled=4, retried=5),
                listed=(
                    JobHealth(id="j1", kind="animate", state="running", owner="me", stage="texture", step=3, steps=9),
                    JobHealth(id="j2", kind="adapt", state="delivered", size_bytes=5),
                ),
            ),
            protocol.FindPhotoLandmarks(
                job="j1",
                names=("a.png", "b.heic"),
                images=(_array("u1", 4, 5, 3),),
                files=(_array("u1", 9),),
                chosen=np.array([[2, 3], [np.nan, np.nan]], np.float32),
            ),
            protocol.PhotoLandmarks(
                job="j1",
                sequence=1,
                picture=1,
                name="b.heic",
                width=9,
                height=8,
                taken=1,
                yaw_degrees=-3.5,
                code=None,
                notes=(Note(NoteCode.SEVERAL_FACES, "two faces", "b.heic"),),
                landmarks=_array("f4", 68, 2),
                confidence=np.linspace(0, 1, 68, dtype=np.float32),
                boxes=_array("f4", 2, 3),
            ),
            protocol.ListFaces(faces_from=3),
            protocol.Faces(
                parent="p",
                count=9,
                faces=(
                    protocol.LearntFace(identity="ab" * 32, name="Ann", is_named=True, image_names=("a.png",)),
                    protocol.LearntFace(identity="cd" * 32, name="cd", is_damaged=True),
                ),
                previews=np.zeros((2, 96, 96, 3), np.uint8),
            ),
            protocol.RenameFace(identity="ab" * 32, name="Ann"),
            protocol.DeleteFace(identity="ab" * 32),
            protocol.FaceDeleted(parent="p", identity="ab" * 32, freed_bytes=7),
            protocol.ExportFace(identity="ab" * 32),
            protocol.FaceFile(parent="p", identity="ab" * 32, name="Ann", content=_array("u1", 9)),
            protocol.ImportFace(content=_array("u1", 9)),
        )
    }
