"""How is speech made whose text, and whose every phoneme's time, is known exactly?

Uses espeak-ng as a library (the optional requirement `espeakng-loader`); nothing else of the product needs it.
"""

from __future__ import annotations

import ctypes
import random
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from importlib import import_module
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from backend_server.progress import Progress, silent
from backend_server.speech.audio import AudioClip, to_waveform, write_wav
from shared.errors import SpeechFaceError, ValueRangeError

ACCENTS = ("en", "en-us", "en-gb-scotland", "en-gb-x-rp", "en-us-nyc", "en-gb-x-gbcwmd", "en-029", "en-gb-x-gbclan")
TIMBRES = ("m1", "m2", "m3", "m4", "m5", "m6", "m7", "m8", "f1", "f2", "f3", "f4", "f5")
SAMPLE_TEXT = "Good morning! Before you move on, look how a few warm words bring my face to life."
SAMPLE_VOICE = "en-us+f2"
SAMPLE_RATE_WORDS = 150  # a minute

_RETRIEVAL, _PHONEME_EVENTS, _NO_EXIT = 1, 0x0001, 0x8000
_RATE, _PITCH, _RANGE = 1, 3, 4
_UTF8, _END_PAUSE = 1, 0x1000
_EVENT_END, _EVENT_PHONEME = 0, 7


@dataclass(frozen=True)
class Phoneme:
    """One phoneme of synthetic speech.

    Attributes:
        symbol: espeak-ng's own mnemonic; empty or with underscores for a pause.
        seconds: when it begins.
    """

    symbol: str
    seconds: float


@dataclass(frozen=True)
class SyntheticSpeech:
    """What espeak-ng said and when."""

    clip: AudioClip
    phonemes: tuple[Phoneme, ...]


class _EventName(ctypes.Union):
    _fields_ = (("number", ctypes.c_int), ("name", ctypes.c_char_p), ("string", ctypes.c_char * 8))


class _Event(ctypes.Structure):
    _fields_ = (
        ("type", ctypes.c_int),
        ("unique_identifier", ctypes.c_uint),
        ("text_position", ctypes.c_int),
        ("length", ctypes.c_int),
        ("audio_position", ctypes.c_int),
        ("sample", ctypes.c_int),
        ("user_data", ctypes.c_void_p),
        ("id", _EventName),
    )


_Callback = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.POINTER(_Event))


@lru_cache(maxsize=1)
def _library() -> tuple[ctypes.CDLL, int]:
    """The loaded library and its sample rate; espeak-ng allows one of itself a process."""
    try:
        loader = import_module("espeakng_loader")
    except ImportError as error:
        raise SpeechFaceError(
            "synthetic speech needs espeak-ng, which is not installed; run: pip install 'speech-face[train]'"
        ) from error
    library = ctypes.CDLL(loader.get_library_path())
    data = str(loader.get_data_path()).encode()
    rate = library.espeak_Initialize(_RETRIEVAL, 0, data, _PHONEME_EVENTS | _NO_EXIT)
    if rate <= 0:
        raise SpeechFaceError(
            "espeak-ng does not start; reinstall it with: pip install --force-reinstall espeakng-loader"
        )
    return library, rate


