"""Batches: padding is silence, plans hold every utterance once and repeat."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from backend_server.speech.batches import UNKNOWN, make_batch, plan_epoch
from backend_server.speech.dataset import Features
from backend_server.speech.features import SILENCE


def test_a_batch_by_hand():
    short, long = np.ones((5, 64), np.float32), np.full((10, 64), 2.0, np.float32)
    batch = make_batch([Features(short, "a b", "x", np.array([3, 5])), Features(long, "c", "x")], lead=2)
    assert batch.mel.shape == (2, 20, 64)  # 2 + 10 + 8 frames
    assert np.all(batch.mel[0, :2].numpy() == np.float32(SILENCE))
    assert np.all(batch.mel[0, 2:7].numpy() == 1.0)
    assert np.all(batch.mel[0, 7:].numpy() == np.float32(SILENCE))
    assert batch.lengths.tolist() == [4, 6]  # scores of 7 and 12 frames
    assert batch.characters.tolist() == [1, 0, 2, 3]
    assert batch.character_counts.tolist() == [3, 1]
    assert (batch.phones.tolist(), batch.phone_counts.tolist()) == ([3, 5], [2, 0])
    assert (batch.timed_phones == UNKNOWN).all()


def test_timed_phones_stand_where_they_are_heard():
    item = Features(np.ones((9, 64), np.float32), "", "x", np.array([0, 7, 4]), np.array([0.0, 3.0, 6.0], np.float32))
    batch = make_batch([item], lead=4)
    # scores stand at mel frames -4 -2 0 2 4 6 8 10 ... of the utterance, which has nine
    expected = [UNKNOWN, UNKNOWN, 0, 0, 7, 4, 4, UNKNOWN]
    assert batch.timed_phones[0, :8].tolist() == expected
    assert batch.phone_counts.tolist() == batch.character_counts.tolist() == [0]


def test_the_mouth_is_read_where_it_is_known():
    mouth = np.repeat(
        np.arange(5, dtype=np.float32)[:, None], 6, axis=1
    )  # 0 at the first of nine frames, 4 at the last
    item = Features(np.ones((9, 64), np.float32), "", "x", mouth=mouth)
    batch = make_batch([item, Features(np.ones((9, 64), np.float32), "a", "x")], lead=4)
    assert batch.mouths.shape == (2, 12, 6)
    assert batch.mouths[0, 2:7, 3].tolist() == [0.0, 1.0, 2.0, 3.0, 4.0]
    assert batch.mouths[0, [0, 1, 7]].isnan().all()
    assert batch.mouths[1].isnan().all()


@given(st.lists(st.integers(10, 2000), min_size=1, max_size=60), st.integers(0, 3))
def test_a_plan_holds_every_utterance_once_and_keeps_its_size(lengths: list[int], epoch: int):
    plan = plan_epoch(lengths, 4000, epoch, seed=5)
    assert sorted(index for batch in plan for index in batch) == list(range(len(lengths)))
    assert all(max(lengths[i] for i in batch) * len(batch) <= 4000 for batch in plan)
    assert plan == plan_epoch(lengths, 4000, epoch, seed=5)


def test_the_first_epoch_goes_from_short_to_long_and_the_next_does_not():
    lengths = np.random.default_rng(0).integers(100, 2000, 300).tolist()
    means = [np.mean([lengths[i] for i in batch]) for batch in plan_epoch(lengths, 4000, 0, seed=0)]
    assert np.all(np.diff(means) > -100)
    shuffled = [np.mean([lengths[i] for i in batch]) for batch in plan_epoch(lengths, 4000, 1, seed=0)]
    assert np.any(np.diff(shuffled) < -500)
