"""Tests that the jobs of a backend can be listed and cancelled, also those whose clients did not come back."""

import json

import msgspec
import pytest
from typer.testing import CliRunner

from backend_server.__main__ import app
from backend_server.service import inquiry
from backend_server.service.inquiry import ask_jobs
from backend_server.service.storage.queue_file import JobOrigin
from shared import protocol, wire
from shared.errors import ErrorCode, SpeechFaceError

WAIT = 9  # seed: the job never ends


def run(service, *arguments):
    return CliRunner().invoke(app, ["jobs", *arguments, "--connection-file", str(service.connection_file)])


def listed(service, *options):
    result = run(service, "list", *options, "--json")
    assert result.exit_code == 0, result.output
    return {job["id"]: job for job in json.loads(result.stdout)}


@pytest.fixture
def crashed(new_service, animate, adapt):
    """A service that was started again, with a running and a waiting job of a client that did not come back."""
    service = new_service(park_seconds=600.0)
    client = service.client()
    client.send(protocol.Hello(client="Blender of Ada\n\x1b[31m" + "x" * 300))
    jobs = [client.send(animate(seed=WAIT)).job, client.send(adapt()).job]
    client.until(protocol.Progress, job=jobs[0])
    service.wait_for(lambda: len(ask_jobs(service.connection_file)) == 2)
    assert [(job.state, job.follower_count) for job in ask_jobs(service.connection_file)] == [
        ("running", 1),
        ("queued", 1),
    ]
    service.kill()
    service.start()
    return service, jobs


def test_jobs_of_a_client_that_did_not_come_back_are_listed_with_their_owner(crashed, animate):
    service, (ran, waited) = crashed
    client = service.client()
    new = client.send(animate(seed=WAIT)).job
    service.wait_for(lambda: listed(service)[new]["steps"] == 100_000)
    jobs = listed(service)
    assert list(jobs) == [new, ran, waited]
    assert [job["state"] for job in jobs.values()] == ["running", "parked", "parked"]
    assert [job["kind"] for job in jobs.values()] == ["animate", "animate", "adapt"]
    assert [job["follower_count"] for job in jobs.values()] == [1, 0, 0]
    assert [job["owner"][:14] for job in jobs.values()] == ["test", "Blender of Ada", "Blender of Ada"]
    assert "\n" not in jobs[ran]["owner"] and len(jobs[ran]["owner"]) == 100
    assert all(0 <= job["age_seconds"] < 120 for job in jobs.values())
    assert (jobs[new]["stage"], jobs[ran]["stage"]) == ("speech", "")
    table = run(service, "list").stdout
    for words in ("3 jobs", "parked", "adapt", "nobody", "1 client"):
        assert words in table
    client.send(protocol.Attach(job=waited))  # adopted by its ID
    service.wait_for(lambda: listed(service)[waited]["state"] == "queued")
    assert listed(service)[waited]["follower_count"] == 1


def test_parked_jobs_are_cancelled_by_id_and_all_at_once(crashed, animate):
    service, (ran, waited) = crashed
    result = run(service, "cancel", ran[:8])
    assert (result.exit_code, result.stdout) == (0, f"{ran} cancelled\n")
    assert list(listed(service)) == [waited]
    client = service.client()
    new = client.send(animate(seed=WAIT)).job
    client.until(protocol.Progress, job=new)
    assert run(service, "cancel", "--parked").stdout == f"{waited} cancelled\n"
    assert list(listed(service)) == [new]
    assert run(service, "cancel", "--parked").stdout == "no job is parked\n"
    assert run(service, "cancel", new).stdout == f"{new} cancelled\n"
    assert isinstance(client.finish(new)[-1], protocol.Cancelled)  # its own client is told
    assert listed(service) == {}
    result = run(service, "cancel", new)
    assert (result.exit_code, result.stderr.count("\n")) == (2, 1)
    assert f"no job that runs or waits has an ID that begins with {new}" in result.stderr


def test_how_a_job_had_ended_is_said(service, animate):
    client = service.client()
    job = client.send(animate()).job
    assert isinstance(client.finish(job)[-1], protocol.Done)
    (end,) = inquiry.cancel_jobs(service.connection_file, [job])
    assert isinstance(end, protocol.Done)
    with pytest.raises(SpeechFaceError, match="there is no job nobody") as caught:
        list(inquiry.cancel_jobs(service.connection_file, ["nobody"]))
    assert caught.value.code is ErrorCode.UNKNOWN_JOB


