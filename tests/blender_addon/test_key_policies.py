"""Tests what becomes of an artist's keys: replace mine, keep mine, new layer, and Clear."""

import numpy as np
import pytest

bpy = pytest.importorskip("bpy", reason="there is no bpy module for this Python")

PATHS = tuple(f'key_blocks["{name}"].value' for name in ("jawOpen", "mouthPucker", "mouthLeft"))
FRAMES = np.arange(1, 41)


@pytest.fixture
def head(add_mesh):
    return add_mesh("Head", ("jawOpen", "mouthPucker", "mouthLeft", "hat"))


@pytest.fixture
def key(head):
    return head.data.shape_keys


@pytest.fixture
def motion():
    """Values (T, 3) between 0 and 1; the third curve rests."""

    def make(seed=0, count=40):
        values = np.random.default_rng(seed).uniform(0.1, 0.9, (count, 3)).astype(np.float32)
        values[:, 2] = 0
        return values

    return make


@pytest.fixture
def write(addon):
    from blender_addon.keys import keyframes

    def write(owner, values, frames=FRAMES, policy="KEEP", bake="Voice", is_nla=False, **more):
        curves = [keyframes.Curve(path, 0) for path in PATHS[: values.shape[1]]]
        manner = keyframes.Manner(keyframes.Policy(policy), is_nla, **more)
        return keyframes.write(owner, bake, frames, curves, values, name="Head", manner=manner)

    return write


@pytest.fixture
def clear(addon):
    from blender_addon.keys import key_clearing

    return key_clearing.clear


def curves(owner):
    animation = owner.animation_data
    action, slot = animation.action, animation.action_slot
    if action is None:
        strip = animation.nla_tracks[-1].strips[0]
        action, slot = strip.action, strip.action_slot
    return {curve.data_path: curve for curve in action.layers[0].strips[0].channelbag(slot).fcurves}


def keys(owner, number=0):
    """Frames and values of one curve."""
    return {round(p.co[0], 3): round(p.co[1], 5) for p in curves(owner)[PATHS[number]].keyframe_points}


def of(values, number=0, first=1):
    return {first + row: round(float(value), 5) for row, value in enumerate(values[:, number])}


def value(head, number, frame):
    bpy.context.scene.frame_set(frame)
    return head.data.shape_keys.path_resolve(PATHS[number])


def change(owner, frames, values):
    """What an artist does to selected keys in the Graph Editor: frames and values are functions of both."""
    for curve in curves(owner).values():
        for point in curve.keyframe_points:
            x, y = point.co
            point.co = (frames(x, y), values(x, y))
        curve.update()


def state(owner):
    """All that Clear might have to put back."""
    bpy.context.view_layer.update()
    animation = owner.animation_data
    described = None
    if animation is not None:
        tracks = [(t.name, [(s.action.name, s.action_slot.identifier, s.frame_start) for s in t.strips])
                  for t in animation.nla_tracks]  # fmt: skip
        described = (animation.action and animation.action.name, tracks)
    actions = []
    for action in bpy.data.actions:
        bags = [bag for layer in action.layers for strip in layer.strips for bag in strip.channelbags]
        made = [
            (curve.data_path, curve.group and curve.group.name, [tuple(point.co) for point in curve.keyframe_points])
            for bag in bags
            for curve in bag.fcurves
        ]
        groups = [group.name for bag in bags for group in bag.groups]
        actions.append((action.name, [slot.identifier for slot in action.slots], made, groups))
    return described, actions, [owner.path_resolve(path) for path in PATHS]


def test_keys_that_were_scaled_are_replaced_when_that_is_asked_for(key, write, motion):
    write(key, motion(1))
    change(key, lambda x, y: x, lambda x, y: 1.5 * y)
    kept = write(key, motion(2), policy="KEEP")
    assert keys(key) == pytest.approx({frame: 1.5 * v for frame, v in of(motion(1)).items()}, abs=2e-5)
    assert kept.sentences("Head") == ["keys of Head that were set by hand stay: 80"]  # those at rest were not changed
    written = write(key, motion(3), policy="REPLACE")
    assert [keys(key, number) for number in range(3)] == [of(motion(3), number) for number in range(3)]
    assert written.key_count == 120
    assert written.sentences("Head") == ["keys of Head that were set by hand were replaced: 80"]


