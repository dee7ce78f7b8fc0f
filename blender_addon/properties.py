# pyright: reportAttributeAccessIssue=false, reportOptionalMemberAccess=false, reportArgumentType=false
# pyright: reportInvalidTypeForm=false
"""Stores the characters of each scene: whose voice, whose face, and what is made of them."""

from __future__ import annotations

import bpy
from bpy.props import (
    BoolProperty,
    CollectionProperty,
    EnumProperty,
    FloatProperty,
    IntProperty,
    PointerProperty,
    StringProperty,
)

from . import words
from ._shared import motion_controls, protocol
from .keys.key_properties import CLASSES as KEY_CLASSES
from .keys.key_properties import SPEECHFACE_Keys
from .pictures import texture_plane
from .rigs import landmark_rig
from .rigs.rig_properties import CLASSES as RIG_CLASSES
from .rigs.rig_properties import SPEECHFACE_Rigging
from .speakers.photo_properties import CLASSES as PHOTO_CLASSES
from .speakers.photo_properties import SPEECHFACE_ReferenceImage

_SECONDS = {"subtype": "TIME_ABSOLUTE", "unit": "TIME_ABSOLUTE", "step": 1, "precision": 3}


def _control(name: str, label: str, description: str, **looks: object) -> object:
    bounds = motion_controls.RANGES[name]
    default = motion_controls.LIVELINESS if name == "liveliness" else getattr(motion_controls.UNTOUCHED, name)
    return FloatProperty(
        name=label, description=description, default=default, min=bounds.least, max=bounds.most, **looks
    )


def _is_rig(_character: SPEECHFACE_Character, candidate: bpy.types.Object) -> bool:
    return landmark_rig.is_rig(candidate)


def _is_plane(_character: SPEECHFACE_Character, candidate: bpy.types.Object) -> bool:
    return texture_plane.is_plane(candidate)


class SPEECHFACE_Voice(bpy.types.PropertyGroup):
    """One sound strip that a character speaks. `name` is that of the strip when it was chosen."""

    scene: PointerProperty(name="Scene", description="The scene whose sequencer has the strip", type=bpy.types.Scene)
    token: StringProperty(description="Written on the strip too, so that it is found when it has another name")
    made: StringProperty(description="Frames and seconds of what was made of it; see `editing`")
    said: StringProperty(description="Words and phones with their seconds; see `spoken_markers`")
    transcript: PointerProperty(
        name="Transcript",
        description="The text of what this strip says, from Blender's Text Editor. Words are marked where it is given",
        type=bpy.types.Text,
    )
    is_used: BoolProperty(name="Use", description="Generate speaks this strip", default=True)


