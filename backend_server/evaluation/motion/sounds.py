"""Other ways to hear a clip: in noise, among voices, in music, in a room, over a line, quieter, in another voice.

A level of noise is relative to the speech, as on the axis of Fig. 6 (right): 0 dB is noise as strong as the speech,
-40 dB is 40 dB below it, so the signal-to-noise ratio is its negative. Both strengths are mean powers over the clip.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.signal import butter, fftconvolve, sosfiltfilt

from backend_server.config import SAMPLE_RATE
from backend_server.evaluation.motion.music import music
from backend_server.evaluation.motion.phonation import shouted, whispered
from backend_server.speech.augmentation import Waveform, add_noise, babble, change_speed, gate
from backend_server.speech.codecs import through_codec

BABBLE_VOICES = 6
DIRECT_DB = 0.0  # of the direct sound over the echo in a room: two metres away in a living room
TELEPHONE_HERTZ = (300.0, 3400.0)
GATE_DB = -30.0  # below the loudest 20 ms
SEED = 0  # of all noise, so that every clip and every network hears the same


def unchanged(waveform: Waveform) -> Waveform:
    """The waveform itself."""
    return waveform


@dataclass(frozen=True)
class Sound:
    """One way to hear a clip.

    Attributes:
        name: as a row of a table.
        heard: from the clip's waveform (S,) to what is heard.
        level: where it stands on its axis: dB, seconds, or a factor of pitch.
        speed: how many seconds of the clip pass in one second of what is heard.
    """

    name: str
    heard: Callable[[Waveform], Waveform] = unchanged
    level: float = 0.0
    speed: float = 1.0


CLEAN = Sound("clean")


def white_noise(noise_db: float) -> Sound:
    """White noise at a level relative to the speech."""

    def heard(waveform: Waveform) -> Waveform:
        noise = np.random.default_rng(SEED).standard_normal(len(waveform), dtype=np.float32)
        return add_noise(waveform, noise, -noise_db)

    return Sound(f"white noise, {noise_db:.0f} dB", heard, noise_db)


def babble_noise(voices: Sequence[Waveform], snr_db: float) -> Sound:
    """Babble of other utterances at a signal-to-noise ratio."""

    def heard(waveform: Waveform) -> Waveform:
        noise = babble(voices, len(waveform), BABBLE_VOICES, np.random.default_rng(SEED))
        return add_noise(waveform, noise, snr_db)

    return Sound(babble_name(snr_db), heard, snr_db)


def babble_name(snr_db: float) -> str:
    """The name of babble at a signal-to-noise ratio."""
    return f"babble, {snr_db:.0f} dB SNR"


def music_noise(snr_db: float) -> Sound:
    """Music at a signal-to-noise ratio."""

    def heard(waveform: Waveform) -> Waveform:
        return add_noise(waveform, music(len(waveform), np.random.default_rng(SEED)), snr_db)

    return Sound(music_name(snr_db), heard, snr_db)


def music_name(snr_db: float) -> str:
    """The name of music at a signal-to-noise ratio."""
    return f"music, {snr_db:.0f} dB SNR"


def in_room(reverberation_seconds: float) -> Sound:
    """A room whose echo, as strong as the direct sound, falls by 60 dB in so many seconds (Polack 1988)."""

    def heard(waveform: Waveform) -> Waveform:
        since = np.arange(1, round(reverberation_seconds * SAMPLE_RATE)) / SAMPLE_RATE
        echo = np.random.default_rng(SEED).standard_normal(len(since)) * 10 ** (-3 * since / reverberation_seconds)
        echo *= 10 ** (-DIRECT_DB / 20) / np.sqrt(np.square(echo).sum())
        return fftconvolve(waveform, np.concatenate([[1.0], echo]))[: len(waveform)].astype(np.float32)

    return Sound(room_name(reverberation_seconds), heard, reverberation_seconds)


def room_name(reverberation_seconds: float) -> str:
    """The name of a room."""
    return f"room, echo of {reverberation_seconds:g} s"


def _by_telephone(waveform: Waveform) -> Waveform:
    band = butter(4, TELEPHONE_HERTZ, "bandpass", fs=SAMPLE_RATE, output="sos")
    return through_codec(sosfiltfilt(band, waveform).astype(np.float32), "telephone")


TELEPHONE = Sound("telephone", _by_telephone)
SMALL_MP3 = Sound("MP3 of 32 kbit/s", lambda waveform: through_codec(waveform, "mp3-32"))
GATED = Sound("noise gate", lambda waveform: gate(waveform, GATE_DB))
WHISPER = Sound("whispered", lambda waveform: whispered(waveform, np.random.default_rng(SEED)))
SHOUT = Sound("shouted", shouted)


def at_level(peak_dbfs: float) -> Sound:
    """The clip louder or quieter: its loudest sample stands at a level, rounded to 16 bits as in a file."""

    def heard(waveform: Waveform) -> Waveform:
        scaled = waveform * (10.0 ** (peak_dbfs / 20.0) / max(float(np.abs(waveform).max()), 1e-9))
        return (np.rint(scaled * 32767) / 32767).astype(np.float32)

    return Sound(f"peak at {peak_dbfs:.0f} dBFS", heard, peak_dbfs)


def other_voice(factor: float) -> Sound:
    """The clip played `factor` times as fast, so pitch and formants are as much higher; the face is slowed back."""
    return Sound(f"voice {factor:.2f} times as high", lambda waveform: change_speed(waveform, factor), factor, factor)
