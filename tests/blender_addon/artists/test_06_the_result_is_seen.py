"""Complaint: in the default scene the face lay inside the cube, unselected: nothing seemed to have happened."""

import numpy as np
import pytest

bpy = pytest.importorskip("bpy", reason="there is no bpy module for this Python")


@pytest.fixture
def ready(preferences, fake_backend, add_image, add_strip, character):
    """The scene that Blender starts with, and a character."""
    preferences.connection_file = str(fake_backend.connection_file)
    bpy.ops.mesh.primitive_cube_add(size=2)
    add_image()
    add_strip()
    return character


def bounds(item):
    bpy.context.view_layer.update()
    corners = np.array([item.matrix_world @ vertex.co for vertex in item.data.vertices])
    return corners.min(axis=0), corners.max(axis=0)


def test_it_is_clear_of_other_objects_and_selected(ready):
    cube = bpy.context.object
    assert bpy.ops.speechface.generate() == {"FINISHED"}
    plane = ready().plane
    assert bounds(plane)[0][0] > bounds(cube)[1][0]
    assert {item.name for item in bpy.context.selected_objects} == {plane.name, ready().rig.name}
    assert bpy.context.view_layer.objects.active == plane


def test_a_second_character_stands_beside_the_first(ready, add_strip):
    bpy.ops.speechface.generate()
    first, photo = ready().plane, ready().images[0].image
    bpy.ops.speechface.add_character(name="Ben")
    ready().images.add().image = photo
    assert bpy.ops.speechface.generate() == {"FINISHED"}
    assert bounds(ready().plane)[0][0] > bounds(first)[1][0]


def test_an_empty_scene_has_it_at_the_cursor(ready):
    bpy.data.objects.remove(bpy.context.object)
    bpy.context.scene.cursor.location = (1, 2, 3)
    bpy.ops.speechface.generate()
    assert tuple(ready().rig.location) == (1, 2, 3)
    np.testing.assert_allclose(bounds(ready().plane)[0], (0.5, 2, 2.5), atol=1e-6)


def test_a_second_run_leaves_place_and_selection_alone(ready):
    bpy.ops.speechface.generate()
    plane = ready().plane
    ready().rig.location = (9, 9, 9)
    bpy.ops.object.select_all(action="DESELECT")
    bpy.ops.speechface.generate()
    assert ready().plane == plane
    assert tuple(ready().rig.location) == (9, 9, 9)
    assert bpy.context.selected_objects == []


def test_it_may_be_turned_off(ready):
    bpy.context.scene.speech_face.is_presented = False
    cube = bpy.context.object
    bpy.ops.speechface.generate()
    assert bpy.context.view_layer.objects.active == cube
