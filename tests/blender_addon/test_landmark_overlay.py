"""Tests that landmarks are drawn where they lie, and taken and moved by what lies under the mouse."""

from types import SimpleNamespace

import numpy as np
import pytest

bpy = pytest.importorskip("bpy", reason="there is no bpy module for this Python")

NOSE, CHIN = 30, 8


@pytest.fixture
def head(preferences, fake_backend, add_mesh, character):
    """A head whose landmarks were found, one of them corrected."""
    preferences.connection_file = str(fake_backend.connection_file)
    rigging = character().rigging
    rigging.character = add_mesh("Head", ("q1", "q2"))
    bpy.ops.speechface.find_landmarks()
    rigging.faces[0].landmarks[CHIN].vertex = 6
    return rigging.character


@pytest.fixture
def face(head):
    return bpy.context.scene.speech_face.characters[0].rigging.faces[0]


@pytest.fixture
def touched(head):
    from blender_addon.rigs import character, face_landmarks, face_surface, landmark_touch

    def touched(picked=head):
        found = character.read(picked)
        rest = face_surface.surface(bpy.context, found)
        return landmark_touch.TouchedSurface(face_landmarks.shown_surface(bpy.context, found, rest))

    return touched


def window_and_region():
    """The window of Blender's module, the region of its 3D view, and how that looks at the scene."""
    window = bpy.context.window
    area = next(area for area in window.screen.areas if area.type == "VIEW_3D")
    region = next(region for region in area.regions if region.type == "WINDOW")
    return window, region, area.spaces.active.region_3d


def places():
    from blender_addon.rigs import face_landmarks

    return face_landmarks.places(bpy.context, bpy.context.scene.speech_face.characters[0].rigging.faces[0])


def test_points_lie_where_the_scene_shows_their_vertices(head):
    np.testing.assert_allclose(places()[[NOSE, CHIN]], [(0.5, 0.75, 0), (0.5, 0.25, 0)], atol=1e-6)
    head.data.shape_keys.key_blocks["q1"].value = 1  # lifts vertex 0
    head.location, head.scale = (0, 0, 5), (2, 2, 2)
    bpy.context.view_layer.update()
    np.testing.assert_allclose(places()[[0, NOSE]], [(0, 0, 5.2), (1, 1.5, 5)], atol=1e-6)
    bpy.context.view_layer.objects.active = head
    bpy.ops.object.mode_set(mode="EDIT")
    np.testing.assert_allclose(places()[NOSE], (1, 1.5, 5), atol=1e-6)


def test_a_vertex_that_is_gone_is_not_drawn(head, face):
    from blender_addon.rigs import landmark_overlay

    count = len(landmark_overlay.segments(places()))
    assert count == 16 + 4 + 4 + 3 + 4 + 6 + 6 + 12 + 8
    face.landmarks[CHIN].vertex = 99
    assert np.isnan(places()[CHIN]).all()
    assert len(landmark_overlay.segments(places())) == count - 2
    face.landmarks[CHIN].object = None
    assert np.isnan(places()[CHIN]).all()


def test_a_click_takes_the_landmark_that_is_seen_there_and_drags_it_over_the_surface(head, touched):
    from blender_addon.rigs import landmark_touch

    _, region, view_of = window_and_region()
    view = landmark_touch.View(region, view_of)
    surface, points = touched(), places()
    pixel = view.pixel(points[CHIN])  # on vertex 6, where no other landmark was put by hand
    taken = surface.landmark(view, pixel, points)
    np.testing.assert_allclose(points[taken], points[CHIN], atol=1e-6)
    assert surface.landmark(view, (pixel[0] + 500, pixel[1]), points) is None
    inside = view.pixel((0.27, 0.02, 0))  # beside vertex 1
    assert surface.vertex(*view.ray(inside)) == ("Head", 1, 16)
    assert surface.vertex(*view.ray(view.pixel((5, 5, 0)))) is None


def test_what_another_mesh_covers_is_not_taken(head, touched, add_mesh):
    from blender_addon.rigs import landmark_touch

    _, region, view_of = window_and_region()
    view = landmark_touch.View(region, view_of)
    points = places()
    pixel = view.pixel(points[CHIN])
    towards = view.ray(pixel)[1]
    mask = add_mesh("Mask", parent=head)
    mask.location = places()[CHIN] - 2 * np.array(towards) - (0.25, 0.125, 0)  # its faces lie about this point
    bpy.context.view_layer.update()
    assert surface_name(touched(), view, pixel) == "Mask"
    taken = touched().landmark(view, pixel, points)
    assert taken is None or not np.allclose(points[taken], points[CHIN])  # at most one beside it, which is seen
    mask.hide_viewport = True
    np.testing.assert_allclose(points[touched().landmark(view, pixel, points)], points[CHIN])


def surface_name(surface, view, pixel):
    return surface.vertex(*view.ray(pixel))[0]


