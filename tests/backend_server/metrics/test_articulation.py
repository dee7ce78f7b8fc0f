"""The figures of articulation against motions whose figures are known."""

import numpy as np
import pytest

from backend_server.articulation.phones import TimedPhone
from backend_server.metrics.articulation import ArticulationFigures, articulation_figures
from shared.errors import ShapeError

TIMES = np.arange(0.02, 2, 0.04)
PHONES = [
    *(TimedPhone("SIL", 0.0, 0.6), TimedPhone("IY", 0.6, 0.8), TimedPhone("B", 0.8, 0.9), TimedPhone("W", 0.9, 1.1)),
    *(TimedPhone("F", 1.1, 1.2), TimedPhone("AA", 1.2, 1.4), TimedPhone("SIL", 1.4, 2.0)),
]


def face(opening, width):
    """A face of eye distance 1 with mouth openings and widths (T,)."""
    motion = np.zeros((len(opening), 68, 2))
    motion[:, 36:42, 0], motion[:, 42:48, 0] = -0.5, 0.5
    motion[:, 48, 0], motion[:, 54, 0] = -np.asarray(width) / 2, np.asarray(width) / 2
    motion[:, 66, 1] = opening
    return motion


def within(begin, end):
    return np.abs(TIMES - (begin + end) / 2) < (end - begin) / 2


@pytest.fixture
def right():
    """Open in speech alone, closed in B, nearly in F, narrow in W."""
    opening = np.where(within(0.6, 1.4), 0.2, 0.0)
    opening[within(0.8, 0.9)], opening[within(1.1, 1.2)] = 0.0, 0.05
    return opening, np.where(within(0.9, 1.1), 0.6, 0.8)


def test_a_mouth_that_does_all_it_should(right):
    figures = articulation_figures(PHONES, face(*right), TIMES)
    assert (figures.bilabial_closure, figures.vowel_closure, figures.labiodental_contact) == (1, 0, 1)
    assert (figures.pause_closure, figures.pause_jitter) == (1, 0)
    narrow = within(0.9, 1.1)[within(0.6, 1.4)].mean()
    assert figures.rounding == pytest.approx(0.2 / (0.2 * np.sqrt(narrow * (1 - narrow))))
    assert figures.onset_seconds == pytest.approx(0.6 - TIMES[within(0.6, 1.4)][0])


def test_figures_do_not_depend_on_the_unit(right):
    assert articulation_figures(PHONES, face(*right), TIMES) == pytest.approx(
        articulation_figures(PHONES, 100 * face(*right), TIMES)
    )


def test_a_mouth_that_hangs_open_closes_nowhere(right):
    figures = articulation_figures(PHONES, face(np.full(50, 0.2), right[1]), TIMES)
    assert (figures.bilabial_closure, figures.labiodental_contact, figures.pause_closure) == (0, 0, 0)
    assert np.isnan(figures.onset_seconds)


def test_a_mouth_that_never_opens_closes_in_vowels_too(right):
    figures = articulation_figures(PHONES, face(np.zeros(50), right[1]), TIMES)
    assert (figures.bilabial_closure, figures.vowel_closure) == (1, 1)


def test_widening_instead_of_rounding_has_the_other_sign(right):
    assert articulation_figures(PHONES, face(right[0], 1.4 - right[1]), TIMES).rounding < 0


def test_what_counts_as_rounded_is_given(right):
    round_a = articulation_figures(PHONES, face(*right), TIMES, frozenset(("AA",))).rounding
    assert round_a == pytest.approx(0)  # as wide in AA as in IY
    assert articulation_figures(PHONES, face(*right), TIMES, frozenset(("W",))).rounding > 1


def test_motion_long_before_the_sound_and_trembling_in_a_pause_are_seen(right):
    early = np.where(within(0.2, 0.6), 0.1, right[0])
    assert articulation_figures(PHONES, face(early, right[1]), TIMES).onset_seconds == pytest.approx(0.6 - 0.22)
    trembling = right[0] + np.where(TIMES > 1.4, 0.01 * (np.arange(50) % 2), 0)
    jitter = articulation_figures(PHONES, face(trembling, right[1]), TIMES).pause_jitter
    inside = [(TIMES[:-1] > 0) & (TIMES[1:] < 0.48), (TIMES[:-1] > 1.52) & (TIMES[1:] < 2)]
    moving = inside[1].sum() / (inside[0].sum() + inside[1].sum())
    assert jitter == pytest.approx(moving * 0.01 / 20 / 0.04)  # one of twenty points


def test_what_the_phones_do_not_ask_for_counts_nowhere(right):
    vowel = articulation_figures([TimedPhone("AA", 0.0, 2.0)], face(*right), TIMES)
    assert np.isnan([vowel.bilabial_closure, vowel.rounding, vowel.pause_closure]).all()
    mean = ArticulationFigures.mean([vowel, articulation_figures(PHONES, face(*right), TIMES)])
    assert mean.bilabial_closure == 1
    assert "rounding" in mean.sentence()


def test_times_must_be_those_of_the_motion(right):
    with pytest.raises(ShapeError, match="50 and 49"):
        articulation_figures(PHONES, face(*right), TIMES[:-1])
