"""Every phone has a shape, and anatomy is kept: lips meet where they must and part where they must."""

import numpy as np
import pytest

from backend_server.articulation.phones import PHONES, SILENCE
from backend_server.articulation.visemes import KIND, VISEMES, lip_gap, load_visemes, save_visemes, visemes_of
from backend_server.checkpoints import load_checkpoint, save_checkpoint
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


def test_a_table_of_other_visemes_or_without_a_tensor_is_refused(table, tmp_path):
    path = tmp_path / "visemes.safetensors"
    save_visemes(path, table, {})
    config, tensors, _ = load_checkpoint(path, KIND, dict)
    cases = [
        (config | {"visemes": [*reversed(VISEMES)]}, tensors),
        (config | {"groups": ["height"]}, tensors),
        (config, {name: tensor for name, tensor in tensors.items() if name != "targets"}),
        (config, {name: tensor for name, tensor in tensors.items() if name != "power"}),
        (config, tensors | {"targets": tensors["targets"][:-1]}),
    ]
    for number, (settings, kept) in enumerate(cases):
        other = tmp_path / f"{number}.safetensors"
        save_checkpoint(other, KIND, settings, kept)
        with pytest.raises(WeightsError, match="train visemes"):
            load_visemes(other)
