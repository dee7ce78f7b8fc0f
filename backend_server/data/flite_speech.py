"""Speaks texts with the voices of flite, whose timbre is recorded from people, and tells when each phone begins.

Uses the program `flite` (Carnegie Mellon University, a package of every Linux distribution). Speech Face does
not install it, so its voices speak only on request.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory

from backend_server.articulation.phones import PHONES, timed_phones
from backend_server.data.synthetic_speech import SyntheticSpeech
from backend_server.speech.audio import read_audio
from shared.errors import SpeechFaceError

VOICES = ("awb", "kal16", "rms", "slt")
_PHONE = re.compile(r"([a-z]+):([0-9.]+)")
_OTHER_NAMES = {"PAU": (), "AX": ("AH",), "AXR": ("ER",), "EL": ("AH", "L"), "EM": ("AH", "M"), "EN": ("AH", "N")}


def require_flite() -> None:
    """Checks, before long work, that the program is there.

    Raises:
        SpeechFaceError: it is not installed.
    """
    if shutil.which("flite") is None:
        raise SpeechFaceError("the program flite is not installed; install the package flite, or leave --flite out")


def synthesise_flite(text: str, voice: str, stretch: float = 1.0) -> SyntheticSpeech:
    """Speaks an English text.

    Args:
        text: what to say.
        voice: one of `VOICES`.
        stretch: how many times as long as usual speech takes.

    Raises:
        SpeechFaceError: flite is not installed or says nothing.
    """
    with TemporaryDirectory() as folder:
        file = Path(folder, "speech.wav")
        command = ["flite", "-voice", voice, "-psdur", "--setf", f"duration_stretch={stretch}", "-t", text]
        try:
            said = subprocess.run([*command, "-o", str(file)], capture_output=True, text=True, check=True)
        except (OSError, subprocess.CalledProcessError) as error:
            raise SpeechFaceError(f"flite cannot say {text!r} ({error}); install the package flite") from error
        clip = read_audio(file)
    begins, events = 0.0, []
    for name, end in _PHONE.findall(said.stdout):  # flite prints when each phone ends
        upper = name.upper()
        events.append((begins, _OTHER_NAMES.get(upper, (upper,) if upper in PHONES else ())))
        begins = float(end)
    if not events:
        raise SpeechFaceError(f"flite reports no phones for {text!r}; install version 2.2 or newer")
    return SyntheticSpeech(clip, timed_phones([*events, (begins, ())], clip.seconds))
