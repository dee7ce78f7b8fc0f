"""JSON curves keep to the schema of docs/curves.schema.json, and the schema refuses what is none."""

import copy
import json
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from jsonschema import Draft202012Validator, ValidationError

from backend_server.export.json_curves import write_json_curves, write_rig_curves
from backend_server.export.tags import synthetic_tags
from shared.errors import ShapeError

SCHEMA = json.loads((Path(__file__).parents[3] / "docs" / "curves.schema.json").read_text("utf-8"))
VALIDATOR = Draft202012Validator(SCHEMA)
TAGS = synthetic_tags("abc", 3)
RATE, TIMES = Fraction(24000, 1001), np.arange(4) * 1001 / 24000


@pytest.fixture
def landmark_curves(tmp_path, rng):
    landmarks = rng.uniform(0, 255, (4, 68, 2)).astype(np.float32)
    write_json_curves(tmp_path / "curves.json", RATE, TIMES, landmarks, landmarks[0], TAGS)
    return json.loads((tmp_path / "curves.json").read_text("utf-8"))


def test_a_head_that_turns_is_written_and_one_that_does_not_is_left_out(tmp_path, rng, landmark_curves):
    landmarks, head = rng.uniform(0, 255, (4, 68, 2)).astype(np.float32), rng.normal(0, 0.1, (4, 6)).astype(np.float32)
    write_json_curves(tmp_path / "turned.json", RATE, TIMES, landmarks, landmarks[0], TAGS, head)
    document = json.loads((tmp_path / "turned.json").read_text("utf-8"))
    VALIDATOR.validate(document)
    assert document["head"]["pitch"] == pytest.approx(head[:, 1], abs=1e-5)
    assert "head" not in landmark_curves
    del document["head"]["roll"]
    assert not VALIDATOR.is_valid(document)


@pytest.fixture
def rig_curves(tmp_path, rng):
    weights = rng.uniform(0, 1, (4, 3)).astype(np.float32)
    write_rig_curves(tmp_path / "rig.json", RATE, TIMES, "aiueo", ("A", 'a"b', "あ"), weights, TAGS)
    document = json.loads((tmp_path / "rig.json").read_text("utf-8"))
    for at, name in enumerate(("A", 'a"b', "あ")):
        assert document["channels"][name] == pytest.approx(weights[:, at], abs=1e-6)
    return document


def test_the_schema_is_one():
    Draft202012Validator.check_schema(SCHEMA)


def test_both_kinds_keep_to_the_schema(landmark_curves, rig_curves):
    VALIDATOR.validate(landmark_curves)
    VALIDATOR.validate(rig_curves)
    assert rig_curves["format"] == "speech_face.rig_curves/1"
    assert rig_curves["frame_rate"] == [24000, 1001]
    assert rig_curves["frame_times"] == pytest.approx(TIMES, abs=1e-6)
    VALIDATOR.validate({**rig_curves, "a later field": 1})


@pytest.mark.parametrize("field", ["format", "rig", "metadata", "frame_rate", "frame_times", "channels"])
def test_a_rig_curve_without_a_field_is_refused(rig_curves, field):
    del rig_curves[field]
    with pytest.raises(ValidationError):
        VALIDATOR.validate(rig_curves)


@pytest.mark.parametrize(
    "change",
    [
        {"format": "speech_face.rig_curves/2"},
        {"frame_rate": [25]},
        {"frame_rate": 25},
        {"frame_times": ["0"]},
        {"channels": {"A": [None]}},
        {"metadata": {}},
    ],
)
def test_wrong_values_are_refused(rig_curves, change):
    with pytest.raises(ValidationError):
        VALIDATOR.validate({**rig_curves, **change})


def test_landmarks_that_are_missing_or_called_otherwise_are_refused(landmark_curves):
    fewer, other = copy.deepcopy(landmark_curves), copy.deepcopy(landmark_curves)
    curve = fewer["curves"].pop("jaw_00")
    other["curves"].pop("jaw_00")
    other["curves"]["Jaw"] = curve
    for document in (fewer, other):
        with pytest.raises(ValidationError):
            VALIDATOR.validate(document)


@pytest.mark.parametrize("channels", [("A",), ("A", "A", "B")])
def test_channels_must_fit_and_differ(tmp_path, channels):
    with pytest.raises(ShapeError, match="expected weights of shape"):
        write_rig_curves(tmp_path / "rig.json", RATE, TIMES, "x", channels, np.zeros((4, 3), np.float32), TAGS)
