"""Tests that progress is timed and passed on."""

from backend_server import progress
from backend_server.progress import StageClock


def test_the_clock_measures_each_stage_and_estimates_from_the_speed_so_far(monkeypatch):
    now = iter([0.0, 1.0, 3.0, 7.0, 8.0, 10.0])
    monkeypatch.setattr(progress.time, "monotonic", lambda: next(now))
    heard = []
    clock = StageClock(lambda *call: heard.append((*call, clock.seconds_left)))
    calls = [("speech", 0, 10), ("speech", 2, 10), ("speech", 10, 10), ("texture", 0, 5)]
    for call in calls:
        clock(*call)
    # From 1 s on two steps take 2 s, and eight are left.
    assert heard == [(*call, left) for call, left in zip(calls, (None, 8.0, 0.0, None), strict=True)]
    assert clock.stop() == clock.seconds == {"speech": 8.0, "texture": 2.0}
