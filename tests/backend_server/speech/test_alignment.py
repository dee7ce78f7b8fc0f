"""Forced alignment by hand: phones in order, pauses between them, nothing skipped."""

import numpy as np
import pytest

from backend_server.articulation.phones import PHONES, TimedPhone
from backend_server.speech.alignment import align_phones
from shared.errors import ShapeError


def scores_of(said: str) -> np.ndarray:
    """Scores sure of a phone at each moment; "." is silence and "_" the blank."""
    rows = np.zeros((len(said.split()), len(PHONES) + 1), np.float32)
    for row, name in zip(rows, said.split(), strict=True):
        row[{".": 0, "_": -1}.get(name) if name in "._" else PHONES.index(name)] = 9.0
    return rows


def test_phones_and_long_pauses_are_where_they_sound():
    scores = scores_of(". . M M AA _ . . . . . B IY IY . . . . .")
    phones, sureness = align_phones(scores, ["M", "AA", "B", "IY"], 50.0)
    # each begins half-way between the last score of what came before and its first one
    expected = [("SIL", 0.0), ("M", 0.03), ("AA", 0.07), ("SIL", 0.09), ("B", 0.21), ("IY", 0.23), ("SIL", 0.27)]
    assert [(p.name, pytest.approx(p.begin)) for p in phones] == expected
    assert phones[-1] == TimedPhone("SIL", pytest.approx(0.27), pytest.approx(0.38))
    assert sureness == pytest.approx(0.0, abs=0.02)


def test_a_short_gap_belongs_to_the_phone_before():
    phones, _ = align_phones(scores_of("M _ _ AA AA AA"), ["M", "AA"], 50.0)
    assert [(p.name, p.begin) for p in phones] == [("M", 0.0), ("AA", pytest.approx(0.05))]


def test_a_phone_that_nobody_heard_still_has_its_moment_and_lowers_the_sureness():
    phones, sureness = align_phones(scores_of("M M AA AA"), ["M", "S", "AA"], 50.0)
    assert [p.name for p in phones] == ["M", "S", "AA"]
    assert sureness < -1


def test_more_phones_than_moments_are_refused():
    with pytest.raises(ShapeError, match="got 3"):
        align_phones(scores_of("M AA"), ["M", "AA", "M"], 50.0)
