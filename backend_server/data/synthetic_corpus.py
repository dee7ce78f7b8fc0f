"""Makes a training folder of synthetic speech in many voices and languages, with the time of every phone."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path

from backend_server.data.stop_closures import begin_with_closures
from backend_server.data.synthetic_speech import SyntheticSpeech, synthesise
from backend_server.files import atomic_write
from backend_server.progress import Progress, silent
from backend_server.speech.audio import to_waveform, write_wav
from backend_server.speech.codecs import CODECS, through_codec
from backend_server.speech.dataset import write_phones

ACCENTS = ("en", "en-us", "en-gb-scotland", "en-gb-x-rp", "en-us-nyc", "en-gb-x-gbcwmd", "en-029", "en-gb-x-gbclan")
# Most variants that espeak-ng has, without robots, monsters, those that judge the result (`evaluation.motion.spoken`)
# and those whose breath noise differs between systems (caleb, Reed).
_TIMBRES = (
    "m1 m2 m3 m4 m5 m6 m7 m8 f1 f2 f3 f4 f5 Alex Alicia Andrea Andy Denis Diogo Gene Gene2 Henrique Hugo Jacky Lee "
    "Marco Mario Mike Nguyen adam anika antonio aunty belinda benjamin croak david ed edward edward2 grandma "
    "grandpa gustave iven iven2 iven3 iven4 john klatt klatt2 klatt3 klatt4 linda marcelo max miguel norbert pablo "
    "paul pedro quincy rob robert sandro shelby travis victor whisper zac"
)
TIMBRES = tuple(_TIMBRES.split())
# Language: onsets, nuclei and codas of invented words, in its own spelling.
SYLLABLES = {
    "de": ("b d f g h j k l m n p r s sch t w z pf st", "a e i o u ä ö ü au ei eu ie", " _ n r t ch m s l"),
    "fr": ("b c d f g j l m n p r s t v ch gn", "a e i o u é ou eu oi an on in", " _ r s t l"),
    "es": ("b c d f g j l m n p r s t ll ñ ch v", "a e i o u ue ie", " _ n s r l"),
    "it": ("b c d f g l m n p r s t v gn sc z", "a e i o u ia io", " _ n r l"),
    "pt": ("b c d f g j l m n p r s t v lh nh", "a e i o u ão ei ou", " _ s r m"),
    "pl": ("b c d f g k l ł m n p r s t w z sz cz", "a e i o u ó y ą ę", " _ n k ć m"),
    "sv": ("b d f g h j k l m n p r s t v sj", "a e i o u y å ä ö", " _ n r t ng"),
    "ru": ("б в г д ж з к л м н п р с т ф х ч ш", "а е и о у ы э ю я", " _ н т р к"),
    "hi": ("क ग च ज ट ड त द न प ब म य र ल व स ह भ", "_ ा ि ी ु ू े ै ो ौ", " _ न म र"),
    "cmn": ("b p m f d t n l g k h j q x zh ch sh r z c s", "a o e ai ei ao ou an en ang eng i u", " 1 2 3 4"),
}
_FOREIGN_SHARE = 0.3
_CODEC_SHARE = 0.3


def invented_words(language: str, count: int, rng: random.Random) -> str:
    """Words of one to three syllables in the spelling of a language of `SYLLABLES`; _ is empty."""
    onsets, nuclei, codas = (part.split() for part in SYLLABLES[language])
    words = []
    for _ in range(count):
        syllables = [rng.choice(onsets) + rng.choice(nuclei) + rng.choice(codas) for _ in range(rng.randint(1, 3))]
        words.append("".join(syllables).replace("_", ""))
    return " ".join(words)


def speak(texts: Sequence[str], rng: random.Random) -> tuple[SyntheticSpeech, str, str, str]:
    """Some random speech with its voice, language and text."""
    if rng.random() < _FOREIGN_SHARE:
        language = rng.choice(sorted(SYLLABLES))
        text, voice = invented_words(language, rng.randint(3, 8), rng), f"{language}+{rng.choice(TIMBRES)}"
        return synthesise(text, voice, rng.randint(110, 220), rng.randint(20, 80)), voice, language, text
    words = rng.choice(texts).split()
    length = rng.randint(3, 12)
    start = rng.randint(0, max(0, len(words) - length))
    text = " ".join(words[start : start + length]).lower()
    voice = f"{rng.choice(ACCENTS)}+{rng.choice(TIMBRES)}"
    return synthesise(text, voice, rng.randint(120, 230), rng.randint(20, 80)), voice, "en", text


def write_synthetic_corpus(
    texts: Sequence[str], out: Path, *, hours: float, seed: int, progress: Progress = silent
) -> int:
    """Writes synthetic speech as a folder of training speech; returns how many files.

    Most files speak 3 to 12 consecutive words of an English text; the rest speak invented words of ten other languages.
    Rate, pitch and loudness are random, and three files in ten went through a codec. `index.tsv` names file, seconds,
    speaker, language, split ("train"), text and phones. The same texts and seed give the same files.

    Args:
        texts: English.
        out: the folder.
        hours: how much speech.
        seed: of everything random.
        progress: told of every file.

    Raises:
        SpeechFaceError: espeak-ng is not installed.
    """
    rng = random.Random(seed)
    rows, total = ["file\tseconds\tspeaker\tlanguage\tsplit\ttext\tphones"], 0.0
    while total < hours * 3600.0:
        speech, voice, language, text = speak(texts, rng)
        waveform = to_waveform(speech.clip.samples, speech.clip.sample_rate)
        if rng.random() < _CODEC_SHARE:
            waveform = through_codec(waveform, rng.choice(sorted(CODECS)))
        name = f"{len(rows) // 500:03d}/{len(rows):06d}.wav"
        write_wav(out / name, waveform * rng.uniform(0.3, 0.9))
        phones = write_phones(begin_with_closures(speech))
        rows.append(f"{name}\t{speech.clip.seconds:.2f}\t{voice}\t{language}\ttrain\t{text}\t{phones}")
        total += speech.clip.seconds
        progress("synthetic speech", int(total), int(hours * 3600.0))
    with atomic_write(out / "index.tsv") as temporary:
        temporary.write_text("\n".join(rows) + "\n", encoding="utf-8")
    return len(rows) - 1
