"""What is a learnt face called, and where does it lie?

A face is named by what it was made from: the sha256 of pictures, landmarks, epochs, seed and weights. Who asks for the
same again is led to the same file, and nothing is learnt twice.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import platformdirs
from numpy.typing import NDArray

DATA_FOLDER_VARIABLE = "SPEECH_FACE_DATA"
ID_DIGITS = 64
SHORT_DIGITS = 12  # as shown; so many never collide among one user's faces


def identity_id(
    images: Sequence[NDArray[np.uint8]],
    landmarks: NDArray[np.float32] | None,
    *,
    epochs: int,
    seed: int,
    weights_version: str,
) -> str:
    """The name of the face that is learnt from these; 64 hexadecimal digits.

    Args:
        images: K pictures (H, W, 3), in their order.
        landmarks: (K, 68, 2) pixels placed by hand, rows of NaN where they are detected; None where all are.
        epochs: of fine-tuning, as asked for.
        seed: of fine-tuning.
        weights_version: of the weights that it begins from.
    """
    whole = hashlib.sha256(f"speech_face 1 {weights_version} {epochs} {seed}".encode())
    for array in (*images, *(() if landmarks is None else (landmarks,))):
        whole.update(f" {array.dtype.str} {array.shape} ".encode())
        whole.update(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data)
    return whole.hexdigest()


def file_id(path: Path) -> str:
    """The name of a file's content; of an identity that does not say what it was made from."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def data_folder() -> Path:
    """Where the backend keeps queue, results and learnt faces of this user.

    `SPEECH_FACE_DATA` overrides the place that the operating system's convention gives.
    """
    if override := os.environ.get(DATA_FOLDER_VARIABLE):
        return Path(override).expanduser()
    return platformdirs.user_data_path("speech_face", appauthor=False)


def identity_folder(data: Path) -> Path:
    """Where the learnt faces lie in a data folder."""
    return data / "identities"
