# pyright: reportAttributeAccessIssue=false, reportOptionalMemberAccess=false, reportArgumentType=false
# pyright: reportInvalidTypeForm=false
"""Stores the panel's settings in each scene."""

from __future__ import annotations

from typing import TYPE_CHECKING

import bpy
from bpy.props import (
    BoolProperty,
    CollectionProperty,
    FloatProperty,
    IntProperty,
    PointerProperty,
    StringProperty,
)

from . import compat, landmark_rig, texture_plane
from ._shared import motion_controls, protocol
from .rig_properties import CLASSES as RIG_CLASSES
from .rig_properties import SPEECHFACE_Rigging

if TYPE_CHECKING:
    from collections.abc import Iterable


_SECONDS = {"subtype": "TIME_ABSOLUTE", "unit": "TIME_ABSOLUTE", "step": 1, "precision": 3}


def _control(name: str, label: str, description: str, **looks: object) -> object:
    bounds = motion_controls.RANGES[name]
    default = getattr(motion_controls.UNTOUCHED, name)
    return FloatProperty(
        name=label, description=description, default=default, min=bounds.least, max=bounds.most, **looks
    )


def _strip_names(_settings: SPEECHFACE_SceneSettings, context: bpy.types.Context, edit_text: str) -> Iterable[str]:
    wanted = edit_text.lower()
    scenes = {context.scene.name: context.scene, compat.sequencer_scene(context).name: compat.sequencer_scene(context)}
    return [s.name for scene in scenes.values() for s in compat.sound_strips(scene) if wanted in s.name.lower()]


def _is_rig(_settings: SPEECHFACE_SceneSettings, candidate: bpy.types.Object) -> bool:
    return landmark_rig.is_rig(candidate)


def _is_plane(_settings: SPEECHFACE_SceneSettings, candidate: bpy.types.Object) -> bool:
    return texture_plane.is_plane(candidate)


class SPEECHFACE_ReferenceImage(bpy.types.PropertyGroup):
    """One photo of the face."""

    image: PointerProperty(
        name="Image", description="A photo of the face: one person, looking at the camera", type=bpy.types.Image
    )


class SPEECHFACE_SceneSettings(bpy.types.PropertyGroup):
    """The panel's settings, one set per scene."""

    strip_name: StringProperty(
        name="Sound Strip",
        description="The speech. Empty: the active sound strip of the sequencer",
        search=_strip_names,
    )
    images: CollectionProperty(type=SPEECHFACE_ReferenceImage)
    active_image: IntProperty(name="Active Image", default=0, min=0)
    use_curves: BoolProperty(
        name="Landmark Curves",
        description="Make an armature of 68 bones that follow the landmarks, with a key on every frame of the strip",
        default=True,
    )
    use_texture: BoolProperty(
        name="Face Picture",
        description="Render the talking face and show it, with alpha, on a plane",
        default=True,
    )
    epochs: IntProperty(
        name="Epochs",
        description="Rounds in which the networks learn this face from its images. 0: none, fastest",
        default=10,
        min=0,
        max=protocol.MAX_EPOCHS,
        soft_max=40,
    )
    seed: IntProperty(
        name="Seed", description="The same seed gives the same blinks and the same face", default=0, min=0
    )
    use_blink: BoolProperty(name="Blink", description="Let the eyes blink", default=True)
    intensity: _control("intensity", "Intensity", "How much the speech moves jaw and lips. 1: unchanged")
    silence: _control(
        "silence",
        "Rest in Silence",
        "How much jaw and lips rest where nobody speaks. 1: closed and still in every pause",
        subtype="FACTOR",
    )
    smoothing: _control(
        "smoothing",
        "Smoothing",
        "Smooths the motion over this time. Lips that touch still touch. 0: off",
        **_SECONDS,
    )
    lead: _control(
        "lead",
        "Lead",
        "How much earlier than the sound the mouth moves. Below 0: later than the sound",
        **_SECONDS,
    )
    blink_frequency: _control("blink_frequency", "Blink Frequency", "How often the eyes blink. 2: twice as often")
    blink_duration: _control("blink_duration", "Blink Duration", "How long a blink takes. 2: twice as long")
    width: FloatProperty(
        name="Width",
        description="Width and height of the picture; the face fills about 60 % of it",
        default=1.0,
        min=0.001,
        soft_max=10.0,
        subtype="DISTANCE",
        unit="LENGTH",
    )
    rigging: PointerProperty(type=SPEECHFACE_Rigging)
    rig: PointerProperty(
        name="Armature",
        description="Landmark armature that gets the curves. Empty: a new one",
        type=bpy.types.Object,
        poll=_is_rig,
    )
    plane: PointerProperty(
        name="Plane",
        description="Plane that shows the picture. Empty: a new one",
        type=bpy.types.Object,
        poll=_is_plane,
    )


_CLASSES = (SPEECHFACE_ReferenceImage, *RIG_CLASSES, SPEECHFACE_SceneSettings)


def scene_settings(scene: bpy.types.Scene) -> SPEECHFACE_SceneSettings:
    """The panel's settings of a scene."""
    return scene.speech_face  # added by register


def register() -> None:
    """Adds the settings to every scene."""
    for cls in _CLASSES:
        bpy.utils.register_class(cls)
    bpy.types.Scene.speech_face = PointerProperty(type=SPEECHFACE_SceneSettings)


def unregister() -> None:
    """Removes the settings."""
    del bpy.types.Scene.speech_face
    for cls in reversed(_CLASSES):
        bpy.utils.unregister_class(cls)
