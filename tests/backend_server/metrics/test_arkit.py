import numpy as np
import pytest

from backend_server.metrics.arkit import MOUTH_SHAPES, ArkitFigures, arkit_figures
from shared.arkit import SHAPES


def weights(**curves) -> np.ndarray:
    result = np.zeros((40, 52), np.float32)
    for name, curve in curves.items():
        result[:, SHAPES.index(name)] = curve
    return result


WAVE = 0.3 + 0.2 * np.sin(np.arange(40) / 3)
OTHER = 0.3 + 0.2 * np.cos(np.arange(40) / 2)


def test_figures_by_hand():
    real = weights(jawOpen=WAVE, mouthPucker=WAVE, mouthSmileLeft=WAVE, mouthSmileRight=WAVE, mouthFunnel=0.001 * WAVE)
    made = weights(jawOpen=0.5 * WAVE, mouthPucker=0.6 - WAVE, mouthSmileLeft=WAVE, mouthSmileRight=0.6 - WAVE)
    figures = arkit_figures(made, real)
    assert figures.jaw_open == pytest.approx(1)
    assert figures.mouth_pucker == pytest.approx(-1)
    assert figures.mouth_smile == pytest.approx(0, abs=1e-6)
    assert np.isnan(figures.mouth_funnel)  # it moves by less than the tracker's noise
    assert np.isnan(figures.mouth_stretch)
    assert figures.mouth == pytest.approx((1 - 1 + 1 - 1) / 4, abs=1e-6)
    differences = 0.5 * WAVE.sum() + 2 * np.abs(2 * WAVE - 0.6).sum() + 0.001 * WAVE.sum()
    assert figures.error == pytest.approx(differences / 40 / len(MOUTH_SHAPES), rel=1e-4)


def test_a_shape_that_should_move_and_does_not_counts_as_0():
    assert arkit_figures(weights(), weights(jawOpen=WAVE)).jaw_open == 0


def test_the_mean_leaves_out_what_does_not_exist():
    both = [arkit_figures(weights(jawOpen=WAVE), weights(jawOpen=WAVE)), arkit_figures(weights(), weights())]
    assert ArkitFigures.mean(both).jaw_open == pytest.approx(1)
