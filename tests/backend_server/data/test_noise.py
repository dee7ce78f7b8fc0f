import numpy as np
import pytest

from backend_server.data.noise import add_noise, babble, steady_noise


@pytest.mark.parametrize("snr_db", [10.0, -5.0])
def test_noise_has_the_asked_level(snr_db):
    tone = np.sin(np.arange(16_000) / 10).astype(np.float32)
    noise = add_noise(tone, steady_noise(16_000, np.random.default_rng(0)), snr_db) - tone
    assert 10 * np.log10(np.mean(tone**2) / np.mean(noise**2)) == pytest.approx(snr_db, abs=0.01)


def test_a_loud_voice_does_not_drown_the_other_ones():
    whisper, shout = 0.001 * np.ones(500, np.float32), np.zeros(500, np.float32)
    shout[::2] = 100.0  # 70.7 times its root mean square
    random = np.random.default_rng(0)
    np.testing.assert_allclose(babble([whisper], 700, 6, random), 6.0, rtol=1e-5)
    np.testing.assert_allclose(babble([shout], 700, 1, random).max(), np.sqrt(2), rtol=1e-5)


def test_the_seed_decides_who_talks():
    voices = [np.random.default_rng(seed).standard_normal(5_000).astype(np.float32) for seed in range(4)]
    one, again, other = (babble(voices, 100, 3, np.random.default_rng(seed)) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one, again)
    assert not np.array_equal(one, other)
