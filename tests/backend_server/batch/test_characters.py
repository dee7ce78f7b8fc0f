"""Tests that characters are described once, and that all that is wrong with them is said at once."""

import json

import msgspec
import pytest

from backend_server.batch.characters import read_characters
from backend_server.identities.pictures import portrait_path
from shared.errors import ValueRangeError
from shared.motion_controls import MotionControls
from shared.rig.mapping_file import save_mapping
from shared.rig.presets import open_mapping


@pytest.fixture
def read(tmp_path):
    """Reads a file of these characters: what was read, and the problems."""

    def run(characters, **head):
        path = tmp_path / "characters.json"
        document = {"format": "speech_face.characters", "version": 1, "characters": characters, **head}
        path.write_text(json.dumps(document) if characters is not None else "[1,")
        problems = []
        return read_characters(path, problems), [problem.sentence for problem in problems]

    return run


def test_a_character_has_face_rig_gains_and_controls(read, tmp_path):
    (tmp_path / "faces").mkdir()
    (tmp_path / "faces" / "me.png").write_bytes(portrait_path().read_bytes())
    (tmp_path / "rigs").mkdir()
    save_mapping(msgspec.structs.replace(open_mapping("oculus"), name="own"), tmp_path / "rigs" / "own.json")
    hero = {
        "images": ["faces"],
        "rig": ["arkit", "rigs\\own.json"],
        "gains": {"jawOpen": 1.5},
        "controls": {"intensity": 1.2, "silence": 0.5},
        "blink": False,
    }
    characters, problems = read({"hero": hero, "crowd": {}})
    assert problems == []
    assert list(characters) == ["hero", "crowd"]
    one = characters["hero"]
    assert one.images == (str(tmp_path / "faces"),)
    assert [mapping.name for mapping in one.rig] == [open_mapping("arkit").name, "own"]
    assert one.controls == MotionControls(intensity=1.2, silence=0.5)
    assert (one.gains, one.blink, one.has_face) == ({"jawOpen": 1.5}, False, True)
    assert not characters["crowd"].has_face


@pytest.mark.parametrize(
    ("entry", "sentence"),
    [
        ({"images": ["none.png"]}, "there is no picture"),
        ({"images": ["characters.json"], "identity": "3fa1c0"}, "it has images and an identity"),
        ({"rig": ["octopus"]}, "there is no rig 'octopus'"),
        ({"rig": ["characters.json"]}, "characters.json"),
        ({"rig": ["arkit", "arkit"]}, "two of its rigs would both be written to rig_arkit.csv"),
        ({"gains": {"jawOpn": 1}}, 'its gain "jawOpn" is none of ARKit'),
        ({"gains": {"jawOpen": -1}}, "the gain of jawOpen is -1; choose 0 to 10"),
        ({"controls": {"intensty": 1}}, 'there is no control "intensty"'),
        ({"controls": {"intensity": 9}}, "the intensity is 9; choose a value from 0 to 3"),
        ({"epochs": 1000}, "the epochs are 1000; choose 0 to 200"),
        ({"landmarks": "none.json"}, "there are no landmarks none.json"),
        ({"pictures": []}, "unknown field `pictures`"),
        ({"epochs": "many"}, "Expected `int`, got `str`"),
    ],
)
def test_each_mistake_is_told_with_its_character(read, entry, sentence):
    characters, problems = read({"good": {}, "bad": entry, "worse": {"epochs": -1}})
    assert set(characters) == {"good", "bad", "worse"}  # so that the lines of the bad one are no further problems
    assert len(problems) == 2
    assert problems[0].startswith('the character "bad" in characters.json: ')
    assert sentence in problems[0]


@pytest.mark.parametrize(
    ("characters", "head", "sentence"),
    [
        (None, {}, "are not described as they should be"),
        ({}, {"version": 2}, "of version 2; this release reads speech_face.characters of version 1"),
        ({}, {"format": "speech_face.rig"}, "is speech_face.rig"),
        ({}, {"note": 1}, "unknown field `note`"),
    ],
)
def test_other_files_are_refused(read, characters, head, sentence):
    with pytest.raises(ValueRangeError) as caught:
        read(characters, **head)
    assert sentence in caught.value.sentence


def test_a_file_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(ValueRangeError, match="cannot be read"):
        read_characters(tmp_path / "none.json", [])
