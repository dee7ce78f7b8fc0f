import pytest

from backend_server.service.settings import ServiceSettings
from backend_server.service.work.pulse import Beat
from backend_server.service.work.watchdog import Watchdog


@pytest.fixture
def watched(tmp_path, clock):
    settings = ServiceSettings(connection_file=tmp_path, data_dir=tmp_path)
    return Watchdog(settings, clock)


def reason_after(watchdog, clock, seconds, beat=None, *, has_job=True, is_loading=False, step=0.5):
    """What the watchdog says first in so many seconds, looking twice a second."""
    until = clock.seconds + seconds
    while clock.seconds < until:
        clock.seconds += step
        if beat is not None:
            watchdog.beat(beat, "a" if has_job else "")
        if reason := watchdog.reason(is_loading, has_job, False):
            return reason
    return None


def beat(job="a", waiting=0.0):
    return Beat(job=job, waiting_seconds=waiting)


def test_a_worker_that_beats_and_makes_progress_is_left_alone(watched, clock):
    for _ in range(10):
        watched.progress("texture")
        assert reason_after(watched, clock, 250, beat()) is None


def test_a_stopped_worker_is_noticed_with_and_without_a_job(watched, clock):
    watched.beat(beat(""), "")
    assert "no sign of life for 60 s" in reason_after(watched, clock, 70, has_job=False)
    watched.beat(beat(""), "")
    reason = reason_after(watched, clock, 200, has_job=False, is_loading=True)
    assert "no sign of life for 180 s" in reason


def test_a_stage_without_progress_is_named(watched, clock):
    watched.begin()
    watched.progress("motion")
    assert reason_after(watched, clock, 400, beat()) == "it made no progress for 300 s in the stage motion"


def test_an_idle_worker_whose_job_has_not_ended_has_lost_it(watched, clock):
    watched.begin()
    assert "lost on the way" in reason_after(watched, clock, 20, beat(""))
    assert clock.seconds < 12


def test_a_worker_that_cannot_send_is_cut_off(watched, clock):
    watched.begin()
    assert "did not arrive" in reason_after(watched, clock, 20, beat("a", 5.0))


def test_loading_has_its_own_time(watched, clock):
    assert reason_after(watched, clock, 599, beat(""), has_job=False, is_loading=True) is None
    assert "had not loaded" in reason_after(watched, clock, 5, beat(""), has_job=False, is_loading=True)


def test_time_in_which_the_server_slept_does_not_count(watched, clock):
    watched.begin()
    watched.beat(beat(), "a")
    for _ in range(5):
        clock.seconds += 8 * 86400
        assert watched.reason(False, True, False) is None
