"""Writes landmarks over time as arrays for numpy."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from shared.head import POSE


def write_landmarks(
    path: Path,
    frame_times: NDArray[np.float64],
    canonical: NDArray[np.float32],
    landmarks: NDArray[np.float32],
    neutral: NDArray[np.float32],
    crop: NDArray[np.float32],
    tags: dict[str, str],
    head: NDArray[np.float32] | None = None,
) -> None:
    """Writes all of these under their names, and the tags as JSON under `metadata`.

    Args:
        path: the file to write, .npz.
        frame_times: (T,) seconds.
        canonical: (T, 68, 2) canonical units.
        landmarks: (T, 68, 2) pixels of the face crop.
        neutral: (68, 2), the pose at rest, same pixels.
        crop: (2, 3), from pixels of the crop to pixels of the source image.
        tags: metadata of the file.
        head: how the head is turned, (T, 6), as `shared.head.POSE`; None where it is not.
    """
    np.savez_compressed(
        path,
        frame_times=frame_times,
        canonical=canonical,
        landmarks=landmarks,
        neutral=neutral,
        crop=crop,
        head=np.zeros((len(landmarks), len(POSE)), np.float32) if head is None else head,
        metadata=np.array(json.dumps(tags)),
    )
