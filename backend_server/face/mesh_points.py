"""Takes the 68 landmarks of iBUG 300-W from MediaPipe's 478-point face mesh.

Each landmark is the mean of two mesh vertices (one vertex twice where it lies at the right place), chosen so that
the jaw line and the nose bridge are spaced evenly as in iBUG's drawings. The mesh names the person's right first.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_PAIRS: tuple[tuple[int, int], ...] = (
    # jaw, from the right ear over the chin to the left ear
    (127, 127), (234, 234), (93, 132), (132, 58), (58, 172), (136, 136), (150, 149), (176, 148), (152, 152),
    (400, 377), (379, 378), (365, 365), (288, 397), (361, 288), (323, 361), (454, 454), (356, 356),
    # brows, upper edge
    (70, 70), (63, 63), (105, 105), (66, 66), (107, 107),
    (336, 336), (296, 296), (334, 334), (293, 293), (300, 300),
    # nose bridge, nose base
    (168, 168), (197, 197), (195, 5), (4, 4),
    (98, 98), (97, 97), (2, 2), (326, 326), (327, 327),
    # lids
    (33, 33), (160, 160), (158, 158), (133, 133), (153, 153), (144, 144),
    (362, 362), (385, 385), (387, 387), (263, 263), (373, 373), (380, 380),
    # outer lips, inner lips
    (61, 61), (39, 39), (37, 37), (0, 0), (267, 267), (269, 269), (291, 291), (405, 405), (314, 314), (17, 17),
    (84, 84), (181, 181),
    (78, 78), (81, 81), (13, 13), (311, 311), (308, 308), (402, 402), (14, 14), (178, 178),
)  # fmt: skip

_FIRST, _SECOND = np.array(_PAIRS).T


def landmarks_of_mesh(mesh: NDArray[np.floating]) -> NDArray[np.float32]:
    """Returns the 68 landmarks (68, 2) of a mesh (478, 2 or 3), in the mesh's unit."""
    return ((mesh[_FIRST, :2] + mesh[_SECOND, :2]) / 2).astype(np.float32)


def yaw_degrees_of_mesh(mesh: NDArray[np.floating]) -> float:
    """Returns how far a mesh (478, 3) is turned about the vertical; positive towards the person's left.

    Measured on four lines that join mirrored vertices: eye corners, temples, cheeks and nostrils.
    """
    across = mesh[[263, 356, 454, 327]] - mesh[[33, 127, 234, 98]]
    direction = (across / np.linalg.norm(across, axis=1, keepdims=True)).mean(0)
    return float(np.degrees(np.arctan2(direction[2], np.hypot(direction[0], direction[1]))))
