"""Writes an animation as the files that game engines and other programs take."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from backend_server.export.atlas import Atlas, Grid, fitting_grid, read_grid
from backend_server.export.formats import FrameFormat, bytes_per_frame
from backend_server.export.frames import FrameSettings
from backend_server.export.live_link_csv import live_link_rotations, write_live_link_csv
from backend_server.export.morphs import MorphAnimation, MorphMesh
from backend_server.export.rig_files import write_rig_json
from backend_server.export.timecode import timecodes
from backend_server.rig.conversion import rig_weights
from shared.errors import ValueRangeError
from shared.rig.presets import open_preset
from shared.timing import FrameRate


class HandOff(StrEnum):
    """What can be written beside the usual results."""

    LIVE_LINK = "live-link"
    LIVE_LINK_SMPTE = "live-link-smpte"
    JSON = "json"
    GLTF = "gltf"
    USD = "usd"
    ATLAS = "atlas"


@dataclass(frozen=True)
class HandOffs:
    """What a user asked for; `grid` is that of the atlas, None for one that fits."""

    kinds: frozenset[HandOff] = frozenset()
    grid: Grid | None = None


NOTHING = HandOffs()


def read_hand_offs(text: str) -> HandOffs:
    """What a list such as "live-link,gltf,atlas:8x4" asks for; nothing if it is empty.

    Raises:
        ValueRangeError: a word of it is unknown, or a library for it is missing.
    """
    kinds, grid = set(), None
    for word in filter(None, (part.strip() for part in text.split(","))):
        name, colon, layout = word.partition(":")
        if name not in tuple(HandOff) or (colon and name != HandOff.ATLAS):
            others = "; FBX is written from Blender, python -m blender_addon hand-off" if name == "fbx" else ""
            raise ValueRangeError(
                f'--write has no "{word}"; write some of {", ".join(HandOff)}, or atlas:8x4 for 8 columns and 4 rows, '
                f"with commas between{others}"
            )
        kinds.add(HandOff(name))
        if colon:
            grid = read_grid(layout)
    if HandOff.USD in kinds and importlib.util.find_spec("pxr") is None:
        raise ValueRangeError(
            "--write usd needs usd-core, which is not installed; install it with: pip install 'speech-face[usd]'"
        )
    return HandOffs(frozenset(kinds), grid)


def check_hand_offs(wanted: HandOffs, frame_rate: FrameRate, has_pictures: bool) -> None:
    """Refuses what cannot be written of an animation.

    Raises:
        ValueRangeError: an atlas without pictures, or a frame rate that has no timecode.
    """
    if HandOff.ATLAS in wanted.kinds and not has_pictures:
        raise ValueRangeError("--write atlas needs pictures and --no-texture makes none; leave one of them out")
    if HandOff.LIVE_LINK_SMPTE in wanted.kinds:
        timecodes(np.zeros(1), frame_rate)


def write_hand_offs(
    folder: Path,
    wanted: HandOffs,
    animation: MorphAnimation,
    frame_rate: FrameRate,
    load_mesh: Callable[[], MorphMesh],
) -> None:
    """Writes the files that curves alone make: all but the atlas.

    Args:
        folder: where the files are made.
        wanted: which.
        animation: of `shared.arkit.SHAPES`.
        frame_rate: of the scene.
        load_mesh: the mesh that glTF and USD show; called only for these.
    """
    times, weights = animation.frame_times, animation.weights
    if HandOff.LIVE_LINK in wanted.kinds:
        write_live_link_csv(folder / "live_link.csv", times, weights, rotations=live_link_rotations(animation.head))
    if HandOff.LIVE_LINK_SMPTE in wanted.kinds:
        rotations = live_link_rotations(animation.head)
        write_live_link_csv(folder / "live_link_smpte.csv", times, weights, frame_rate, rotations)
    if HandOff.JSON in wanted.kinds:
        arkit, rate = open_preset("arkit"), animation.frame_rate
        write_rig_json(folder / "arkit.json", arkit, rig_weights(arkit, weights, times), times, rate, animation.tags)
    if wanted.kinds & {HandOff.GLTF, HandOff.USD}:
        mesh = load_mesh()
        if HandOff.GLTF in wanted.kinds:
            from backend_server.export.gltf import write_gltf  # noqa: PLC0415 (half a second that others need not wait)

            write_gltf(folder / "face.glb", mesh, animation)
        if HandOff.USD in wanted.kinds:
            from backend_server.export.usd import write_usd  # noqa: PLC0415 (an optional library)

            write_usd(folder / "face.usdc", animation, mesh)


def hand_off_bytes(wanted: HandOffs, frame_count: int, height: int, width: int) -> int:
    """A generous estimate of the disk space that each frame needs beside the usual results.

    Raises:
        ValueRangeError: frames of this size do not fit on the pages of the atlas asked for.
    """
    if HandOff.ATLAS not in wanted.kinds:
        return 0
    fitting_grid(frame_count, height, width, wanted.grid)
    return bytes_per_frame(FrameFormat.PNG, height, width)


@contextmanager
def hand_off_frames(
    folder: Path, wanted: HandOffs, frame_count: int, settings: FrameSettings
) -> Iterator[Callable[[NDArray[np.uint8]], None]]:
    """Opens what pictures make, the atlas, and yields a function that takes the next frame, (H, W, 3 or 4)."""
    if HandOff.ATLAS not in wanted.kinds:
        yield lambda _: None
        return
    with Atlas(folder, frame_count, settings.frame_rate, wanted.grid, settings.tags) as atlas:
        yield atlas.add
