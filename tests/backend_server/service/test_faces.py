"""Tests that learnt faces are listed, named, carried elsewhere and deleted over the wire, also while a job runs."""

import numpy as np
import pytest

from backend_server.identities.store import IdentityStore
from backend_server.identity import encoded_identity
from shared import protocol
from shared.errors import ErrorCode

WAIT = 9  # of the fake cascade


@pytest.fixture
def service(new_service):
    return new_service()


@pytest.fixture
def store(service):
    """The folder in which the service keeps its faces."""
    return IdentityStore(service.data_dir / "identities").prepare()


def ask(client, question):
    """The answer to a question."""
    sent = client.send(question)
    while (answer := client.receive()).parent != sent.id:
        pass
    return answer


def learn(client, adapt, **values):
    (adapted,) = (m for m in client.finish(client.send(adapt(**values)).job) if isinstance(m, protocol.Adapted))
    return adapted.identity


def test_faces_are_listed_with_pictures_and_named(service, store, adapt, face):
    client = service.client()
    one = learn(client, adapt, names=("ann.png", "ann2.png"))
    other = face("ab" * 32, weights_version="older", image_names=(), held_out_psnr=None)
    other.references.crops[0] = np.arange(256, dtype=np.uint8)[None, :, None]
    store.save(other)
    (store.folder / f"{'cd' * 32}.safetensors").write_bytes(b"damaged")
    answer = ask(client, protocol.ListFaces())
    assert answer.count == 3
    named = {facts.identity: facts for facts in answer.faces}
    first, second, third = (named[name] for name in (one, "ab" * 32, "cd" * 32))
    assert (first.name, first.is_named, first.image_names) == ("ann.png, ann2.png", False, ("ann.png", "ann2.png"))
    assert (first.image_count, first.epochs, first.is_outdated) == (2, 2, False)
    assert first.size_bytes == store.size_bytes(one)
    assert (second.name, second.is_outdated, second.is_damaged) == ("ab" * 6, True, False)
    assert second.learnt_at == "2026-01-02T03:04:00+00:00"
    assert (third.is_damaged, third.name) == (True, "cd" * 6)
    preview = answer.previews[[facts.identity for facts in answer.faces].index("ab" * 32)]
    assert preview.shape == (96, 96, 3)
    np.testing.assert_allclose(preview[50, :, 0], 32.5 + 2 * np.arange(96), atol=0.6)
    renamed = ask(client, protocol.RenameFace(identity=one, name="  Ann 安 "))
    assert (renamed.count, len(renamed.faces), renamed.faces[0].name) == (3, 1, "Ann 安")
    assert store.check(one).name == "Ann 安"
    assert store.load(one).record.name == "Ann 安"
    refused = ask(client, protocol.RenameFace(identity=one, name="a\nb"))
    assert (refused.code, "cannot be shown" in refused.sentence) == (ErrorCode.BAD_VALUE, True)
    unnamed = ask(client, protocol.RenameFace(identity=one, name=""))
    assert (unnamed.faces[0].name, unnamed.faces[0].is_named) == ("ann.png, ann2.png", False)
    assert ask(client, protocol.RenameFace(identity="ef" * 32, name="x")).code is ErrorCode.UNKNOWN_IDENTITY


def test_more_faces_than_one_answer_takes_are_asked_for_in_parts(service, store, face):
    for number in range(70):
        store.save(face(f"{number:064x}"))
    client = service.client()
    parts = [ask(client, protocol.ListFaces(faces_from=first)) for first in (0, 64, 70)]
    assert [(len(part.faces), part.count) for part in parts] == [(64, 70), (6, 70), (0, 70)]
    assert len({facts.identity for part in parts for facts in part.faces}) == 70
    assert parts[2].previews is None


def test_a_face_that_a_job_needs_is_kept_and_questions_wait_for_no_job(service, store, adapt, animate):
    client = service.client()
    identity = learn(client, adapt)
    request = client.send(animate(identity=identity, seed=WAIT))
    waiting = client.send(animate(identity=identity))
    client.until(protocol.Progress, job=request.job)
    refused = ask(client, protocol.DeleteFace(identity=identity))
    assert (refused.code, refused.job) == (ErrorCode.BAD_VALUE, "")
    assert f"2 jobs that wait or run need the face {identity[:12]}" in refused.sentence
    assert ask(client, protocol.ListFaces()).count == 1
    service.kill()  # what jobs need is known after a restart too
    service.start()
    client = service.client()
    assert "2 jobs" in ask(client, protocol.DeleteFace(identity=identity)).sentence
    for job in (waiting.job, request.job):
        client.send(protocol.Cancel(job=job))
        client.finish(job)
    size = store.size_bytes(identity)
    deleted = ask(client, protocol.DeleteFace(identity=identity))
    assert (deleted.identity, deleted.freed_bytes) == (identity, size)
    assert not store.names()
    assert client.finish(client.send(animate(identity=identity)).job)[-1].code is ErrorCode.UNKNOWN_IDENTITY
    assert ask(client, protocol.DeleteFace(identity=identity)).code is ErrorCode.UNKNOWN_IDENTITY
    assert learn(client, adapt) == identity


def test_a_face_travels_to_another_backend_with_its_name(service, new_service, adapt):
    client, other = service.client(), new_service().client()
    identity = learn(client, adapt, names=("ann.png", "ann2.png"))
    ask(client, protocol.RenameFace(identity=identity, name="Ann"))
    file = ask(client, protocol.ExportFace(identity=identity))
    assert (file.identity, file.name) == (identity, "Ann")
    assert file.content.nbytes > 256 * 1024  # so it came in chunks
    taken = ask(other, protocol.ImportFace(content=file.content))
    assert (taken.count, taken.faces[0].identity, taken.faces[0].name) == (1, identity, "Ann")
    ask(other, protocol.RenameFace(identity=identity, name="Bea"))
    again = ask(other, protocol.ImportFace(content=file.content))
    assert (again.count, again.faces[0].name) == (1, "Bea")
    (adapted, _) = [m for m in other.finish(other.send(adapt()).job) if m.sequence]
    assert (adapted.identity, adapted.is_cached) == (identity, True)


def test_bytes_that_are_no_face_are_refused_and_leave_nothing(service, store, face):
    client = service.client()
    whole = np.frombuffer(encoded_identity(face("ab" * 32)), np.uint8)
    spoilt = face("ab" * 32)
    spoilt.references.neutral_landmarks[3] = np.nan
    for content in (whole[:-9], whole[:5], np.frombuffer(encoded_identity(spoilt), np.uint8)):
        refused = ask(client, protocol.ImportFace(content=content))
        assert refused.code is ErrorCode.BAD_VALUE
        assert "\n" not in refused.sentence
        assert str(store.folder) not in refused.sentence
    assert list(store.folder.iterdir()) == []
    assert ask(client, protocol.ImportFace(content=whole)).count == 1


def test_who_asks_too_much_at_once_is_told_so(service, store, face):
    store.save(face("ab" * 32))
    client = service.client()
    asked = [client.send(protocol.ExportFace(identity="ab" * 32)) for _ in range(40)]
    answers = {}
    while len(answers) < len(asked):
        message = client.receive()
        answers[message.parent] = message
    kinds = [type(answers[question.id]) for question in asked]
    assert kinds[0] is protocol.FaceFile
    assert set(kinds) <= {protocol.FaceFile, protocol.Failed}
    refused = [answer for answer in answers.values() if isinstance(answer, protocol.Failed)]
    assert all(answer.code is ErrorCode.TOO_LARGE for answer in refused)
    assert isinstance(ask(client, protocol.ListFaces()), protocol.Faces)
