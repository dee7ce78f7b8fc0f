"""Phones become motion: the dominance model in closed form, and what speech demands at normal rates."""

import numpy as np
import pytest
import torch

from backend_server.articulation.dominance import APPROACH_SECONDS, GROUPS, MANNERS, Dominance, shares
from backend_server.articulation.motion import articulate
from backend_server.articulation.phones import TimedPhone
from backend_server.articulation.visemes import VISEMES, load_visemes
from backend_server.metrics.landmarks import CLOSED_OPENING, mouth_opening
from shared.errors import ValueRangeError

FRAMES = np.arange(0, 2, 0.04) + 0.02


def said(*phones):
    """Phones of (name, seconds) from second 0 on."""
    edges = np.cumsum([0.0, *(seconds for _, seconds in phones)]).tolist()
    return [TimedPhone(name, edges[i], edges[i + 1]) for i, (name, _) in enumerate(phones)]


def constants(strength, seconds, power):
    size = (len(GROUPS), len(MANNERS))
    strengths, decays = torch.zeros(size), torch.full(size, seconds).log()
    strengths[:, 1] = np.log(strength)
    return Dominance(strengths, decays, decays, torch.tensor([power]))


def test_shares_by_hand():
    """Two sounds of 0.1 s; 0.03 s after the middle of the first and 0.07 s before that of the second."""
    begins = torch.tensor([0.0, 0.1])
    part = shares(constants(3.0, 0.05, 1.0), torch.tensor([0, 1]), begins, begins + 0.1, torch.tensor([0.08]))
    first, second = np.exp(-0.03 / 0.05), 3 * np.exp(-0.07 / 0.05)
    np.testing.assert_allclose(part[:, 0, 0], first / (first + second), rtol=1e-5)
    np.testing.assert_allclose(part.sum(-1), 1, rtol=1e-6)


def test_a_long_sound_rules_until_shortly_before_its_end():
    begins, ends = torch.tensor([0.0, 5.0]), torch.tensor([5.0, 5.1])
    times = torch.tensor([0.1, 2.5, 5.0 - APPROACH_SECONDS])
    part = shares(constants(1.0, 0.02, 2.0), torch.tensor([0, 1]), begins, ends, times)
    assert (part[..., 0] > 0.99).all()


def test_the_mouth_stands_at_the_weighted_mean_of_targets_and_at_rest_in_silence(table):
    motion = articulate(said(("SIL", 0.5), ("AA", 1.0), ("SIL", 0.5)), FRAMES, table)
    aimed = table.targets[VISEMES.index("AA")]
    np.testing.assert_allclose(motion[25], aimed, atol=0.01)
    np.testing.assert_allclose(motion[0], 0, atol=0.01)
    assert not motion[:, 17:48].any()  # brows, nose, eyes


def test_breath_takes_the_shape_of_its_neighbours(table):
    loose = articulate(said(("W", 0.9), ("HH", 0.2), ("W", 0.9)), FRAMES, table)
    np.testing.assert_allclose(loose, np.repeat(table.targets[VISEMES.index("W")][None], 50, 0), atol=1e-5)


def test_blocks_of_a_long_motion_have_no_seam(table):
    phones = said(*(pair for _ in range(40) for pair in (("AA", 0.3), ("P", 0.1))))
    times = np.arange(0, 16, 0.04)
    np.testing.assert_allclose(articulate(phones, times, table)[250:260], articulate(phones, times[250:260], table))


@pytest.mark.parametrize("vowel", ["AA", "IY", "UW", "AY"])
@pytest.mark.parametrize("stop", ["P", "B", "M"])
def test_lips_close_in_a_frame_of_every_short_bilabial_but_not_in_the_vowel(stop, vowel):
    table = load_visemes()
    for shift in (0.0, 0.01, 0.02, 0.03):  # wherever the frames fall
        phones = said(("SIL", 0.5 + shift), (vowel, 0.15), (stop, 0.07), (vowel, 0.15), ("SIL", 0.5))
        opening = mouth_opening(table.neutral + articulate(phones, FRAMES, table))
        during = np.abs(FRAMES - (phones[2].begin + phones[2].end) / 2) < 0.055
        assert opening[during].min() < CLOSED_OPENING
        assert opening[np.abs(FRAMES - phones[1].end + 0.075) < 0.02].max() > opening[during].min()


def test_lips_never_pass_each_other(table):
    motion = table.neutral + articulate(said(("P", 2.0)), FRAMES, table)
    assert (motion[:, [65, 66, 67], 1] >= motion[:, [63, 62, 61], 1] - 1e-6).all()


def test_what_cannot_be_said_is_refused(table):
    with pytest.raises(ValueRangeError, match="'XX'"):
        articulate([TimedPhone("XX", 0, 1)], FRAMES, table)
    with pytest.raises(ValueRangeError, match="no phones"):
        articulate([], FRAMES, table)
