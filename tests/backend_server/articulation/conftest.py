"""A table of visemes for tests: every mouth opens by a different amount, every manner pulls alike."""

import numpy as np
import pytest

from backend_server.articulation.dominance import initial_dominance
from backend_server.articulation.visemes import VISEMES, VisemeTable, complete_targets


@pytest.fixture(scope="session")
def table() -> VisemeTable:
    neutral = np.zeros((68, 2), np.float32)
    neutral[36:42], neutral[42:48] = (-0.5, 0.0), (0.5, 0.0)
    neutral[48:68, 0] = np.linspace(-0.3, 0.3, 20)
    neutral[48:68, 1] = 0.5
    targets = np.zeros((len(VISEMES), 68, 2), np.float32)
    targets[:, [*range(55, 60), *range(65, 68)], 1] = np.linspace(0.05, 0.2, len(VISEMES))[:, None]
    targets[VISEMES.index("W"), 48:68, 0] = -0.1
    return VisemeTable(neutral, complete_targets(targets, neutral), initial_dominance())
