import numpy as np
import pytest

from backend_server.blink.targets import (
    BROW_FOLLOW,
    BROWS,
    collect_targets,
    compose,
    cut_blinks,
    lid_gaps,
    stretched,
    with_settled_brows,
)
from backend_server.config import BlinkConfig
from backend_server.metrics.blink import blink_curves, blink_statistics
from shared.errors import CorpusError


def test_blinks_are_cut_out_and_the_drift_stays_behind(make_clip, neutral, shutting):
    blinks, calm = cut_blinks(make_clip(20, 50), neutral, 25.0)
    assert len(blinks) == 2
    for blink in blinks:
        assert np.allclose(blink[[0, -1]], 0, atol=1e-6)
        assert lid_gaps(blink).min() == pytest.approx(float(lid_gaps(shutting)), rel=0.1)
    assert np.abs(lid_gaps(calm)).max() < 0.01
    assert 0.005 < np.abs(calm).max() < 0.03


def test_a_blink_at_the_end_of_a_clip_is_not_cut_out(make_clip, neutral):
    assert len(cut_blinks(make_clip(70), neutral, 25.0)[0]) == 0


def test_the_brows_follow_the_lids_a_little_whatever_the_tracker_says(make_clip, neutral, shutting):
    blink = cut_blinks(make_clip(20), neutral, 25.0)[0][0]
    lifted = blink.copy()
    lifted[:, :, 1] += 0.25 * lid_gaps(blink)[:, None]  # the head was aligned too high
    lifted[:, BROWS, 0] += 0.01
    for seen in (blink, lifted):
        settled = with_settled_brows(seen)
        assert np.allclose(lid_gaps(settled), lid_gaps(blink), atol=1e-6)
        assert np.allclose(settled[:, BROWS, 1], -BROW_FOLLOW * lid_gaps(blink)[:, None], atol=1e-6)
        assert not settled[:, BROWS, 0].any()
    assert np.allclose(with_settled_brows(lifted)[:, 10:], with_settled_brows(blink)[:, 10:], atol=1e-5)


def test_composed_sequences_blink_as_often_as_asked(make_clip, neutral):
    targets = collect_targets([make_clip(20, 50), make_clip()], neutral, 25.0)
    for rate in (0.2, 0.5):
        config = BlinkConfig(blinks_per_second=rate, blink_stretch=(1.0, 1.0))
        drawn = compose(targets, 300, 75, 25.0, config, np.random.default_rng(0))
        assert drawn.shape == (300, 75, 22, 2)
        found = blink_statistics(list(blink_curves(drawn, neutral)), 25.0)
        assert found.rate == pytest.approx(rate, rel=0.2)
        assert found.depth > 0.8


def test_a_stretched_blink_keeps_ends_and_depth(make_clip, neutral):
    blink = cut_blinks(make_clip(20), neutral, 25.0)[0][0]
    slow = stretched(blink, 1.5)
    assert len(slow) == round(1.5 * len(blink))
    assert np.array_equal(slow[[0, -1]], blink[[0, -1]])
    assert np.array_equal(stretched(blink, 1.0), blink)


def test_clips_without_a_blink_are_refused(make_clip, neutral):
    with pytest.raises(CorpusError, match="2 training clips"):
        collect_targets([make_clip(), make_clip(seed=1)], neutral, 25.0)
