"""Tests that faces in photos are found, chosen, corrected and sent as artists mean them."""

import struct

import numpy as np
import pytest

bpy = pytest.importorskip("bpy", reason="there is no bpy module for this Python")

TWO = np.array([(200, 240, 100), (440, 200, 90)], np.float32)  # the photo of the fake backend has 640 x 480 pixels


def jpeg(orientation):
    """The first bytes of a JPEG that a camera held so."""
    tiff = b"MM\0*" + struct.pack(">IHHHIHHI", 8, 1, 0x0112, 3, 1, orientation, 0, 0)
    return b"\xff\xd8\xff\xe1\0\x22Exif\0\0" + tiff


@pytest.fixture
def photo(preferences, fake_backend, add_image, character):
    """A photo of 640 x 480 pixels, which the backend sees as it is."""
    preferences.connection_file = str(fake_backend.connection_file)
    add_image(640, 480)
    return character().images[0]


@pytest.fixture
def found(photo):
    """The same, looked at."""
    assert bpy.ops.speechface.find_photo_landmarks() == {"FINISHED"}
    return photo


def corners(photo, low=(10.0, 20.0), high=(650.0, 500.0)):
    """The photo as an editor shows it, at one pixel a pixel."""
    from blender_addon.speakers.photo_view import PhotoView

    return PhotoView(low, high)


def test_landmarks_are_kept_with_the_photo_and_sent_only_where_they_were_corrected(
    found, fake_backend, add_image, add_strip, character
):
    from blender_addon.speakers import photo_landmarks

    np.testing.assert_allclose(photo_landmarks.places(found)[[0, 67]], [(200, 240), (267, 240)])
    assert (found.width, found.height, found.taken, found.points[8].name) == (640, 480, 0, "chin")
    add_image(640, 480, "Second")
    add_strip()
    character().use_texture = False
    bpy.ops.speechface.generate()
    first = fake_backend.messages("AdaptRequest")[-1]
    assert first.landmarks is None
    assert first.chosen is None
    assert bpy.ops.speechface.set_photo_landmark(photo=0, landmark=8, x=210, y=300) == {"FINISHED"}
    assert photo_landmarks.corrected_count(found) == 1
    bpy.ops.speechface.generate()
    sent = fake_backend.messages("AdaptRequest")[-1]
    assert sent.names == ("Photo", "Second")
    np.testing.assert_allclose(sent.landmarks[0, [0, 8]], [(200, 240), (210, 300)])
    assert np.isnan(sent.landmarks[1]).all()
    bpy.ops.speechface.reset_photo_landmarks(photo=0)
    assert photo_landmarks.corrected_count(found) == 0


def test_finding_again_leaves_corrected_photos_as_they_are(found, fake_backend, add_image):
    bpy.ops.speechface.set_photo_landmark(photo=0, landmark=8, x=210, y=300)
    with pytest.raises(RuntimeError, match="The landmarks of all photos were corrected; reset those"):
        bpy.ops.speechface.find_photo_landmarks()
    add_image(640, 480, "Second")
    bpy.ops.speechface.find_photo_landmarks()
    assert fake_backend.messages("FindPhotoLandmarks")[-1].names == ("Second",)
    assert tuple(found.points[8].place) == (210, 300)
    bpy.ops.speechface.find_photo_landmarks(photo=0)
    assert tuple(found.points[8].place) == (208, 240)


def test_of_two_faces_the_largest_is_taken_and_said_and_another_is_chosen(photo, fake_backend, add_strip, character):
    from blender_addon.session import session
    from blender_addon.speakers import photo_landmarks

    fake_backend.photo_boxes = TWO
    bpy.ops.speechface.find_photo_landmarks()
    assert (len(photo.faces), photo.taken) == (2, 0)
    assert session.notes[0].startswith("Photo: several faces are seen, and the largest was taken; press Find Landmarks")
    assert bpy.ops.speechface.choose_photo_face(face=1) == {"FINISHED"}
    np.testing.assert_allclose(photo_landmarks.places(photo)[0], (440, 200))
    assert photo.taken == 1
    assert session.notes == []
    add_strip()
    bpy.ops.speechface.generate()
    np.testing.assert_allclose(fake_backend.messages("AdaptRequest")[-1].chosen, [(440, 200)])
    again = bpy.ops.speechface.render_again()
    assert again == {"FINISHED"}
    np.testing.assert_allclose(fake_backend.messages("AdaptRequest")[-1].chosen, [(440, 200)])
    with pytest.raises(RuntimeError, match="There is no face 2 in 'Photo'; choose 0 to 1"):
        bpy.ops.speechface.choose_photo_face(face=2)


def test_a_photo_without_a_face_says_so_and_another_image_begins_anew(photo, fake_backend):
    fake_backend.photo_boxes = np.empty((0, 3), np.float32)
    bpy.ops.speechface.find_photo_landmarks()
    assert photo.problem == "no face was found in it"
    with pytest.raises(RuntimeError, match="There is no landmark 3 in 'Photo'; press Find Landmarks first"):
        bpy.ops.speechface.set_photo_landmark(landmark=3, x=1, y=1)
    fake_backend.photo_boxes = TWO
    bpy.ops.speechface.find_photo_landmarks()
    photo.image = bpy.data.images.new("Other", 32, 32)
    assert (len(photo.points), len(photo.faces), photo.width, photo.has_chosen) == (0, 0, 0, False)