def test_keep_mine_keeps_what_was_added_moved_changed_and_taken_away(key, write, motion):
    write(key, motion(1))
    curve = curves(key)[PATHS[0]]
    points = {point.co[0]: point for point in curve.keyframe_points}
    points[10].co[1] = 0.95  # changed
    points[12].interpolation = "BEZIER"  # likewise
    points[20].co[0] = 20.5  # moved
    curve.keyframe_points.remove(points[30])
    curve.update()
    curve.keyframe_points.insert(25.25, 0.123)  # added
    expected = of(motion(2)) | {10: 0.95, 12: of(motion(1))[12], 20.5: of(motion(1))[20], 25.25: 0.123}
    for number in (20, 30):
        del expected[number]
    for _ in range(2):  # and they stay so
        written = write(key, motion(2), policy="KEEP")
        assert keys(key) == expected
        assert keys(key, 1) == of(motion(2), 1)
        assert (written.kept_count, written.emptied_count, written.key_count) == (4, 2, 40 * 3 - 4)
        assert written.sentences("Head") == [
            "keys of Head that were set by hand stay: 4",
            "keys of Head that were taken away by hand stay away: 2",
        ]


@pytest.mark.parametrize(
    ("scale", "offset", "said"),
    [(1, 7, "moved by +7 frames"), (1, -0.5, "moved by -0.5 frames"), (1.5, 3, "scaled in time by 1.5")],
)
@pytest.mark.parametrize("is_snapped", [False, True])
def test_a_bake_that_was_shifted_or_scaled_as_a_whole_is_never_mixed(
    key, write, motion, scale, offset, said, is_snapped
):
    write(key, motion(1))
    snapped = round if is_snapped and scale != 1 else float
    change(key, lambda x, y: snapped(scale * x + offset), lambda x, y: y)
    curves(key)[PATHS[0]].keyframe_points[5].co[1] = 0.987  # and one key is changed
    before = [keys(key, number) for number in range(3)]
    written = write(key, motion(2), policy="KEEP")
    assert [keys(key, number) for number in range(3)] == before
    assert written.key_count == 0
    (sentence,) = written.sentences("Head")
    assert sentence.startswith(f"the keys of Head were {said}")
    assert sentence.endswith(
        "and stay as they are; to have new ones, choose Replace Mine or New Layer and generate again"
    )
    written = write(key, motion(3), policy="REPLACE")
    assert [keys(key, number) for number in range(3)] == [of(motion(3), number) for number in range(3)]
    assert written.replaced_count > 80


def test_keys_that_were_moved_in_part_leave_no_trace_when_replaced(key, write, motion):
    write(key, motion(1))
    change(key, lambda x, y: x + 6 if x > 30 else x, lambda x, y: y)
    write(key, motion(2), policy="KEEP")
    expected = {f: v for f, v in of(motion(2)).items() if f <= 30}
    expected |= {f + 6: v for f, v in of(motion(1)).items() if f > 30}
    assert keys(key) == expected  # nothing new between the moved ones
    write(key, motion(3), policy="REPLACE")
    assert keys(key) == of(motion(3))


def test_keys_that_were_moved_along_with_their_sound_are_still_ours(key, write, motion):
    write(key, motion(1))
    change(key, lambda x, y: x + 100, lambda x, y: y)
    written = write(key, motion(2), FRAMES + 100)
    assert keys(key) == of(motion(2), first=101)
    assert written.sentences("Head") == []


def test_a_strip_that_was_moved_stays_unless_replaced(head, key, write, motion):
    write(key, motion(1), is_nla=True)
    strip = key.animation_data.nla_tracks[0].strips[0]
    strip.frame_start, strip.frame_end = 13, 13 + strip.frame_end - strip.frame_start
    written = write(key, motion(2), is_nla=True)
    assert "moved by +12 frames and stay as they are" in written.sentences("Head")[0]
    assert value(head, 0, 20) == pytest.approx(motion(1)[7, 0])
    write(key, motion(2), is_nla=True, policy="REPLACE")
    assert value(head, 0, 20) == pytest.approx(motion(2)[19, 0])


