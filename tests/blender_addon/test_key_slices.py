"""Tests that keys are written in slices and appear at once: never half of them, in the scene, a file or an undo."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

bpy = pytest.importorskip("bpy", reason="there is no bpy module for this Python")

ROOT = Path(__file__).resolve().parents[2]
NAMES = tuple(f"shape{number}" for number in range(6))
FRAMES = np.arange(1, 31)


@pytest.fixture
def head(add_mesh):
    return add_mesh("Head", (*NAMES, "hat"))


@pytest.fixture
def keying(addon):
    """Slices that write a motion into the shape keys of the mesh Head."""
    from blender_addon.keys import keyframes

    def begin(seed=0, frames=FRAMES, names=NAMES, **manner):
        key = bpy.data.objects["Head"].data.shape_keys
        curves = tuple(keyframes.Curve(f'key_blocks["{name}"].value', 0, name) for name in names)
        values = np.random.default_rng(seed).uniform(0, 1, (len(frames), len(names)))
        request = keyframes.Request(key, "Voice", frames, curves, values, "Head", keyframes.Manner(**manner))
        return keyframes.write_steps([request])

    return begin


@pytest.fixture
def exhaust(addon):
    from blender_addon.slices import exhaust

    return exhaust


def described(action):
    """All of an action that an artist can see, and what it remembers."""
    (bag,) = action.layers[0].strips[0].channelbags
    fields = ("co", "handle_left", "handle_right", "interpolation", "easing", "type", "handle_left_type", "amplitude")
    curves = {
        (curve.data_path, curve.array_index): (
            curve.group and curve.group.name,
            [getattr(curve, name) for name in ("extrapolation", "mute", "lock", "color_mode")],
            [(modifier.type, modifier.strength if modifier.type == "NOISE" else 0) for modifier in curve.modifiers],
            [[np.round(getattr(point, field), 4).tolist() if field in fields[:3] else getattr(point, field)
              for field in fields] for point in curve.keyframe_points],
        )
        for curve in bag.fcurves
    }  # fmt: skip
    bakes = {
        name: [str(bake[field]) for field in ("first", "count", "curves")]
        for name, bake in action["speech_face_bakes"].items()
    }
    markers = [(marker.name, marker.frame) for marker in action.pose_markers]
    extras = action.get("mine"), action.use_fake_user, action.use_frame_range, action.frame_start, action.name
    return curves, bakes, markers, extras


def the_action():
    return bpy.data.objects["Head"].data.shape_keys.animation_data.action


def saved_actions(path):
    """What a file holds that is saved now."""
    bpy.ops.wm.save_as_mainfile(filepath=str(path), copy=True)
    with bpy.data.libraries.load(str(path)) as (there, _):
        return list(there.actions)


def test_each_curve_is_a_slice_and_nothing_is_seen_before_the_last(head, keying, tmp_path):
    slices = keying()
    seen = []
    for done in slices:
        assert head.data.shape_keys.animation_data is None
        seen.append(done)
    assert len(seen) > len(NAMES)
    assert seen == sorted(seen) and 0 <= seen[0] <= seen[-1] <= 1
    assert saved_actions(tmp_path / "after.blend") == ["Head Speech"]


@pytest.mark.parametrize("again", [False, True])
@pytest.mark.parametrize("slice_number", [0, 1, 4, 6])
def test_a_file_that_is_saved_in_the_middle_holds_nothing_half_written(
    head, keying, exhaust, tmp_path, again, slice_number
):
    if again:
        exhaust(keying(1))
        before = described(the_action())
    slices = keying(2)
    for _ in range(slice_number + 1):
        next(slices)
    assert saved_actions(tmp_path / "middle.blend") == (["Head Speech"] if again else [])
    if again:
        assert described(the_action()) == before
    slices.close()  # cancelled
    assert [action.name for action in bpy.data.actions] == (["Head Speech"] if again else [])
    if again:
        assert described(the_action()) == before
    else:
        assert head.data.shape_keys.animation_data is None


@pytest.mark.parametrize("again", [False, True])
@pytest.mark.parametrize("is_pushed_in_between", [False, True])
def test_an_undo_in_the_middle_ends_the_work_and_leaves_what_was_there(
    head, keying, exhaust, again, is_pushed_in_between
):
    from blender_addon._shared import errors

    if again:
        exhaust(keying(1))
        before = described(the_action())
    bpy.ops.ed.undo_push(message="before")
    head.location.x = 3
    bpy.ops.ed.undo_push(message="moved")
    slices = keying(2)
    while not any("Draft" in action.name for action in bpy.data.actions):
        next(slices)
    for _ in range(3):
        next(slices)
    if is_pushed_in_between:
        bpy.data.objects["Head"].location.x = 4
        bpy.ops.ed.undo_push(message="moved again, half of the keys exist")
        next(slices)
        bpy.data.objects["Head"].location.x = 5
        bpy.ops.ed.undo_push(message="and again")
    bpy.ops.ed.undo()
    with pytest.raises(errors.SpeechFaceError, match="something was undone meanwhile; generate again"):
        exhaust(slices)
    assert [action.name for action in bpy.data.actions] == (["Head Speech"] if again else [])
    if again:
        assert described(the_action()) == before
    else:
        animation = bpy.data.objects["Head"].data.shape_keys.animation_data
        assert animation is None or animation.action is None


def test_an_owner_that_is_removed_in_the_middle_ends_the_work(head, keying, exhaust):
    from blender_addon._shared import errors

    slices = keying()
    next(slices)
    bpy.data.meshes.remove(head.data)
    with pytest.raises(errors.SpeechFaceError, match="is gone, so it has no keys; generate the face again"):
        exhaust(slices)
    assert not bpy.data.actions


def test_what_an_artist_edits_meanwhile_is_kept(head, keying, exhaust):
    exhaust(keying(1))
    slices = keying(2)
    for _ in range(12):
        next(slices)
    fcurves = the_action().layers[0].strips[0].channelbags[0].fcurves
    fcurves[0].keyframe_points[3].co[1] = 0.777
    head.data.shape_keys.keyframe_insert('key_blocks["hat"].value', frame=5)
    (written,) = exhaust(slices)
    fcurves = the_action().layers[0].strips[0].channelbags[0].fcurves
    assert fcurves[0].keyframe_points[3].co[1] == pytest.approx(0.777)
    assert fcurves.find('key_blocks["hat"].value') is not None
    assert written.kept_count == 1


@pytest.mark.parametrize("policy", ["KEEP", "REPLACE"])
@pytest.mark.parametrize("modifier", [False, True])
def test_large_and_small_actions_keep_the_same_of_an_artist(head, keying, exhaust, monkeypatch, policy, modifier):
    """A large action is carried over curve by curve, a small one is copied by Blender."""
    from blender_addon.keys import key_drafts, key_fields
    from blender_addon.keys.keyframes import Policy

    found = []
    for limit, many in ((50_000, 30_000), (0, 0)):
        monkeypatch.setattr(key_drafts, "COPIED_AT_ONCE", limit)
        monkeypatch.setattr(key_fields, "MANY", many)
        exhaust(keying(1))
        action = the_action()
        head.data.shape_keys.keyframe_insert('key_blocks["hat"].value', frame=5)
        bag = action.layers[0].strips[0].channelbags[0]
        hat, first, second = bag.fcurves.find('key_blocks["hat"].value'), bag.fcurves[0], bag.fcurves[1]
        hat.keyframe_points[0].interpolation, hat.extrapolation, hat.lock = "ELASTIC", "LINEAR", True
        if modifier:
            hat.modifiers.new("NOISE").strength = 0.25
            second.modifiers.new("CYCLES")
        first.keyframe_points[4].co[1], first.keyframe_points[4].interpolation = 0.5, "BEZIER"
        first.mute = True
        action["mine"], action.use_fake_user = "yes", True
        action.use_frame_range, action.frame_start = True, 3
        action.pose_markers.new("here").frame = 7
        names = NAMES[:-1]  # the last is no longer moved
        exhaust(keying(2, FRAMES[:20], names, policy=Policy(policy)))
        assert len(bpy.data.actions) == 1
        found.append(described(the_action()))
        found[-1][0]["rest"] = head.data.shape_keys.key_blocks[NAMES[-1]].value
        the_action().use_fake_user = False
        head.data.shape_keys.animation_data_clear()
        bpy.data.actions.remove(bpy.data.actions[0])
    assert found[0] == found[1]


def test_others_that_use_the_action_go_on_using_it(head, keying, exhaust):
    exhaust(keying(1))
    other = head.copy()
    other.data = head.data.copy()
    other.data.shape_keys.animation_data_create().action = the_action()
    other.data.shape_keys.animation_data.action_slot = head.data.shape_keys.animation_data.action_slot
    exhaust(keying(2))
    animation = other.data.shape_keys.animation_data
    assert animation.action == the_action()
    assert animation.action_slot == head.data.shape_keys.animation_data.action_slot


def test_several_datablocks_change_together_or_not_at_all(add_mesh, addon):
    from blender_addon._shared import errors
    from blender_addon.keys import keyframes
    from blender_addon.slices import exhaust

    owners = [add_mesh(name, ("jawOpen",)).data.shape_keys for name in ("Head", "Teeth")]
    curves = (keyframes.Curve('key_blocks["jawOpen"].value', 0),)
    requests = [keyframes.Request(owner, "Voice", FRAMES, curves, np.ones((30, 1))) for owner in owners]
    slices = keyframes.write_steps(requests)
    while bpy.data.actions.get("Speech Face Draft.001") is None:
        next(slices)
        assert all(owner.animation_data is None for owner in owners)
    bpy.data.meshes.remove(bpy.data.objects["Teeth"].data)
    with pytest.raises(errors.SpeechFaceError, match="is gone"):
        exhaust(slices)
    assert owners[0].animation_data is None
    assert not bpy.data.actions


def test_a_timer_steps_for_as_long_as_it_may(addon, clock):
    from blender_addon.slices import Sliced

    def slices():
        for number in range(10):
            clock.now += 0.008
            yield number / 10
        return "done"

    work = Sliced(slices(), clock)
    assert not work.step(0.02)
    assert work.done == 0.2  # three slices fill 20 ms
    assert not work.step(0.0)
    assert work.done == 0.3  # one at least
    assert work.step(1.0)
    assert (work.is_over, work.result, work.done) == (True, "done", 1.0)


@pytest.mark.slow
def test_the_bench_prints_a_row_for_each_measurement():
    command = [sys.executable, "-m", "blender_addon", "bench", "--minutes", "0.02"]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    printed = ran.stdout.splitlines()
    assert f"Blender {bpy.app.version_string}" in printed
    lines = [line for line in printed if " ms" in line]  # others may be Blender's own
    assert lines[0].startswith("key  ") and lines[0].endswith("136 curves x 36 frames")
    assert sum("no part of the add-on" in line for line in lines) == 2
    assert lines[-1].startswith("pictures arriving  ") and lines[-1].endswith("36 of 256 x 256, 30 ms a step")
