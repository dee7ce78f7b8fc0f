"""Tests that Blender reads the talking mesh that the backend writes as glTF and USD, with every weight."""

import os
import subprocess
from pathlib import Path

import numpy as np
import pytest

bpy = pytest.importorskip("bpy", reason="there is no bpy module for this Python")

ROOT = Path(__file__).resolve().parents[2]
PYTHON = Path(os.environ.get("SPEECH_FACE_PYTHON") or ROOT / ".venv/bin/python")
WRITE = """
import sys
from fractions import Fraction
from pathlib import Path
import numpy as np
from backend_server.export.gltf import write_gltf
from backend_server.export.head_mesh import head_mesh
from backend_server.export.morphs import MorphAnimation
from backend_server.export.usd import write_usd
from backend_server.rig.head import load_sample_head

folder = Path(sys.argv[1])
mesh, head = head_mesh(load_sample_head()), load_sample_head()
weights = np.random.default_rng(0).uniform(0, 1, (10, 52)).astype(np.float32)
animation = MorphAnimation(head.shapes, weights, np.arange(10) / 25, Fraction(25), {})
write_gltf(folder / "face.glb", mesh, animation)
write_usd(folder / "face.usdc", animation, mesh)
np.savez(
    folder / "wanted.npz", weights=weights, shapes=head.shapes, height=np.ptp(head.vertices[:, 2]),
    moved=(head.deltas != 0).any(2).sum(1), farthest=np.linalg.norm(head.deltas, axis=2).max(1),
)
"""

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not PYTHON.is_file(), reason=f"{PYTHON} does not exist; set SPEECH_FACE_PYTHON"),
]


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    folder = tmp_path_factory.mktemp("written")
    subprocess.run(
        [str(PYTHON), "-c", WRITE, str(folder)], env={**os.environ, "PYTHONPATH": str(ROOT)}, cwd=ROOT, check=True
    )
    return folder


@pytest.mark.parametrize("name", ["face.glb", "face.usdc"])
def test_blender_reads_names_weights_and_size(written, name):
    wanted = np.load(written / "wanted.npz")
    bpy.context.scene.render.fps = 25
    if name == "face.glb":
        bpy.ops.import_scene.gltf(filepath=str(written / name))
    else:
        bpy.ops.wm.usd_import(filepath=str(written / name))
    (head,) = (item for item in bpy.data.objects if item.type == "MESH" and item.data.shape_keys)
    keys = head.data.shape_keys.key_blocks[1:]
    assert [key.name for key in keys] == list(wanted["shapes"])
    for frame, row in enumerate(wanted["weights"]):
        bpy.context.scene.frame_set(frame)
        np.testing.assert_allclose([key.value for key in keys], row, atol=1e-3)
    corners = np.array([head.matrix_world @ vertex.co for vertex in head.data.vertices])
    rest, *moved = (np.array([point.co for point in key.data]) for key in head.data.shape_keys.key_blocks)
    distances = np.linalg.norm(np.array(moved) - rest, axis=2)
    np.testing.assert_allclose(distances.max(1), wanted["farthest"], rtol=1e-3)
    assert ((distances > 1e-6).sum(1) >= wanted["moved"]).all()  # a vertex between two materials may come twice
    assert np.ptp(corners[:, 2]) == pytest.approx(wanted["height"], rel=1e-4)  # upright, in metres
