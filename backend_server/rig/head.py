"""Has the head that ships, with ARKit's 52 shapes; writes others, and says in which colours heads are drawn.

It imports neither torch nor a stage, so that it loads at once.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backend_server.files import atomic_write
from shared.rig.head_file import Head, load_head, stored_arrays

SAMPLE = Path(__file__).parents[1] / "samples" / "head.npz"
COLOURS = {  # red, green, blue from 0 to 1, sRGB
    "skin": (0.80, 0.62, 0.52),
    "lips": (0.72, 0.42, 0.40),
    "left_eye": (0.95, 0.95, 0.95),
    "right_eye": (0.95, 0.95, 0.95),
    "iris": (0.25, 0.35, 0.45),
    "pupil": (0.02, 0.02, 0.02),
    "upper_teeth": (0.95, 0.93, 0.88),
    "lower_teeth": (0.95, 0.93, 0.88),
    "tongue": (0.75, 0.40, 0.40),
}


def triangle_colours(head: Head) -> NDArray[np.float32]:
    """The colours f32 (2 F, 3) of a head's triangles."""
    return np.array([COLOURS[part] for part in head.parts], np.float32)[head.face_parts].repeat(2, axis=0)


def load_sample_head() -> Head:
    """Reads the shipped head (`samples/head.md` says where it is from).

    Raises:
        SpeechFaceError: the file is missing or damaged.
    """
    return load_head(SAMPLE)


def save_head(head: Head, path: Path) -> None:
    """Writes a head to an .npz file: the same bytes for the same head; displacements keep what is not zero.

    Raises:
        OSError: the file cannot be written.
    """
    arrays: dict[str, Any] = stored_arrays(head)  # as arrays, they might be given for numpy's `allow_pickle`
    with atomic_write(path) as temporary, temporary.open("wb") as file:
        np.savez_compressed(file, **arrays)
