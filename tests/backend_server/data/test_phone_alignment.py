"""Sentences of invented sounds, whose times are known, are aligned."""

from itertools import pairwise

import numpy as np
import pytest

from backend_server.data.phone_alignment import Utterance, align, alignment_problem

RATE = 16_000
PITCHES = {"AA": 300.0, "IY": 900.0, "S": 3500.0, "M": 1700.0}  # Hz


def utterance(random):
    names = tuple(random.permutation([*PITCHES, *PITCHES])[:5].tolist())
    lengths = random.uniform(0.09, 0.2, len(names))
    edges = np.concatenate([[0.0], np.cumsum(lengths)]) + random.uniform(0.3, 0.5)
    sound = 0.001 * random.standard_normal(int((edges[-1] + 0.4) * RATE))
    for name, begin, end in zip(names, edges, edges[1:], strict=False):
        seconds = np.arange(int(begin * RATE), int(end * RATE)) / RATE
        sound[int(begin * RATE) : int(end * RATE)] += 0.3 * np.sin(2 * np.pi * PITCHES[name] * seconds)
    return Utterance(sound.astype(np.float32), names), edges


def test_times_are_found_in_training_and_in_others():
    random = np.random.default_rng(0)
    made = [utterance(random) for _ in range(30)]
    aligned = align([one for one, _ in made[:25]], [one for one, _ in made[25:]])
    errors = []
    for phones, (one, edges) in zip(aligned, made, strict=True):
        assert [phone.name for phone in phones] == ["SIL", *one.phones, "SIL"]
        assert phones[0].begin == 0
        assert all(before.end == after.begin for before, after in pairwise(phones))
        errors += np.abs([phone.begin for phone in phones[1:]] - edges).tolist()
    assert np.median(errors) < 0.03
    assert np.mean(np.array(errors[-30:]) < 0.05) > 0.8


@pytest.mark.parametrize(
    ("samples", "phones", "reason"),
    [
        (0, ("AA",), "it is too short for all its sounds (1)"),
        (400, ("AA",), "it is too short for all its sounds (1)"),
        (800, ("AA",), "its speech is too short for all its sounds (1)"),
        (RATE, ("AA",) * 40, "it is too short for all its sounds (40)"),
        (RATE, ("AA",) * 32, "its speech is too short for all its sounds (32)"),
        (RATE, (), "no sounds"),
        (RATE, ("AA", "ZH"), "no sentence that can be trained on has ZH"),
    ],
)
def test_what_cannot_be_aligned_is_told(samples, phones, reason):
    sound = np.random.default_rng(0).standard_normal(samples).astype(np.float32)
    assert reason in alignment_problem(Utterance(sound, phones), {"AA"})


def test_silence_cannot_be_aligned_and_speech_can():
    assert alignment_problem(Utterance(np.zeros(RATE, np.float32), ("AA",))) == "it is silent"
    assert alignment_problem(utterance(np.random.default_rng(0))[0]) == ""