def synthesise(text: str, voice: str = "en", rate: int = 170, pitch: int = 50) -> SyntheticSpeech:
    """Speaks a text with espeak-ng.

    The flutter of the voice goes on from call to call, so samples repeat only with the same calls of a fresh process.

    Args:
        text: what to say, UTF-8.
        voice: an espeak-ng voice, with "+variant" for its timbre, as "en-us+f3".
        rate: words a minute, 80 to 450.
        pitch: 0 to 100, 50 is normal.

    Raises:
        ValueRangeError: an empty text, an unknown voice, or a rate or pitch outside its range.
        SpeechFaceError: espeak-ng is not installed, or says nothing.
    """
    if not text.strip():
        raise ValueRangeError("there is nothing to say: the text is empty; write some words")
    if not 80 <= rate <= 450:
        raise ValueRangeError(f"the speaking rate is {rate} words a minute; choose one from 80 to 450")
    if not 0 <= pitch <= 100:
        raise ValueRangeError(f"the pitch is {pitch}; choose one from 0 to 100")
    library, sample_rate = _library()
    if library.espeak_SetVoiceByName(voice.encode()) != 0:
        raise ValueRangeError(f"espeak-ng has no voice {voice!r}; try 'en' or 'en-us+f3'")
    library.espeak_ng_SetRandSeed(ctypes.c_long(0))  # otherwise breath noise depends on the clock
    library.espeak_SetParameter(_RATE, rate, 0)
    library.espeak_SetParameter(_PITCH, pitch, 0)
    blocks: list[NDArray[np.int16]] = []
    phonemes: list[Phoneme] = []

    def receive(samples: ctypes._Pointer[ctypes.c_short], count: int, events: ctypes.Array[_Event]) -> int:
        if samples and count:
            blocks.append(np.ctypeslib.as_array(samples, (count,)).copy())
        index = 0
        while events[index].type != _EVENT_END:
            if events[index].type == _EVENT_PHONEME:
                symbol = events[index].id.string.decode("utf-8", "replace")
                phonemes.append(Phoneme(symbol, events[index].audio_position / 1000.0))
            index += 1
        return 0

    callback = _Callback(receive)
    library.espeak_SetSynthCallback(callback)
    data = text.encode()
    library.espeak_Synth(data, len(data) + 1, 0, 1, 0, _UTF8 | _END_PAUSE, None, None)
    library.espeak_Synchronize()
    if not blocks:
        raise SpeechFaceError(f"espeak-ng stayed silent on the text {text!r}; try another voice")
    samples = np.concatenate(blocks)
    return SyntheticSpeech(AudioClip(samples.astype(np.float32) / 32768.0, sample_rate), tuple(phonemes))


def write_synthetic_corpus(
    texts: Sequence[str], out: Path, *, hours: float, seed: int, progress: Progress = silent
) -> int:
    """Writes spoken recombinations of texts as a folder of training speech; returns how many files.

    Each file speaks 3 to 12 consecutive words of one text with a random voice, rate, pitch and loudness. `index.tsv`
    names file, seconds, speaker, split ("train") and text.
    """
    rng = random.Random(seed)
    rows, total = ["file\tseconds\tspeaker\tsplit\ttext"], 0.0
    while total < hours * 3600.0:
        words = rng.choice(texts).split()
        length = rng.randint(3, 12)
        start = rng.randint(0, max(0, len(words) - length))
        text = " ".join(words[start : start + length]).lower()
        voice = f"{rng.choice(ACCENTS)}+{rng.choice(TIMBRES)}"
        speech = synthesise(text, voice, rng.randint(120, 230), rng.randint(20, 80))
        waveform = to_waveform(speech.clip.samples, speech.clip.sample_rate)
        name = f"{len(rows) // 500:03d}/{len(rows):06d}.wav"
        write_wav(out / name, waveform * rng.uniform(0.3, 0.9))
        rows.append(f"{name}\t{speech.clip.seconds:.2f}\t{voice}\ttrain\t{text}")
        total += speech.clip.seconds
        progress("synthetic speech", int(total), int(hours * 3600.0))
    (out / "index.tsv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    return len(rows) - 1


def write_sample(path: Path) -> None:
    """Writes the shipped sample sentence as 16 kHz mono 16-bit PCM; always the same bytes."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as fresh:
        speech = fresh.submit(synthesise, SAMPLE_TEXT, SAMPLE_VOICE, SAMPLE_RATE_WORDS).result()
    waveform = to_waveform(speech.clip.samples, speech.clip.sample_rate)
    write_wav(path, waveform * (0.7 / np.abs(waveform).max()))
