import numpy as np

from shared import landmarks


def test_the_segments_hold_every_point_once():
    points = [p for segment in landmarks.SEGMENTS for p in segment.points]
    assert points == list(range(landmarks.POINT_COUNT))
    assert len(landmarks.NAMES) == len(set(landmarks.NAMES)) == 68


def test_every_point_has_a_name_for_people_that_tells_its_side():
    labels = landmarks.LABELS
    assert len(labels) == len(set(labels)) == 68
    assert [labels[point] for point in (8, 30, 36, 45, 48, 51, 54, 57)] == [
        "chin", "nose tip", "right eye, outer corner", "left eye, outer corner", "right mouth corner",
        "upper lip, middle", "left mouth corner", "lower lip, middle",
    ]  # fmt: skip
    sides = str.maketrans({"<": "left", ">": "right"})
    for label, mirrored in zip(labels, landmarks.MIRROR, strict=True):
        swapped = label.replace("left", ">").replace("right", "<").translate(sides)
        assert labels[mirrored] == swapped


def test_the_mirror_is_its_own_inverse_and_swaps_the_eyes():
    np.testing.assert_array_equal(landmarks.MIRROR[landmarks.MIRROR], np.arange(68))
    assert set(landmarks.MIRROR[landmarks.RIGHT_EYE]) == set(range(42, 48))
    assert landmarks.MIRROR[30] == 30


def test_the_eye_region_has_the_papers_22_points():
    assert len(landmarks.EYE_REGION) == 22
    assert not set(landmarks.EYE_REGION) & set(range(48, 68))