def test_a_full_spool_has_a_way_out(new_service, animate):
    service = new_service(spool_bytes=200_000)
    client = service.client()
    job = client.send(animate(frames=100)).job
    assert isinstance(client.finish(job)[-1], protocol.Done)
    refused = client.finish(client.send(animate(frames=100)).job)[-1]
    assert refused.code is ErrorCode.NO_SPACE
    assert "jobs list --ended` shows" in refused.sentence and "`jobs forget ID` deletes" in refused.sentence
    (entry,) = listed(service, "--ended").values()
    assert (entry["id"], entry["kind"], entry["state"], entry["owner"]) == (job, "animate", "delivered", "test")
    assert 100_000 < entry["size_bytes"] < 200_000 and 0 <= entry["age_seconds"] < 120
    assert listed(service) == {}
    table = run(service, "list", "--ended").stdout
    assert "delivered" in table and "1 job, 0.1 MB; delete one and its results with `jobs forget ID`" in table
    result = run(service, "forget", job[:8])
    assert (result.exit_code, result.stdout) == (0, f"{job} forgotten\n")
    assert listed(service, "--ended") == {}
    client.send(protocol.Attach(job=job))
    assert client.until(protocol.Failed)[-1].code is ErrorCode.UNKNOWN_JOB
    assert isinstance(client.finish(client.send(animate(frames=100)).job)[-1], protocol.Done)


def test_what_has_not_ended_is_not_forgotten(service, animate):
    client = service.client()
    job = client.send(animate(seed=WAIT)).job
    client.until(protocol.Progress, job=job)
    result = run(service, "forget", job)
    assert (result.exit_code, result.stderr.count("\n")) == (2, 1)
    assert f"no job that has ended has an ID that begins with {job}; see `jobs list --ended`" in result.stderr
    client.send(protocol.Cancel(job=job, forgets=True))
    refused = client.until(protocol.Failed, job=job)[-1]
    assert (refused.code, refused.sequence) == (ErrorCode.BAD_VALUE, 0)
    assert refused.sentence == f"job {job} has not ended; cancel it first"
    client.send(protocol.Cancel(job=job))
    assert isinstance(client.finish(job)[-1], protocol.Cancelled)


def test_ended_jobs_stand_in_the_order_in_which_they_came_and_say_whether_a_client_has_them(make_store, tmp_path):
    store = make_store(tmp_path / "jobs")
    for name in ("late", "early", "waits"):
        store.add_now(name, [b"x" * 10])
    for name in ("early", "late"):
        store.end_now(name, b"end")
    store.note_delivered("early")
    for _ in range(2):  # also after a restart
        found = [(job.id, job.is_delivered, job.size_bytes, job.results) for job in store.jobs(are_ended=True)]
        assert [entry[:2] for entry in found] == [("late", False), ("early", True)]
        assert all(size >= 10 and count == 1 for _, _, size, count in found)
        assert [job.id for job in store.jobs()] == ["waits"]
        store.close()
        store = make_store(tmp_path / "jobs")
    store.forget("late")
    store.settle()
    assert [job.id for job in store.jobs(are_ended=True)] == ["early"]
    store.close()


@pytest.mark.parametrize("count", [3, 7, 8])
def test_a_list_has_as_many_pages_as_it_needs(new_service, animate, monkeypatch, count):
    monkeypatch.setattr("shared.job_list.MAX_LISTED_JOBS", 4)
    service = new_service(listed_at_once=4)
    client = service.client()
    jobs = [client.send(animate(seed=WAIT)).job for _ in range(count)]
    client.until(protocol.Accepted, job=jobs[-1])
    client.send(protocol.Status(jobs_from=0))
    assert len(client.until(protocol.StatusReport)[-1].listed) == min(count, 4)
    assert [job.id for job in ask_jobs(service.connection_file)] == jobs


def test_a_backend_without_lists_is_named(service, monkeypatch):
    report = inquiry.ask_status(service.connection_file)
    assert report.listed is None
    monkeypatch.setattr(inquiry._Line, "report", lambda *_: msgspec.structs.replace(report, listed=None))
    for options, sentence in (([], "this backend lists no jobs"), (["--ended"], "this backend lists no ended jobs")):
        result = run(service, "list", *options)
        assert result.exit_code == 2
        assert sentence in result.stderr


def test_origins_are_kept_and_guessed_when_the_queue_file_is_lost(make_store, tmp_path, animate):
    folder = tmp_path / "jobs"
    origin = JobOrigin("animate", "Blender of Ada", 1e9)
    request = animate()
    store = make_store(folder)
    store.add(request.job, wire.encode(request), 0, origin=origin)
    store.settle()
    assert [(job.origin, job.is_parked) for job in store.jobs()] == [(origin, False)]
    store.close()
    store = make_store(folder)
    assert [(job.origin, job.is_parked) for job in store.jobs()] == [(origin, True)]
    store.close()
    (folder / "queue.sqlite").unlink()
    store = make_store(folder)
    (found,) = store.jobs()
    assert (found.origin.kind, found.origin.owner) == ("animate", "")
    assert found.origin.came > 1e9
    store.close()
