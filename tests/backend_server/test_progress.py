"""Progress: stages are timed and passed on."""

from backend_server.progress import StageClock


def test_each_stage_gets_its_own_time_and_all_calls_pass():
    heard = []
    clock = StageClock(lambda *call: heard.append(call))
    for call in (("a", 0, 2), ("a", 1, 2), ("b", 0, 1)):
        clock(*call)
    clock.stop()
    assert heard == [("a", 0, 2), ("a", 1, 2), ("b", 0, 1)]
    assert set(clock.seconds) == {"a", "b"}
    assert all(seconds >= 0 for seconds in clock.seconds.values())
