"""Tells from the names of shape keys and bones which kind of rig a character has, and maps exactly these names.

Shapes that say as much as ARKit's are preferred to visemes, visemes to vowels, and all of them to bones. Names that
nothing stands for, such as corrective shapes, are left alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

import msgspec

from .mapping import Channel, RigMapping, is_name
from .names import KeyIndex, key_of, keys_of
from .presets import open_preset
from .synonyms import JAW_WORDS, SYNONYMS

UNKNOWN = "unknown"
# Presets that are tried, and how much each is preferred. Those of the same shapes under other names are told apart
# after that.
_PREFERENCE = {
    **{"arkit": 1.0, "cc4": 1.0, "metahuman": 1.0, "cc3": 0.95, "oculus": 0.9, "sapi": 0.9, "cc_visemes": 0.85},
    **{"vrm0": 0.8, "rhubarb": 0.75, "rigify": 0.7, "basic": 0.3, "jaw_bone": 0.02},
}
_SAME_SHAPES = {"arkit": ("unreal", "unity", "mpfb")}
_VOWEL_NAMES = {"mmd": ("あ", "ア", "ぁ"), "vrm": ("aa", "ih"), "vrm0": ()}
_JOINT = {  # a channel for both sides, and the channels of which each does a half
    "vrm0": {"Blink": ("Blink_L", "Blink_R")},
    "basic": {"blink": ("blink left", "blink right"), "smile": ("smile left", "smile right")},
}
_LEAST_COVERAGE = 0.25  # of what a preset moves, so that it is thought to be meant
_LEAST_MOUTHS = 3  # names at the mouth that do as well, where names are so long that none is another's by chance
_OF_SHAPES = ("arkit", "cc4", "metahuman", "cc3")
_SYNONYM_SCORE = 0.95
_SHARE_OF_EYES = 0.15  # what is not at the mouth counts so much
_SHOWN = 5  # names in a sentence


@dataclass(frozen=True)
class Match:
    """A name of the character that stands for a channel of a preset.

    Attributes:
        name: as the character has it.
        channel: as the preset has it.
        score: 1 for the same name but for case, separators and prefixes, 0.95 for a synonym, below it the likeness.
    """

    name: str
    channel: str
    score: float


@dataclass(frozen=True)
class Detection:
    """What kind of rig a character has.

    Attributes:
        kind: the name of the preset that it is like, or "unknown".
        confidence: 0 to 1.
        mapping: that preset with the character's own names, less what the character lacks; None if unknown.
        reasons: sentences for people, the most important first.
        matches: one for each shape key that is moved.
    """

    kind: str
    confidence: float
    mapping: RigMapping | None
    reasons: tuple[str, ...]
    matches: tuple[Match, ...] = ()


@dataclass(frozen=True)
class Character:
    """What kind of rig a character of several meshes has.

    Attributes:
        detection: of the whole; its mapping holds the names of all meshes.
        main: the mesh that moves the mouth; empty if none does.
        channels: the names that each mesh moves, for meshes such as teeth, tongue and lashes that follow too.
    """

    detection: Detection
    main: str
    channels: dict[str, tuple[str, ...]]


@dataclass(frozen=True)
class _Candidate:
    preset: str
    coverage: float  # 0 to 1, of what the preset moves
    matches: tuple[Match, ...]

    @property
    def rank(self) -> float:
        return self.coverage * _PREFERENCE[self.preset]


def detect(names: Sequence[str], bones: Sequence[str] = ()) -> Detection:
    """Tells the kind of rig from the names of one mesh's shape keys, and of its armature's bones."""
    return detect_meshes({"": names}, bones).detection


def detect_meshes(meshes: Mapping[str, Sequence[str]], bones: Sequence[str] = ()) -> Character:
    """Tells the kind of rig from the names of the shape keys of each mesh of a character, and of its bones."""
    names_of = {mesh: _Names(names) for mesh, names in meshes.items() if names}
    found = {mesh: _candidates(names) for mesh, names in names_of.items()}
    best = {mesh: candidates[0] for mesh, candidates in found.items() if candidates}
    main = max(best, key=lambda mesh: best[mesh].rank, default="")
    chosen = best.get(main)
    of_bones = max(_bone_candidates(bones), key=lambda candidate: candidate.rank, default=None)
    if of_bones and (chosen is None or of_bones.rank > chosen.rank):
        return Character(_of_bones(of_bones), "", {})
    if chosen is None:
        return Character(Detection(UNKNOWN, 0.0, None, _why_unknown(meshes, bones)), "", {})
    order = [main, *(mesh for mesh in found if mesh != main)]
    of_meshes = {mesh: _in_order(chosen.preset, _match(chosen.preset, names_of[mesh])) for mesh in order}
    followers = {mesh: matches for mesh, matches in of_meshes.items() if matches}
    joined = {match.name: match for matches in followers.values() for match in matches}
    chosen = _candidate(chosen.preset, _in_order(chosen.preset, joined.values()))
    reasons = _reasons(chosen, found[main][1:], names_of[main].prefix)
    reasons += [f'"{mesh}" follows with {_names(len(followers[mesh]))}' for mesh in followers if mesh != main]
    detection = Detection(_kind(chosen), _confidence(chosen), _mapping(chosen), tuple(reasons), chosen.matches)
    return Character(detection, main, {mesh: tuple(m.name for m in matches) for mesh, matches in followers.items()})


def _in_order(preset: str, matches: Iterable[Match]) -> tuple[Match, ...]:
    """Matches in the order of the preset's channels."""
    order = {channel.name: number for number, channel in enumerate(open_preset(preset).channels)}
    return tuple(sorted(matches, key=lambda match: order[match.channel]))


