"""Complaint: AgX washed the picture out (mean difference 9.8 levels; Standard 1.3)."""

import numpy as np
import pytest

bpy = pytest.importorskip("bpy", reason="there is no bpy module for this Python")


@pytest.fixture
def plane(preferences, fake_backend, add_image, add_strip, character):
    preferences.connection_file = str(fake_backend.connection_file)
    add_image()
    add_strip()
    bpy.ops.speechface.generate()
    return character().plane


def space(plane):
    from blender_addon.pictures import texture_plane

    return texture_plane.image_node(plane).image.colorspace_settings.name


def test_a_changed_view_transform_is_followed(plane):
    from blender_addon.pictures import view_colours

    settings = bpy.context.scene.view_settings
    assert (settings.view_transform, space(plane)) == ("AgX", "AgX Base sRGB")
    for view_transform, expected in (("Filmic", "Filmic sRGB"), ("Standard", "sRGB"), ("Raw", "sRGB")):
        settings.view_transform = view_transform
        view_colours._match_all()  # a window is told of the change
        assert space(plane) == expected


def test_a_lit_picture_is_a_surface_like_others(plane, character):
    character().shading = "LIT"
    bpy.ops.speechface.generate()
    kinds = {node.bl_idname for node in character().plane.data.materials[0].node_tree.nodes}
    assert "ShaderNodeBsdfDiffuse" in kinds
    assert "ShaderNodeEmission" not in kinds
    assert space(character().plane) == "sRGB"


@pytest.mark.slow
@pytest.mark.parametrize("view_transform", ["AgX", "Filmic", "Standard"])
def test_rendered_skin_differs_by_less_than_a_level(addon, tmp_path, view_transform):
    """Rendered by Cycles; the colours are those of faces, from dark to light skin."""
    import addon_utils

    from blender_addon.coordinates import CropPlane
    from blender_addon.pictures import texture_plane
    from blender_addon.pictures.picture_folder import PictureFolder

    skins = np.array([(60, 40, 32), (120, 82, 66), (172, 126, 104), (222, 180, 155), (246, 220, 205)], np.uint8)
    frame = np.full((16, 20, 4), 255, np.uint8)
    frame[..., :3] = np.repeat(skins, 4, axis=0)[None]
    folder = PictureFolder(tmp_path, "Anna")
    folder.write(frame[None])
    assert list(folder.arrange("strip", range(1, 2), None))
    scene = bpy.context.scene
    scene.view_settings.view_transform = view_transform
    texture_plane.write(scene, None, "Picture", CropPlane(1.0), folder.publish())
    addon_utils.enable("cycles")
    scene.render.engine = "CYCLES"
    scene.cycles.samples, scene.cycles.use_denoising = 1, False
    scene.render.dither_intensity = 0
    scene.render.resolution_x = scene.render.resolution_y = 20
    camera = bpy.data.objects.new("Camera", bpy.data.cameras.new("Camera"))
    camera.data.type, camera.data.ortho_scale = "ORTHO", 1.0
    camera.location, camera.rotation_euler = (0, -5, 0), (np.pi / 2, 0, 0)
    scene.collection.objects.link(camera)
    scene.camera = camera
    scene.frame_set(1)
    scene.render.filepath = str(tmp_path / "render.png")
    bpy.ops.render.render(write_still=True)
    pixels = np.array(bpy.data.images.load(scene.render.filepath).pixels[:]).reshape(20, 20, -1)[10, 1::4, :3] * 255
    assert np.abs(pixels - skins).mean() < 1
