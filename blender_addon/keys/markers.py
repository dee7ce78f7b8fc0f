# pyright: reportAttributeAccessIssue=false, reportOptionalMemberAccess=false
"""Marks words or phones on the timeline, so that artists see what is said on which frame.

Each marker remembers in the scene which set it is of; a marker that an artist has renamed or moved is theirs and stays.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

import bpy

from . import saved_keys

_SETS = "speech_face_markers"  # property of the scene: name of the set -> lines "frame text" as they were written
PREFIX = "SF "


@dataclass(frozen=True)
class Item:
    """A marker.

    Attributes:
        frame: whole scene frame.
        text: word or phone.
    """

    frame: int
    text: str


def write(scene: bpy.types.Scene, name: str, items: Iterable[Item]) -> int:
    """Puts a set of markers on the timeline in place of the earlier set of this name; returns how many there are.

    Raises:
        SpeechFaceError: they would not be saved.
    """
    saved_keys.check_scene(scene)
    clear(scene, name)
    lines = []
    for item in items:
        marker = scene.timeline_markers.new(PREFIX + " ".join(item.text.split()), frame=item.frame)
        lines.append(f"{marker.frame} {marker.name}")
    if lines:
        if _SETS not in scene:
            scene[_SETS] = {}
        scene[_SETS][name] = "\n".join(lines)
    return len(lines)


def clear(scene: bpy.types.Scene, name: str) -> int:
    """Takes the untouched markers of a set away; returns how many."""
    if name not in scene.get(_SETS, ()):
        return 0
    wanted = Counter(scene[_SETS][name].split("\n"))
    removed = 0
    for marker in list(scene.timeline_markers):
        line = f"{marker.frame} {marker.name}"
        if wanted[line]:
            wanted[line] -= 1
            scene.timeline_markers.remove(marker)
            removed += 1
    del scene[_SETS][name]
    if not len(scene[_SETS]):
        del scene[_SETS]
    return removed
