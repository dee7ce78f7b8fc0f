"""Tests how names of shape keys and bones are read and compared."""

import pytest

from shared.arkit import SHAPES
from shared.rig.names import LEAST_LIKENESS, KeyIndex, key_of, keys_of, likeness


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("mouthSmileLeft", "mouthsmile|l"),
        ("MOUTHSMILELEFT", "mouthsmile|l"),
        ("mouthsmileleft", "mouthsmile|l"),
        ("Mouth_Smile_L", "mouthsmile|l"),
        ("blendShape1.mouthSmile_L", "mouthsmile|l"),
        ("Mesh_0_mouth smile.l", "mouthsmile|l"),
        ("char_01:head|LeftMouthSmile", "mouthsmile|l"),
        ("Genesis8Female__eCTRLMouthOpen", "mouthopen"),
        ("facs_bs_JawOpen", "jawopen"),
        ("A25_Jaw_Open", "jawopen"),
        ("!ex-jawOpen", "jawopen"),
        ("jawOpen.001", "jawopen"),
        ("CTRL_expressions_mouthFunnelDL", "mouthfunneldl"),
        ("CC_Base_JawRoot", "jawroot"),
        ("viseme_PP", "pp"),
        ("vrc.v_aa", "aa"),
        ("V_Open", "vopen"),
        ("Face.M_F00_000_00_Fcl_MTH_A", "a"),
        ("Fcl_EYE_Close_L", "eyeclose|l"),
        ("Eye_L_Look_R", "eyelook|lr"),
        ("mouthRight", "mouth|r"),
        ("R", "|r"),
        ("あ", "あ"),
        ("ｳｨﾝｸ２右", "ウィンク2|r"),
        ("Ⓐ", "a"),
        ("Ａ", "a"),
        ("Yeux fermés", "yeuxfermes"),
        ("Lächeln links", "lacheln|l"),
        ("-", ""),
        ("", ""),
    ],
)
def test_what_is_left_of_a_name(name, key):
    assert key_of(name) == key


def test_the_52_shapes_have_keys_of_their_own():
    assert len({key_of(shape) for shape in SHAPES}) == 52


def test_a_beginning_that_most_names_share_is_passed_over_but_may_count():
    keys, prefix = keys_of(["Bob Head_jawOpen", "Bob Head_smile", "Bob Head_blink", "other"])
    assert prefix == "Bob Head_"
    assert keys == [("bobheadjawopen", "jawopen"), ("bobheadsmile", "smile"), ("bobheadblink", "blink"), ("other",)]
    assert keys_of(["Mouth_A", "Nose_B", "Eye_C"])[1] == ""


@pytest.mark.parametrize(
    ("one", "other", "is_same"),
    [
        ("jawopen", "jawopn", True),
        ("mouthpucker", "mouthpucer", True),
        ("mouthsmile|l", "mouthsmyle|l", True),
        ("mouthsmile|l", "mouthsmile|r", False),
        ("mouthsmile|l", "mouthsmile", False),
        ("mouthrollupper", "mouthrolllower", False),
        ("mouthupperup|l", "mouthlowerdown|l", False),
        ("browinnerup", "browouterup", False),
        ("eyelookin|l", "eyelookout|l", False),
        ("jaw|l", "jew|l", False),
        ("oh", "ou", False),
    ],
)
def test_likeness_never_takes_one_side_or_the_opposite_for_the_other(one, other, is_same):
    assert (likeness(one, other) >= LEAST_LIKENESS) == is_same
    assert likeness(one, other) == pytest.approx(likeness(other, one), abs=0.1)


def test_the_index_finds_what_comparing_all_finds():
    keys = [key_of(shape) for shape in SHAPES]
    index = KeyIndex(keys)
    for key in keys:
        changed = key.replace("mouth", "mouht").replace("brow", "browz").replace("eye", "eyes")
        best = max((likeness(changed, other), other) for other in keys)
        if best[0] >= LEAST_LIKENESS:
            assert index.nearest(changed)[0] == best