def _candidate(preset: str, matches: tuple[Match, ...]) -> _Candidate:
    """The matches and how much of the preset they cover, where joint channels do not count."""
    joint, importance = _JOINT.get(preset, {}), _template(preset)[1]
    score_of: dict[str, float] = {}
    for match in matches:
        score_of[match.channel] = max(match.score, score_of.get(match.channel, 0.0))
    total = sum(weight for channel, weight in importance.items() if channel not in joint)
    got = sum(importance[channel] * score for channel, score in score_of.items() if channel not in joint)
    return _Candidate(preset, got / total, matches)


@lru_cache
def _template(preset: str) -> tuple[dict[str, tuple[str, ...]], dict[str, float]]:
    """The keys of each channel of a preset, its own first, and how much each channel counts."""
    synonyms = SYNONYMS.get(preset, {})
    channels = open_preset(preset).channels
    keys = {c.name: tuple(key_of(name) for name in (c.name, *synonyms.get(c.name, ()))) for c in channels}
    return keys, {c.name: _importance(c) for c in channels}


def _importance(channel: Channel) -> float:
    is_at_mouth = any(source.shape.startswith(("jaw", "mouth", "tongue")) for source in channel.sources)
    return 1.0 if is_at_mouth or channel.method != "sum" else _SHARE_OF_EYES


class _Names:
    """The names of a mesh, by their keys.

    Attributes:
        prefix: that most of them have; empty if none.
    """

    def __init__(self, names: Sequence[str]) -> None:
        names = [name for name in names if is_name(name)]  # others could not be saved
        keys, self.prefix = keys_of(names)
        self.by_key: dict[str, str] = {}
        for choices, name in zip(keys, names, strict=True):
            for key in choices:
                self.by_key.setdefault(key, name)

    @cached_property
    def index(self) -> KeyIndex:
        """Finds keys that are like another."""
        return KeyIndex(self.by_key)


def _candidates(names: _Names) -> list[_Candidate]:
    """Presets of shape keys that may be meant, the best first."""
    presets = [preset for preset in _PREFERENCE if preset not in ("rigify", "jaw_bone")]
    called = {preset: _candidate(preset, _match(preset, names, is_fuzzy=False)) for preset in presets}
    is_clear = any(candidate.coverage >= _LEAST_COVERAGE for candidate in called.values())
    candidates = []
    for preset, candidate in called.items():
        if candidate.coverage < 1 and (not is_clear or candidate.coverage >= _LEAST_COVERAGE):
            candidate = _candidate(preset, _match(preset, names))  # noqa: PLW2901 (the same, with what is alike)
        mouths = [match for match in candidate.matches if _template(preset)[1][match.channel] == 1]
        is_enough = len(mouths) > 1 and (
            candidate.coverage >= _LEAST_COVERAGE or (preset in _OF_SHAPES and len(mouths) >= _LEAST_MOUTHS)
        )
        if is_enough or (preset == "basic" and any(match.channel == "mouth open" for match in candidate.matches)):
            candidates.append(candidate)
    return sorted(candidates, key=lambda candidate: candidate.rank, reverse=True)


