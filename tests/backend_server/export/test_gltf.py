"""Binary glTF has the mesh, its targets and their weights at the scene's times."""

import json
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pygltflib
import pytest

from backend_server.export import gltf
from backend_server.export.gltf import read_gltf, write_gltf
from backend_server.export.head_mesh import head_mesh
from backend_server.export.morphs import MorphAnimation, MorphMesh
from backend_server.export.tags import synthetic_tags
from backend_server.rig.head import load_sample_head
from shared.arkit import SHAPES
from shared.errors import ShapeError, SpeechFaceError


@pytest.fixture
def written(tmp_path, mesh, animation):
    write_gltf(tmp_path / "face.glb", mesh, animation)
    return tmp_path / "face.glb"


def floats(document, number, width):
    accessor = document.accessors[number]
    if accessor.sparse is None:
        return stored(document, accessor.bufferView, np.float32, accessor.count * width).reshape(-1, width)
    sparse, values = accessor.sparse, np.zeros((accessor.count, width), np.float32)
    assert accessor.bufferView is None  # all others are 0
    kind = {pygltflib.UNSIGNED_SHORT: np.uint16, pygltflib.UNSIGNED_INT: np.uint32}[sparse.indices.componentType]
    places = stored(document, sparse.indices.bufferView, kind, sparse.count)
    assert (np.diff(places.astype(int)) > 0).all()
    values[places] = stored(document, sparse.values.bufferView, np.float32, sparse.count * width).reshape(-1, width)
    return values


def stored(document, number, kind, count):
    view = document.bufferViews[number]
    assert view.byteLength == count * np.dtype(kind).itemsize
    return np.frombuffer(document.binary_blob(), kind, count, view.byteOffset)


def test_weights_names_and_times_are_read_back(written, animation):
    found = read_gltf(written)
    assert found.channels == animation.channels
    np.testing.assert_allclose(found.weights, animation.weights, atol=1e-3)
    np.testing.assert_allclose(found.frame_times * 24000 / 1001, np.arange(40), atol=1e-4)


def test_the_mesh_at_rest_and_each_target_are_what_was_given(written, mesh):
    document = pygltflib.GLTF2.load_binary(str(written))
    primitives = document.meshes[0].primitives
    assert [document.materials[p.material].name for p in primitives] == ["skin", "Face"]  # painted and bare faces
    assert document.materials[0].pbrMetallicRoughness.baseColorFactor == pytest.approx([0.6, 0.3, 0.2, 1])
    assert sum(document.accessors[p.indices].count for p in primitives) == 3 * 2 * len(mesh.faces)
    for primitive in primitives:
        points = floats(document, primitive.attributes.POSITION, 3)
        np.testing.assert_array_equal(points, mesh.vertices)
        normals = floats(document, primitive.attributes.NORMAL, 3)
        np.testing.assert_allclose(np.linalg.norm(normals, axis=1), 1, atol=1e-5)
        assert (normals[:, 2] > 0.9).all()  # the sheet looks along +z
        for target, delta in zip(primitive.targets, mesh.deltas, strict=True):
            np.testing.assert_array_equal(floats(document, target["POSITION"], 3), delta)
            moved = normals + floats(document, target["NORMAL"], 3)
            np.testing.assert_allclose(moved, mesh.normals(mesh.vertices + delta), atol=1e-6)


def test_bounds_lie_around_the_values_and_arrays_at_multiples_of_four(written):
    document = pygltflib.GLTF2.load_binary(str(written))
    for number, accessor in enumerate(document.accessors):
        if accessor.componentType == pygltflib.FLOAT:
            values = floats(document, number, {"VEC3": 3, "SCALAR": 1}[accessor.type])
            np.testing.assert_allclose(values.min(0), accessor.min)
            np.testing.assert_allclose(values.max(0), accessor.max)
    assert all(view.byteOffset % 4 == 0 for view in document.bufferViews)
    text = written.read_bytes()[20:].partition(b"BIN\0")[0][:-4]
    without_view = [one for one in json.loads(text)["accessors"] if "bufferView" not in one]
    assert len(without_view) == 4  # positions and normals of two targets
    assert not any("byteOffset" in one for one in without_view)  # glTF forbids it
    assert document.buffers[0].byteLength == len(document.binary_blob())


@pytest.mark.parametrize("vertex_count", [2**16 - 1, 2**16])
def test_the_last_vertex_of_a_large_mesh_moves(tmp_path, animation, vertex_count):
    vertices = np.random.default_rng(0).uniform(-1, 1, (vertex_count, 3)).astype(np.float32)
    faces = np.array([[0, 1, vertex_count - 1]])
    deltas = np.zeros((2, vertex_count, 3), np.float32)
    deltas[0, -1] = 1, 2, 3  # and the second target moves none
    write_gltf(tmp_path / "face.glb", MorphMesh("Face", vertices, faces, deltas), animation)
    document = pygltflib.GLTF2.load_binary(str(tmp_path / "face.glb"))
    (primitive,) = document.meshes[0].primitives
    for target, delta in zip(primitive.targets, deltas, strict=True):
        np.testing.assert_array_equal(floats(document, target["POSITION"], 3), delta)


def test_the_sample_head_has_less_than_two_megabytes(tmp_path):
    head = head_mesh(load_sample_head())
    weights, times = np.zeros((75, 52), np.float32), np.arange(75) / 25
    write_gltf(tmp_path / "face.glb", head, MorphAnimation(SHAPES, weights, times, Fraction(25), {}))
    assert (tmp_path / "face.glb").stat().st_size < 2e6


def test_the_file_says_its_rate_and_that_it_is_synthetic(written):
    asset = pygltflib.GLTF2.load_binary(str(written)).asset
    assert asset.extras == {**synthetic_tags("abc", 3), "frame_rate": [24000, 1001]}
    assert asset.generator == "Speech Face, weights abc"


def test_a_mesh_of_triangles_without_paint(tmp_path, mesh, animation):
    triangles = replace(mesh, faces=mesh.triangles(np.arange(48)), paints=())
    write_gltf(tmp_path / "face.glb", triangles, animation)
    (primitive,) = pygltflib.GLTF2.load_binary(str(tmp_path / "face.glb")).meshes[0].primitives
    assert primitive.material == 0


def test_what_is_read_back_otherwise_is_an_error(tmp_path, mesh, animation, monkeypatch):
    other = replace(animation, weights=animation.weights + np.float32(0.01))
    monkeypatch.setattr(gltf, "read_gltf", lambda path: other)
    with pytest.raises(SpeechFaceError, match=r"face\.glb differs from what was to be written by 0\.0100"):
        write_gltf(tmp_path / "face.glb", mesh, animation)


def test_a_target_for_each_channel(tmp_path, mesh, animation):
    with pytest.raises(ShapeError, match="expected morph targets"):
        write_gltf(tmp_path / "face.glb", replace(mesh, deltas=mesh.deltas[:1]), animation)


def test_a_file_without_targets_is_refused(tmp_path):
    document = pygltflib.GLTF2()
    document.set_binary_blob(b"")
    document.save_binary(str(tmp_path / "a.glb"))
    with pytest.raises(SpeechFaceError, match=r"a\.glb animates no morph target"):
        read_gltf(tmp_path / "a.glb")
