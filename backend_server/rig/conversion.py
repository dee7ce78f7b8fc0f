"""Turns the weights of ARKit's 52 shapes into the channels of a rig, with scipy's solver."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import nnls

from shared.rig import conversion
from shared.rig.mapping import RigMapping

Array = NDArray[np.float32]


def rig_weights(mapping: RigMapping, arkit: Array, frame_times: NDArray[np.float64]) -> Array:
    """The values of a rig's channels over time, (T, C); see `shared.rig.conversion.rig_weights`."""
    return conversion.rig_weights(mapping, arkit, frame_times, _non_negative)


def _non_negative(matrix: NDArray[np.float64], target: NDArray[np.float64]) -> NDArray[np.float64]:
    return nnls(matrix, target, maxiter=conversion.MOST_ROUNDS * matrix.shape[1])[0]
