"""The stages together: shapes, seeds, and what each switch changes."""

import numpy as np
import pytest
import soundfile

from backend_server.cascade import Cascade
from backend_server.commands.animate import SAMPLE_SPEECH
from backend_server.metrics.landmarks import eye_aspect_ratio, mouth_opening
from shared.errors import Cancelled, SoundError, WeightsError
from shared.landmarks import EYE_REGION

OTHERS = np.setdiff1d(np.arange(68), EYE_REGION)


@pytest.fixture(scope="module")
def cascade():
    return Cascade.load()


@pytest.fixture(scope="module")
def speech():
    return soundfile.read(SAMPLE_SPEECH, dtype="float32")[0]


@pytest.fixture(scope="module")
def motion(cascade, speech):
    return cascade.animate(speech, 16_000, np.arange(int(len(speech) / 16_000 * 25)) / 25)


def test_the_mean_face_stands_in_its_crop(cascade, motion):
    assert motion.canonical.shape == motion.landmarks.shape == (len(motion.frame_times), 68, 2)
    assert motion.landmarks.min() > 0
    assert motion.landmarks.max() < 255
    np.testing.assert_allclose(cascade.neutral_canonical.mean(0), 0, atol=0.2)


def test_the_mouth_moves_with_the_speech_and_rests_before_it(cascade, motion, speech):
    opening = mouth_opening(motion.landmarks)
    assert opening.max() > 0.08
    levels = np.array([np.abs(speech[int(t * 16_000) : int(t * 16_000) + 640]).mean() for t in motion.frame_times])
    assert opening[levels > levels.mean()].mean() > 1.5 * opening[levels < 0.1 * levels.mean()].mean()


def test_a_frame_is_a_function_of_its_time_alone(cascade, motion, speech):
    chosen = motion.frame_times[10:20:3]
    again = cascade.animate(speech, 16_000, chosen)
    np.testing.assert_allclose(again.canonical[:, OTHERS], motion.canonical[10:20:3][:, OTHERS], atol=1e-5)


def test_blinks_follow_the_seed_and_leave_the_mouth_alone(cascade, speech):
    times = np.arange(0, 30, 1 / 25)
    still = cascade.blink_landmarks(times, 0, gain=0.0)
    np.testing.assert_array_equal(still, np.broadcast_to(cascade.neutral_canonical, still.shape))
    one, other = (cascade.blink_landmarks(times, seed) for seed in (1, 2))
    assert not np.array_equal(one, other)
    np.testing.assert_array_equal(one, cascade.blink_landmarks(times, 1))
    assert eye_aspect_ratio(one).min() < 0.5 * np.median(eye_aspect_ratio(one))
    np.testing.assert_array_equal(one[:, OTHERS], still[:, OTHERS])


def test_gains_scale_the_motion(cascade, motion, speech):
    half = cascade.animate(speech, 16_000, motion.frame_times, motion_gain=0.5)
    full = motion.canonical[:, OTHERS] - cascade.neutral_canonical[OTHERS]
    np.testing.assert_allclose(half.canonical[:, OTHERS] - cascade.neutral_canonical[OTHERS], full / 2, atol=1e-5)


def test_silence_is_refused(cascade):
    with pytest.raises(SoundError, match="silent"):
        cascade.animate(np.zeros(16_000, np.float32), 16_000, np.arange(25) / 25)


def test_a_cancel_ends_the_work_at_the_next_report(cascade, speech):
    def cancel(stage: str, step: int, steps: int) -> None:
        if stage == "motion":
            raise Cancelled

    with pytest.raises(Cancelled):
        cascade.animate(speech, 16_000, np.arange(25) / 25, progress=cancel)


def test_missing_weights_are_named(tmp_path):
    with pytest.raises(WeightsError, match=r"speech\.safetensors"):
        Cascade.load(weights=tmp_path)
