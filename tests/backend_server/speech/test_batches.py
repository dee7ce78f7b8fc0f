"""Batches: padding is silence, labels stand where they are heard, plans hold every utterance once and repeat."""

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from backend_server.config import SpeechConfig
from backend_server.speech.batches import UNKNOWN, make_batch, plan_epoch
from backend_server.speech.dataset import Example
from backend_server.speech.encoder import SpeechEncoder


def utterance(samples: int, text: str = "", **labels: np.ndarray) -> Example:
    return Example(np.ones(samples, np.float32), text, "x", **labels)


def test_a_batch_by_hand(tiny_config: SpeechConfig):
    batch = make_batch([utterance(1000, "a b", phones=np.array([3, 5])), utterance(3000, "c")])
    assert batch.waveforms.shape == (2, 447 + 7 * 384 + 448)  # 3000 samples have eight positions
    for row, samples in zip(batch.waveforms.numpy(), (1000, 3000), strict=True):
        assert np.flatnonzero(row).tolist() == list(range(447, 447 + samples))
    assert batch.lengths.tolist() == [3, 8]
    assert batch.characters.tolist() == [1, 0, 2, 3]
    assert batch.character_counts.tolist() == [3, 1]
    assert (batch.phones.tolist(), batch.phone_counts.tolist()) == ([3, 5], [2, 0])
    assert batch.timed_phones.shape == (2, 8)
    assert (batch.timed_phones == UNKNOWN).all()
    with torch.inference_mode():
        assert SpeechEncoder(tiny_config)(batch.waveforms)[0].shape[:2] == (2, 8)


def test_timed_phones_stand_where_they_are_heard():
    item = utterance(4000, phones=np.array([2, 7, 4]), begins=np.array([0.03, 0.1, 0.2], np.float32))
    batch = make_batch([item, utterance(4608)])
    # scores stand 0.024 s apart, and the utterance is 0.25 s long
    expected = [UNKNOWN, UNKNOWN, 2, 2, 2, 7, 7, 7, 7, 4, 4, UNKNOWN, UNKNOWN]
    assert batch.timed_phones[0].tolist() == expected
    assert batch.phone_counts.tolist() == batch.character_counts.tolist() == [0, 0]


def test_the_mouth_is_read_where_it_is_known():
    mouth = np.repeat(np.arange(5, dtype=np.float32)[:, None], 6, axis=1)  # 0 at the beginning, 4 at the end
    mouth[:, 5] = [0, np.nan, 2, 3, 4]
    batch = make_batch([utterance(2 * 4 * 384, mouth=mouth), utterance(12 * 384)])
    assert batch.mouths.shape == (2, 13, 6)
    np.testing.assert_allclose(batch.mouths[0, :9, 3], np.arange(9) / 2)
    assert batch.mouths[0, :, 5].isnan().tolist() == [False, True, True, True, *[False] * 5, *[True] * 4]
    assert batch.mouths[0, 9:].isnan().all()
    assert batch.mouths[1].isnan().all()


@given(st.lists(st.integers(10, 2000), min_size=1, max_size=60), st.integers(0, 3))
def test_a_plan_holds_every_utterance_once_and_keeps_its_size(lengths: list[int], epoch: int):
    plan = plan_epoch(lengths, 4000, epoch, seed=5)
    assert sorted(index for batch in plan for index in batch) == list(range(len(lengths)))
    assert all(max(lengths[i] for i in batch) * len(batch) <= 4000 for batch in plan)
    assert plan == plan_epoch(lengths, 4000, epoch, seed=5)


def test_similar_lengths_come_together_in_another_order_each_epoch():
    lengths = np.random.default_rng(0).integers(100, 2000, 300).tolist()
    plans = [plan_epoch(lengths, 4000, epoch, seed=0) for epoch in range(2)]
    for plan in plans:
        spreads = [max(lengths[i] for i in batch) / min(lengths[i] for i in batch) for batch in plan]
        assert np.median(spreads) < 1.2
        means = [np.mean([lengths[i] for i in batch]) for batch in plan]
        assert abs(np.corrcoef(means, np.arange(len(means)))[0, 1]) < 0.3  # short and long mixed
    assert plans[0] != plans[1]
    assert plans[0] != plan_epoch(lengths, 4000, 0, seed=1)