def _match(preset: str, names: _Names, *, is_fuzzy: bool = True) -> tuple[Match, ...]:
    """The names that stand for channels of a preset."""
    keys, _ = _template(preset)
    found: dict[str, Match] = {}
    used: set[str] = set()

    def take(channel: str, name: str | None, score: float) -> None:
        if name is not None and channel not in found and name not in used:
            found[channel] = Match(name, channel, round(score, 3))
            used.add(name)

    for channel, own in keys.items():
        take(channel, names.by_key.get(own[0]), 1.0)
    for channel, others in keys.items():
        for key in others[1:]:
            take(channel, names.by_key.get(key), _SYNONYM_SCORE)
    left = [channel for channel in keys if channel not in found] if is_fuzzy else []
    rated = [(score, channel, other) for channel in left for score, other in names.index.nearest(keys[channel][0])]
    for score, channel, other in sorted(rated, reverse=True):
        take(channel, names.by_key[other], score)
    return tuple(found.values())


def _kind(chosen: _Candidate) -> str:
    """The preset whose names are meant, among those that move the same shapes."""
    names = {match.name for match in chosen.matches}
    if chosen.preset == "vrm0":
        for kind, told_by in _VOWEL_NAMES.items():
            if any(key_of(name) in told_by for name in names):
                return kind
        return "vrm0" if len(names) > len("AIUEO") else "aiueo"
    for kind in _SAME_SHAPES.get(chosen.preset, ()):
        if len(names & {channel.name for channel in open_preset(kind).channels}) > len(names) / 2:
            return kind
    return chosen.preset


def _confidence(chosen: _Candidate) -> float:
    """The more of a preset is there the surer; single letters are names of many other things."""
    if chosen.preset == "basic":
        return min(0.6, 0.3 + 0.05 * len(chosen.matches))
    letters = all(len(m.name) == 1 and m.name.isascii() for m in chosen.matches)
    return round(min(1.0, chosen.coverage**0.5) * (0.8 if letters else 1.0), 3)


def _mapping(chosen: _Candidate) -> RigMapping:
    """The preset with the character's names; a joint channel moves unless both sides have their own."""
    preset, present = open_preset(chosen.preset), {match.channel for match in chosen.matches}
    channels = {channel.name: channel for channel in preset.channels}
    for joint, sides in _JOINT.get(chosen.preset, {}).items():
        has_sides = present.issuperset(sides)
        channels[joint] = msgspec.structs.replace(channels[joint], is_muted=has_sides)
        if not has_sides and joint in present:  # else one side would move twice
            channels |= {side: msgspec.structs.replace(channels[side], is_muted=True) for side in sides}
    made = [msgspec.structs.replace(channels[match.channel], name=match.name) for match in chosen.matches]
    return msgspec.structs.replace(preset, name=_kind(chosen), channels=tuple(made))


