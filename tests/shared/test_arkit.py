from shared.arkit import MIRROR, SHAPES


def test_there_are_52_shapes_of_different_names():
    assert len(set(SHAPES)) == len(SHAPES) == 52


def test_mirroring_swaps_left_and_right_and_twice_changes_nothing():
    mirrored = {name: SHAPES[other] for name, other in zip(SHAPES, MIRROR, strict=True)}
    assert mirrored["eyeBlinkLeft"] == "eyeBlinkRight"
    assert mirrored["mouthRight"] == "mouthLeft"
    assert mirrored["jawOpen"] == "jawOpen"
    assert sum(name != other for name, other in mirrored.items()) == 2 * 20
    assert [MIRROR[other] for other in MIRROR] == list(range(52))
