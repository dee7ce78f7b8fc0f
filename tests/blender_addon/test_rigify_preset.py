"""Tests the preset "rigify" on the rig that Blender's own Rigify makes of its human metarig."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("bpy", reason="there is no bpy module for this Python")
pytestmark = [pytest.mark.blender, pytest.mark.slow]

ROOT = Path(__file__).parents[2]
# In a process of its own: Rigify changes what Blender's properties are.
SCRIPT = """
import json, math, os, sys
import bpy, addon_utils
sys.path.insert(0, sys.argv[1])
from shared.rig.presets import open_preset

bpy.ops.wm.read_factory_settings(use_empty=True)
addon_utils.enable("rigify", default_set=True)
from rigify.metarigs import human

metarig = bpy.data.objects.new("metarig", bpy.data.armatures.new("metarig"))
bpy.context.scene.collection.objects.link(metarig)
bpy.context.view_layer.objects.active = metarig
bpy.ops.object.mode_set(mode="EDIT")
human.create(metarig)
limbs = ("shoulder", "breast", "pelvis", "thigh")  # the face is enough, and takes a third of the time
bones = metarig.data.edit_bones
for bone in [bone for limb in bones if limb.name.startswith(limbs) for bone in (limb, *limb.children_recursive)]:
    bones.remove(bone)
bpy.ops.object.mode_set(mode="OBJECT")
bpy.ops.pose.rigify_generate()
rig = bpy.context.view_layer.objects.active
AXES = {"x": 0, "y": 1, "z": 2}


def moved(shape):
    # Where all bones go when one shape is 1, in metres.
    for bone in rig.pose.bones:
        bone.location, bone.rotation_mode, bone.rotation_euler = (0, 0, 0), "XYZ", (0, 0, 0)
    bpy.context.view_layer.update()
    rest = {bone.name: bone.tail.copy() for bone in rig.pose.bones}
    for channel in open_preset("rigify").channels:
        value = sum(source.gain for source in channel.sources if source.shape == shape)
        value = min(max(value, channel.least), channel.most)
        target = channel.bone
        bone, (what, axis) = rig.pose.bones[target.bone], target.transform.split("_")
        amount = min(max(value * target.amount, target.least), target.most)
        unit = math.radians(1) if target.unit == "degrees" else bone.bone.length if target.unit == "bone_lengths" else 1
        getattr(bone, "location" if what == "location" else "rotation_euler")[AXES[axis]] = amount * unit
    bpy.context.view_layer.update()
    return {name: list(rig.pose.bones[name].tail - before) for name, before in rest.items()}


shapes = ("jawOpen", "jawForward", "eyeBlinkLeft", "mouthSmileLeft", "mouthPucker", "mouthClose", "mouthLowerDownRight",
          "browInnerUp", "tongueOut", "mouthUpperUpLeft", "jawLeft")
print("RESULT" + json.dumps({"bones": [bone.name for bone in rig.data.bones], "moved": {s: moved(s) for s in shapes}}))
sys.stdout.flush()
os._exit(0)  # Blender 4.5 with Rigify does not always come to its end
"""


@pytest.fixture(scope="module")
def rigify():
    run = subprocess.run([sys.executable, "-c", SCRIPT, str(ROOT)], capture_output=True, text=True, check=False)
    assert "RESULT" in run.stdout, run.stdout[-2000:] + run.stderr[-2000:]
    return json.loads(run.stdout.split("RESULT")[1].splitlines()[0])


def test_every_bone_of_the_preset_is_there(rigify):
    sys.path.insert(0, str(ROOT))
    from shared.rig.detection import detect
    from shared.rig.presets import open_preset

    controls = {channel.bone.bone for channel in open_preset("rigify").channels if channel.bone}
    assert controls <= set(rigify["bones"])
    found = detect([], rigify["bones"])
    assert (found.kind, found.confidence) == ("rigify", 1)


@pytest.mark.parametrize(
    ("shape", "bone", "axis", "least", "most"),
    [  # metres of a metarig with a face 0.19 wide; x to the person's left, y to the back, z up
        ("jawOpen", "DEF-chin", 2, -0.09, -0.03),
        ("jawOpen", "lip.B", 2, -0.09, -0.02),
        ("jawOpen", "lip.T", 2, -0.02, 0.001),
        ("jawForward", "DEF-chin", 1, -0.02, -0.004),
        ("jawForward", "DEF-chin", 2, -0.004, 0.004),
        ("jawLeft", "DEF-chin", 0, 0.004, 0.02),
        ("eyeBlinkLeft", "lid.T.L.002", 2, -0.025, -0.01),
        ("eyeBlinkLeft", "lid.T.R.002", 2, -0.001, 0.001),
        ("mouthSmileLeft", "lips.L", 2, 0.005, 0.025),
        ("mouthSmileLeft", "lips.L", 0, 0.003, 0.02),
        ("mouthSmileLeft", "lips.R", 0, -0.002, 0.002),
        ("mouthPucker", "lips.L", 0, -0.025, -0.005),
        ("mouthPucker", "lips.R", 0, 0.005, 0.025),
        ("mouthPucker", "lip.T", 1, -0.02, -0.004),
        ("mouthClose", "lip.B", 2, 0.01, 0.05),
        ("mouthLowerDownRight", "lip.B.R.001", 2, -0.025, -0.005),
        ("mouthLowerDownRight", "lip.B.L.001", 2, -0.007, 0.001),
        ("mouthUpperUpLeft", "lip.T.L.001", 2, 0.004, 0.02),
        ("browInnerUp", "brow.T.L.003", 2, 0.004, 0.02),
        ("tongueOut", "DEF-tongue", 1, -0.06, -0.01),
    ],
)
def test_a_shape_moves_the_rig_as_it_moves_a_face(rigify, shape, bone, axis, least, most):
    assert least <= rigify["moved"][shape][bone][axis] <= most
