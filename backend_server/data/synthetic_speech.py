"""Speaks texts with espeak-ng and tells exactly when each phone begins.

espeak-ng is used as a library (the optional requirement `espeakng-loader`); nothing else of the product needs it. What
it says depends on the arguments alone, not on what was said before and not on what else is installed.
"""

from __future__ import annotations

import _ctypes
import ctypes
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from backend_server.articulation.phones import TimedPhone, phones_of_ipa, timed_phones
from backend_server.speech.audio import AudioClip, to_waveform, write_wav
from shared.errors import SpeechFaceError, ValueRangeError

SAMPLE_TEXT = "Good morning! Before you move on, look how a few warm words bring my face to life."
SAMPLE_VOICE = "en-us+f2"
SAMPLE_RATE_WORDS = 150  # a minute

_SYNCHRONOUS, _PHONEME_EVENTS, _IPA_EVENTS, _NO_EXIT = 2, 0x0001, 0x0002, 0x8000
_RATE, _PITCH = 1, 3
_UTF8, _END_PAUSE, _IPA = 1, 0x1000, 0x02
_EVENT_END, _EVENT_PHONEME = 0, 7
_unload = _ctypes.FreeLibrary if sys.platform == "win32" else _ctypes.dlclose


@dataclass(frozen=True)
class SyntheticSpeech:
    """What was said and when: the sound, and phones without gaps from its beginning to its end."""

    clip: AudioClip
    phones: tuple[TimedPhone, ...]


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


@contextmanager
def _fresh_library() -> Iterator[tuple[ctypes.CDLL, int]]:
    """The library as a new process finds it, and its sample rate in Hz.

    It keeps the pitch's flutter, the gain and the breath of its voices in variables that keep their values from call
    to call; no function resets them, not even `espeak_Terminate`. So it is loaded for each text, which takes 1 ms.
    """
    try:
        loader = import_module("espeakng_loader")
    except ImportError as error:
        raise SpeechFaceError(
            "synthetic speech needs espeak-ng, which is not installed; run: pip install 'speech-face[train]'"
        ) from error
    library = ctypes.CDLL(loader.get_library_path())
    data = str(loader.get_data_path()).encode()
    try:
        rate = library.espeak_Initialize(_SYNCHRONOUS, 0, data, _PHONEME_EVENTS | _IPA_EVENTS | _NO_EXIT)
        if rate <= 0:
            raise SpeechFaceError(
                "espeak-ng does not start; reinstall it with: pip install --force-reinstall espeakng-loader"
            )
        yield library, rate
    finally:
        library.espeak_Terminate()
        _unload(library._handle)


def synthesise(text: str, voice: str = "en", rate: int = 170, pitch: int = 50) -> SyntheticSpeech:
    """Speaks a text with espeak-ng; the same arguments give the same samples.

    The breath of the variants "caleb" and "Reed" is the exception: the C library draws it, differently on each system.

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
    blocks: list[NDArray[np.int16]] = []
    events: list[tuple[float, tuple[str, ...]]] = []

    def receive(samples: ctypes._Pointer[ctypes.c_short], count: int, heard: ctypes.Array[_Event]) -> int:
        if samples and count:
            blocks.append(np.ctypeslib.as_array(samples, (count,)).copy())
        index = 0
        while heard[index].type != _EVENT_END:
            if heard[index].type == _EVENT_PHONEME:
                ipa = heard[index].id.string.decode("utf-8", "replace")
                phones = phones_of_ipa(ipa)
                if phones or not ipa:  # a pause has no name; what has one but no phone, as ʔ, prolongs the one before
                    events.append((heard[index].audio_position / 1000.0, phones))
            index += 1
        return 0

    callback = _Callback(receive)
    with _fresh_library() as (library, sample_rate):
        _choose_voice(library, voice)
        library.espeak_ng_SetRandSeed(ctypes.c_long(0))  # otherwise breath noise depends on the clock
        library.espeak_SetParameter(_RATE, rate, 0)
        library.espeak_SetParameter(_PITCH, pitch, 0)
        library.espeak_SetSynthCallback(callback)
        data = text.encode()
        library.espeak_Synth(data, len(data) + 1, 0, 1, 0, _UTF8 | _END_PAUSE, None, None)
    if not blocks:
        raise SpeechFaceError(f"espeak-ng stayed silent on the text {text!r}; try another voice")
    samples = np.concatenate(blocks)
    clip = AudioClip(samples.astype(np.float32) / 32768.0, sample_rate)
    return SyntheticSpeech(clip, timed_phones(events, clip.seconds))


def phones_of_text(text: str, voice: str = "en-us") -> tuple[str, ...]:
    """The phones, without silences, that a voice of espeak-ng would say for a text.

    Raises:
        ValueRangeError: an unknown voice.
        SpeechFaceError: espeak-ng is not installed.
    """
    phones: list[str] = []
    with _fresh_library() as (library, _):
        _choose_voice(library, voice)
        library.espeak_TextToPhonemes.restype = ctypes.c_char_p
        buffer = ctypes.create_string_buffer(text.encode())
        position = ctypes.c_void_p(ctypes.addressof(buffer))
        while position.value:  # one clause a call; the library moves the pointer
            clause = library.espeak_TextToPhonemes(ctypes.byref(position), _UTF8, _IPA)
            phones += phones_of_ipa((clause or b"").decode("utf-8", "replace"))
    return tuple(phones)


def _choose_voice(library: ctypes.CDLL, voice: str) -> None:
    """Raises ValueRangeError where the library lacks the voice."""
    if library.espeak_SetVoiceByName(voice.encode()) != 0:
        raise ValueRangeError(f"espeak-ng has no voice {voice!r}; try 'en' or 'en-us+f3'")


def write_sample(path: Path) -> None:
    """Writes the shipped sample sentence as 16 kHz mono 16-bit PCM; always the same bytes."""
    speech = synthesise(SAMPLE_TEXT, SAMPLE_VOICE, SAMPLE_RATE_WORDS)
    waveform = to_waveform(speech.clip.samples, speech.clip.sample_rate)
    write_wav(path, waveform * (0.7 / np.abs(waveform).max()))
