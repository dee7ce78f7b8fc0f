# pyright: reportInvalidTypeForm=false
"""Stores with each character how keys meet what is there, and which frames get one."""

from __future__ import annotations

import bpy
from bpy.props import BoolProperty, EnumProperty, FloatProperty, IntProperty

from .key_requests import Manner, Policy
from .key_shapes import Choice, Interpolation, Shaping


class SPEECHFACE_Keys(bpy.types.PropertyGroup):
    """How a character is keyed; see `key_requests.Manner` and `key_shapes.Shaping`."""

    policy: EnumProperty(
        name="Existing Keys",
        description="What happens to keys that are there already",
        items=(
            ("KEEP", "Keep Mine", "What you have added, moved, changed or taken away stays so"),
            ("REPLACE", "Replace Mine", "All keys of this strip are made anew, also those that you have changed"),
            ("LAYER", "New Layer", "All stay; the new keys lie in an action of their own on an NLA track above"),
        ),
    )
    use_nla: BoolProperty(
        name="NLA Track",
        description="Lay the keys on an NLA track of their own. Off: they become the active action, and one that was "
        "active before moves to an NLA track",
    )
    influence: FloatProperty(
        name="Influence",
        description="How much of the new motion is mixed with what is there",
        default=1.0,
        min=0.0,
        max=1.0,
        subtype="FACTOR",
    )
    is_combined: BoolProperty(
        name="Add to Below", description="A new layer is added to what lies below it, instead of replacing it"
    )
    choice: EnumProperty(
        name="Keys",
        description="Which frames get keys. Apply to Keys changes that later, without a new run",
        items=(
            ("EVERY_FRAME", "Every Frame", "A key on each frame"),
            ("EVERY_NTH", "Every Nth Frame", "A key on each n-th frame, and on the first and the last"),
            ("HOLD", "Hold", "Each value is held for some frames, as 2D is drawn"),
            ("SIMPLIFY", "Simplify", "As few keys as keep every frame within an error"),
        ),
    )
    step: IntProperty(name="Frames", description="From one key to the next; 2 is on twos", default=2, min=1, max=100)
    bound: FloatProperty(
        name="Error",
        description="How far a curve may lie from the motion on any frame: metres of landmarks and bones, or the share "
        "of a shape key",
        default=0.002,
        min=0.0,
        soft_max=0.1,
        precision=4,
    )
    smooth: FloatProperty(
        name="Smooth", description="Smooths the motion over so many frames before. 0: off", default=0.0, min=0, max=50
    )
    markers: EnumProperty(
        name="Markers",
        description="What is marked on the timeline, where the strips lie",
        items=(
            ("NONE", "No Markers", "Nothing is marked, and markers of an earlier run go"),
            ("WORDS", "Words", "A marker where each word of the transcript begins"),
            ("PHONES", "Phones", "A marker where each sound of the speech begins, as ARPAbet names it"),
        ),
    )
    use_bezier: BoolProperty(name="Bezier", description="Curves between keys instead of straight lines")


def manner_of(keys: SPEECHFACE_Keys, policy: Policy | None = None) -> Manner:
    """What the panel says, for `keyframes`; another policy may be given."""
    return Manner(
        policy=policy or Policy(keys.policy),
        is_nla=keys.use_nla,
        influence=round(keys.influence, 6),
        is_combined=keys.is_combined,
        shaping=Shaping(
            choice=Choice(keys.choice),
            step=keys.step,
            bound=round(keys.bound, 6),
            smooth=round(keys.smooth, 6),
            interpolation=Interpolation.BEZIER if keys.use_bezier else Interpolation.LINEAR,
        ),
    )


CLASSES = (SPEECHFACE_Keys,)
