"""Every phone has a shape, and anatomy is kept: lips meet where they must and part where they must."""

import numpy as np
import pytest

from backend_server.articulation.phones import PHONES, SILENCE
from backend_server.articulation.visemes import VISEMES, lip_gap, load_visemes, save_visemes, visemes_of
from shared.errors import WeightsError


def test_every_phone_has_visemes_of_the_table():
    assert {name for phone in PHONES for name in visemes_of(phone)} == set(VISEMES)
    assert [phone for phone in PHONES if not visemes_of(phone)] == ["HH"]
    assert visemes_of("M") == visemes_of("B") == visemes_of("P")
    assert visemes_of("OY") == ("AO", "IH")


def test_rules_of_contact_hold_whatever_was_measured(table):
    gaps = {name: lip_gap(table.neutral + target) for name, target in zip(VISEMES, table.targets, strict=True)}
    assert gaps["P"] == pytest.approx(-0.03, abs=1e-5)
    assert gaps["F"] == pytest.approx(0.01, abs=1e-5)
    assert gaps["TH"] > 0.0399
    assert gaps["ER"] == pytest.approx((gaps["AH"] + gaps["R"]) / 2, abs=1e-5)
    assert not table.targets[VISEMES.index(SILENCE)].any()


def test_a_table_survives_a_round_trip_and_a_missing_one_is_named(table, tmp_path):
    path = tmp_path / "visemes.safetensors"
    save_visemes(path, table, {})
    read = load_visemes(path)
    np.testing.assert_array_equal(read.targets, table.targets)
    np.testing.assert_array_equal(read.dominance.rise.numpy(), table.dominance.rise.numpy())
    with pytest.raises(WeightsError, match="nothing"):
        load_visemes(tmp_path / "nothing.safetensors")


def test_the_shipped_table_rounds_and_opens_as_people_do():
    table = load_visemes()
    shape = {name: table.neutral + target for name, target in zip(VISEMES, table.targets, strict=True)}
    width = {name: points[54, 0] - points[48, 0] for name, points in shape.items()}
    assert width["W"] < width["UW"] < width[SILENCE] < width["IY"]
    assert lip_gap(shape["AA"]) > lip_gap(shape["AO"]) > lip_gap(shape["UW"])
    assert shape["AA"][8, 1] > shape["IY"][8, 1] > table.neutral[8, 1]  # the jaw
