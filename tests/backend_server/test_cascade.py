"""Tests the stages together: shapes, seeds, and what each switch changes."""

from dataclasses import replace

import numpy as np
import pytest
import soundfile

from backend_server.arkit.network import FACE_SHAPES
from backend_server.cascade import Cascade
from backend_server.commands.animate import SAMPLE_SPEECH
from backend_server.metrics.blink import find_blinks
from backend_server.metrics.landmarks import correlation, eye_aspect_ratio, mouth_opening
from shared.arkit import SHAPES
from shared.errors import Cancelled, SoundError, WeightsError
from shared.landmarks import EYE_REGION
from shared.motion_controls import MotionControls
from shared.notes import NoteCode

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
    still = cascade.blink_landmarks(times, 0, controls=MotionControls(blink_gain=0.0))
    np.testing.assert_array_equal(still, np.broadcast_to(cascade.neutral_canonical, still.shape))
    one, other = (cascade.blink_landmarks(times, seed) for seed in (1, 2))
    assert not np.array_equal(one, other)
    np.testing.assert_array_equal(one, cascade.blink_landmarks(times, 1))
    assert eye_aspect_ratio(one).min() < 0.5 * np.median(eye_aspect_ratio(one))
    np.testing.assert_array_equal(one[:, OTHERS], still[:, OTHERS])


def spoken(cascade, motion):
    """Displacements of what speech moves, (T, 46, 2)."""
    return motion.canonical[:, OTHERS] - cascade.neutral_canonical[OTHERS]


def test_controls_at_their_defaults_change_nothing(cascade, motion, speech):
    again = cascade.animate(speech, 16_000, motion.frame_times, controls=MotionControls())
    np.testing.assert_array_equal(again.landmarks, motion.landmarks)


def test_intensity_scales_the_speech_and_not_the_blinks(cascade, motion, speech):
    half = cascade.animate(speech, 16_000, motion.frame_times, controls=MotionControls(intensity=0.5))
    np.testing.assert_allclose(spoken(cascade, half), spoken(cascade, motion) / 2, atol=1e-5)
    np.testing.assert_array_equal(half.canonical[:, EYE_REGION], motion.canonical[:, EYE_REGION])
    still = cascade.animate(speech, 16_000, motion.frame_times, controls=MotionControls(intensity=0, blink_gain=0))
    np.testing.assert_array_equal(still.canonical, np.broadcast_to(cascade.neutral_canonical, still.canonical.shape))


def test_shapes_follow_the_motion_and_its_controls(cascade, motion, speech):
    jaw, blinks, tongue = (SHAPES.index(name) for name in ("jawOpen", "eyeBlinkLeft", "tongueOut"))
    assert motion.arkit.shape == (len(motion.frame_times), 52)
    assert motion.arkit.min() >= 0
    assert motion.arkit.max() <= 1
    assert correlation(motion.arkit[:, jaw], mouth_opening(motion.canonical)) > 0.9
    assert correlation(motion.arkit[:, blinks], -eye_aspect_ratio(motion.canonical)) > 0.9
    assert motion.arkit[:, blinks].max() > 0.75
    assert motion.arkit[:, tongue].max() > 0.02
    half = cascade.animate(speech, 16_000, motion.frame_times, controls=MotionControls(intensity=0.5))
    assert half.arkit[:, jaw].max() < 0.8 * motion.arkit[:, jaw].max()
    assert half.arkit[:, tongue].max() <= 0.5 * motion.arkit[:, tongue].max()
    np.testing.assert_array_equal(half.arkit[:, blinks], motion.arkit[:, blinks])
    still = cascade.animate(speech, 16_000, motion.frame_times, blink=False, controls=MotionControls(intensity=0))
    assert not still.arkit.any()


def test_shapes_are_the_same_for_every_face(cascade, motion, speech, face):
    neutral = cascade.neutral_canonical.copy()
    neutral[[37, 38, 43, 44], 1] -= 0.05  # large eyes in a broad face
    stranger = face()
    references = replace(stranger.references, neutral_landmarks=120 + 60 * neutral * (1.3, 1))
    broad = cascade.animate(speech, 16_000, motion.frame_times, replace(stranger, references=references))
    assert np.abs(broad.canonical - motion.canonical).max() > 0.02
    np.testing.assert_array_equal(broad.arkit, motion.arkit)


@pytest.mark.parametrize("lead", [-0.2, 0.013, 0.2])
def test_lead_is_the_motion_of_another_moment_exactly(cascade, motion, speech, lead):
    early = cascade.animate(speech, 16_000, motion.frame_times, controls=MotionControls(lead=lead))
    late = cascade.animate(speech, 16_000, motion.frame_times + lead)
    np.testing.assert_array_equal(early.canonical[:, OTHERS], late.canonical[:, OTHERS])
    np.testing.assert_array_equal(early.canonical[:, EYE_REGION], motion.canonical[:, EYE_REGION])
    np.testing.assert_array_equal(early.frame_times, motion.frame_times)


