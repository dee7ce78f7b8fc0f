"""Tests that jobs whose clients did not come back after a restart never stand before those of connected clients."""

from backend_server.service.storage.job_index import StoreLimits
from shared import protocol

WAIT = 9  # seed: the job never ends


def test_a_connected_clients_job_runs_before_those_that_nobody_asks_for(new_service, animate):
    service = new_service()
    client = service.client()
    left = client.send(animate(seed=WAIT))
    client.until(protocol.Progress, job=left.job)
    service.kill()
    service.start()
    again = service.client()
    new = again.send(animate())
    assert isinstance(again.finish(new.job)[-1], protocol.Done)
    again.send(protocol.Attach(job=left.job))  # adopted by its ID
    again.until(protocol.Progress, job=left.job)
    again.send(protocol.Cancel(job=left.job))
    assert isinstance(again.finish(left.job)[-1], protocol.Cancelled)


def test_jobs_that_nobody_asks_for_run_after_a_while(new_service, animate):
    service = new_service(park_seconds=0.5)
    client = service.client()
    running = client.send(animate(seed=WAIT))
    client.until(protocol.Progress, job=running.job)
    waiting = client.send(animate())
    client.until(protocol.Accepted, job=waiting.job)
    service.kill()
    service.start()
    again = service.client()
    again.send(protocol.Cancel(job=running.job))
    again.finish(running.job)
    service.wait_for(lambda: any(path.name.endswith("2") for path in service.data_dir.glob("jobs/job_*/0*")))
    again.send(protocol.Attach(job=waiting.job))
    assert isinstance(again.finish(waiting.job)[-1], protocol.Done)


def test_parked_jobs_keep_their_order_and_get_their_place_back(open_store, clock):
    store = open_store(now=clock)
    for job in "abc":
        store.add_now(job)
    store = open_store(StoreLimits(park_seconds=30), now=clock)
    assert store.next_job() is None
    store.add_now("d")
    assert (store.queue(), store.next_job()) == (["d", "a", "b", "c"], "d")
    store.unpark("b")
    store.unpark("nobody")
    assert store.queue() == ["b", "d", "a", "c"]
    assert (store.position("b"), store.position("c")) == (0, 3)
    for job in "bd":
        store.begin(job)
    assert store.next_job() is None
    clock.seconds += 29
    assert store.next_job() is None
    clock.seconds += 2
    assert store.next_job() == "a"
