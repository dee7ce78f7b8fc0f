# pyright: reportAttributeAccessIssue=false
"""Writes blend shapes over time as USD (UsdSkel), and reads them back."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pxr import Gf, Sdf, Tf, Usd, UsdGeom, UsdSkel, Vt

from backend_server.export.morphs import MorphAnimation, MorphMesh, WrittenMorphs, check_written
from shared.errors import NoSpaceError, SpeechFaceError

_STILL = 1e-6  # metres below which a vertex does not belong to a blend shape


def write_usd(path: Path, animation: MorphAnimation, mesh: MorphMesh | None = None) -> None:
    """Writes a `SkelAnimation` and, if there is a mesh, the mesh with its blend shapes bound to it.

    A time code is a frame of the scene, and the stage has the scene's rate. The animation stands at
    `/Face/Animation`, so that another character with blend shapes of these names can refer to it.

    Args:
        path: a .usdc (binary), .usda (text) or .usd file.
        animation: weights at the frame times.
        mesh: its targets in the order of the animation's channels.

    Raises:
        ShapeError: mesh and animation do not fit together.
        NoSpaceError: the file could not be written.
        SpeechFaceError: what was written differs when it is read back.
    """
    stage = Usd.Stage.CreateInMemory()
    frames = np.round(animation.frame_times * float(animation.frame_rate), 6)
    stage.SetTimeCodesPerSecond(float(animation.frame_rate))
    stage.SetFramesPerSecond(float(animation.frame_rate))
    stage.SetStartTimeCode(frames[0])
    stage.SetEndTimeCode(frames[-1])
    UsdGeom.SetStageUpAxis(stage, UsdGeom.Tokens.y)
    UsdGeom.SetStageMetersPerUnit(stage, 1.0)
    rate = animation.frame_rate
    notes = {**animation.tags, "frame_rate": f"{rate.numerator}/{rate.denominator}"}
    stage.GetRootLayer().customLayerData = {"speech_face": notes}
    root = UsdSkel.Root.Define(stage, "/Face")
    stage.SetDefaultPrim(root.GetPrim())
    prim = _write_animation(stage, animation, frames)
    if mesh is not None:
        animation.check_mesh(mesh)
        _write_mesh(stage, mesh, animation.channels, prim)
    try:
        stage.GetRootLayer().Export(str(path))
    except Tf.ErrorException as error:
        raise NoSpaceError(f"writing {path.name} failed: {error}; choose another folder") from error
    check_written(path.name, animation, read_usd(path))


def read_usd(path: Path) -> WrittenMorphs:
    """The weights of the first animation of blend shapes in a USD file.

    Raises:
        SpeechFaceError: it has none.
    """
    stage = Usd.Stage.Open(str(path))
    for prim in stage.Traverse():
        animation = UsdSkel.Animation(prim)
        names = animation.GetBlendShapesAttr().Get() if animation else None
        if names:
            samples = animation.GetBlendShapeWeightsAttr().GetTimeSamples()
            weights = [animation.GetBlendShapeWeightsAttr().Get(sample) for sample in samples]
            times = np.array(samples) / stage.GetTimeCodesPerSecond()
            return WrittenMorphs(tuple(names), np.array(weights, np.float32), times)
    raise SpeechFaceError(f"{path.name} animates no blend shape; give a file written by --write usd")


def _write_animation(stage: Usd.Stage, animation: MorphAnimation, frames: NDArray[np.float64]) -> UsdSkel.Animation:
    prim = UsdSkel.Animation.Define(stage, "/Face/Animation")
    prim.CreateBlendShapesAttr(list(animation.channels))
    weights = prim.CreateBlendShapeWeightsAttr()
    for frame, row in zip(frames.tolist(), animation.weights.astype(np.float32), strict=True):
        weights.Set(Vt.FloatArray.FromNumpy(row), frame)
    prim.CreateJointsAttr(["root"])  # readers expect a skeleton, and a skeleton has a joint
    prim.CreateTranslationsAttr([Gf.Vec3f(0)])
    prim.CreateRotationsAttr([Gf.Quatf(1)])
    prim.CreateScalesAttr([Gf.Vec3h(1)])
    return prim


def _write_mesh(stage: Usd.Stage, mesh: MorphMesh, channels: tuple[str, ...], animation: UsdSkel.Animation) -> None:
    skeleton = UsdSkel.Skeleton.Define(stage, "/Face/Skeleton")
    skeleton.CreateJointsAttr(["root"])
    skeleton.CreateBindTransformsAttr([Gf.Matrix4d(1)])
    skeleton.CreateRestTransformsAttr([Gf.Matrix4d(1)])
    UsdSkel.BindingAPI.Apply(skeleton.GetPrim()).CreateAnimationSourceRel().SetTargets([animation.GetPath()])
    shape = UsdGeom.Mesh.Define(stage, "/Face/Mesh")
    shape.CreatePointsAttr(Vt.Vec3fArray.FromNumpy(mesh.vertices.astype(np.float32)))
    shape.CreateFaceVertexCountsAttr([mesh.faces.shape[1]] * len(mesh.faces))
    shape.CreateFaceVertexIndicesAttr(Vt.IntArray.FromNumpy(mesh.faces.astype(np.int32).ravel()))
    shape.CreateSubdivisionSchemeAttr(UsdGeom.Tokens.none)
    shape.CreateExtentAttr([Gf.Vec3f(*map(float, corner(mesh.vertices, axis=0))) for corner in (np.min, np.max)])
    shape.SetNormalsInterpolation(UsdGeom.Tokens.vertex)
    rest = mesh.normals(mesh.vertices)
    shape.CreateNormalsAttr(Vt.Vec3fArray.FromNumpy(rest))
    if mesh.paints:
        colours = np.full((len(mesh.faces), 3), 0.8, np.float32)
        for paint in mesh.paints:
            colours[paint.faces] = paint.colour
        shape.CreateDisplayColorPrimvar(UsdGeom.Tokens.uniform).Set(Vt.Vec3fArray.FromNumpy(colours))
    binding = UsdSkel.BindingAPI.Apply(shape.GetPrim())
    binding.CreateSkeletonRel().SetTargets([skeleton.GetPath()])
    binding.CreateJointIndicesPrimvar(True, 1).Set([0])
    binding.CreateJointWeightsPrimvar(True, 1).Set([1.0])
    paths = []
    for number, (name, delta) in enumerate(zip(channels, mesh.deltas.astype(np.float32), strict=True)):
        child = name if Sdf.Path.IsValidIdentifier(name) else f"shape_{number}"
        blend = UsdSkel.BlendShape.Define(stage, shape.GetPath().AppendChild(child))
        moved = np.flatnonzero(np.abs(delta).max(axis=1) > _STILL)
        turned = mesh.normals(mesh.vertices + delta) - rest
        blend.CreateOffsetsAttr(Vt.Vec3fArray.FromNumpy(delta[moved]))
        blend.CreateNormalOffsetsAttr(Vt.Vec3fArray.FromNumpy(turned[moved]))
        blend.CreatePointIndicesAttr(Vt.IntArray.FromNumpy(moved.astype(np.int32)))
        paths.append(blend.GetPath())
    binding.CreateBlendShapesAttr(list(channels))
    binding.CreateBlendShapeTargetsRel().SetTargets(paths)
