"""USD has blend shapes that move the mesh as they should, at the scene's rate."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("pxr", reason="usd-core, the extra usd, is not installed")

from pxr import Usd, UsdGeom, UsdSkel, UsdValidation, Vt

from backend_server.export import usd
from backend_server.export.tags import synthetic_tags
from backend_server.export.usd import read_usd, write_usd
from shared.errors import NoSpaceError, ShapeError, SpeechFaceError


@pytest.mark.parametrize("suffix", [".usdc", ".usda"])
@pytest.mark.parametrize("with_mesh", [True, False])
def test_weights_names_and_times_are_read_back(tmp_path, mesh, animation, suffix, with_mesh):
    path = tmp_path / f"face{suffix}"
    for _ in range(2):  # the second replaces the first
        write_usd(path, animation, mesh if with_mesh else None)
    found = read_usd(path)
    assert found.channels == animation.channels
    np.testing.assert_allclose(found.weights, animation.weights, atol=1e-3)
    np.testing.assert_allclose(found.frame_times, animation.frame_times, atol=1e-6)
    stage = Usd.Stage.Open(str(path))
    assert stage.GetTimeCodesPerSecond() == stage.GetFramesPerSecond() == pytest.approx(24000 / 1001)
    assert (stage.GetStartTimeCode(), stage.GetEndTimeCode()) == (0, 39)
    assert (UsdGeom.GetStageUpAxis(stage), UsdGeom.GetStageMetersPerUnit(stage)) == ("Y", 1)
    notes = stage.GetRootLayer().customLayerData["speech_face"]
    assert notes == {**synthetic_tags("abc", 3), "frame_rate": "24000/1001"}
    assert bool(stage.GetPrimAtPath("/Face/Mesh")) == with_mesh


def test_usd_itself_moves_the_mesh_as_the_targets_say(tmp_path, mesh, animation):
    write_usd(tmp_path / "face.usdc", animation, mesh)
    stage = Usd.Stage.Open(str(tmp_path / "face.usdc"))
    root = UsdSkel.Root(stage.GetPrimAtPath("/Face"))
    cache = UsdSkel.Cache()
    cache.Populate(root, Usd.PrimDefaultPredicate)
    (binding,) = cache.ComputeSkelBindings(root, Usd.PrimDefaultPredicate)
    (skinned,) = binding.GetSkinningTargets()
    shapes = UsdSkel.BlendShapeQuery(UsdSkel.BindingAPI(skinned.GetPrim()))
    weights = cache.GetSkelQuery(binding.GetSkeleton()).GetAnimQuery().ComputeBlendShapeWeights(7)
    sub_weights, numbers, sub_shapes = shapes.ComputeSubShapeWeights(skinned.GetBlendShapeMapper().Remap(weights))
    points = Vt.Vec3fArray.FromNumpy(mesh.vertices.copy())
    shapes.ComputeDeformedPoints(
        sub_weights,
        numbers,
        sub_shapes,
        shapes.ComputeBlendShapePointIndices(),
        shapes.ComputeSubShapePointOffsets(),
        points,
    )
    expected = mesh.vertices + np.tensordot(animation.weights[7], mesh.deltas, axes=1)
    np.testing.assert_allclose(np.array(points), expected, atol=1e-6)


def test_usds_own_validators_find_nothing(tmp_path, mesh, animation):
    write_usd(tmp_path / "face.usdc", animation, mesh)
    validators = UsdValidation.ValidationRegistry().GetOrLoadAllValidators()
    found = UsdValidation.ValidationContext(validators).Validate(Usd.Stage.Open(str(tmp_path / "face.usdc")))
    assert [error.GetMessage() for error in found] == []


def test_targets_keep_only_the_vertices_they_move(tmp_path, mesh, animation):
    write_usd(tmp_path / "face.usdc", animation, mesh)
    stage = Usd.Stage.Open(str(tmp_path / "face.usdc"))
    jaw, other = (UsdSkel.BlendShape(stage.GetPrimAtPath(f"/Face/Mesh/{name}")) for name in ("jawOpen", "shape_1"))
    assert list(jaw.GetPointIndicesAttr().Get()) == list(range(9))
    assert list(other.GetPointIndicesAttr().Get()) == [62]
    np.testing.assert_allclose(other.GetOffsetsAttr().Get(), [(0.01, 0.02, 0.03)], atol=1e-7)


def test_what_is_read_back_otherwise_is_an_error(tmp_path, animation, monkeypatch):
    other = replace(animation, weights=animation.weights + np.float32(0.01))
    monkeypatch.setattr(usd, "read_usd", lambda path: other)
    with pytest.raises(SpeechFaceError, match=r"face\.usda differs from what was to be written by 0\.0100"):
        write_usd(tmp_path / "face.usda", animation)


def test_a_target_for_each_channel(tmp_path, mesh, animation):
    with pytest.raises(ShapeError, match="expected morph targets"):
        write_usd(tmp_path / "face.usdc", animation, replace(mesh, deltas=mesh.deltas[:1]))


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="needs Linux's /proc, where no file can be made")
def test_a_file_that_cannot_be_written_is_said_in_one_sentence(tmp_path, animation):
    with pytest.raises(NoSpaceError, match=r"writing face\.usda failed"):
        write_usd(Path("/proc/nowhere/face.usda"), animation)


def test_a_file_without_animation_is_refused(tmp_path):
    Usd.Stage.CreateNew(str(tmp_path / "a.usda")).Save()
    with pytest.raises(SpeechFaceError, match=r"a\.usda animates no blend shape"):
        read_usd(tmp_path / "a.usda")
