"""All mouths on one page."""

import numpy as np
from PIL import Image

from backend_server.articulation.visemes import load_visemes
from backend_server.evaluation.motion import visemes
from backend_server.evaluation.motion.visemes import shape_of
from backend_server.metrics.landmarks import mouth_opening, mouth_width


def test_a_diphthong_moves_between_its_two_drawings():
    table = load_visemes()
    begin, end = (shape_of("AW", moment, table) for moment in (0.4, 0.75))
    assert mouth_opening(begin) > mouth_opening(end) + 0.05
    assert mouth_width(shape_of("W", 0.4, table)) < mouth_width(shape_of("IY", 0.4, table))


def test_the_sheet_is_drawn(corpus_folder, context_of, tmp_path):
    visemes.run(context_of(corpus_folder))
    with Image.open(tmp_path / "visemes.png") as picture:
        assert picture.width > picture.height > 500
        assert np.asarray(picture.convert("L")).min() < 100
