# pyright: reportAttributeAccessIssue=false, reportOptionalMemberAccess=false, reportReturnType=false
"""Finds which frames of a character's scene are seen while a strip of another scene is heard.

Where the other scene shows the character's as a scene strip, that says which frame is seen when, whatever the frame
rates are. Where it does not, a frame of one scene is the same frame of the other, and both need one rate.
"""

from __future__ import annotations

import bpy
import numpy as np

from .. import compat
from .._shared import errors, timing
from . import sound_strip


def seen_frames(scene: bpy.types.Scene, place: bpy.types.Scene, strip: bpy.types.SoundStrip) -> timing.StripFrames:
    """The frames of the character's scene that a strip covers, and the time within its sound at each.

    Args:
        scene: of the character.
        place: holds the strip.
        strip: what is heard.

    Raises:
        SpeechFaceError: as `sound_strip.strip_frames`; the scenes have different rates and neither shows the other; or
            the scene strip plays at another speed.
    """
    heard = sound_strip.strip_frames(place, strip)
    if scene == place:
        return heard
    shown = _shown(scene, place, heard)
    if shown is not None:
        return timing.StripFrames(heard.scene_frames + _shift(scene, shown), heard.frame_times)
    if sound_strip.frame_rate(scene).exact != sound_strip.frame_rate(place).exact:
        raise errors.SpeechFaceError(
            f"scene {place.name!r}, which holds the sound, and scene {scene.name!r} have different frame rates; give "
            f"them the same, or add {scene.name!r} to the sequencer of {place.name!r} as a strip"
        )
    return heard


def _shown(scene: bpy.types.Scene, place: bpy.types.Scene, heard: timing.StripFrames) -> bpy.types.SceneStrip | None:
    """The scene strip that shows most of what is heard; None if there is none."""
    first, end = int(heard.scene_frames[0]), int(heard.scene_frames[-1]) + 1
    best, most = None, 0.0
    for strip in place.sequence_editor.strips_all:
        if strip.type == "SCENE" and strip.scene == scene:
            handles = [compat.handles(part) for part in (strip, *sound_strip.metas(strip))]
            common = min(end, *(right for _, right in handles)) - max(first, *(left for left, _ in handles))
            if common > most:
                best, most = strip, common
    return best


def _shift(scene: bpy.types.Scene, shown: bpy.types.SceneStrip) -> int:
    """What is added to a frame of the sequencer to get the frame of the scene that it shows."""
    if len(shown.retiming_keys) or getattr(shown, "use_reverse_frames", False):
        raise errors.SpeechFaceError(
            f"the scene strip {shown.name!r} plays {scene.name!r} at another speed or backwards; reset its retiming"
        )
    begin = compat.content_start(shown) - compat.content_trim(shown)
    return int(np.floor(scene.frame_start - begin))
