import cv2
import numpy as np
import pytest

from backend_server.evaluation.sync.films import MOUTH_HEIGHT, MOUTH_WIDTH, SILENCE, Film, mouth_pictures, sound_windows
from shared.landmarks import LEFT_EYE, LIPS, RIGHT_EYE

RATE = 16_000


@pytest.fixture
def neutral():
    """A face whose eyes are 64 pixels apart and whose lips lie around (130, 176)."""
    points = np.random.default_rng(0).uniform(60, 200, (68, 2))
    points[RIGHT_EYE] += (96, 110) - points[RIGHT_EYE].mean(0)
    points[LEFT_EYE] += (160, 110) - points[LEFT_EYE].mean(0)
    points[LIPS] += (130, 176) - points[LIPS].mean(0)
    return points


def spot(x, y):
    """A grey picture with a soft white spot."""
    down, across = np.mgrid[:256, :256]
    light = np.exp(-((across - x) ** 2 + (down - y) ** 2) / (2 * 3.0**2))
    return np.repeat((90 + 160 * light).astype(np.uint8)[..., None], 3, axis=2)


def brightest(mouth):
    """Middle of the light in a mouth, x and y."""
    light = np.clip(mouth.astype(float) - 95, 0, None)
    down, across = np.mgrid[:MOUTH_HEIGHT, :MOUTH_WIDTH]
    return (light * across).sum() / light.sum(), (light * down).sum() / light.sum()


def test_a_mouth_is_cut_out_around_the_resting_lips(neutral):
    # 1.25 eye distances on 48 pixels: a pixel is 5/3 of the crop's; the middle lies 0.08 eye distances below the lips.
    (mouth,) = mouth_pictures(spot(140, 191.12)[None], neutral[None], neutral)
    assert mouth.shape == (MOUTH_HEIGHT, MOUTH_WIDTH)
    x, y = brightest(mouth)
    assert x == pytest.approx(23.5 + 10 * 3 / 5, abs=0.1)
    assert y == pytest.approx(15.5 + 10 * 3 / 5, abs=0.1)


def test_the_cut_out_follows_the_head_and_never_the_lips(neutral):
    still = spot(140, 185)
    turn = np.array([[0.99, -0.1], [0.1, 0.99]])
    moved = cv2.warpAffine(still, np.column_stack([turn, (9, -12)]), (256, 256), borderMode=cv2.BORDER_REPLICATE)
    speaking = neutral.copy()
    speaking[LIPS] += (5, 9)
    landmarks = np.stack([neutral, neutral @ turn.T + (9, -12), speaking])
    mouths = mouth_pictures(np.stack([still, moved, still]), landmarks, neutral)
    assert brightest(mouths[1]) == pytest.approx(brightest(mouths[0]), abs=0.1)
    np.testing.assert_array_equal(mouths[2], mouths[0])


def test_colours_become_grey_as_the_eye_weighs_them(neutral):
    picture = np.full((1, 256, 256, 3), (200, 50, 100), np.uint8)
    grey = 0.299 * 200 + 0.587 * 50 + 0.114 * 100
    assert mouth_pictures(picture, neutral[None], neutral) == pytest.approx(grey, abs=1)


def test_each_moment_hears_a_fifth_of_a_second_around_itself():
    waveform = np.zeros(3 * RATE, np.float32)
    waveform[RATE : RATE + 640] = np.random.default_rng(0).uniform(-0.5, 0.5, 640)  # 0.04 s from the first second on
    windows = sound_windows(waveform, 0.007 + 0.04 * np.arange(75))
    assert windows.shape == (75, 20, 64)
    loudest = windows.mean(2).argmax(1)
    for frame in range(24, 28):  # the same sound, earlier and earlier in the window
        assert 0.01 * (loudest[frame] - 10) + 0.007 + 0.04 * frame == pytest.approx(1.02, abs=0.02)
    assert windows[20].max() == windows[31].max() == pytest.approx(SILENCE)


def test_beyond_the_sound_there_is_silence():
    noise = np.random.default_rng(0).uniform(-0.5, 0.5, RATE).astype(np.float32)
    first, last, after = sound_windows(noise, np.array([0.0, 1.0, 2.0]))
    assert (first[:10] == np.float32(SILENCE)).all()
    assert (first[10:] > SILENCE + 1).all()
    assert (last[:11] > SILENCE + 1).all()  # the last frame is centred on the last sample
    assert (last[11:] == np.float32(SILENCE)).all()
    assert (after == np.float32(SILENCE)).all()


def numbered(count, speaker="a", first=0):
    """A film whose pictures and sounds carry their numbers."""
    numbers = first + np.arange(count)
    mouths = np.zeros((count, MOUTH_HEIGHT, MOUTH_WIDTH), np.uint8) + numbers[:, None, None].astype(np.uint8)
    return Film(speaker, mouths, np.zeros((count, 20, 64), np.float32) + numbers[:, None, None])


def pairs(film):
    return [(int(mouth[0, 0]), int(sound[0, 0])) for mouth, sound in zip(film.mouths, film.sounds, strict=True)]


def test_a_late_face_shows_what_was_said_before():
    assert pairs(numbered(6).late(2)) == [(0, 2), (1, 3), (2, 4), (3, 5)]
    assert pairs(numbered(6).late(-2)) == [(2, 0), (3, 1), (4, 2), (5, 3)]
    assert pairs(numbered(3).late(0)) == [(0, 0), (1, 1), (2, 2)]
    assert pairs(numbered(6).late(2).late(-2)) == [(2, 2), (3, 3)]


def test_another_sound_and_a_still_face():
    long, short = numbered(5, "a"), numbered(3, "b", first=10)
    dubbed = long.with_sound(short)
    assert pairs(dubbed) == [(0, 10), (1, 11), (2, 12)]
    assert dubbed.speaker == "a"
    assert pairs(short.with_sound(long)) == [(10, 0), (11, 1), (12, 2)]
    assert pairs(short.still()) == [(10, 10), (10, 11), (10, 12)]
