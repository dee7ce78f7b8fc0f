"""Meshes become triangles with normals, and what was read back wrongly is an error."""

from dataclasses import replace

import numpy as np
import pytest

from backend_server.export.morphs import MorphMesh, WrittenMorphs, check_written
from shared.errors import ShapeError, SpeechFaceError


def test_quads_and_normals_by_hand():
    # A square in the plane z = 0, seen from +z, and a vertex that no face has.
    vertices = np.array([[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0], [9, 9, 9]], np.float32)
    mesh = MorphMesh("Square", vertices, np.array([[0, 1, 2, 3]]), np.zeros((0, 5, 3), np.float32))
    np.testing.assert_array_equal(mesh.triangles(np.array([0])), [[0, 1, 2], [0, 2, 3]])
    np.testing.assert_allclose(mesh.normals(vertices), np.tile([0, 0, 1], (5, 1)))
    upright = vertices[:, [0, 2, 1]]  # in the plane y = 0 it faces -y
    np.testing.assert_allclose(mesh.normals(upright)[:4], np.tile([0, -1, 0], (4, 1)), atol=1e-6)


def test_small_differences_pass_and_larger_ones_are_named(animation):
    def check(weights=0.0, seconds=0.0, channels=animation.channels):
        found = WrittenMorphs(channels, animation.weights + np.float32(weights), animation.frame_times + seconds)
        check_written("a.glb", animation, found)

    check(0.0009, 1e-4)
    with pytest.raises(SpeechFaceError, match=r"a\.glb differs from what was to be written by 0\.0020 in a weight"):
        check(0.002)
    with pytest.raises(SpeechFaceError, match=r"and 0\.240 frames in time"):
        check(0, 0.01)
    with pytest.raises(SpeechFaceError, match=r"a\.glb holds"):
        check(channels=("jawOpen", "other"))


def test_shapes_must_fit(animation, mesh):
    with pytest.raises(ShapeError, match=r"expected weights of shape \(40, 1\), got \(40, 2\)"):
        replace(animation, channels=("jawOpen", "jawOpen"))
    with pytest.raises(ShapeError, match=r"expected morph targets of shape \(2, 63, 3\), got \(1, 63, 3\)"):
        animation.check_mesh(replace(mesh, deltas=mesh.deltas[:1]))
