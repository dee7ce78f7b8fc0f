import numpy as np
import pytest

from backend_server.liveliness.prosody import PROSODY_RATE, prosody

SECONDS = np.arange(32_000) / 16_000


def voice(hertz, loudness=0.3):
    """Two seconds of a buzz as of vocal cords."""
    phase = np.cumsum(np.broadcast_to(hertz, SECONDS.shape)) / 16_000
    return (loudness * sum(np.sin(2 * np.pi * n * phase) / n for n in (1, 2, 3, 4)) / 2).astype(np.float32)


def test_a_voice_that_rises_is_heard_to_rise():
    loudness, pitch, voiced = prosody([voice(np.linspace(100, 200, 32_000))])[2:-2].T
    assert voiced.all()
    assert np.ptp(loudness) < 0.1
    assert pitch[-1] - pitch[0] == pytest.approx(12 / 4, abs=0.5)  # an octave
    assert (np.diff(pitch) > -0.1).all()


def test_a_louder_voice_is_the_same_voice():
    one, other = prosody([voice(120.0, 0.1)]), prosody([voice(120.0, 0.5)])
    np.testing.assert_allclose(one, other, atol=1e-3)


def test_noise_and_silence_have_no_pitch():
    noise = np.random.default_rng(0).normal(0, 0.1, 16_000).astype(np.float32)
    melody = prosody([np.concatenate([voice(120.0), noise, np.zeros(16_000, np.float32)])])
    assert melody[5:45, 2].all()
    assert melody[55:70, 2].mean() < 0.2
    assert not melody[80:, 1:].any()
    assert melody[85:, 0].max() < -2


@pytest.mark.parametrize("size", [100, 640, 5000, 128_000])
def test_blocks_of_any_length_give_the_same_melody(size):
    sound = voice(150.0) * np.linspace(0, 1, 32_000, dtype=np.float32)
    whole = prosody([sound])
    assert whole.shape == (2 * PROSODY_RATE, 3)
    parts = [sound[first : first + size] for first in range(0, len(sound), size)]
    np.testing.assert_allclose(prosody(parts), whole, atol=1e-5)


def test_nothing_has_no_melody():
    assert prosody([]).shape == (0, 3)
