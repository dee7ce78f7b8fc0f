import numpy as np

from backend_server.data.neutral import neutral_shape, smooth
from shared.landmarks import LEFT_EYE, RIGHT_EYE

TIMES = np.arange(50) / 25
OPENING = slice(65, 68)  # lower inner lip


def talking_face() -> tuple[np.ndarray, np.ndarray]:
    """Silence for 1 s, then 1 s of sound; the lips open while there is sound, and in the first ten frames."""
    points = np.random.default_rng(0).uniform(60, 200, (68, 2)).astype(np.float32)
    for eye, x in ((RIGHT_EYE, 90), (LEFT_EYE, 160)):
        points[eye] = np.array([[x, 100], [x + 8, 95], [x + 16, 95], [x + 24, 100], [x + 16, 105], [x + 8, 105]])
    points[61:64] = [[110, 180], [128, 180], [146, 180]]
    points[65:68] = [[146, 180], [128, 180], [110, 180]]
    frames = np.repeat(points[None], 50, axis=0)
    frames[:10, OPENING, 1] += 12
    frames[25:, OPENING, 1] += 8 + 6 * np.sin(np.arange(25))[:, None]
    sound = np.zeros(32000, np.int16)
    sound[16000:] = 6000 * np.sin(np.arange(16000) / 5)
    return frames, sound


def test_rest_is_silent_closed_and_open_eyed():
    frames, sound = talking_face()
    expected = frames[15].copy()
    for eye in (RIGHT_EYE, LEFT_EYE):
        frames[18:22, eye, 1] = 100  # a blink in the silence
    np.testing.assert_allclose(neutral_shape(frames, TIMES, sound), expected, atol=1e-3)


def test_who_breathes_through_the_mouth_in_silence_rests_as_in_a_closure():
    frames, sound = talking_face()
    closed = frames[15].copy()
    frames[:25, OPENING, 1] = 190
    frames[30:37, OPENING, 1] = 180
    np.testing.assert_allclose(neutral_shape(frames, TIMES, sound), closed, atol=1e-3)


def test_smoothing_spares_lips_and_lids():
    noisy = np.random.default_rng(0).normal(0, 0.2, (50, 68, 2)).astype(np.float32)
    smoothed = smooth(noisy)
    np.testing.assert_array_equal(smoothed[:, 36:], noisy[:, 36:])
    assert smoothed[:, :36].std() < 0.75 * noisy[:, :36].std()
    parabola = (np.linspace(0, 3, 50) ** 2)[:, None, None] * np.ones((1, 68, 2), np.float32)
    np.testing.assert_allclose(smooth(parabola.astype(np.float32)), parabola, atol=1e-4)
