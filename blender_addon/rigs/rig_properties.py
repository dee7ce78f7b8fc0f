# pyright: reportAttributeAccessIssue=false, reportInvalidTypeForm=false, reportOptionalMemberAccess=false
"""Stores in each scene which character is animated, and how its channels are moved."""

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

from . import character, preview_sources, rigging
from .face_properties import CLASSES as FACE_CLASSES
from .face_properties import SPEECHFACE_Face


def _is_pickable(_rigging: SPEECHFACE_Rigging, candidate: bpy.types.Object) -> bool:
    return character.is_pickable(candidate)


def _picked(picked: SPEECHFACE_Rigging, _context: bpy.types.Context) -> None:
    rigging.detect(picked)
    owner = picked.path_from_id().rpartition(".")[0]
    wanted = picked.id_data.path_resolve(owner)
    if picked.character is not None and not wanted.images:
        wanted.use_texture = False  # without a photo there is no picture to make


class SPEECHFACE_RigChannel(bpy.types.PropertyGroup):
    """One row of the table: a shape key, or a transform of a bone. `name` is Blender's own property."""

    sources: StringProperty(
        name="Sources",
        description='Shapes of ARKit that move it, each with its gain: "jawOpen 1.0, mouthClose -0.5"',
    )
    gain: FloatProperty(
        name="Gain", description="Multiplies what the sources make", default=1.0, soft_min=-2, soft_max=2
    )
    offset: FloatProperty(name="Offset", description="The value at rest", default=0.0, soft_min=-1, soft_max=1)
    least: FloatProperty(name="Least", description="The smallest value", default=0.0, soft_min=-1, soft_max=1)
    most: FloatProperty(name="Most", description="The largest value", default=1.0, soft_min=0, soft_max=2)
    method: EnumProperty(
        name="Method",
        description="What becomes of the sources",
        items=(
            ("sum", "Sum", "The sum of the sources' weights, each times its gain"),
            ("pose", "Pose", "The sources are one pose; the face is mixed of all poses"),
            ("held", "Held", "The sources are one drawn mouth, shown while it is the nearest of all"),
        ),
    )
    is_mirrored: BoolProperty(name="Mirror", description="Swap left and right of the sources")
    is_muted: BoolProperty(name="Mute", description="Do not move this channel")
    bone: StringProperty(name="Bone", description="What is moved instead of a shape key, as JSON of a mapping")


class SPEECHFACE_Rigging(bpy.types.PropertyGroup):
    """The character of a scene and its table. `name` is that of the mapping."""

    character: PointerProperty(
        name="Character",
        description="The mesh of a head with shape keys, or an armature. Its teeth, tongue and lashes follow",
        type=bpy.types.Object,
        poll=_is_pickable,
        update=_picked,
    )
    method: EnumProperty(
        name="Method",
        description="Where the values of the channels come from",
        items=(
            ("AUTO", "Automatic", "By names where they are known, else by how the shape keys move the face"),
            ("NAMES", "By Names", "The table below says what moves each channel"),
            ("SOLVE", "By Shape", "Whatever the names: the shape keys are fitted to the motion of the face"),
        ),
    )
    kind: StringProperty(description="The kind of rig that was detected")
    confidence: FloatProperty(description="How sure the detection is", min=0, max=1)
    why: StringProperty(description="Why it is thought to be of this kind, a line each")
    skipped: StringProperty(description="What is not moved and why, a line each")
    problem: StringProperty(description="Why the character cannot be animated")
    description: StringProperty(name="Description")
    channels: CollectionProperty(type=SPEECHFACE_RigChannel)
    active_channel: IntProperty(name="Active Channel", min=0)
    gain: FloatProperty(name="Gain", description="Multiplies all channels", default=1.0, soft_min=0, soft_max=2)
    is_mirrored: BoolProperty(name="Mirror", description="Swap left and right of the whole face")
    hold_seconds: FloatProperty(
        name="Hold",
        description="How long a drawn mouth is shown at least",
        default=0.08,
        min=0,
        max=1,
        subtype="TIME_ABSOLUTE",
        unit="TIME_ABSOLUTE",
        step=1,
        precision=3,
    )
    preview_face: EnumProperty(
        name="Face",
        description="A shape of ARKit or a viseme, to see what the whole mapping makes of it",
        items=preview_sources.items(),
        default="jawOpen",
    )
    faces: CollectionProperty(type=SPEECHFACE_Face)
    show_landmarks: BoolProperty(
        name="Show Landmarks",
        description="Show the 68 landmarks on the face in the 3D viewport; those that were corrected in orange",
    )


CLASSES = (SPEECHFACE_RigChannel, *FACE_CLASSES, SPEECHFACE_Rigging)
