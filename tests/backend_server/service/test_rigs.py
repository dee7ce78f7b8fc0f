"""Tests that a character whose channels have names that nobody knows is animated over the wire."""

import numpy as np
import pytest
import soundfile

from backend_server.commands.animate import SAMPLE_SPEECH
from backend_server.rig.head import load_sample_head
from shared import protocol
from shared.arkit import SHAPES
from shared.errors import ErrorCode
from shared.rig.mapping import Channel, RigMapping
from shared.rig.mapping_file import format_mapping

NONSENSE = RigMapping("nonsense", tuple(Channel(f"Morph.{number:03d}") for number in range(len(SHAPES))))


@pytest.fixture(scope="module")
def client(module_service):
    return module_service(cascade="backend_server.cascade:Cascade", stuck_seconds=60.0).client()


@pytest.fixture(scope="module")
def head():
    return load_sample_head()


@pytest.fixture(scope="module")
def found(client, head):
    """Where the head's landmarks are."""
    request = protocol.FindMeshLandmarks(job=protocol.new_id(), vertices=head.vertices, triangles=head.triangles)
    answers = client.finish(client.send(request).job)
    assert isinstance(answers[-1], protocol.Done), answers[-1]
    (found,) = [answer for answer in answers if isinstance(answer, protocol.MeshLandmarks)]
    return found


def animation(seconds=2.0, **values):
    speech, rate = soundfile.read(SAMPLE_SPEECH, dtype="float32", frames=int(seconds * 16_000))
    times = np.arange(int(25 * seconds)) / 25
    return protocol.AnimateRequest(
        job=protocol.new_id(), sample_rate=rate, speech=speech, frame_times=times, wants_texture=False, **values
    )


def test_a_rig_talks_without_a_name(client, head, found):
    rest = (head.vertices[found.vertices] @ found.projection.T).astype(np.float32)
    basis = (head.deltas[:, found.vertices] @ found.projection.T).astype(np.float32)
    request = animation(
        rig=format_mapping(NONSENSE),
        rig_rest=rest,
        rig_basis=basis,
        rig_confidence=found.confidence,
    )
    answers = client.finish(client.send(request).job)
    curves = next(answer for answer in answers if isinstance(answer, protocol.LandmarkCurves))
    solved = next(answer for answer in answers if isinstance(answer, protocol.RigCurves))
    assert solved.names == tuple(channel.name for channel in NONSENSE.channels)
    assert solved.weights.shape == (50, 52)
    assert 0 <= solved.weights.min() <= solved.weights.max() <= 1
    assert solved.residual.max() < 0.02  # eye distances
    moved = rest + np.tensordot(solved.weights, basis, 1)
    made, wanted = (points[:, 66, 1] - points[:, 62, 1] for points in (moved, curves.canonical))
    assert np.corrcoef(made, wanted)[0, 1] > 0.98


def test_a_mesh_without_a_face_is_refused(client):
    box = np.array(np.meshgrid([0, 1], [0, 1], [0, 1])).reshape(3, -1).T.astype(np.float32)
    triangles = np.array([[0, 1, 2], [1, 2, 3], [4, 5, 6], [5, 6, 7], [0, 1, 4], [1, 4, 5]], np.int32)
    request = protocol.FindMeshLandmarks(job=protocol.new_id(), vertices=box, triangles=triangles)
    failed = client.finish(client.send(request).job)[-1]
    assert failed.code is ErrorCode.NO_FACE
    assert "no face was found on the mesh" in failed.sentence


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"rig_rest": np.zeros((68, 2), np.float32)}, "needs both"),
        ({"rig": "oculus", "rig_rest": np.zeros((68, 2), np.float32)}, "needs both"),
        (
            {"rig": "arkit", "rig_rest": np.ones((68, 2), np.float32), "rig_basis": np.ones((3, 68, 2), np.float32)},
            "3 channels do to the face for the 52 channels",
        ),
        (
            {"rig": "arkit", "rig_rest": np.full((68, 2), np.nan, np.float32),
             "rig_basis": np.ones((52, 68, 2), np.float32)},
            "not finite",
        ),
    ],
)  # fmt: skip
def test_a_rig_that_cannot_be_solved_is_refused_before_it_is_queued(client, values, sentence):
    with pytest.raises(Exception, match=sentence):
        client.send(animation(**values))