def test_what_is_halved_before_it_is_sent_keeps_its_landmarks_at_their_places(
    preferences, fake_backend, add_image, add_strip, character
):
    preferences.connection_file = str(fake_backend.connection_file)
    image = add_image(640, 480)
    bpy.ops.speechface.find_photo_landmarks()
    bpy.ops.speechface.set_photo_landmark(landmark=0, x=99.5, y=49.5)
    image.scale(320, 240)
    add_strip()
    character().use_texture = False
    bpy.ops.speechface.generate()
    np.testing.assert_allclose(fake_backend.messages("AdaptRequest")[-1].landmarks[0, 0], (49.5, 24.5))
    image.scale(320, 100)
    with pytest.raises(RuntimeError, match="has 320 x 100 pixels, and had 640 x 480 when its landmarks were placed"):
        bpy.ops.speechface.generate()


@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_way_a_camera_held_a_photo_is_read_and_followed(addon, orientation):
    from blender_addon.speakers import photo_orientation

    assert photo_orientation.orientation_of(jpeg(orientation)) == orientation
    corners = np.array([(0, 0), (1, 0), (1, 1), (0, 1), (0.25, 0.5)])
    there = photo_orientation.upright(corners, orientation)
    np.testing.assert_allclose(photo_orientation.stored(there, orientation), corners)
    if orientation == 6:  # turned clockwise: what is stored at the top left stands at the top right
        np.testing.assert_allclose(there[:2], [(1, 0), (1, 1)])


def test_a_damaged_exif_is_none(addon):
    from blender_addon.speakers import photo_orientation

    for content in (b"", b"Exif\0\0", jpeg(6)[:24], jpeg(6)[:-8], jpeg(9)):
        assert photo_orientation.orientation_of(content) == 1


def test_a_photo_is_seen_with_y_up_and_dragged_with_y_down(found):
    from blender_addon.speakers import photo_drag

    view = corners(found)
    np.testing.assert_allclose(view.seen(found, [(-0.5, -0.5), (639.5, 479.5)]), [(10, 500), (650, 20)])
    np.testing.assert_allclose(view.place(found, 10.5, 499.5), (0, 0), atol=1e-9)
    drag = photo_drag.PhotoDrag(found)
    x, y = view.seen(found, [found.points[0].place])[0]
    drag.move(found, view, x, y)
    assert tuple(found.points[0].place) == (200, 240)  # nothing is held
    assert drag.press(found, view, x - 2, y) is None
    drag.move(found, view, x - 2, y + 30)
    np.testing.assert_allclose(found.points[0].place, (200, 210), atol=1e-4)  # up, and without a leap to the mouse
    drag.move(found, view, x - 900, y)
    assert found.points[0].place[0] == 0  # it stays in the photo
    drag.release()
    drag.move(found, view, x, y + 60)
    assert found.points[0].place[0] == 0
    drag.undo(found)
    assert tuple(found.points[0].place) == (200, 240)


def test_a_click_takes_another_face(photo, fake_backend):
    from blender_addon.speakers import photo_drag

    fake_backend.photo_boxes = TWO
    bpy.ops.speechface.find_photo_landmarks()
    view, drag = corners(photo), photo_drag.PhotoDrag(photo)
    assert drag.press(photo, view, *view.seen(photo, [(470, 170)])[0]) == 1
    assert drag.press(photo, view, *view.seen(photo, [(180, 200)])[0]) is None  # the one that is taken
    assert drag.press(photo, view, *view.seen(photo, [(600, 20)])[0]) is None


def test_the_photo_is_shown_in_an_image_editor(found):
    with pytest.raises(RuntimeError, match="no Image Editor and no window; open an Image Editor first"):
        bpy.ops.speechface.show_photo()
    area = max(bpy.context.window.screen.areas, key=lambda area: area.width * area.height)
    area.type = "IMAGE_EDITOR"
    assert bpy.ops.speechface.show_photo() == {"FINISHED"}
    assert area.spaces.active.image == found.image
    with pytest.raises(RuntimeError, match="There is no window to drag in; use Set Landmark instead"):
        bpy.ops.speechface.drag_photo_landmarks()


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


def test_the_overlay_draws_boxes_and_points_where_the_photo_shows_them(photo, fake_backend, gpu):
    from mathutils import Matrix

    from blender_addon.rigs import landmark_overlay
    from blender_addon.speakers import photo_overlay

    fake_backend.photo_boxes = TWO
    bpy.ops.speechface.find_photo_landmarks()
    bpy.ops.speechface.set_photo_landmark(landmark=0, x=300, y=100)
    screen = gpu.types.GPUOffScreen(640, 480)
    with screen.bind():
        gpu.state.active_framebuffer_get().clear(color=(0, 0, 0, 0))
        with gpu.matrix.push_pop(), gpu.matrix.push_pop_projection():
            gpu.matrix.load_matrix(Matrix.Identity(4))
            gpu.matrix.load_projection_matrix(
                Matrix(((2 / 640, 0, 0, -1), (0, 2 / 480, 0, -1), (0, 0, 1, 0), (0, 0, 0, 1)))
            )
            gpu.state.viewport_set(0, 0, 640, 480)
            photo_overlay.draw_photo(photo, corners(photo, (0, 0), (640, 480)))
        buffer = gpu.state.active_framebuffer_get().read_color(0, 0, 640, 480, 4, 0, "FLOAT")
        buffer.dimensions = 640 * 480 * 4
    pixels = np.array(buffer, np.float32).reshape(480, 640, 4)[::-1]
    screen.free()
    np.testing.assert_allclose(pixels[100, 300 + 5, :3], landmark_overlay.ACTIVE, atol=0.05)
    np.testing.assert_allclose(pixels[100, 300, :3], landmark_overlay.CORRECTED, atol=0.05)
    assert pixels[200 - 45 - 1 : 200 - 45 + 2, 440, :3].max() > 0.5  # the box of the other face
    assert not pixels[400:, :].any()
