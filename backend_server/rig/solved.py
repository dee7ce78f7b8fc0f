"""Moves a rig whose channels have no known names: by what each of them does to the landmarks of its face."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from backend_server.metrics.landmarks import inter_ocular
from backend_server.retarget import retarget
from backend_server.rig.solver import Solved, SolveSettings, solve
from shared.errors import ShapeError
from shared.landmarks import JAW, LIPS, NOSE_BASE, NOSE_BRIDGE, POINT_COUNT
from shared.rig.mapping import RigMapping
from shared.rig_messages import RigFace

OBSERVABLE = 0.002  # eye distances: root mean square over the landmarks that a channel alone explains
# All others count 1: contours slide along the skin, lips are watched.
_IMPORTANCE = (
    (JAW, 0.25),
    (NOSE_BRIDGE, 0.5),
    (NOSE_BASE, 0.5),
    (LIPS, 2.0),
)

Array = NDArray[np.float32]


def importance(face: RigFace) -> Array:
    """How much each landmark counts, (68,)."""
    share = np.ones(POINT_COUNT, np.float32)
    for points, weight in _IMPORTANCE:
        share[points] = weight
    return share if face.confidence is None else share * face.confidence


def solve_rig(
    canonical: Array,
    neutral_canonical: Array,
    face: RigFace,
    *,
    least: Array | float = 0.0,
    most: Array | float = 1.0,
    settings: SolveSettings | None = None,
) -> Solved:
    """The channels that make a rig's face do what the canonical face does; the residual is in eye distances.

    Args:
        canonical: the motion, (T, 68, 2) canonical units.
        neutral_canonical: the canonical face at rest, (68, 2).
        face: of the rig.
        least: lower bound of each channel, (C,), or of all.
        most: upper bound of each channel, (C,), or of all.
        settings: what is asked of the weights beside.

    Raises:
        ShapeError: the face has other than 68 landmarks.
        ValueRangeError: a landmark is not finite, all lie on a line, or no channel moves any.
    """
    if face.rest.shape != (POINT_COUNT, 2):
        raise ShapeError(f"expected the landmarks of a face (68, 2), got {face.rest.shape}")
    unit = float(inter_ocular(face.rest))
    rest = (face.rest / unit).astype(np.float32)
    wanted = retarget(canonical, neutral_canonical, rest) - rest
    return solve(
        (face.basis / unit).astype(np.float32),
        wanted.astype(np.float32),
        least=least,
        most=most,
        importance=importance(face),
        settings=settings,
    )


def solve_channels(
    mapping: RigMapping,
    face: RigFace,
    canonical: Array,
    neutral_canonical: Array,
    settings: SolveSettings | None = None,
) -> Solved:
    """`solve_rig` within the limits of a mapping's channels, whose gains multiply what is found.

    The sources of the channels are not read. One that is muted stays at its offset.

    Raises:
        ShapeError: the face has not as many channels as the mapping.
        ValueRangeError: as `solve_rig`.
    """
    channels = mapping.channels
    if len(face.basis) != len(channels):
        raise ShapeError(f"got a face of {len(face.basis)} channels for the {len(channels)} of {mapping.name}")
    is_muted = np.array([channel.is_muted for channel in channels])
    still = np.array([min(max(channel.offset, channel.least), channel.most) for channel in channels])
    least, most = (np.array([getattr(channel, name) for channel in channels]) for name in ("least", "most"))
    basis = np.where(is_muted[:, None, None], np.float32(0), face.basis)
    solved = solve_rig(
        canonical, neutral_canonical, replace(face, basis=basis), least=least, most=most, settings=settings
    )
    gains = np.array([mapping.gain * channel.gain for channel in channels])
    weights = np.where(is_muted, still, np.clip(gains * solved.weights, least, most))
    return replace(solved, weights=weights.astype(np.float32))


def observable(face: RigFace) -> NDArray[np.bool_]:
    """Which channels (C,) the landmarks tell apart: those whose effect no mixture of the others comes near."""
    effect = (face.basis / float(inter_ocular(face.rest))).reshape(len(face.basis), -1).astype(np.float64)
    alone = np.zeros(len(effect))
    for channel, own in enumerate(effect):
        others = np.delete(effect, channel, 0).T
        explained = others @ np.linalg.lstsq(others, own, rcond=1e-6)[0]
        alone[channel] = np.sqrt(np.square(own - explained).sum() / POINT_COUNT)
    return alone > OBSERVABLE