class SPEECHFACE_Character(bpy.types.PropertyGroup):
    """Somebody who speaks. `name` is for people."""

    token: StringProperty(description="Tells this character from others, whatever it is called")
    voices: CollectionProperty(type=SPEECHFACE_Voice)
    active_voice: IntProperty(name="Active Voice", default=0, min=0)
    images: CollectionProperty(type=SPEECHFACE_ReferenceImage)
    active_image: IntProperty(name="Active Image", default=0, min=0)
    face_source: EnumProperty(
        name="Face",
        description="Whose face it is",
        items=(
            ("PHOTOS", "Photos", "Learn the face from the photos, or find it again where they were learnt before"),
            ("LEARNT", "Learnt Face", "Use a face that the backend has learnt and keeps; no photo is needed"),
        ),
    )
    identity: StringProperty(description="The learnt face; empty before one was chosen")
    identity_name: StringProperty(name="Learnt Face", description="What the learnt face is called")
    use_curves: BoolProperty(
        name="Landmark Curves",
        description="Make an armature of 68 bones that follow the landmarks and one that turns the head, with a key on "
        "every frame of the strip",
        default=True,
    )
    use_texture: BoolProperty(
        name="Face Picture",
        description="Render the talking face and show it, with alpha, on a plane",
        default=True,
    )
    epochs: IntProperty(
        name="Learning Rounds",
        description="How often the photos are gone through to learn this face. 0: never, fastest. 10: normal. 40: best",
        default=10,
        min=0,
        max=protocol.MAX_EPOCHS,
        soft_max=40,
    )
    seed: IntProperty(
        name="Seed",
        description="Another number gives other blinks and another motion of the head; the learnt face stays the same",
        default=0,
        min=0,
    )
    use_blink: BoolProperty(name="Blink", description="Let the eyes blink", default=True)
    intensity: _control("intensity", "Intensity", "How much the speech moves jaw and lips. 1: unchanged")
    jaw: _control("jaw", "Jaw", "How far jaw and chin move. Lips that touch still touch. 1: unchanged")
    lips: _control("lips", "Lips", "What the lips do beyond the jaw: width, rounding, raising. 1: unchanged")
    brows: _control("brows", "Brows", "How far the brows move. 1: unchanged")
    eyes: _control("eyes", "Eyes", "How far the lids close and open. 1: unchanged")
    liveliness: _control(
        "liveliness",
        "Liveliness",
        "How much the head moves by itself, and the brows with the voice. 0: not at all. 0.2: as people who read to a "
        "camera. 1: as in lively talk",
    )
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
        translation_context=words.CONTEXT,
        **_SECONDS,
    )
    blink_frequency: _control("blink_frequency", "Blink Frequency", "How often the eyes blink. 2: twice as often")
    blink_duration: _control("blink_duration", "Blink Duration", "How long a blink takes. 2: twice as long")
    size: EnumProperty(
        name="Size",
        description="Pixels of the picture, across and down. The larger ones show the photo's own detail",
        items=(
            ("256", "256 px", "The quickest, with the smallest files; from any photo"),
            ("512", "512 px", "From a photo that has 400 pixels or more across the whole head"),
            (
                "1024",
                "1024 px",
                "From a photo that has 800 pixels or more across the whole head. Takes much disk space",
            ),
        ),
        translation_context=words.CONTEXT,
    )
    width: FloatProperty(
        name="Width",
        description="Width and height of the picture; the face fills about 60 % of it",
        default=1.0,
        min=0.001,
        soft_max=10.0,
        subtype="DISTANCE",
        unit="LENGTH",
    )
    shading: EnumProperty(
        name="Shading",
        description="How the picture is drawn",
        items=(
            ("SHADELESS", "Shadeless", "In the colours of the photo, under any view transform"),
            ("LIT", "Lit", "As a surface that the lights of the scene shade"),
        ),
    )
    between: EnumProperty(
        name="Between Strips",
        description="What the plane shows while nobody speaks",
        items=(
            ("EMPTY", "Nothing", "The plane is clear between one strip and the next"),
            ("HOLD", "Last Picture", "The last picture of a strip stays until the next begins"),
        ),
    )
    rigging: PointerProperty(type=SPEECHFACE_Rigging)
    keys: PointerProperty(type=SPEECHFACE_Keys)
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


class SPEECHFACE_SceneSettings(bpy.types.PropertyGroup):
    """The characters of a scene."""

    characters: CollectionProperty(type=SPEECHFACE_Character)
    active_character: IntProperty(name="Active Character", default=0, min=0)
    is_presented: BoolProperty(
        name="Show Result",
        description="Select a new face, frame it in the viewports, and show it there in its colours",
        default=True,
    )


_CLASSES = (
    *PHOTO_CLASSES,
    SPEECHFACE_Voice,
    *RIG_CLASSES,
    *KEY_CLASSES,
    SPEECHFACE_Character,
    SPEECHFACE_SceneSettings,
)


def scene_settings(scene: bpy.types.Scene) -> SPEECHFACE_SceneSettings:
    """What a scene keeps."""
    return scene.speech_face  # added by register


def active_character(scene: bpy.types.Scene) -> SPEECHFACE_Character | None:
    """The character that is chosen in the list; None before there is one."""
    kept = scene_settings(scene)
    return kept.characters[min(kept.active_character, len(kept.characters) - 1)] if kept.characters else None


def register() -> None:
    """Adds the characters to every scene."""
    for cls in _CLASSES:
        bpy.utils.register_class(cls)
    bpy.types.Scene.speech_face = PointerProperty(type=SPEECHFACE_SceneSettings)


def unregister() -> None:
    """Removes them."""
    del bpy.types.Scene.speech_face
    for cls in reversed(_CLASSES):
        bpy.utils.unregister_class(cls)
