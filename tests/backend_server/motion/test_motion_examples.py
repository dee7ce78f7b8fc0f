import numpy as np
import pytest

from backend_server.data.corpus import Corpus
from backend_server.data.motion_examples import (
    AUGMENTATION,
    MotionExample,
    View,
    as_usual_person,
    make_views,
    motion_examples,
    rest_in_silence,
)
from backend_server.metrics.landmarks import mouth_opening
from backend_server.speech.augmentation import change_speed


def heard_at(view, frame_times):
    """The first channel at frame times, a mean over 0.2 s."""
    smooth = np.convolve(np.pad(view.features[:, 0], 5, mode="edge"), np.ones(11) / 11, mode="valid")
    return np.interp(view.positions(frame_times), np.arange(len(smooth)), smooth)


def test_a_faster_clip_is_shorter_and_its_features_still_fit_the_frames(level_model):
    seconds = np.arange(32_000) / 16_000
    swelling = (np.sin(2000 * seconds) * seconds).astype(np.float32)
    assert len(change_speed(swelling, 1.25)) == pytest.approx(32_000 / 1.25, abs=1)
    frame_times = np.arange(5, 45) / 25
    plain = heard_at(View(level_model.features(swelling), 50.0), frame_times)
    fast = heard_at(View(level_model.features(change_speed(swelling, 1.25)), 50.0, 1.25), frame_times)
    assert np.allclose(plain, fast, atol=0.02)


def test_what_is_read_late_is_later_and_the_ends_are_repeated():
    view = View(np.arange(100, dtype=np.float32)[:, None], 50.0, 2.0)
    assert view.positions(np.array([1.0]), shift_seconds=0.02) == pytest.approx(50 / 2 + 1)
    assert view.around(-2, 4)[:, 0].tolist() == [0, 0, 0, 1]
    assert view.around(98, 3)[:, 0].tolist() == [98, 99, 99]


def test_the_first_view_is_the_clip_as_it_is(corpus, level_model):
    clips = Corpus(corpus).clips("val", "b")
    examples = motion_examples(clips, level_model, np.random.default_rng(0), variations=3)
    assert [example.name for example in examples] == [clip.name for clip in clips]
    assert [len(example.views) for example in examples] == [4, 4]
    assert np.array_equal(examples[0].views[0].features, level_model.features(clips[0].waveform()))
    assert examples[0].views[0].speed == 1
    voices = [clip.waveform() for clip in clips]
    again = make_views(clips[0].waveform(), level_model, 3, np.random.default_rng(0), voices)
    assert np.array_equal(again[3].features, examples[0].views[3].features)


def test_every_variation_is_another_tempo_in_another_place(level_model):
    seconds = np.arange(48_000) / 16_000
    swelling = (0.3 * np.sin(2000 * seconds) * np.sin(3 * seconds)).astype(np.float32)
    views = make_views(swelling, level_model, 12, np.random.default_rng(0))
    speeds = [view.speed for view in views[1:]]
    assert len(set(speeds)) > 6
    assert all(AUGMENTATION.speed[0] <= speed <= AUGMENTATION.speed[1] for speed in speeds)
    frame_times = np.arange(5, 70) / 25
    plain = heard_at(views[0], frame_times)
    likeness = [np.corrcoef(plain, heard_at(view, frame_times))[0, 1] for view in views[1:]]
    assert np.median(likeness) > 0.8  # the same moments, whatever the tempo
    assert min(likeness) < 0.99  # and not without noise


def test_jaw_and_lips_rest_where_nobody_speaks():
    times = np.arange(100) / 25
    waveform = np.zeros(64_000, np.float32)
    waveform[32_000:48_000] = np.random.default_rng(0).standard_normal(16_000) * 0.1  # from 2 s to 3 s
    neutral = np.zeros((68, 2), np.float32)
    rested = rest_in_silence(np.ones((100, 68, 2), np.float32), neutral, waveform, times)
    assert (rested[(times > 2.1) & (times < 2.9)] == 1).all()
    assert (rested[:, 17:48] == 1).all()  # brows, nose and eyes go on
    resting = rested[(times < 1.7) | (times > 3.3)]
    assert (resting[:, :17] == 0).all()
    assert (resting[:, 48:] == 0).all()


def example_of(speaker, opening, count):
    """Clips of somebody who opens the mouth so far in every second frame."""
    canonical = np.zeros((50, 68, 2), np.float32)
    canonical[:, 36:42, 0], canonical[:, 42:48, 0] = -0.5, 0.5
    canonical[::2, 66, 1] = opening
    canonical[:, 17, 1] = np.arange(50)  # a brow
    return [MotionExample(speaker, "clip", "train", np.arange(50) / 25, canonical, ())] * count


def test_everybody_moves_the_mouth_as_far_as_the_average_person():
    neutral = np.zeros((68, 2), np.float32)
    examples = example_of("quiet", 0.1, 200) + example_of("lively", 0.3, 200) + example_of("once", 0.6, 1)
    usual = as_usual_person(examples, neutral)
    quiet, lively, once = (mouth_opening(usual[place].canonical).max() for place in (0, 200, 400))
    assert quiet == pytest.approx(lively, rel=0.03)
    assert quiet == pytest.approx(1 / 3, rel=0.03)  # the mean over people, not over clips
    assert quiet < once < 0.6  # one clip says little of a person
    assert (usual[0].canonical[:, 17] == examples[0].canonical[:, 17]).all()
    assert examples[0].canonical[:, 66, 1].max() == pytest.approx(0.1)
