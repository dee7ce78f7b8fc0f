"""Tests that scene frame f shows the picture of frame f, in the place of the bones."""

import numpy as np
import pytest

bpy = pytest.importorskip("bpy", reason="there is no bpy module for this Python")


@pytest.fixture
def sequence(addon, tmp_path):
    """Five pictures; number i is (90 + 30 i, 150, 120) with a clear left half."""
    from blender_addon.pictures.picture_folder import PictureFolder

    frames = np.zeros((5, 256, 256, 4), np.uint8)
    frames[..., 1:3] = (150, 120)
    frames[..., 0] = (90 + 30 * np.arange(5))[:, None, None]
    frames[..., 128:, 3] = 255

    def make(start):
        folder = PictureFolder(tmp_path, "Voice")
        folder.write(frames)
        assert len(list(folder.arrange("strip", range(start, start + 5), None))) > 0
        return folder.publish()

    return make


@pytest.fixture
def plane(addon, sequence):
    from blender_addon.coordinates import CropPlane
    from blender_addon.pictures import texture_plane

    return texture_plane.write(bpy.context.scene, None, "Picture", CropPlane(2.0), sequence(47))


def test_the_sequence_lies_on_the_strips_frames(plane, tmp_path):
    from blender_addon.pictures import texture_plane

    node = texture_plane.image_node(plane)
    user, image = node.image_user, node.image
    assert (user.frame_start, user.frame_duration, user.frame_offset, user.use_cyclic) == (47, 5, 0, False)
    assert user.use_auto_refresh
    assert (image.source, image.alpha_mode, image.colorspace_settings.name) == ("SEQUENCE", "STRAIGHT", "AgX Base sRGB")
    assert bpy.path.abspath(image.filepath) == str(tmp_path / "Voice_001" / "frame_0001.png")


@pytest.mark.slow
@pytest.mark.parametrize("view_transform", ["Standard", "AgX", "Filmic"])
def test_each_frame_renders_its_own_picture_in_its_own_colours(plane, tmp_path, view_transform):
    import addon_utils

    scene = bpy.context.scene
    addon_utils.enable("cycles")
    scene.render.engine = "CYCLES"
    scene.cycles.samples, scene.cycles.use_denoising = 1, False
    scene.render.resolution_x = scene.render.resolution_y = 8
    scene.render.film_transparent = True
    scene.render.image_settings.file_format = "PNG"
    scene.render.image_settings.color_mode = "RGBA"
    scene.view_settings.view_transform = view_transform
    camera = bpy.data.objects.new("Camera", bpy.data.cameras.new("Camera"))
    camera.data.type, camera.data.ortho_scale = "ORTHO", 2.0
    camera.location, camera.rotation_euler = (0, -5, 0), (np.pi / 2, 0, 0)
    scene.collection.objects.link(camera)
    scene.camera = camera
    for frame, number in ((40, 0), (47, 0), (48, 1), (51, 4), (60, 4)):
        scene.frame_set(frame)
        scene.render.filepath = str(tmp_path / f"render_{frame}.png")
        bpy.ops.render.render(write_still=True)
        image = bpy.data.images.load(scene.render.filepath)
        pixels = np.round(np.array(image.pixels[:]).reshape(8, 8, 4) * 255)
        np.testing.assert_allclose(pixels[4, 6], (90 + 30 * number, 150, 120, 255), atol=3)
        assert pixels[4, 1, 3] == 0


def test_a_second_bake_keeps_plane_and_materials(plane, sequence):
    from blender_addon.coordinates import CropPlane
    from blender_addon.pictures import texture_plane

    plane.location = (1, 2, 3)
    theirs = bpy.data.materials.new("Artist")
    plane.data.materials.append(theirs)
    images = len(bpy.data.images)
    again = texture_plane.write(bpy.context.scene, plane, "Picture", CropPlane(4.0), sequence(10))
    assert again == plane
    assert tuple(plane.location) == (1, 2, 3)
    assert len(plane.data.materials) == 2
    assert len(bpy.data.images) == images
    assert texture_plane.image_node(plane).image_user.frame_start == 10
    np.testing.assert_allclose(plane.dimensions, (4, 0, 4))


def test_bones_lie_on_the_picture(plane, addon):
    """Pixel (192, 64) is three quarters to the right and a quarter down; uv and bones must agree."""
    from blender_addon.coordinates import CropPlane

    x, z = CropPlane(2.0).to_metres(np.array((192.0, 64.0)))
    corners = [plane.matrix_world @ vertex.co for vertex in plane.data.vertices]
    uv = [loop.uv for loop in plane.data.uv_layers[0].data]
    u = np.interp(x, [corners[0].x, corners[1].x], [uv[0][0], uv[1][0]])
    v = np.interp(z, [corners[0].z, corners[3].z], [uv[0][1], uv[3][1]])
    assert u * 256 - 0.5 == pytest.approx(192, abs=1e-4)
    assert (1 - v) * 256 - 0.5 == pytest.approx(64, abs=1e-4)


def test_a_saved_file_keeps_the_pictures_beside_it(addon, tmp_path, sequence):
    from blender_addon.coordinates import CropPlane
    from blender_addon.pictures import texture_plane

    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "scene.blend"))
    plane = texture_plane.write(bpy.context.scene, None, "Picture", CropPlane(1.0), sequence(1))
    assert texture_plane.image_node(plane).image.filepath.startswith("//")