def test_the_view_under_the_mouse_is_none_over_other_editors(addon):
    from blender_addon.rigs import landmark_touch

    window, region, _ = window_and_region()
    view, pixel = landmark_touch.view_under(window, region.x + 300, region.y + 200)
    assert isinstance(view, landmark_touch.View)
    assert pixel == (300, 200)
    other = next(area for area in window.screen.areas if area.type == "OUTLINER")
    assert landmark_touch.view_under(window, other.x + 5, other.y + 5) is None
    tools = next(r for a in window.screen.areas if a.type == "VIEW_3D" for r in a.regions if r.type == "TOOLS")
    assert landmark_touch.view_under(window, tools.x + 5, tools.y + 5) is None


def test_a_landmark_is_dragged_from_vertex_to_vertex_and_put_back(head, face):
    from blender_addon._shared import errors
    from blender_addon.rigs import landmark_drag, landmark_touch

    _, region, view_of = window_and_region()
    view = landmark_touch.View(region, view_of)

    def mouse(place):
        x, y = view.pixel(place)
        return round(region.x + x), round(region.y + y)

    before = [row.vertex for row in face.landmarks]
    drag = landmark_drag.LandmarkDrag(bpy.context)
    drag.move(bpy.context, *mouse(places()[CHIN]))
    assert [row.vertex for row in face.landmarks] == before  # nothing is held yet
    held = face.active_landmark
    np.testing.assert_allclose(places()[held], places()[CHIN])
    drag.press(bpy.context, *mouse(places()[CHIN]))
    drag.move(bpy.context, *mouse((0.26, 0.01, 0)))
    assert face.landmarks[held].vertex == 1
    drag.move(bpy.context, *mouse((9, 9, 0)))  # beside the head
    assert face.landmarks[held].vertex == 1
    drag.release()
    drag.move(bpy.context, *mouse((0.49, 0.01, 0)))
    assert face.landmarks[held].vertex == 1
    drag.undo(bpy.context)
    assert [row.vertex for row in face.landmarks] == before
    bpy.context.view_layer.objects.active = head
    bpy.ops.object.mode_set(mode="EDIT")
    with pytest.raises(errors.SpeechFaceError, match="landmarks are dragged in Object Mode; leave Edit Mode first"):
        landmark_drag.LandmarkDrag(bpy.context)


def test_without_a_window_nothing_is_drawn_and_nothing_dragged(head):
    from blender_addon.rigs import landmark_overlay

    assert landmark_overlay._handler is None
    with pytest.raises(RuntimeError, match="There is no window to drag in; select a vertex and use Set Landmark"):
        bpy.ops.speechface.drag_landmarks()


@pytest.fixture
def gpu():
    import gpu

    if not hasattr(gpu, "init"):
        pytest.skip("before Blender 5.1 nothing can be drawn without a window")
    try:
        gpu.init()
    except Exception as error:  # noqa: BLE001 (whatever the driver says)
        pytest.skip(f"this machine cannot draw: {error}")
    return gpu


def test_the_overlay_draws_points_and_outlines(head, face, gpu):
    from blender_addon.rigs import landmark_overlay

    face.active_landmark = NOSE
    pixels = drawn(gpu, landmark_overlay, bpy.context)
    for number, aside, colour in (
        (0, 0, landmark_overlay.FOUND),
        (CHIN, 0, landmark_overlay.CORRECTED),
        (NOSE, 0, landmark_overlay.FOUND),
        (NOSE, 5, landmark_overlay.ACTIVE),  # a ring about it
    ):
        x, y, _ = places()[number]
        seen = pixels[round((y + 0.1) / 1.2 * 256), round((x + 0.1) / 1.2 * 256) + aside]
        np.testing.assert_allclose(seen[:3], colour, atol=0.05)
    face.id_data.speech_face.characters[0].rigging.show_landmarks = False
    assert not drawn(gpu, landmark_overlay, bpy.context).any()


def drawn(gpu, overlay, context):
    """What the overlay draws of the square from -0.1 to 1.1, f32 (256, 256, 4), from below upwards."""
    from mathutils import Matrix

    screen = gpu.types.GPUOffScreen(256, 256)
    with screen.bind():
        gpu.state.active_framebuffer_get().clear(color=(0, 0, 0, 0), depth=1.0)
        with gpu.matrix.push_pop(), gpu.matrix.push_pop_projection():
            gpu.matrix.load_matrix(Matrix.Identity(4))
            gpu.matrix.load_projection_matrix(
                Matrix(((2 / 1.2, 0, 0, -1 + 0.2 / 1.2), (0, 2 / 1.2, 0, -1 + 0.2 / 1.2), (0, 0, 0.1, 0), (0, 0, 0, 1)))
            )
            gpu.state.viewport_set(0, 0, 256, 256)
            overlay.draw(SimpleNamespace(
                scene=context.scene, space_data=None, region_data=None,
                evaluated_depsgraph_get=context.evaluated_depsgraph_get,
            ))  # fmt: skip
        buffer = gpu.state.active_framebuffer_get().read_color(0, 0, 256, 256, 4, 0, "FLOAT")
        buffer.dimensions = 256 * 256 * 4
    pixels = np.array(buffer, np.float32).reshape(256, 256, 4)
    screen.free()
    return pixels
