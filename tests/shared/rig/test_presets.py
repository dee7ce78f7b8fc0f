"""Tests that every mapping that ships is one, has the names of its rig, and moves what it should."""

import re

import pytest

from shared.arkit import SHAPES
from shared.errors import ValueRangeError
from shared.rig.mapping import Source
from shared.rig.mapping_file import format_mapping, save_mapping
from shared.rig.presets import FOLDER, open_mapping, open_preset, preset_names

ALL = (
    *(
        "aiueo",
        "arkit",
        "basic",
        "cc3",
        "cc4",
        "cc_visemes",
        "jaw_bone",
        "metahuman",
        "mmd",
        "mpfb",
        "oculus",
        "rhubarb",
    ),
    *("rigify", "sapi", "unity", "unreal", "vrm", "vrm0"),
)


def channel(preset, name):
    return next(channel for channel in open_preset(preset).channels if channel.name == name)


def sources(preset, name):
    return {source.shape: source.gain for source in channel(preset, name).sources}


def test_the_presets_of_the_page_ship():
    assert preset_names() == ALL


@pytest.mark.parametrize("name", ALL)
def test_each_file_is_what_saving_writes_and_says_what_it_is(name):
    mapping = open_preset(name)
    assert mapping.name == name
    assert (FOLDER / f"{name}.json").read_text("utf-8") == format_mapping(mapping)
    assert mapping.description.endswith(".")


@pytest.mark.parametrize("name", ["arkit", "unreal", "unity", "mpfb"])
def test_one_channel_for_each_shape(name):
    channels = open_preset(name).channels
    assert [[source.shape for source in c.sources] for c in channels] == [[shape] for shape in SHAPES]
    assert {(source.gain, c.least, c.most, c.method) for c in channels for source in c.sources} == {(1, 0, 1, "sum")}


@pytest.mark.parametrize(
    ("preset", "names"),
    [
        ("arkit", ["jawOpen", "mouthSmileLeft"]),
        ("unreal", ["JawOpen", "MouthSmileLeft", "EyeBlinkRight"]),
        ("unity", ["blendShape2.eyeBlink_L", "blendShape2.jawLeft", "blendShape2.browInnerUp"]),
        ("mpfb", ["!ex-jawOpen"]),
        ("cc4", ["Jaw_Open", "Mouth_Funnel_Up_L", "Eye_L_Look_R", "Mouth_Roll_In_Lower_R", "Tongue_Out"]),
        ("cc3", ["Mouth_Open", "Mouth_Top_Lip_Up", "Brow_Raise_Inner_Left"]),
        ("metahuman", ["CTRL_expressions_mouthFunnelDL", "CTRL_expressions_jawFwd", "CTRL_expressions_mouthLeft"]),
        ("rigify", ["jaw_master rotation x", "lips.L location x", "lid.T.R.002 location y"]),
    ],
)
def test_names_are_spelt_as_the_rig_spells_them(preset, names):
    assert set(names) <= {c.name for c in open_preset(preset).channels}


def test_viseme_sets_are_whole_and_in_their_order():
    visemes = ["sil", "PP", "FF", "TH", "DD", "kk", "CH", "SS", "nn", "RR", "aa", "E", "ih", "oh", "ou"]
    assert [c.name for c in open_preset("oculus").channels] == visemes
    assert [c.name for c in open_preset("rhubarb").channels] == list("ABCDEFGHX")
    assert [c.name for c in open_preset("aiueo").channels] == list("AIUEO")
    assert [c.name for c in open_preset("vrm").channels][:5] == ["aa", "ih", "ou", "ee", "oh"]
    assert len(open_preset("sapi").channels) == 22
    methods = {name: {c.method for c in open_preset(name).channels} for name in ("oculus", "rhubarb", "aiueo")}
    assert methods == {"oculus": {"pose"}, "rhubarb": {"held"}, "aiueo": {"pose"}}


def test_left_is_the_persons_left():
    assert sources("cc4", "Eye_L_Look_L") == {"eyeLookOutLeft": 1}
    assert sources("cc4", "Eye_R_Look_L") == {"eyeLookInRight": 1}
    assert sources("metahuman", "CTRL_expressions_eyeLookRightR") == {"eyeLookOutRight": 1}
    assert sources("vrm", "lookLeft") == {"eyeLookOutLeft": 0.5, "eyeLookInRight": 0.5}
    assert (
        sources("rigify", "lips.L location x")["mouthSmileLeft"]
        > 0
        > sources("rigify", "lips.R location x")["mouthSmileRight"]
    )


def test_both_lids_stay_at_rest_where_each_has_a_channel_of_its_own():
    for preset, name in (("vrm", "blink"), ("vrm0", "Blink"), ("mmd", "まばたき")):
        assert channel(preset, name).is_muted


@pytest.mark.parametrize("name", ALL)
def test_left_and_right_of_a_rig_do_the_same(name):
    """Mirroring names and sources changes no mapping, but for the sign of sideways bones."""

    def mirrored(text):
        side = {"L": "R", "R": "L", "Left": "Right", "Right": "Left", "left": "right", "right": "left"}
        is_curve = text.startswith("CTRL")
        pattern = r"Left|Right|[LR]$" if is_curve else r"Left|Right|\bleft|\bright|(?<=[._])[LR](?![A-Za-z])"
        return re.sub(pattern, lambda found: side[found[0]], text)

    if name == "mmd":
        return
    mapping = open_preset(name)
    sides = {c.name: {s.shape: abs(s.gain) for s in c.sources} for c in mapping.channels}
    found = {mirrored(n): {mirrored(shape): gain for shape, gain in inner.items()} for n, inner in sides.items()}
    if name in ("cc4", "metahuman"):  # an eye looks to a side in its name
        sides, found = ({n: s for n, s in table.items() if "ook" not in n} for table in (sides, found))
    assert found == sides


def test_a_name_that_does_not_exist_gets_the_names_that_do():
    with pytest.raises(
        ValueRangeError, match=r"""there is no rig 'arkti'; did you mean "arkit"\? There are aiueo, arkit"""
    ):
        open_mapping("arkti")


def test_a_path_opens_a_users_mapping(tmp_path):
    save_mapping(open_preset("oculus"), tmp_path / "mine.json")
    assert open_mapping(tmp_path / "mine.json") == open_mapping(str(tmp_path / "mine.json")) == open_preset("oculus")
    with pytest.raises(ValueRangeError, match=r"lost\.json is no file"):
        open_mapping("lost.json")


def test_a_name_with_lines_of_its_own_forges_no_line_of_a_log():
    with pytest.raises(ValueRangeError) as refused:
        open_preset("\n2026-01-01 00:00:00 ERROR forged: line\n")
    assert refused.value.sentence.isprintable()
    with pytest.raises(ValueRangeError) as refused:
        Source("\nERROR forged")
    assert refused.value.sentence.isprintable()