@pytest.mark.parametrize("is_nla", [False, True])
@pytest.mark.parametrize(("is_combined", "influence"), [(False, 1.0), (False, 0.25), (True, 1.0), (True, 0.5)], ids=str)
def test_a_new_layer_lies_above_and_leaves_the_earlier_as_it_is(
    head, key, write, motion, is_nla, is_combined, influence
):
    earlier = write(key, 0.4 * motion(1), is_nla=is_nla).action
    change(key, lambda x, y: x, lambda x, y: y + 0.01)
    before = keys(key)
    frames, new = FRAMES[10:20], 0.4 * motion(2, 10)
    written = write(key, new, frames, policy="LAYER", is_nla=is_nla, is_combined=is_combined, influence=influence)
    assert written.action != earlier
    assert written.sentences("Head")[0].endswith("the earlier ones are as they were")
    for frame in (11, 15, 20):
        below = before[frame]
        wanted = new[frame - 11, 0]
        expected = below + influence * wanted if is_combined else below + influence * (wanted - below)
        assert value(head, 0, frame) == pytest.approx(expected, abs=1e-5)
    for frame in (10, 21):  # beside it, what is below
        assert value(head, 0, frame) == pytest.approx(before[frame], abs=1e-5)
    seen = value(head, 0, 15)
    write(key, 2 * new, frames, is_nla=is_nla)  # the next one goes into the layer, which keeps its place
    assert value(head, 0, 15) - seen == pytest.approx(influence * new[4, 0], abs=1e-5)
    points = earlier.layers[0].strips[0].channelbags[0].fcurves.find(PATHS[0]).keyframe_points
    assert {round(p.co[0]): round(p.co[1], 5) for p in points} == before


def test_bones_turn_together_in_a_combined_layer(addon, add_armature):
    from blender_addon.keys import keyframes
    from blender_addon.rigs.character_keys import quaternions

    rig = add_armature(bones=("jaw",))
    path = 'pose.bones["jaw"].rotation_quaternion'
    turned = [keyframes.Curve(path, index) for index in range(4)]
    quarter = np.repeat(quaternions(np.array([[0.3, 0.0, 0.0]])), 10, axis=0)
    keyframes.write(rig, "Voice", np.arange(1, 11), turned, quarter)
    above = keyframes.Manner(keyframes.Policy.LAYER, is_combined=True)
    keyframes.write(rig, "Voice", np.arange(1, 11), turned, quarter, manner=above)
    bpy.context.scene.frame_set(5)
    assert rig.pose.bones["jaw"].rotation_quaternion.to_euler().x == pytest.approx(0.6, abs=1e-5)


def test_two_sounds_of_one_character_do_not_take_each_others_keys(key, write, motion):
    write(key, motion(1), bake="A")
    write(key, motion(2), FRAMES + 30, bake="B")  # which begins before A has ended
    write(key, motion(3)[:20], FRAMES[:20], bake="A")
    assert keys(key) == of(motion(3)[:20]) | of(motion(2), first=31)
    write(key, motion(4), bake="A")
    assert keys(key) == of(motion(4)) | {f: v for f, v in of(motion(2), first=31).items() if f > 40}


@pytest.mark.parametrize("is_nla", [False, True])
@pytest.mark.parametrize("has_artists", [False, True])
@pytest.mark.parametrize("layers", [0, 2])
def test_clear_takes_away_exactly_what_was_made(key, write, clear, motion, is_nla, has_artists, layers):
    key.key_blocks["jawOpen"].value = 0.25
    if has_artists:
        key.key_blocks["hat"].value = 0.6
        key.key_blocks["hat"].keyframe_insert("value", frame=3)
    before = state(key)
    write(key, motion(1), is_nla=is_nla)
    write(key, motion(2)[:20, :2], FRAMES[:20], is_nla=is_nla)  # shorter, with fewer curves
    for seed in range(layers):
        write(key, motion(seed + 5), policy="LAYER", is_nla=is_nla)
    bpy.context.scene.frame_set(12)
    cleared = clear(key, "Voice")
    bpy.context.scene.frame_set(13)
    assert state(key) == before
    assert (cleared.key_count, cleared.action_count) == (40 + layers * 120, 1 + layers)
    assert cleared.kept_count == 0
    assert clear(key, "Voice").key_count == 0


