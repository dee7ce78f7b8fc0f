"""Tests that characters as people have them are recognised by their names, and mapped to exactly these names."""

import json
import time
from pathlib import Path

import pytest

from shared.arkit import SHAPES
from shared.rig.detection import detect, detect_meshes
from shared.rig.presets import open_preset, preset_names

NAMES = json.loads(Path(__file__).with_name("character_names.json").read_text("utf-8"))  # as these programs write them
READY_PLAYER_ME = [*SHAPES, *NAMES["ready_player_me_further"]]
GENESIS9 = [f"facs_bs_{shape[0].upper()}{shape[1:]}" for shape in SHAPES]
CC_TRADITIONAL = [f"A{number:02}_{shape}" for number, shape in enumerate(SHAPES, 1)]

KNOWN = [
    ("VRoid", NAMES["vroid"], "vrm0", 0.9, {"Fcl_MTH_A": "A", "Fcl_EYE_Close_R": "Blink_R", "Fcl_EYE_Close": "Blink"}),
    ("VRChat", NAMES["vrchat"], "oculus", 0.99, {"vrc.v_aa": "aa", "vrc.v_sil": "sil", "vrc.v_e": "E"}),
    ("mmd", NAMES["mmd"], "mmd", 0.9, {"あ": "A", "まばたき": "Blink", "ウィンク２": "Blink_L", "ｳｨﾝｸ２右": "Blink_R"}),
    ("Ready Player Me", READY_PLAYER_ME, "arkit", 1.0, {"jawOpen": "jawOpen"}),
    ("cc3", NAMES["cc3"], "cc3", 1.0, {"Mouth_Open": "Mouth_Open"}),
    ("DAZ Genesis 8", NAMES["daz"], "oculus", 0.9, {"Genesis8Female__eCTRLvAA": "aa", "Genesis8Female__eCTRLvM": "PP"}),
    ("DAZ Genesis 9", GENESIS9, "arkit", 1.0, {"facs_bs_JawOpen": "jawOpen"}),
    ("CC traditional", CC_TRADITIONAL, "arkit", 1.0, {"A18_jawOpen": "jawOpen"}),
    ("faceshift", NAMES["faceshift"], "arkit", 0.9, {"LipsFunnel": "mouthFunnel", "BrowsU_C": "browInnerUp"}),
    ("Papagayo", NAMES["papagayo"], "rhubarb", 0.9, {"MBP": "A", "rest": "X", "AI": "D"}),
    ("Hanna-Barbera", list("ABCDEFGHX"), "rhubarb", 0.8, {"A": "A", "X": "X"}),
    ("basic Rhubarb", [f"mouth_{letter}" for letter in "ABCDEF"], "rhubarb", 0.7, {"mouth_A": "A"}),
    ("vowels", list("AIUEO"), "aiueo", 0.7, {"A": "A", "U": "U"}),
    ("Korean vowels", ["아", "이", "우", "에", "오", "깜빡임"], "aiueo", 0.85, {"아": "A", "오": "O"}),
    ("Chinese vowels", ["啊", "咿", "呜", "诶", "哦", "眨眼"], "vrm0", 0.85, {"啊": "A", "眨眼": "Blink"}),
    ("VRM 1.0", ["aa", "ih", "ou", "ee", "oh", "blink", "blinkLeft", "blinkRight"], "vrm", 0.9, {"ee": "E"}),
    ("German", ["Basis", "Mund auf", "Augen zu", "Lächeln"], "basic", 0.4, {"Mund auf": "mouth open"}),
    ("French", ["Base", "Bouche_ouverte", "Yeux_fermés"], "basic", 0.4, {"Yeux_fermés": "blink"}),
    ("Chinese", ["张嘴", "闭眼", "微笑"], "basic", 0.4, {"张嘴": "mouth open", "闭眼": "blink"}),
    ("English", ["Key 1", "Mouth Open", "Blink_L", "Blink_R", "Smile"], "basic", 0.4, {"Blink_L": "blink left"}),
]


@pytest.mark.parametrize(("names", "kind", "least", "some"), [case[1:] for case in KNOWN], ids=[c[0] for c in KNOWN])
def test_characters_of_other_programs(names, kind, least, some):
    found = detect(names)
    assert (found.kind, found.confidence >= least) == (kind, True), found
    assert found.mapping is not None
    assert set(some.items()) <= {(match.name, match.channel) for match in found.matches}
    assert [channel.name for channel in found.mapping.channels] == [match.name for match in found.matches]
    assert {match.name for match in found.matches} <= set(names)
    assert found.mapping.name == kind


