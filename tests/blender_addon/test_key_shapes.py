"""Tests that the choice of keys keeps its bound on every frame, and that Blender evaluates keys as we foresee."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

bpy = pytest.importorskip("bpy", reason="there is no bpy module for this Python")

MOTIONS = hnp.arrays(
    np.float32,
    st.tuples(st.integers(1, 60), st.integers(1, 3)),
    elements=st.floats(-100, 100, width=32),
)


@pytest.fixture
def shapes(addon):
    from blender_addon.keys import key_shapes

    return key_shapes


@pytest.fixture
def evaluated_by_blender(addon):
    """What Blender makes of a shape on its whole frames, without and with its own look at the handles."""

    def evaluate(shape):
        from blender_addon.keys import keyframes

        count, columns = shape.values.shape
        owner = bpy.data.objects.new("Box", None)
        curves = [keyframes.Curve(f'["c{column}"]', 0) for column in range(columns)]
        for column in range(columns):
            owner[f"c{column}"] = 0.0
        action = keyframes.write(owner, "Voice", np.arange(5, 5 + count), curves, shape).action
        fcurves = action.layers[0].strips[0].channelbags[0].fcurves
        seen = []
        for _ in range(2):
            seen.append([[fcurves.find(c.data_path).evaluate(5 + row) for c in curves] for row in range(count)])
            for fcurve in fcurves:
                fcurve.update()
        bpy.data.objects.remove(owner)
        bpy.data.actions.remove(action)
        return np.array(seen)

    return evaluate


@pytest.mark.parametrize("interpolation", ["LINEAR", "BEZIER"])
@given(values=MOTIONS, bound=st.floats(0, 50))
@settings(max_examples=120, deadline=None)
def test_a_simplified_motion_keeps_its_bound_on_every_frame(interpolation, values, bound):
    from blender_addon.keys import key_shapes

    shape = key_shapes.simplify(values, bound, key_shapes.Interpolation(interpolation))
    assert shape.is_key[[0, -1]].all()
    assert np.abs(key_shapes.evaluate(shape) - values).max() <= bound
    np.testing.assert_array_equal(shape.values, values)


@pytest.mark.parametrize("interpolation", ["LINEAR", "BEZIER"])
def test_blender_keeps_the_bound_with_few_keys(shapes, evaluated_by_blender, interpolation):
    times = np.arange(200)
    values = np.stack([np.sin(times / 8), np.where(times < 90, 0.0, 0.5), times * 0.01], axis=1)
    shape = shapes.simplify(values, 0.02, shapes.Interpolation(interpolation))
    for seen in evaluated_by_blender(shape):
        assert np.abs(seen - values).max() <= 0.02 + 1e-6
    assert shape.is_key.sum(axis=0).tolist()[2] == 2  # a line
    assert shape.is_key[:, 1].sum() <= (4 if interpolation == "LINEAR" else 12)  # a step
    assert shape.is_key[:, 0].sum() < 60


@given(values=MOTIONS, step=st.integers(1, 7))
@settings(max_examples=60, deadline=None)
def test_every_nth_frame_has_a_key_and_so_have_the_ends(values, step):
    from blender_addon.keys import key_shapes

    shape = key_shapes.every_nth(values, step)
    wanted = {*range(0, len(values), step), len(values) - 1}
    assert all(set(np.flatnonzero(column)) == wanted for column in shape.is_key.T)


@given(values=MOTIONS, step=st.integers(1, 7))
@settings(max_examples=60, deadline=None)
def test_held_values_change_on_twos_and_only_where_they_must(values, step):
    from blender_addon.keys import key_shapes

    shape = key_shapes.hold(values, step)
    drawn = np.repeat(values[::step], step, axis=0)[: len(values)]
    np.testing.assert_array_equal(key_shapes.evaluate(shape), drawn)
    changes = np.vstack([np.ones((1, values.shape[1]), bool), drawn[1:] != drawn[:-1]])
    np.testing.assert_array_equal(shape.is_key, changes)


@pytest.mark.parametrize("choice", ["EVERY_FRAME", "EVERY_NTH", "HOLD", "SIMPLIFY"])
@pytest.mark.parametrize("interpolation", ["LINEAR", "BEZIER"])
def test_blender_evaluates_keys_as_foreseen(shapes, evaluated_by_blender, choice, interpolation):
    values = np.random.default_rng(3).normal(0, 1, (37, 2)).cumsum(axis=0)
    shaping = shapes.Shaping(
        shapes.Choice(choice), step=3, bound=0.4, smooth=3, interpolation=shapes.Interpolation(interpolation)
    )
    from blender_addon.slices import exhaust

    shape = exhaust(shapes.shape_steps(values, shaping))
    for seen in evaluated_by_blender(shape):
        np.testing.assert_allclose(seen, shapes.evaluate(shape), atol=2e-5)


def test_smoothing_keeps_rest_and_takes_jitter_away(shapes):
    values = np.zeros((50, 2), np.float32)
    values[:, 1] = np.tile([1, -1], 25)
    smoothed = shapes.smooth(values, 6)
    assert not smoothed[:, 0].any()
    assert np.abs(smoothed[10:40, 1]).max() < 0.02
    np.testing.assert_allclose(shapes.smooth(np.full((20, 1), 0.7, np.float32), 4), 0.7, atol=1e-6)


def test_blending_goes_from_what_is_there_to_the_new(shapes):
    there, new = np.zeros((3, 2)), np.ones((3, 2))
    np.testing.assert_allclose(shapes.blend(there, new, 0.25), 0.25)
    np.testing.assert_allclose(shapes.blend(there, new, np.array([[0], [0.5], [1]])), [[0, 0], [0.5, 0.5], [1, 1]])


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"choice": "EVERY_NTH", "step": 0}, "0 is no number of frames from key to key; give 1 or more"),
        ({"choice": "HOLD", "step": -2}, "-2 is no number of frames"),
        ({"choice": "SIMPLIFY", "bound": -1.0}, "-1.0 is no bound of an error; give 0 or more"),
        ({"choice": "SIMPLIFY", "bound": float("nan")}, "nan is no bound"),
        ({"choice": "SIMPLIFY", "interpolation": "CONSTANT"}, "constant keys cannot be simplified"),
        ({"smooth": -3.0}, "-3.0 is no width to smooth over"),
    ],
)
def test_numbers_out_of_range_are_refused(shapes, settings, sentence):
    from blender_addon._shared import errors
    from blender_addon.slices import exhaust

    if "interpolation" in settings:
        settings["interpolation"] = shapes.Interpolation(settings["interpolation"])
    shaping = shapes.Shaping(**{**settings, "choice": shapes.Choice(settings.get("choice", "EVERY_FRAME"))})
    with pytest.raises(errors.ValueRangeError, match=sentence):
        exhaust(shapes.shape_steps(np.zeros((4, 1)), shaping))
