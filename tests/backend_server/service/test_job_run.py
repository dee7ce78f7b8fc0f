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