@pytest.mark.parametrize("preset", preset_names())
def test_each_preset_is_known_by_its_own_names(preset):
    channels = open_preset(preset).channels
    bones = [channel.bone.bone for channel in channels if channel.bone]
    found = detect(["Basis", *(channel.name for channel in channels if not channel.bone)], bones)
    assert found.kind == preset
    assert found.mapping is not None
    assert [c.name for c in found.mapping.channels] == [c.name for c in channels] or preset == "jaw_bone"
    assert [c.sources for c in found.mapping.channels] == [c.sources for c in channels]
    assert found.confidence >= (0.4 if preset == "jaw_bone" else 0.6 if preset == "basic" else 0.73)


@pytest.mark.parametrize(
    "write",
    [
        str.upper,
        str.lower,
        lambda name: f"Mesh_0_{name}",
        lambda name: f"blendShape1.{name}",
        lambda name: f"Bob's head_{name}",
        lambda name: f"rig:face|{name}",
        lambda name: f"{name}.001",
        lambda name: name.replace("Left", "_L").replace("Right", "_R"),
        lambda name: name.replace("Left", ".l").replace("Right", ".r"),
        lambda name: f"L_{name[:-4]}" if name.endswith("Left") else name,
    ],
)
def test_arkit_however_it_is_written(write):
    names = [write(shape) for shape in SHAPES]
    found = detect(names)
    assert found.confidence == 1
    assert [match.channel for match in found.matches] == list(SHAPES)
    assert [match.name for match in found.matches] == names
    assert {match.score for match in found.matches} == {1.0}


def test_misspelt_names_are_found_with_a_score_of_their_own():
    names = [s.replace("Pucker", "Puckr").replace("Smile", "Smyle") for s in SHAPES]
    found = detect(names)
    scores = {match.channel: match.score for match in found.matches}
    assert len(scores) == 52
    assert scores["jawOpen"] == 1
    assert 0.84 <= scores["mouthSmileLeft"] < scores["mouthPucker"] < 1
    assert '"mouthPuckr" is taken for mouthPucker, which is 95% like it' in found.reasons
    assert 0.9 < found.confidence < 1


def test_corrective_and_combination_shapes_are_left_alone():
    further = ["jawOpen_mouthClose_corrective", "eyeBlinkLeft_eyeLookDownLeft", "mouthSmile_combo", "pJCMNeckTwist_L"]
    found = detect([*further, *SHAPES])
    assert found.mapping is not None
    assert [channel.name for channel in found.mapping.channels] == list(SHAPES)


def test_what_lacks_stands_in_the_reasons_and_lowers_the_confidence():
    found = detect([shape for shape in SHAPES if not shape.startswith(("tongue", "mouthPress"))])
    assert found.kind == "arkit"
    assert 0.9 < found.confidence < 1
    assert "it has 49 of the 52 names of arkit" in found.reasons
    assert "it lacks mouthPressLeft, mouthPressRight, tongueOut" in found.reasons
    few = detect(["jaw_open", "MouthFunnel", "mouthPuckr"])
    assert (few.kind, len(few.matches)) == ("arkit", 3)
    assert few.confidence < 0.4


def test_visemes_beside_arkit_stay_at_rest_and_are_mentioned():
    found = detect(READY_PLAYER_ME)
    assert len(found.matches) == 52
    assert "it also has 15 names of oculus, which stay at rest" in found.reasons


def test_a_joint_lid_moves_where_there_is_no_other():
    def muted(names):
        mapping = detect([*"AIUEO", *names]).mapping
        assert mapping is not None
        return {channel.name for channel in mapping.channels if channel.is_muted}

    assert muted(["Blink", "Blink_L", "Blink_R"]) == {"Blink"}
    assert muted(["Blink"]) == set()
    assert muted(["Blink", "Blink_L"]) == {"Blink_L"}
    assert muted(["Blink_L", "Blink_R"]) == set()


def test_nothing_that_is_no_face_is_taken_for_one():
    for names in (
        ["Basis", "Muscular", "Fat", "Tall"],
        ["open", "closed"],
        ["Key 1", "Key 2", "A", "B"],
        ["elbow_bend_L", "elbow_bend_R", "pJCMThighFwd"],
        [f"Corrective_{number}" for number in range(400)],
        ["", " ", "-"],
    ):
        found = detect(names)
        assert (found.kind, found.confidence, found.mapping) == ("unknown", 0, None), names
    assert found.reasons[0].startswith("none of 3 shape keys and 0 bones has the name of a mouth")
    assert detect([]).reasons == ("there are no shape keys and no bones, so nothing can be moved",)


