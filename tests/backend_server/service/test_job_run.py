import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from backend_server.service import job_run


@given(sizes=st.lists(st.integers(0, 9), max_size=12), size=st.integers(1, 8))
def test_chunks_are_cut_again_without_loss(sizes, size):
    frames = np.arange(sum(sizes), dtype=np.uint8)[:, None]
    cut = list(job_run.rechunk(iter(np.split(frames, np.cumsum(sizes)[:-1])), size)) if sizes else []
    assert [len(c) for c in cut[:-1]] == [size] * (len(cut) - 1)
    np.testing.assert_array_equal(np.concatenate([frames[:0], *cut]), frames)


def test_the_clock_guesses_from_the_speed_so_far(monkeypatch):
    now = iter([0.0, 1.0, 3.0, 7.0, 8.0, 10.0])
    monkeypatch.setattr(job_run.time, "monotonic", lambda: next(now))
    clock = job_run.StageClock()
    assert clock.note("speech", 0, 10) is None  # at 1 s
    assert clock.note("speech", 2, 10) == 8.0  # two steps in 2 s, eight to go
    assert clock.note("speech", 10, 10) == 0.0
    assert clock.note("texture", 0, 5) is None
    assert clock.finish() == {"speech": 8.0, "texture": 2.0}
