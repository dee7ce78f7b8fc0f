"""Tests that the head that ships becomes a mesh with 52 shape keys that talks in the scene beside the picture."""

from pathlib import Path

import numpy as np
import pytest

bpy = pytest.importorskip("bpy", reason="there is no bpy module for this Python")

from mathutils import Vector  # noqa: E402 (it comes with bpy)

HEAD = Path(__file__).resolve().parents[2] / "backend_server" / "samples" / "head.npz"


@pytest.fixture
def sample_head(addon):
    from blender_addon.rigs import sample_head

    return sample_head


def points(mesh):
    found = np.empty(len(mesh.vertices) * 3, np.float32)
    mesh.vertices.foreach_get("co", found)
    return found.reshape(-1, 3)


def test_every_shape_key_moves_the_evaluated_mesh_as_the_file_says(sample_head):
    from blender_addon._shared import head_file

    head = head_file.load_head(HEAD)
    made = sample_head.add(bpy.context.scene, "Head", head)
    blocks = made.data.shape_keys.key_blocks
    assert tuple(block.name for block in blocks) == ("Basis", *head.shapes)
    assert len(head.shapes) == 52
    assert len(made.data.materials) == len(head.parts)
    index = np.empty(len(made.data.polygons), np.int32)
    made.data.polygons.foreach_get("material_index", index)
    np.testing.assert_array_equal(index, head.face_parts)
    for shape in ("jawOpen", "mouthSmileLeft", "tongueOut"):
        blocks[shape].value = 0.5
    evaluated = made.evaluated_get(bpy.context.evaluated_depsgraph_get()).data
    moved = sum(head.deltas[head.shapes.index(shape)] for shape in ("jawOpen", "mouthSmileLeft", "tongueOut"))
    np.testing.assert_allclose(points(evaluated), head.vertices + 0.5 * moved, atol=1e-6)


def test_the_scene_holds_the_head_beside_the_picture_keyed(preferences, fake_backend, speech_file, tmp_path, character):
    from blender_addon import __main__
    from blender_addon.pictures.png_writer import encode_png

    preferences.connection_file = str(fake_backend.connection_file)
    photo = tmp_path / "photo.png"
    photo.write_bytes(encode_png(np.full((64, 64, 3), 90, np.uint8)))
    out = tmp_path / "scene.blend"
    __main__.make_scene(speech_file(1.0), [photo], out, fps=24, first_frame=1, epochs=0, seed=0, head=HEAD)
    bpy.ops.wm.open_mainfile(filepath=str(out))
    wanted = character()
    head = wanted.rigging.character
    assert wanted.rigging.kind == "arkit"
    assert wanted.plane is not None
    assert len(head.data.shape_keys.animation_data.action.layers[0].strips[0].channelbags[0].fcurves) == 52
    bpy.context.scene.frame_set(4)
    channel = [row.name for row in wanted.rigging.channels].index("jawOpen")
    assert head.data.shape_keys.key_blocks["jawOpen"].value == pytest.approx((3 + channel) % 10 / 10)
    corners = np.array([head.matrix_world @ Vector(corner) for corner in head.bound_box])
    assert corners[:, 0].min() > wanted.width / 2  # the picture's edge
