from dataclasses import dataclass

import numpy as np

from backend_server.metrics.figures import Figures, mean_of_numbers


@dataclass(frozen=True)
class Twofold(Figures):
    lip_speed: float
    share: float


def test_the_mean_counts_only_clips_that_have_the_figure():
    mean = Twofold.mean([Twofold(1.0, 0.5), Twofold(4.0, np.nan)])
    assert mean == Twofold(2.5, 0.5)
    assert mean.sentence() == "lip speed 2.500, share 0.500"


def test_without_numbers_there_is_no_mean():
    assert np.isnan(mean_of_numbers([]))
    assert np.isnan(mean_of_numbers([np.nan, np.nan]))
    none = Twofold.mean([])
    assert np.isnan([none.lip_speed, none.share]).all()
