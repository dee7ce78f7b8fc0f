"""The shipped weights blink like a person (Section 3.2, Tables 1 and 2)."""

import numpy as np
import pytest

from backend_server.blink.generator import BlinkGenerator, load_blink_generator
from backend_server.blink.sampling import blink_displacements
from backend_server.blink.targets import BROWS, lid_gaps
from backend_server.checkpoints import WEIGHTS_DIR
from backend_server.metrics.blink import blink_curves, blink_statistics, find_blinks
from backend_server.metrics.landmarks import correlation, eye_aspect_ratios
from shared.landmarks import EYE_REGION

RATE = 25.0


@pytest.fixture(scope="module")
def generator() -> BlinkGenerator:
    return load_blink_generator(WEIGHTS_DIR / "blink.safetensors")


def blinking(generator: BlinkGenerator, seconds: float, seed: int) -> np.ndarray:
    return blink_displacements(generator, np.arange(round(seconds * RATE)) / RATE, seed)


def check_people_blink_like_this(generator: BlinkGenerator, count: int, low: float, high: float) -> None:
    lengths = np.random.default_rng(0).uniform(low, high, count)
    neutral = generator.neutral_canonical.numpy()
    curves = [blink_curves(blinking(generator, length, seed), neutral) for seed, length in enumerate(lengths)]
    found = blink_statistics(curves, RATE)
    assert 0.28 <= found.rate <= 0.4
    assert found.duration == pytest.approx(0.33, abs=0.02)
    assert found.histogram.sum() == found.count  # none is cut
    assert found.depth > 0.7


@pytest.mark.slow
@pytest.mark.parametrize(("low", "high"), [(3.0, 3.0), (6.0, 10.0)])
def test_a_thousand_clips_blink_as_often_and_as_long_as_people(generator, low, high):
    check_people_blink_like_this(generator, 1000, low, high)


def test_an_hour_of_blinks_is_whole_and_of_the_usual_rate(generator):
    motion = blinking(generator, 3600, seed=1)
    found = blink_statistics([blink_curves(motion, generator.neutral_canonical.numpy())], RATE)
    assert 0.28 <= found.rate <= 0.4
    assert found.duration == pytest.approx(0.33, abs=0.02)
    assert found.histogram.sum() == found.count
    assert np.abs(np.diff(lid_gaps(motion))).max() < np.abs(lid_gaps(motion)).max()  # no jump at a seam


def test_both_eyes_blink_together_and_the_brows_follow_a_little(generator):
    motion = blinking(generator, 120, seed=2)
    landmarks = np.repeat(generator.neutral_canonical.numpy()[None], len(motion), axis=0)
    landmarks[:, list(EYE_REGION)] += motion
    ratios = eye_aspect_ratios(landmarks)
    assert correlation(ratios[:, 0], ratios[:, 1]) > 0.95
    lids, brows = -lid_gaps(motion), motion[:, BROWS, 1].mean(1)
    blinks = find_blinks(ratios.mean(-1), RATE)
    shut = [start + int(lids[start:end].argmax()) for start, end in zip(blinks.starts, blinks.ends, strict=True)]
    fall = (brows[shut] - brows[blinks.starts - 2]) / (lids[shut] - lids[blinks.starts - 2])
    assert len(fall) > 20
    assert 0.02 < fall.mean() < 0.15
