"""Variations of a waveform do what they say and no more, and draw from nothing but their generator."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from backend_server.articulation.phones import PHONES, SILENCE
from backend_server.speech.augmentation import (
    Augmentation,
    add_noise,
    add_room,
    babble,
    change_speed,
    gate,
    limit_band,
    music,
    silences,
    steady_noise,
    surround,
    vary_place,
    vary_voice,
)
from backend_server.speech.codecs import CODECS, through_codec
from backend_server.speech.dataset import Example

NOTHING = Augmentation(
    speed=(1.0, 1.0),
    silence_probability=0.0,
    room_probability=0.0,
    noise_probability=0.0,
    band_probability=0.0,
    gate_probability=0.0,
    codec_probability=0.0,
)


def sound(count: int = 16_000, seed: int = 0) -> np.ndarray:
    return (0.1 * np.random.default_rng(seed).standard_normal(count)).astype(np.float32)


def drawn(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def power_db(waveform: np.ndarray) -> float:
    return float(10 * np.log10(np.mean(np.square(waveform, dtype=np.float64))))


def spectrum(waveform: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Frequencies and powers, (F,) each."""
    return np.fft.rfftfreq(len(waveform), 1 / 16_000), np.abs(np.fft.rfft(waveform)) ** 2


def share_between(waveform: np.ndarray, low: float, high: float) -> float:
    """How much of the power lies between two frequencies."""
    hertz, powers = spectrum(waveform)
    return float(powers[(hertz >= low) & (hertz < high)].sum() / powers.sum())


@pytest.mark.parametrize("speed", [0.86, 1.0, 1.16])
def test_a_faster_voice_is_shorter_and_higher(speed: float):
    tone = np.sin(2 * np.pi * 1000 * np.arange(16_000) / 16_000).astype(np.float32)
    heard = change_speed(tone, speed)
    assert len(heard) == pytest.approx(16_000 / speed, abs=1)
    hertz, powers = spectrum(heard)
    assert hertz[powers.argmax()] == pytest.approx(1000 * speed, abs=2)
    assert power_db(heard) == pytest.approx(power_db(tone), abs=0.1)


@pytest.mark.parametrize("snr_db", [25.0, 0.0, -5.0])
def test_noise_has_the_asked_level(snr_db: float):
    voice = sound()
    noise = add_noise(voice, steady_noise(16_000, drawn()), snr_db) - voice
    assert power_db(voice) - power_db(noise) == pytest.approx(snr_db, abs=0.01)


def test_steady_noise_is_as_strong_always_and_sometimes_hums():
    humming = 0
    for seed in range(60):
        noise = steady_noise(16_000, drawn(seed))
        _, powers = spectrum(noise)  # of every hertz
        lines = [powers[mains] > 10 * powers[[mains - 4, mains - 2, mains + 2, mains + 4]].max() for mains in (50, 60)]
        humming += any(lines)
        assert any(lines) or np.std(noise) == pytest.approx(1.0, abs=0.3)
        assert np.std(noise) > 0.99
    assert 5 <= humming <= 20  # of 12 that are to be expected


def test_a_loud_voice_does_not_drown_the_other_ones():
    whisper, shout = 0.001 * np.ones(500, np.float32), np.zeros(500, np.float32)
    shout[::2] = 100.0  # 70.7 times its root mean square
    np.testing.assert_allclose(babble([whisper], 700, 6, drawn()), 6.0, rtol=1e-5)
    np.testing.assert_allclose(babble([shout], 700, 1, drawn()).max(), np.sqrt(2), rtol=1e-5)
    as_read = np.full(500, 12_000, np.int16)
    np.testing.assert_allclose(babble([as_read, whisper], 700, 3, drawn()), 3.0, rtol=1e-5)


def test_every_talker_begins_somewhere_else():
    click = np.zeros(1000, np.float32)
    click[0] = 1.0
    assert len(np.flatnonzero(babble([click], 1000, 5, drawn()))) == 5


