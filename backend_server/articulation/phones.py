"""Lists the phones for all languages, and reads a transcription in IPA as phones.

The phones are the 39 of ARPAbet without stress, silence, and one more for the front rounded vowels that English lacks.
Sounds of other languages become the phone whose lips and tongue are nearest.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass, replace

SILENCE = "SIL"
VOWELS = ("AA", "AE", "AH", "AO", "AW", "AY", "EH", "ER", "EY", "IH", "IY", "OW", "OY", "UH", "UW", "UE")
CONSONANTS = (
    *("B", "CH", "D", "DH", "F", "G", "HH", "JH", "K", "L", "M", "N", "NG", "P", "R"),
    *("S", "SH", "T", "TH", "V", "W", "Y", "Z", "ZH"),
)
PHONES = (SILENCE, *VOWELS, *CONSONANTS)
BILABIALS = frozenset(("P", "B", "M"))
LABIODENTALS = frozenset(("F", "V"))
ROUNDED = frozenset(("W", "UW", "OW", "UE"))
SPREAD = frozenset(("IY", "EY", "EH"))
SHORTEST_PAUSE = 0.06  # seconds

_PAIRS = {
    **{"tʃ": ("CH",), "dʒ": ("JH",), "tɕ": ("CH",), "dʑ": ("JH",), "tʂ": ("CH",), "sx": ("SH",)},
    **{"aɪ": ("AY",), "aʊ": ("AW",), "ɑu": ("AW",), "au": ("AW",), "ai": ("AY",), "eɪ": ("EY",), "ei": ("EY",)},
    **{"oʊ": ("OW",), "əʊ": ("OW",), "ou": ("OW",), "ɔɪ": ("OY",), "oi": ("OY",), "ɔø": ("OY",), "ɔʏ": ("OY",)},
    **{"eː": ("EY",), "oː": ("OW",), "øː": ("UE",), "ɯᵝ": ("UH",)},
    **{"s.": ("SH",), "z.": ("ZH",), "i.": ("IH",), "i̪": ("IH",)},  # as espeak-ng writes retroflexes and their vowel
}
_SINGLE = {
    **dict.fromkeys("iɨ", "IY"),
    **dict.fromkeys("ɪᵻɯ", "IH"),
    **dict.fromkeys("eɛ", "EH"),
    "æ": "AE",
    **dict.fromkeys("aɑ", "AA"),
    **dict.fromkeys("əɐʌɤɵ", "AH"),
    **dict.fromkeys("ɜɝɚ", "ER"),
    **dict.fromkeys("oɔɒ", "AO"),
    "ʊ": "UH",
    "u": "UW",
    **dict.fromkeys("yʏøœʉ", "UE"),
    "p": "P",
    "b": "B",
    **dict.fromkeys("tʈ", "T"),
    **dict.fromkeys("dɖɾ", "D"),
    **dict.fromkeys("kq", "K"),
    **dict.fromkeys("ɡg", "G"),
    "c": "CH",
    "ɟ": "JH",
    "m": "M",
    **dict.fromkeys("nɲɳ", "N"),
    **dict.fromkeys("ŋɴ", "NG"),
    **dict.fromkeys("fɸ", "F"),
    **dict.fromkeys("vʋβ", "V"),  # the lips of a Spanish b between vowels come near each other and do not close
    "θ": "TH",
    "ð": "DH",
    "s": "S",
    "z": "Z",
    **dict.fromkeys("ʃʂɕ", "SH"),
    **dict.fromkeys("ʒʐʑ", "ZH"),
    **dict.fromkeys("hɦħʕçxχɣʁ", "HH"),
    **dict.fromkeys("rɹɻʀɽ", "R"),
    **dict.fromkeys("lɫɭʎɬ", "L"),
    **dict.fromkeys("jʝ", "Y"),
    **dict.fromkeys("wɥ", "W"),
}


@dataclass(frozen=True)
class TimedPhone:
    """One phone of speech.

    Attributes:
        name: one of `PHONES`.
        begin: seconds.
        end: seconds, at which the next phone begins.
    """

    name: str
    begin: float
    end: float


def phones_of_ipa(ipa: str) -> tuple[str, ...]:
    """The phones of a transcription; stress, length, tone and nasality are dropped, and so is what has no phone."""
    phones: list[str] = []
    index = 0
    while index < len(ipa):
        pair = _PAIRS.get(ipa[index : index + 2])
        if pair:
            phones += pair
            index += 2
            continue
        plain = unicodedata.normalize("NFD", ipa[index])[0]  # without the dots or the tilde above it
        phone = _SINGLE.get(ipa[index]) or _SINGLE.get(plain)
        phones += [phone] if phone else []
        index += 1
    return tuple(phones)


def timed_phones(events: Iterable[tuple[float, tuple[str, ...]]], seconds: float) -> tuple[TimedPhone, ...]:
    """Phones without gaps from 0 to the end of the speech.

    A pause too short for the mouth to rest in, as between two words, belongs to the phone before it.

    Args:
        events: when something begins, ascending, and its phones, none for a pause; several share their time evenly.
        seconds: length of the speech.
    """
    begun = [(0.0, ()), *events]
    phones: list[TimedPhone] = []
    for (begin, said), (next_begin, _) in zip(begun, [*begun[1:], (seconds, ())], strict=True):
        end, names = max(begin, min(next_begin, seconds)), said or (SILENCE,)
        length = (end - begin) / len(names)
        if length <= 0:
            continue
        if not said and phones and end - begin < SHORTEST_PAUSE:
            phones[-1] = replace(phones[-1], end=end)
            continue
        for number, name in enumerate(names):
            if name == SILENCE and phones and phones[-1].name == SILENCE:
                phones[-1] = TimedPhone(SILENCE, phones[-1].begin, end)
            else:
                phones.append(TimedPhone(name, begin + number * length, begin + (number + 1) * length))
    return tuple(phones)
