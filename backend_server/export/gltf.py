"""Writes a talking mesh as binary glTF 2.0, and reads its weights back.

Of each morph target only the vertices that move are stored (sparse accessors): a fifth of a head, on average.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pygltflib as gltf
from numpy.typing import NDArray

from backend_server.export.morphs import MorphAnimation, MorphMesh, WrittenMorphs, check_written
from shared.errors import SpeechFaceError

_COMPONENTS = {
    np.dtype(np.float32): gltf.FLOAT,
    np.dtype(np.uint32): gltf.UNSIGNED_INT,
    np.dtype(np.uint16): gltf.UNSIGNED_SHORT,
}
_BARE = (0.8, 0.8, 0.8)  # colour of faces without paint, which is glTF's own default but for its gloss


def write_gltf(path: Path, mesh: MorphMesh, animation: MorphAnimation) -> None:
    """Writes one mesh with a morph target for each channel and one animation of the weights, linear between frames.

    glTF knows seconds and no frame rate; `asset.extras` has the frame rate as a fraction, and the tags.

    Args:
        path: a .glb file.
        mesh: its targets in the order of the animation's channels.
        animation: weights at the frame times.

    Raises:
        ShapeError: mesh and animation do not fit together.
        SpeechFaceError: what was written differs when it is read back.
    """
    animation.check_mesh(mesh)
    file = _Buffers()
    attributes = gltf.Attributes(POSITION=file.add(mesh.vertices), NORMAL=file.add(mesh.normals(mesh.vertices)))
    targets = [
        gltf.Attributes(POSITION=file.add_sparse(delta), NORMAL=file.add_sparse(turn))
        for delta, turn in zip(mesh.deltas.astype(np.float32), mesh.normal_deltas, strict=True)
    ]
    painted = [paint.faces for paint in mesh.paints]
    bare = np.setdiff1d(np.arange(len(mesh.faces)), np.concatenate([*painted, np.zeros(0, np.int64)]))
    parts = [(paint.name, paint.colour, paint.faces) for paint in mesh.paints] + [(mesh.name, _BARE, bare)]
    for name, colour, faces in parts:
        if len(faces):
            file.document.materials.append(_material(name, colour))
            indices = file.add(_small(mesh.triangles(faces)).ravel(), gltf.ELEMENT_ARRAY_BUFFER)
            primitive = gltf.Primitive(
                attributes=attributes,
                indices=indices,
                material=len(file.document.materials) - 1,
                targets=targets,
            )
            file.primitives.append(primitive)
    times = file.add(animation.frame_times.astype(np.float32), None)
    weights = file.add(animation.weights.astype(np.float32).ravel(), None)
    document = file.document
    names = {"targetNames": list(animation.channels)}  # where Blender, three.js, Godot, Unity and Unreal look
    document.meshes = [
        gltf.Mesh(name=mesh.name, primitives=file.primitives, weights=[0.0] * len(animation.channels), extras=names)
    ]
    document.nodes = [gltf.Node(name=mesh.name, mesh=0)]
    document.scenes, document.scene = [gltf.Scene(nodes=[0])], 0
    channel = gltf.AnimationChannel(sampler=0, target=gltf.AnimationChannelTarget(node=0, path="weights"))
    sampler = gltf.AnimationSampler(input=times, output=weights, interpolation="LINEAR")
    document.animations = [gltf.Animation(name="Speech", channels=[channel], samplers=[sampler])]
    rate = animation.frame_rate
    document.asset = gltf.Asset(
        generator=animation.tags.get("Software", "Speech Face"),
        extras={**animation.tags, "frame_rate": [rate.numerator, rate.denominator]},
    )
    document.buffers = [gltf.Buffer(byteLength=len(file.data))]
    document.set_binary_blob(bytes(file.data))
    document.save_binary(str(path))
    check_written(path.name, animation, read_gltf(path))


def read_gltf(path: Path) -> WrittenMorphs:
    """The weights that the first animation of morph targets in a .glb file gives its mesh.

    Raises:
        SpeechFaceError: it has none.
    """
    document = gltf.GLTF2.load_binary(str(path))
    if document is None:
        raise SpeechFaceError(f"{path.name} is no binary glTF file; give a .glb")
    for animation in document.animations:
        for channel in animation.channels:
            if channel.target.path == "weights" and channel.target.node is not None:
                sampler = animation.samplers[channel.sampler]
                times = _accessor(document, sampler.input)
                names = (document.meshes[document.nodes[channel.target.node].mesh or 0].extras or {}).get("targetNames")
                weights = _accessor(document, sampler.output).reshape(len(times), -1)
                return WrittenMorphs(tuple(names or ()), weights, times.astype(np.float64))
    raise SpeechFaceError(f"{path.name} animates no morph target; give a file written by --write gltf")


class _Buffers:
    """A document whose arrays lie one after another in its binary part."""

    def __init__(self) -> None:
        self.document = gltf.GLTF2()
        self.primitives: list[gltf.Primitive] = []
        self.data = bytearray()

    def add(self, values: NDArray, target: int | None = gltf.ARRAY_BUFFER) -> int:
        """Stores numbers (n,) or vectors (n, 3), f32, u32 or u16; returns the number of their accessor."""
        return self._add_accessor(values, self._add_view(values, target))

    def add_sparse(self, vectors: NDArray[np.float32]) -> int:
        """Stores of vectors (n, 3) those that are not 0, at least one; returns the number of their accessor."""
        indices = _small(np.flatnonzero(vectors.any(axis=1)) if vectors.any() else np.zeros(1, np.int64))
        places = gltf.AccessorSparseIndices(
            bufferView=self._add_view(indices), componentType=_COMPONENTS[indices.dtype]
        )
        values = gltf.AccessorSparseValues(bufferView=self._add_view(vectors[indices]))
        sparse = gltf.Sparse(count=len(indices), indices=places, values=values)
        return self._add_accessor(vectors, sparse=sparse)

    def _add_view(self, values: NDArray, target: int | None = None) -> int:
        view = gltf.BufferView(buffer=0, byteOffset=len(self.data), byteLength=values.nbytes, target=target)
        self.document.bufferViews.append(view)
        self.data += values.tobytes() + bytes(-values.nbytes % 4)  # every array begins at a multiple of four
        return len(self.document.bufferViews) - 1

    def _add_accessor(self, values: NDArray, view: int | None = None, sparse: gltf.Sparse | None = None) -> int:
        bounds = values.reshape(len(values), -1)
        accessor = gltf.Accessor(
            componentType=_COMPONENTS[values.dtype],
            count=len(values),
            type="VEC3" if values.ndim == 2 else "SCALAR",
            min=bounds.min(axis=0).tolist(),
            max=bounds.max(axis=0).tolist(),
            bufferView=view,
            byteOffset=None if view is None else 0,  # glTF forbids an offset without a view
            sparse=sparse,
        )
        self.document.accessors.append(accessor)
        return len(self.document.accessors) - 1


def _small(indices: NDArray[np.int64]) -> NDArray[np.unsignedinteger]:
    """Indices in as few bytes as hold them; the highest number of each kind is no index in glTF."""
    return indices.astype(np.uint16 if indices.max() < np.iinfo(np.uint16).max else np.uint32)


def _material(name: str, colour: tuple[float, float, float]) -> gltf.Material:
    surface = gltf.PbrMetallicRoughness(baseColorFactor=[*colour, 1.0], metallicFactor=0.0, roughnessFactor=0.6)
    return gltf.Material(name=name, pbrMetallicRoughness=surface)


def _accessor(document: gltf.GLTF2, number: int) -> NDArray[np.float32]:
    """The floats of an accessor that lie without gaps."""
    accessor = document.accessors[number]
    view = document.bufferViews[accessor.bufferView or 0]
    start = (view.byteOffset or 0) + (accessor.byteOffset or 0)
    return np.frombuffer(document.binary_blob() or b"", np.float32, accessor.count, start)
