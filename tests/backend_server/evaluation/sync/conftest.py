"""Films of made-up people, whose mouths open as loud as they speak."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter1d

from backend_server.evaluation.sync.films import MOUTH_HEIGHT, MOUTH_WIDTH, SOUND_FRAMES, Film
from backend_server.speech.features import MEL_BANDS

FRAMES = 75


@pytest.fixture
def speaking():
    """Makes the film of a person who says something at random."""

    def film(speaker: str, random: np.random.Generator) -> Film:
        # 100 moments a second, as of the sound; half a second more at either end.
        loud = gaussian_filter1d(random.standard_normal(4 * FRAMES + 100), 8)
        loud = np.clip(0.5 + 0.25 * loud / loud.std(), 0, 1)
        shown = loud[50 : 50 + 4 * FRAMES : 4]
        down, across = np.mgrid[-1 : 1 : MOUTH_HEIGHT * 1j, -1 : 1 : MOUTH_WIDTH * 1j]
        lips = np.hypot(down[None] / (0.1 + 0.6 * shown[:, None, None]), across / 0.8) < 1
        skin = random.uniform(90, 160) + random.normal(0, 5, (MOUTH_HEIGHT, MOUTH_WIDTH))
        places = 50 + 4 * np.arange(FRAMES)[:, None] - SOUND_FRAMES // 2 + np.arange(SOUND_FRAMES)
        sounds = 3 * loud[places][..., None] - 2 + random.normal(0, 0.2, (FRAMES, SOUND_FRAMES, MEL_BANDS))
        mouths = np.clip(skin - 70 * lips, 0, 255).astype(np.uint8)
        return Film(speaker, mouths, sounds.astype(np.float32))

    return film
