"""Reads the names of shape keys and bones as people write them, and compares them.

A name's key is what is left of it without case, separators and prefixes of programs, with its side behind a bar:
"blendShape1.Mouth_Smile_L" and "mouthSmileLeft" both have the key "mouthsmile|l".
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from difflib import SequenceMatcher
from functools import lru_cache

LEAST_LIKENESS = 0.84  # of keys that may be the same name, written otherwise
_SHORTEST = 5  # characters of a key that is compared by likeness; shorter ones mean something else with one changed
_FEW_KEYS = 40
_MOST_TRIED = 4  # keys compared with one, those that share the most pairs of letters

_PREFIX = re.compile(
    r".*[:|]|.*__|.+(?=Fcl_)|Fcl_(?:(?:MTH|ALL)_)?|blend_?shapes?\d*[._]+|mesh_?\d*[._]+|!ex-|ar_?kit[._]+|vrc\.|"
    r"viseme[._]*|v_(?=[a-z]{1,3}$)|[at]\d\d_|e?ctrl_(?:expressions_)?|e?ctrl(?=v?[A-Z])|facs_(?:bs|jnt|ctrl)_|"
    r"cc_base_|(?:morph|shape|key|expression)[._]+|phm(?=[A-Z])",
    re.IGNORECASE,
)
_COUNT = re.compile(r"\.\d{3}$")  # that Blender adds to a name which exists
_WORDS = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+|\d+|[^\W\d_A-Za-z]+")
_SIDES = {
    **dict.fromkeys(("l", "left", "lft", "左", "links", "gauche", "izquierda"), "l"),
    **dict.fromkeys(("r", "right", "rgt", "右", "rechts", "droite", "derecha"), "r"),
}
_OPPOSITES = tuple(
    pair
    for one, other in (("upper", "lower"), ("up", "down"), ("in", "out"), ("inner", "outer"), ("open", "close"),
                       ("forward", "back"), ("smile", "frown"), ("wide", "narrow"), ("wide", "squint"))
    for pair in ((one, other), (other, one))
)  # fmt: skip


@lru_cache(maxsize=8192)
def key_of(name: str) -> str:
    """The key of a name; empty if it has no letter or digit."""
    text = unicodedata.normalize("NFKC", name).strip()
    text = _COUNT.sub("", text)
    while (found := _PREFIX.match(text)) and 0 < found.end() < len(text):
        text = text[found.end() :]
    return _key(text)


def keys_of(names: Sequence[str]) -> tuple[list[tuple[str, ...]], str]:
    """The keys of each name, the likeliest first, and a prefix that most names have, which the second key lacks."""
    prefix = _common_prefix(names)
    keys = []
    for name in names:
        key = key_of(name)
        without = key_of(name[len(prefix) :]) if prefix and name.startswith(prefix) else key
        keys.append((key, without) if without and without != key else (key,))
    return keys, prefix


def likeness(one: str, other: str) -> float:
    """How alike two keys are, 0 to 1; 0 where sides differ or one says the opposite of the other."""
    (base, _, side), (other_base, _, other_side) = one.partition("|"), other.partition("|")
    if side != other_side or min(len(base), len(other_base)) < _SHORTEST:
        return 0.0
    if any(a in base and b in other_base and b not in base for a, b in _OPPOSITES):
        return 0.0
    return SequenceMatcher(None, base, other_base, autojunk=False).ratio()


class KeyIndex:
    """Finds, among keys, those that are like another, without comparing all.

    Only keys that share pairs of letters with it are compared; pairs that very many keys have tell nothing.
    """

    def __init__(self, keys: Iterable[str]) -> None:
        keys = list(keys)
        self._keys_with: defaultdict[str, list[str]] = defaultdict(list)
        for key in keys:
            for pair in _pairs(key):
                self._keys_with[pair].append(key)
        usual = max(_FEW_KEYS, len(keys) // 4)
        self._keys_with = defaultdict(list, {p: found for p, found in self._keys_with.items() if len(found) <= usual})

    def nearest(self, key: str) -> list[tuple[float, str]]:
        """Keys that are like this one and their likeness, the most alike first."""
        shared: Counter[str] = Counter()
        for pair in _pairs(key):
            shared.update(self._keys_with.get(pair, ()))
        rated = [(likeness(key, other), other) for other, _ in shared.most_common(_MOST_TRIED)]
        return sorted((pair for pair in rated if pair[0] >= LEAST_LIKENESS), reverse=True)


@lru_cache(maxsize=8192)
def _pairs(key: str) -> frozenset[str]:
    base = key.partition("|")[0]
    return frozenset(base[at : at + 2] for at in range(len(base) - 1))


def _key(text: str) -> str:
    words = [word.lower() for word in _WORDS.findall(re.sub("([左右])", r"_\1_", _plain(text)))]
    if len(words) == 1 and (found := re.fullmatch("(.{3,})(left|right)", words[0])):
        words = [found[1], found[2]]
    sides = [_SIDES[word] for word in words if word in _SIDES]
    base = "".join(word for word in words if word not in _SIDES)
    return f"{base}|{''.join(sides)}" if sides else base


def _plain(text: str) -> str:
    """Without accents: "fermés" as "fermes". Marks that make other letters of kana stay."""
    if text.isascii():
        return text
    return "".join(
        unicodedata.normalize("NFD", letter)[0] if "LATIN" in unicodedata.name(letter, "") else letter
        for letter in text
    )


def _common_prefix(names: Sequence[str]) -> str:
    """The longest beginning, up to a separator, that most names share; empty if there is none."""
    counts: Counter[str] = Counter()
    for name in names:
        counts.update({name[: found.end()] for found in re.finditer(r"[._:|\- ]+", name) if found.end() < len(name)})
    common = [prefix for prefix, count in counts.items() if count >= max(3, 0.6 * len(names))]
    return max(common, key=len, default="")
