"""Tests how far the tongue shows in sounds that need it."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend_server.arkit.tongue import AMOUNTS, WIDE_ENOUGH, behind_lips, tongue_out, tongue_reach
from backend_server.articulation.phones import PHONES

RATE = 50.0
TIMES = np.arange(200) / 100


def heard(phone: str, begin: float, end: float, sureness: float = 1.0) -> np.ndarray:
    """Two seconds, (100, 42), in which a phone is heard and before and after it a blank."""
    probabilities = np.zeros((100, len(PHONES) + 1), np.float32)
    moments = np.arange(100) / RATE
    probabilities[:, PHONES.index(phone)] = sureness * ((moments >= begin) & (moments < end))
    probabilities[:, -1] = 1 - probabilities.sum(1)
    return probabilities


def shown(phone: str, begin: float = 1.0, end: float = 1.1, smoothing: float = 0.0) -> np.ndarray:
    return tongue_out(tongue_reach(heard(phone, begin, end)), RATE, TIMES, smoothing)


def test_the_expected_reach_by_hand():
    probabilities = 0.5 * heard("TH", 0, 2) + 0.25 * heard("L", 0, 2) + 0.25 * heard("AA", 0, 2)
    assert tongue_reach(probabilities.astype(np.float32)) == pytest.approx(0.5 * 0.4 + 0.25 * 0.2)


def test_the_teeth_hold_it_longest_and_other_sounds_not_at_all():
    peaks = {phone: shown(phone).max() for phone in PHONES}
    assert peaks["TH"] == peaks["DH"] > 1.5 * peaks["L"] > 2 * peaks["N"] == 2 * peaks["D"] == 2 * peaks["T"] > 0
    assert {phone for phone, peak in peaks.items() if peak > 0} == set(AMOUNTS)
    assert shown("TH").max() == pytest.approx(AMOUNTS["TH"], rel=0.1)


def test_it_rises_and_falls_around_the_sound_without_a_jump():
    motion = shown("TH")
    assert TIMES[motion.argmax()] == pytest.approx(1.04, abs=0.02)
    assert motion[(TIMES < 0.85) | (TIMES > 1.25)].max() < 0.01
    assert np.abs(np.diff(motion)).max() < 0.15 * motion.max()  # a hundredth of a second
    rising = motion[: motion.argmax() + 1]
    assert (np.diff(rising) >= 0).all()


def test_a_single_moment_is_seen():
    assert shown("TH", 1.0, 1.01).max() > 0.6 * AMOUNTS["TH"]


def test_smoothing_widens_and_lowers_it():
    plain, smooth = shown("TH"), shown("TH", smoothing=0.1)
    assert smooth.max() < 0.7 * plain.max()
    assert (smooth > 0.02).sum() > 1.5 * (plain > 0.02).sum()
    assert smooth.sum() == pytest.approx(plain.sum(), rel=0.02)


def test_any_frame_times_read_the_same_motion_and_none_is_outside_the_sound():
    reach = tongue_reach(heard("L", 0.0, 2.0))
    coarse, fine = (tongue_out(reach, RATE, np.arange(0, 2, step)) for step in (1 / 24, 1 / 48))
    np.testing.assert_allclose(fine[::2], coarse, atol=1e-6)
    assert not tongue_out(reach, RATE, np.array([-0.1, 2.1])).any()
    assert not tongue_out(np.zeros(0, np.float32), RATE, TIMES).any()


@given(st.integers(0, 2**32 - 1), st.floats(20, 100))
def test_it_never_comes_out_further_than_its_phones_reach(seed, rate):
    probabilities = np.random.default_rng(seed).dirichlet(np.full(len(PHONES) + 1, 0.05), 40).astype(np.float32)
    motion = tongue_out(tongue_reach(probabilities), rate, TIMES)
    assert motion.min() >= 0
    assert motion.max() <= max(AMOUNTS.values()) + 1e-6


def test_closed_lips_hold_it_back():
    face = np.zeros((5, 68, 2), np.float32)
    face[:, 66, 1] = [-0.02, 0, WIDE_ENOUGH / 2, WIDE_ENOUGH, 0.3]
    assert behind_lips(np.full(5, 0.4, np.float32), face) == pytest.approx([0, 0, 0.2, 0.4, 0.4])
    assert behind_lips(np.full(5, 1.4, np.float32), face) == pytest.approx([0, 0, 0.7, 1, 1])  # at intensity 2