def test_music_is_notes_and_sometimes_a_drum():
    hissing = []
    for seed in range(12):
        played = music(32_000, drawn(seed))
        assert (played.shape, played.dtype) == ((32_000,), np.float32)
        hissing.append(share_between(played, 4500, 8000))  # above the highest overtone, of 3600 Hz
        if hissing[-1] < 1e-3:
            _, powers = spectrum(played)
            strongest = np.sort(powers)[::-1]
            assert strongest[: len(powers) // 20].sum() > 0.8 * powers.sum()  # lines; noise has 0.2 there
    assert {share < 1e-3 for share in hissing} == {True, False}
    assert music(100, drawn()).shape == (100,)


def test_music_dies_away_between_its_notes():
    loudness = [np.abs(music(32_000, drawn(seed)).reshape(-1, 400)).mean(1) for seed in range(8)]  # of 25 ms
    assert np.mean([part.std() / part.mean() for part in loudness]) > 0.25


@pytest.mark.parametrize(("seconds", "direct_db"), [(0.5, 0.0), (0.2, 12.0), (0.9, -3.0)])
def test_an_echo_is_as_strong_and_dies_away_as_long_as_asked(seconds: float, direct_db: float):
    clap = np.zeros(20_000, np.float32)
    clap[1000] = 1.0
    heard = add_room(clap, seconds, direct_db, drawn(1))
    assert (heard.shape, heard.dtype) == (clap.shape, np.float32)
    assert heard[1000] == pytest.approx(1.0, abs=1e-4)
    assert np.abs(heard[:1000]).max() < 1e-5  # no echo comes before the clap
    echo, count = heard[1001:].astype(np.float64), round(16_000 * seconds)
    assert -10 * np.log10(np.square(echo).sum()) == pytest.approx(direct_db, abs=0.2)
    early, late = (power_db(part) for part in (echo[count // 8 : count // 4], echo[5 * count // 8 : 3 * count // 4]))
    assert early - late == pytest.approx(30, abs=2.5)  # half of 60 dB in half of the time
    assert np.abs(echo[count:]).max() < 1e-5


def test_a_gate_mutes_what_is_so_much_quieter_than_the_loudest():
    blocks = [sound(320, seed) * 10 ** (db / 20) for seed, db in enumerate((0, -20, -50, -10, -35))]
    waveform = np.concatenate([*blocks, sound(100)])
    gated = gate(waveform, -30.0)
    is_open = np.repeat([True, True, False, True, False, True], [320, 320, 320, 320, 320, 100])
    np.testing.assert_array_equal(gated, np.where(is_open, waveform, 0.0))
    np.testing.assert_array_equal(gate(np.zeros(700, np.float32), -30.0), np.zeros(700))


def test_a_narrow_band_lacks_the_highest_and_sometimes_the_lowest_tones():
    noise, bassless = sound(32_000), 0
    for seed in range(20):
        heard = limit_band(noise, drawn(seed))
        middle = share_between(heard, 700, 1700) / share_between(noise, 700, 1700)
        assert share_between(heard, 7500, 8000) / share_between(noise, 7500, 8000) < 0.1 * middle
        bass = share_between(heard, 20, 80) / share_between(noise, 20, 80) / middle
        assert bass < 0.2 or bass == pytest.approx(1.0, abs=0.2)
        bassless += bass < 0.2
        assert heard.shape == noise.shape
    assert 4 <= bassless <= 16  # of ten that are to be expected


def test_settings_of_nothing_change_nothing():
    voice = np.round(32_767 * sound()).astype(np.int16)
    item = Example(voice, "a", "x", np.array([3]), np.array([0.5], np.float32))
    varied = vary_voice(item, NOTHING, drawn())
    np.testing.assert_allclose(varied.waveform, voice / 32_767, atol=1e-6)
    assert varied.begins.tolist() == [0.5]
    np.testing.assert_array_equal(vary_place(sound(), [voice], NOTHING, drawn()), sound())
    assert silences(NOTHING, drawn()) == (0.0, 0.0)


@pytest.mark.parametrize("seed", range(5))
def test_a_varied_voice_says_the_same_sooner_or_later(seed: int):
    item = Example(np.full(16_000, 16_000, np.int16), "a", "x", np.array([3, 4]), np.array([0.0, 0.5], np.float32))
    varied = vary_voice(item, Augmentation(), drawn(seed))
    speed = 16_000 / len(varied.waveform)
    assert 0.85 < speed < 1.17
    assert varied.waveform.dtype == np.float32
    assert varied.waveform[8000] == pytest.approx(16_000 / 32_767, abs=1e-3)
    assert varied.begins.tolist() == pytest.approx([0.0, 0.5 / speed], abs=1e-3)


PLACES: dict[str, Callable[[np.ndarray], bool]] = {
    "room": lambda heard: power_db(heard) > power_db(sound()) + 0.1,
    "noise": lambda heard: -5.1 < power_db(sound()) - power_db(heard - sound()) < 25.1,
    "band": lambda heard: share_between(heard, 7500, 8000) < 0.5 * share_between(sound(), 7500, 8000),
    "gate": lambda heard: np.array_equal(heard[8000:], np.zeros(8000)),
    "codec": lambda heard: power_db(heard - sound()) > -60,
}


@pytest.mark.parametrize("kind", PLACES)
def test_a_place_is_as_likely_as_asked(kind: str):
    waveform = sound()
    waveform[8000:] *= 1e-3 if kind == "gate" else 1.0
    seldom, always = (replace(NOTHING, **{f"{kind}_probability": share}) for share in (0.3, 1.0))
    for seed in range(3):
        heard = vary_place(waveform, [sound(seed=9)], always, drawn(seed))
        assert heard.shape == waveform.shape
        assert heard.dtype == np.float32
        assert PLACES[kind](heard)
    varied = [not np.array_equal(vary_place(waveform, (), seldom, drawn(seed)), waveform) for seed in range(60)]
    assert np.mean(varied) == pytest.approx(0.3, abs=0.17)


@pytest.mark.parametrize(("babble_share", "music_share"), [(1.0, 0.0), (0.0, 1.0), (0.0, 0.0)])
def test_noise_is_of_the_asked_kind(babble_share: float, music_share: float):
    settings = replace(NOTHING, noise_probability=1.0, babble_share=babble_share, music_share=music_share)
    voice, quiet = np.ones(16_000, np.int16), sound()
    kinds = set()
    for seed in range(8):
        noise = vary_place(quiet, [voice], settings, drawn(seed)) - quiet
        if noise.std() < 1e-3 * abs(noise.mean()):
            kinds.add("voices")  # all of which say one constant
        else:
            _, powers = spectrum(noise)
            is_lines = np.sort(powers)[::-1][: len(powers) // 20].sum() > 0.8 * powers.sum()
            kinds.add("music" if is_lines else "noise")
    expected = "voices" if babble_share else "music" if music_share else "noise"
    assert expected in kinds
    assert ("voices" in kinds) == (expected == "voices")
    without_voices = vary_place(quiet, (), settings, drawn())
    assert np.isfinite(without_voices).all()


def test_a_loud_sound_goes_through_a_codec_as_a_quiet_one():
    settings = replace(NOTHING, codec_probability=1.0)
    for seed in range(4):
        loud, usual = (
            vary_place(gain * sound(), (), settings, drawn(seed)) for gain in (np.float32(32), np.float32(1))
        )
        np.testing.assert_allclose(loud, 32 * usual, atol=0.02 * loud.max())
        assert loud.max() > 2.0
        assert usual.shape == (16_000,)


def test_the_same_generator_gives_the_same_variation():
    item = Example(np.round(32_767 * sound()).astype(np.int16), "a", "x")
    often = replace(
        Augmentation(),
        **{f"{kind}_probability": 1.0 for kind in ("silence", "room", "noise", "band", "gate", "codec")},
    )
    voices = [sound(seed=seed) for seed in range(4)]
    kinds: list[Callable[[np.random.Generator], object]] = [
        lambda random: steady_noise(500, random),
        lambda random: babble(voices, 500, 3, random),
        lambda random: music(500, random),
        lambda random: add_room(sound(), 0.3, 0.0, random),
        lambda random: limit_band(sound(), random),
        lambda random: vary_place(sound(), voices, often, random),
        lambda random: vary_voice(item, often, random).waveform[:10_000],
        lambda random: silences(often, random),
    ]
    for kind in kinds:
        one, again, other = (np.asarray(kind(drawn(seed))) for seed in (1, 1, 2))
        np.testing.assert_array_equal(one, again)
        assert not np.array_equal(one, other)


def test_surrounding_shifts_phones_and_mouth_and_knows_the_silence():
    phones, mouth = np.array([7, 9]), np.arange(30, dtype=np.float32).reshape(5, 6)
    item = Example(np.ones(16_000, np.float32), "a", "x", phones, np.array([0.1, 0.6], np.float32), mouth)
    still = surround(item, 0.5, 0.25)  # the mouth has a row for a quarter of a second
    silent = PHONES.index(SILENCE)
    assert np.flatnonzero(still.waveform).tolist() == list(range(8000, 24_000))
    assert len(still.waveform) == 28_000
    assert still.phones.tolist() == [silent, 7, 9, silent]
    assert still.begins.tolist() == pytest.approx([0.0, 0.6, 1.1, 1.5])
    assert still.mouth is not None
    assert np.isnan(still.mouth[:2]).all()
    np.testing.assert_array_equal(still.mouth[2:7], mouth)
    assert np.isnan(still.mouth[7:]).all()
    assert len(still.mouth) == 8
    order_only = surround(replace(item, begins=np.zeros(0, np.float32), mouth=None), 0.5, 0.0)
    assert order_only.phones.tolist() == [7, 9]
    assert order_only.mouth is None


def test_silences_are_bounded_and_as_frequent_as_asked():
    settings, random = Augmentation(), drawn()
    lengths = np.array([silences(settings, random) for _ in range(2000)])
    assert lengths.max() == settings.longest_silence
    assert (lengths > 0).mean() == pytest.approx(settings.silence_probability, abs=0.03)
    assert lengths[lengths > 0].mean() == pytest.approx(settings.silence_seconds, abs=0.06)


def test_all_codecs_are_drawn(monkeypatch: pytest.MonkeyPatch):
    names = []

    def noted(waveform: np.ndarray, name: str) -> np.ndarray:
        names.append(name)
        return through_codec(waveform, name) if len(names) == 1 else waveform

    monkeypatch.setattr("backend_server.speech.augmentation.through_codec", noted)
    for seed in range(60):
        vary_place(sound(2000), (), replace(NOTHING, codec_probability=1.0), drawn(seed))
    assert set(names) == set(CODECS)