def test_the_bones_of_rigify_and_of_a_jaw_alone():
    found = detect([], NAMES["rigify_bones"])
    assert found.kind == "rigify"
    assert found.confidence == 1
    assert found.mapping is not None
    assert found.mapping.channels == open_preset("rigify").channels
    some = detect([], [bone for bone in NAMES["rigify_bones"] if not bone.startswith(("lid", "brow"))])
    assert some.mapping is not None
    assert 0.5 < some.confidence < 1
    assert not any(channel.name.startswith("lid") for channel in some.mapping.channels)


@pytest.mark.parametrize(
    ("bones", "jaw"),
    [
        (["Head", "CC_Base_JawRoot", "CC_Base_UpperJaw", "CC_Base_Tongue01"], "CC_Base_JawRoot"),
        (["mixamorig:Head", "mixamorig:Jaw", "mixamorig:Jaw_end"], "mixamorig:Jaw"),
        (["head.x", "c_jawbone.x", "jaw_ret_bone.x"], "c_jawbone.x"),
        (["DEF-jaw", "ORG-jaw", "jaw", "jaw.L", "jaw.R"], "jaw"),
        (["頭", "顎"], "顎"),
        (["Kopf", "Unterkiefer"], "Unterkiefer"),
    ],
)
def test_a_jaw_is_found_among_bones(bones, jaw):
    found = detect(["Muscular"], bones)
    assert found.kind == "jaw_bone"
    assert found.mapping is not None
    (channel,) = found.mapping.channels
    assert channel.bone is not None
    assert channel.bone.bone == jaw
    assert 0 < found.confidence < 0.5
    assert f'the only name for a mouth is the bone "{jaw}"' in found.reasons[0]


def test_shape_keys_come_before_bones():
    assert detect(list(SHAPES), NAMES["rigify_bones"]).kind == "arkit"
    assert detect(["Mouth Open"], ["jaw"]).kind == "basic"
    assert detect(["Mouth Open"], NAMES["rigify_bones"]).kind == "rigify"


def test_meshes_of_one_character_follow_the_one_with_the_mouth():
    meshes = {
        "Teeth": ["Basis", "jawOpen", "jawLeft", "jawRight"],
        "Head": ["Basis", *(shape for shape in SHAPES if shape != "tongueOut")],
        "Tongue": ["Basis", "tongueOut", "jawOpen"],
        "Lashes": ["Basis", "eyeBlinkLeft", "eyeBlinkRight"],
        "Shoes": ["Basis", "Tight"],
        "Hair": [],
    }
    found = detect_meshes(meshes)
    assert found.main == "Head"
    assert found.detection.confidence == 1
    assert found.channels["Teeth"] == ("jawRight", "jawLeft", "jawOpen")
    assert found.channels["Tongue"] == ("jawOpen", "tongueOut")
    assert found.channels.keys() == {"Head", "Teeth", "Tongue", "Lashes"}
    assert found.detection.mapping is not None
    assert {channel.name for channel in found.detection.mapping.channels} == set(SHAPES)
    assert '"Teeth" follows with 3 names' in found.detection.reasons


def test_meshes_whose_names_have_other_prefixes_get_channels_of_their_own():
    meshes = {
        "head": [f"blendShape1.{shape}" for shape in SHAPES],
        "teeth": ["blendShape2.jawOpen", "blendShape2.jawLeft"],
    }
    found = detect_meshes(meshes)
    assert found.detection.mapping is not None
    sources = {channel.name: channel.sources[0].shape for channel in found.detection.mapping.channels}
    assert len(sources) == 54
    assert sources["blendShape2.jawOpen"] == sources["blendShape1.jawOpen"] == "jawOpen"
    assert found.channels["teeth"] == ("blendShape2.jawLeft", "blendShape2.jawOpen")


def test_names_that_no_channel_can_have_are_left_alone():
    found = detect(["jawOpen\n", "jaw\x00Open", *SHAPES])
    assert found.mapping is not None
    assert [channel.name for channel in found.mapping.channels] == list(SHAPES)


def test_a_name_that_stands_twice_is_mapped_once():
    found = detect(["jawOpen", "JawOpen", *SHAPES])
    assert found.mapping is not None
    assert [channel.name for channel in found.mapping.channels] == list(SHAPES)


@pytest.mark.parametrize(
    "names",
    [
        [f"pJCMForearmFwd_{number}_L" for number in range(348)] + list(SHAPES),
        [f"Corrective_{number}_mouth_jaw" for number in range(348)] + [f"{shape}x" for shape in SHAPES],
        [f"Muscle{number}_weightJaw" for number in range(400)],
        NAMES["cc3"] * 5,
    ],
)
def test_400_names_take_less_than_a_tenth_of_a_second(names):
    detect(["jawOpen"])  # the presets are read once
    before = time.process_time()
    detect(names)
    assert time.process_time() - before < 0.1