def _reasons(chosen: _Candidate, others: Sequence[_Candidate], prefix: str) -> list[str]:
    kind, taken = _kind(chosen), {match.name for match in chosen.matches}
    present = {match.channel for match in chosen.matches}
    of_kind = _names_of(kind, chosen.preset)
    reasons = [f"it has {len(present & of_kind.keys())} of the {len(of_kind)} names of {kind}"]
    alike = [match for match in chosen.matches if match.score not in (1.0, _SYNONYM_SCORE)]
    for match in alike[:_SHOWN]:
        reasons.append(f'"{match.name}" is taken for {of_kind[match.channel]}, which is {match.score:.0%} like it')
    if len(alike) > _SHOWN:
        reasons.append(f"so {'is' if len(alike) == _SHOWN + 1 else 'are'} {_names(len(alike) - _SHOWN)} more")
    called = [m for m in chosen.matches if m.score == _SYNONYM_SCORE and m.name != of_kind[m.channel]]
    if called:
        pairs = ", ".join(f'"{match.name}" for {of_kind[match.channel]}' for match in called[:_SHOWN])
        reasons.append(f"it calls {_names(len(called))} otherwise: {pairs}")
    if prefix and any(name.startswith(prefix) for name in taken):
        reasons.append(f'most names begin with "{prefix}", which is passed over')
    lacking = [name for channel, name in of_kind.items() if channel not in present]
    if lacking:
        more = f" and {len(lacking) - _SHOWN} more" if len(lacking) > _SHOWN else ""
        reasons.append(f"it lacks {', '.join(lacking[:_SHOWN])}{more}")
    for other in others:
        further = [match.name for match in other.matches if match.name not in taken]
        if other.preset != "basic" and len(further) > len(other.matches) / 2:
            reasons.append(f"it also has {_names(len(further))} of {_kind(other)}, which stay at rest")
            break
    return reasons


def _names(count: int) -> str:
    return "1 name" if count == 1 else f"{count} names"


def _names_of(kind: str, preset: str) -> dict[str, str]:
    """For each channel of a preset that a kind has, what the kind calls it."""
    of_preset, of_kind = (open_preset(name).channels for name in (preset, kind))
    return {a.name: b.name for a, b in zip(of_preset, of_kind, strict=False)}


def _bone_candidates(bones: Sequence[str]) -> Iterable[_Candidate]:
    controls = {channel.bone.bone for channel in open_preset("rigify").channels if channel.bone}
    present = [bone for bone in dict.fromkeys(bones) if bone in controls]
    if "jaw_master" in present and len(present) > len(controls) / 4:
        yield _Candidate("rigify", len(present) / len(controls), tuple(Match(bone, bone, 1.0) for bone in present))
    jaws = [bone for bone in bones if any(word in key_of(bone) for word in JAW_WORDS)]
    jaws = [bone for bone in jaws if "|" not in key_of(bone) and "upper" not in bone.lower() and "end" not in bone[-4:]]
    if jaws:  # the plainest name, and a control rather than what a rig makes of it
        jaw = min(jaws, key=lambda bone: (bone.startswith(("ORG-", "DEF-", "MCH-", "VIS_")), len(key_of(bone))))
        yield _Candidate("jaw_bone", 1.0, (Match(jaw, "jaw", 1.0),))


def _of_bones(chosen: _Candidate) -> Detection:
    preset, present = open_preset(chosen.preset), [match.name for match in chosen.matches]
    channels = tuple(c for c in preset.channels if c.bone and c.bone.bone in present)
    if chosen.preset == "rigify":
        controls = {channel.bone.bone for channel in preset.channels if channel.bone}
        reasons = (f"it has {len(present)} of the {len(controls)} face controls of Rigify",)
        confidence = round(chosen.coverage**0.5, 3)
    else:
        (jaw,) = present
        channels = tuple(
            msgspec.structs.replace(c, name=f"{jaw} rotation x", bone=msgspec.structs.replace(c.bone, bone=jaw))
            for c in preset.channels
            if c.bone
        )
        confidence = 0.4
        reasons = (
            f'the only name for a mouth is the bone "{jaw}"; see whether it opens by turning about its x axis, and '
            "change its axis or amount otherwise",
        )
    mapping = msgspec.structs.replace(preset, channels=channels)
    return Detection(chosen.preset, confidence, mapping, reasons, chosen.matches)


def _why_unknown(meshes: Mapping[str, Sequence[str]], bones: Sequence[str]) -> tuple[str, ...]:
    names = [name for of_mesh in meshes.values() for name in of_mesh]
    if not names and not bones:
        return ("there are no shape keys and no bones, so nothing can be moved",)
    shown = ", ".join(f'"{name}"' for name in (names or list(bones))[:_SHOWN])
    counts = f"{len(names)} shape keys and {len(bones)} bones"
    return (f"none of {counts} has the name of a mouth ({shown} ...); give a mapping, or solve the rig by its shapes",)