@pytest.mark.parametrize("noise_level", [0.0, 0.02])
def test_silence_holds_the_mouth_still_and_leaves_the_speech_as_it_is(cascade, speech, noise_level):
    pause = np.zeros(3 * 16_000, np.float32)
    sound = np.concatenate([pause, speech, pause])
    sound += noise_level * np.random.default_rng(0).standard_normal(len(sound)).astype(np.float32)
    times = np.arange(int(len(sound) / 16_000 * 25)) / 25
    free = spoken(cascade, cascade.animate(sound, 16_000, times))
    held = cascade.animate(sound, 16_000, times, controls=MotionControls(silence=1.0))
    gated = spoken(cascade, held)
    end = 3 + len(speech) / 16_000
    for is_pause in (times < 2.5, times > end + 0.5):
        assert np.abs(np.diff(free[is_pause], axis=0)).max() > 0
        np.testing.assert_array_equal(gated[is_pause], 0)
        assert not held.arkit[is_pause][:, list(FACE_SHAPES)].any()
        assert not held.arkit[is_pause, SHAPES.index("tongueOut")].any()
    inside = (times > 3.3) & (times < end - 0.3)
    np.testing.assert_allclose(gated[inside], free[inside], atol=0.01)  # a breath between the words may rest
    assert (gated[inside] == free[inside]).mean() > 0.9


def test_blinks_come_as_often_and_last_as_long_as_asked(cascade):
    times = np.arange(0, 120, 1 / 25)

    def blinks(**controls):
        ear = eye_aspect_ratio(cascade.blink_landmarks(times, 1, MotionControls(**controls)))
        return find_blinks(ear, 25.0)

    usual, many, slow = blinks(), blinks(blink_frequency=2.0), blinks(blink_duration=2.0)
    assert len(many.starts) > 1.5 * len(usual.starts)
    assert np.median(slow.ends - slow.starts) > 1.5 * np.median(usual.ends - usual.starts)


def test_words_and_phones_are_told_where_they_are_wanted_and_change_nothing(cascade, motion, speech):
    text = "Good morning. Before you move my mouth, look how few words bring my face to life."
    told = cascade.animate(speech, 16_000, motion.frame_times, transcript=text)
    np.testing.assert_array_equal(told.landmarks, motion.landmarks)
    assert motion.spoken is None
    assert [word.text for word in told.spoken.words] == text.split()
    begins = {word.text: word.begin for word in told.spoken.words}
    assert begins["Before"] == pytest.approx(1.14, abs=0.08)
    assert begins["look"] == pytest.approx(2.64, abs=0.08)
    assert [phone.text for phone in told.spoken.phones][-3:] == ["L", "AY", "F"]
    assert told.notes == ()


def test_the_transcript_of_another_speech_is_noted(cascade, motion, speech):
    text = "The quick brown fox jumps over the lazy dog and runs away through the garden."
    told = cascade.animate(speech, 16_000, motion.frame_times, transcript=text)
    assert told.spoken.words == ()
    assert [note.code for note in told.notes] == [NoteCode.OTHER_TRANSCRIPT]


def test_a_sound_in_small_pieces_moves_the_face_as_the_whole_does(cascade, speech, monkeypatch):
    times = np.cumsum(np.random.default_rng(0).uniform(0.02, 0.06, 150))
    controls = MotionControls(silence=1.0, smoothing=0.03, lead=0.05)
    for name, positions in (("WINDOW", 60), ("HOP", 40), ("FADED", 10)):  # what is heard depends on them
        monkeypatch.setattr(f"backend_server.speech.acoustic_model.{name}", positions)
    whole = cascade.animate(speech, 16_000, times, controls=controls)
    monkeypatch.setattr("backend_server.speech.recording.BLOCK_SAMPLES", 16_000)
    monkeypatch.setattr("backend_server.motion.sequence.BLOCK_FEATURES", 7)
    for place in ("motion.controls", "cascade"):
        monkeypatch.setattr(f"backend_server.{place}.BLOCK_FRAMES", 7)
    monkeypatch.setattr("backend_server.blink.sampling.READ_FRAMES", 7)
    reports = []
    pieces = cascade.animate(speech, 16_000, times, controls=controls, progress=lambda *report: reports.append(report))
    np.testing.assert_allclose(pieces.canonical, whole.canonical, atol=1e-4)
    np.testing.assert_allclose(pieces.landmarks, whole.landmarks, atol=0.02)  # 1e-4 canonical units
    np.testing.assert_allclose(pieces.arkit, whole.arkit, atol=2e-3)
    for stage in ("speech", "motion", "smoothing", "blink"):
        steps = [step for name, step, _ in reports if name == stage]
        assert steps == sorted(steps)
        assert len(steps) > (2 if stage == "motion" else 5)  # hearing goes by windows of 11.5 s


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
    with pytest.raises(WeightsError, match=r"motion\.safetensors"):
        Cascade.load(weights=tmp_path)
