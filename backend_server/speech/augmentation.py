"""Turns one recording into many: other tempo and pitch, silence, room, noise, bandwidth, gates and codecs.

All of it happens to the waveform, before the encoder hears it: an encoder that never heard noise is lost in it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.signal import butter, fftconvolve, lfilter, resample_poly, sosfilt

from backend_server.articulation.phones import PHONES, SILENCE
from backend_server.config import SAMPLE_RATE
from backend_server.speech.codecs import CODECS, through_codec
from backend_server.speech.dataset import Example

Waveform = NDArray[np.float32]

_BLOCK = 320  # samples, 20 ms


@dataclass(frozen=True)
class Augmentation:
    """How much to vary; the defaults are those of the shipped weights. Probabilities are of one recording."""

    speed: tuple[float, float] = (0.86, 1.16)  # times as fast, and as much higher
    silence_probability: float = 0.3  # at either end
    silence_seconds: float = 0.6  # mean, drawn from an exponential distribution
    longest_silence: float = 2.5  # seconds
    room_probability: float = 0.35
    reverberation_seconds: tuple[float, float] = (0.15, 0.9)  # until it is 60 dB weaker
    direct_db: tuple[float, float] = (-3.0, 12.0)  # direct over reverberant power
    noise_probability: float = 0.65
    babble_share: float = 0.55  # of the noise is other people talking
    music_share: float = 0.15  # and so much is music
    babble_voices: tuple[int, int] = (1, 6)
    snr_db: tuple[float, float] = (-5.0, 25.0)  # of speech over noise
    band_probability: float = 0.2
    gate_probability: float = 0.1
    gate_db: tuple[float, float] = (-40.0, -24.0)  # below the loudest 20 ms
    codec_probability: float = 0.15
    level_db: tuple[float, float] = (-1.5, 1.5)  # how wrong the level is that is measured


AUGMENTATION = Augmentation()


def change_speed(waveform: Waveform, speed: float) -> Waveform:
    """A waveform (S,) played `speed` times as fast, and as much higher; speed is rounded to hundredths."""
    return np.asarray(resample_poly(waveform, 100, round(100 * speed)), np.float32)


def steady_noise(count: int, random: np.random.Generator) -> Waveform:
    """Noise (count,): white, or brighter or duller by a random one-pole filter, at times with mains hum."""
    noise = np.asarray(lfilter([1.0], [1.0, -random.uniform(-0.3, 0.98)], random.standard_normal(count)))
    noise /= max(float(np.std(noise)), 1e-9)
    if random.random() < 0.2:
        mains, seconds = random.choice((50, 60)), np.arange(count) / SAMPLE_RATE
        noise += random.uniform(0.5, 4.0) * sum(
            np.sin(2 * np.pi * mains * overtone * seconds + random.uniform(0, 6)) / overtone for overtone in range(1, 9)
        )
    return noise.astype(np.float32)


def babble(voices: Sequence[NDArray], count: int, talkers: int, random: np.random.Generator) -> Waveform:
    """`talkers` random voices at once, (count,), equally strong, each from a random moment on."""
    together = np.zeros(count, np.float32)
    for index in random.integers(len(voices), size=talkers):
        voice = np.asarray(voices[index], np.float32)
        voice = np.resize(np.roll(voice, int(random.integers(len(voice)))), count)
        together += voice / max(float(np.sqrt(np.mean(np.square(voice)))), 1e-9)
    return together


def music(count: int, random: np.random.Generator) -> Waveform:
    """Chords of notes with overtones that begin and die away, and a drum, (count,)."""
    played = np.zeros(count + SAMPLE_RATE, np.float32)
    beat = int(SAMPLE_RATE * random.uniform(0.15, 0.6))
    decay, brightness = random.uniform(0.1, 1.0), random.uniform(0.5, 2.0)
    seconds = np.arange(SAMPLE_RATE, dtype=np.float32) / SAMPLE_RATE
    fade = np.exp(-seconds / decay) * np.minimum(seconds / 0.01, 1.0)
    root, drum = random.uniform(80, 300), random.random() < 0.5
    for begin in range(0, count, beat):
        for step in random.choice((0, 2, 4, 5, 7, 9, 11, 12), random.integers(1, 4)):
            pitch = root * 2.0 ** (step / 12)
            note = sum(np.sin(2 * np.pi * pitch * n * seconds) / n**brightness for n in range(1, 7))
            played[begin : begin + SAMPLE_RATE] += fade * note
        if drum:
            played[begin : begin + 1600] += 3 * np.exp(-seconds[:1600] / 0.03) * random.standard_normal(1600)
    return played[:count]


def add_noise(waveform: Waveform, noise: NDArray[np.floating], snr_db: float) -> Waveform:
    """A waveform (S,) with noise (S,) at a signal-to-noise ratio: mean power over mean power, in dB."""
    speech_power, noise_power = (float(np.mean(np.square(part, dtype=np.float64))) for part in (waveform, noise))
    gain = np.sqrt(speech_power / max(noise_power, 1e-20) * 10.0 ** (-snr_db / 10.0))
    return (waveform + gain * noise).astype(np.float32)


def _block_powers(waveform: NDArray[np.floating]) -> NDArray[np.float64]:
    """Mean square of every 20 ms of a waveform (S,), (1 + S // 320,)."""
    padded = np.pad(waveform, (0, _BLOCK - len(waveform) % _BLOCK)).astype(np.float64)
    return np.square(padded).reshape(-1, _BLOCK).mean(1)


def add_room(
    waveform: Waveform, reverberation_seconds: float, direct_db: float, random: np.random.Generator
) -> Waveform:
    """A waveform (S,) in a room whose echo is noise that dies away exponentially (Polack 1988).

    Args:
        waveform: dry.
        reverberation_seconds: until the echo is 60 dB weaker.
        direct_db: power of the direct sound over that of the echo.
        random: of the echo.
    """
    count = round(reverberation_seconds * SAMPLE_RATE)
    echo = random.standard_normal(count) * 10.0 ** (-3.0 * np.arange(count) / count)
    echo[: round(random.uniform(0.001, 0.02) * SAMPLE_RATE)] = 0.0
    echo *= 10.0 ** (-direct_db / 20.0) / np.sqrt(np.square(echo).sum())
    echo[0] = 1.0
    return np.asarray(fftconvolve(waveform, echo)[: len(waveform)], np.float32)


def gate(waveform: Waveform, threshold_db: float) -> Waveform:
    """A waveform (S,) whose 20 ms blocks are mute where they are so far below the loudest one."""
    powers = _block_powers(waveform)
    is_open = powers >= powers.max() * 10.0 ** (threshold_db / 10.0)
    return np.asarray(waveform * np.repeat(is_open, _BLOCK)[: len(waveform)], np.float32)


def limit_band(waveform: Waveform, random: np.random.Generator) -> Waveform:
    """A waveform (S,) without its highest or its lowest tones, as poor microphones and lines give it."""
    low = butter(2, random.uniform(2500, 6000), "lowpass", fs=SAMPLE_RATE, output="sos")
    limited = sosfilt(low, waveform)
    if random.random() < 0.5:
        limited = sosfilt(butter(2, random.uniform(150, 500), "highpass", fs=SAMPLE_RATE, output="sos"), limited)
    return np.asarray(limited, np.float32)


def vary_place(
    waveform: Waveform, voices: Sequence[NDArray], settings: Augmentation, random: np.random.Generator
) -> Waveform:
    """The same sound (S,) in another room, in noise, through a line, a gate or a codec; `voices` talk meanwhile."""
    if random.random() < settings.room_probability:
        decay, direct = random.uniform(*settings.reverberation_seconds), random.uniform(*settings.direct_db)
        waveform = add_room(waveform, decay, direct, random)
    if random.random() < settings.noise_probability:
        waveform = add_noise(
            waveform, _noise(len(waveform), voices, settings, random), random.uniform(*settings.snr_db)
        )
    if random.random() < settings.band_probability:
        waveform = limit_band(waveform, random)
    if random.random() < settings.gate_probability:
        waveform = gate(waveform, random.uniform(*settings.gate_db))
    if random.random() < settings.codec_probability:
        loudest = max(float(np.abs(waveform).max()), 1e-9)
        waveform = through_codec(0.7 * waveform / loudest, str(random.choice(sorted(CODECS)))) * (loudest / 0.7)
    return waveform


def _noise(count: int, voices: Sequence[NDArray], settings: Augmentation, random: np.random.Generator) -> Waveform:
    drawn = random.random()
    if voices and drawn < settings.babble_share:
        return babble(voices, count, int(random.integers(*settings.babble_voices, endpoint=True)), random)
    if drawn < settings.babble_share + settings.music_share:
        return music(count, random)
    return steady_noise(count, random)


def vary_voice(item: Example, settings: Augmentation, random: np.random.Generator) -> Example:
    """The same words (i16) in another tempo and pitch, f32."""
    waveform = np.asarray(item.waveform, np.float32) / np.float32(32767)
    speed = round(random.uniform(*settings.speed), 2)
    return replace(item, waveform=change_speed(waveform, speed), begins=item.begins / np.float32(speed))


def surround(item: Example, before: float, after: float) -> Example:
    """An utterance between so many seconds of digital silence; the mouth is unknown there."""
    lengths = round(before * SAMPLE_RATE), round(after * SAMPLE_RATE)
    phones, begins, mouth = item.phones, item.begins, item.mouth
    seconds = len(item.waveform) / SAMPLE_RATE
    if len(begins):
        silent = PHONES.index(SILENCE)
        phones = np.concatenate([[silent], phones, [silent]])
        begins = np.concatenate([[0], begins + before, [before + seconds]]).astype(np.float32)
    if mouth is not None:
        rate = (len(mouth) - 1) / seconds
        rows = np.array([(round(before * rate), round(after * rate)), (0, 0)])
        mouth = np.pad(mouth, rows, constant_values=np.nan)
    return replace(item, waveform=np.pad(item.waveform, lengths), phones=phones, begins=begins, mouth=mouth)


def silences(settings: Augmentation, random: np.random.Generator) -> tuple[float, float]:
    """How many seconds of silence come before and after an utterance."""
    drawn = random.exponential(settings.silence_seconds, 2).clip(max=settings.longest_silence)
    before, after = np.where(random.random(2) < settings.silence_probability, drawn, 0.0).tolist()
    return before, after