def test_clear_keeps_what_an_artist_made_and_other_sounds(key, write, clear, motion):
    write(key, motion(1))
    write(key, motion(2), FRAMES + 100, bake="Other")
    key.keyframe_insert('key_blocks["hat"].value', frame=3)
    curve = curves(key)[PATHS[0]]
    curve.keyframe_points[4].co[1] = 0.99
    curves(key)[PATHS[1]].modifiers.new("NOISE")
    cleared = clear(key, "Voice")
    assert (cleared.key_count, cleared.kept_count, cleared.curve_count) == (119, 1, 0)
    assert cleared.sentence("Head") == "cleared 119 keys of Head; 1 that were set by hand stay"
    assert keys(key) == {5: 0.99} | of(motion(2), first=101)
    assert clear(key, "Other").curve_count == 1
    assert set(curves(key)) == {PATHS[0], PATHS[1], 'key_blocks["hat"].value'}
    assert len(curves(key)[PATHS[1]].modifiers) == 1


def test_a_simplified_bake_is_replaced_cleared_and_recognised_as_ours(key, write, clear, motion):
    from blender_addon.keys.key_shapes import Choice, Interpolation, Shaping

    times = np.arange(40)[:, None]
    values = (0.5 + 0.4 * np.sin(times / [5, 7, 9])).astype(np.float32)
    few = Shaping(Choice.SIMPLIFY, bound=0.01, interpolation=Interpolation.BEZIER)
    first = write(key, values, shaping=few)
    assert 6 < first.key_count < 60
    bpy.ops.wm.save_as_mainfile(filepath=bpy.app.tempdir + "few.blend")
    bpy.ops.wm.open_mainfile(filepath=bpy.app.tempdir + "few.blend")
    key = bpy.data.shape_keys[0]
    for curve in curves(key).values():
        curve.update()
    again = write(key, values, shaping=few)
    assert (again.key_count, again.kept_count, again.emptied_count) == (first.key_count, 0, 0)
    point = curves(key)[PATHS[0]].keyframe_points[1]
    point.handle_right[1] += 0.1  # drawn by an artist
    assert write(key, values, shaping=few).kept_count == 1
    assert write(key, motion(1), policy="REPLACE").key_count == 120
    assert clear(key, "Voice").key_count == 120


def test_bakes_of_the_first_releases_are_known(key, write, clear, motion):
    action = write(key, motion(1)).action
    text = "\n".join(f"{path}[0]" for path in PATHS)
    action["speech_face_bakes"]["Voice"] = {"first": 1, "values": motion(1).ravel(), "curves": text}
    written = write(key, motion(2))
    assert (written.kept_count, written.key_count) == (0, 120)
    written.action["speech_face_bakes"]["Voice"] = {"first": 1, "values": motion(2).ravel(), "curves": text}
    assert clear(key, "Voice").key_count == 120
    assert not bpy.data.actions


def test_keys_are_shaped_anew_from_what_was_asked_for(key, write, clear):
    from blender_addon.keys import keyframes
    from blender_addon.keys.key_shapes import Choice, Shaping
    from blender_addon.slices import exhaust

    times = np.arange(40)[:, None]
    values = (0.5 + 0.4 * np.sin(times / [5, 7, 9])).astype(np.float32)
    write(key, values, shaping=Shaping(Choice.SIMPLIFY, bound=0.05))
    assert len(keys(key)) < 20
    for choice, count in ((Choice.HOLD, 20), (Choice.EVERY_FRAME, 40)):
        manner = keyframes.Manner(keyframes.Policy.REPLACE, shaping=Shaping(choice))
        (written,) = exhaust(keyframes.write_steps([keyframes.again(key, "Voice", manner)]))
        assert len(keys(key)) == count
        assert written.action.name == "Head Speech"
    assert keys(key) == of(values)  # nothing was lost on the way
    assert clear(key, "Voice").key_count == 120


def test_new_keys_are_mixed_with_what_is_there_by_influence(key, write, motion):
    write(key, motion(1))
    write(key, motion(2), policy="REPLACE", influence=0.25)
    assert keys(key) == pytest.approx(of(0.75 * motion(1) + 0.25 * motion(2)), abs=2e-5)
    key.key_blocks["jawOpen"].value = 0.5
    write(key, motion(2), FRAMES + 100, bake="Other", influence=0.5)  # the curve goes on at its last key
    last = 0.75 * motion(1)[-1, 0] + 0.25 * motion(2)[-1, 0]
    assert keys(key)[101] == pytest.approx((last + motion(2)[0, 0]) / 2, abs=2e-5)


def test_an_influence_out_of_range_is_refused(key, write, motion):
    with pytest.raises(Exception, match=r"the influence is 1.5; give 0 to 1"):
        write(key, motion(1), influence=1.5)
