import json

import numpy as np
import pytest

from backend_server.identities.placed_landmarks import read_placed_landmarks
from shared.errors import ShapeError, ValueRangeError

NAMES = ["me.jpg", "you.png"]
IMAGES = [np.zeros((200, 300, 3), np.uint8), np.zeros((100, 100, 3), np.uint8)]
POINTS = [[10.0 + i, 20.5 + i] for i in range(68)]


@pytest.fixture
def read(tmp_path):
    def run(content, names=NAMES):
        path = tmp_path / "landmarks.json"
        path.write_text(content if isinstance(content, str) else json.dumps(content))
        return read_placed_landmarks(path, names, IMAGES)

    return run


def test_named_pictures_get_their_points_and_others_are_detected(read):
    placed = read({"me.jpg": POINTS})
    assert placed.shape == (2, 68, 2) and placed.dtype == np.float32
    np.testing.assert_array_equal(placed[0], np.float32(POINTS))
    assert np.isnan(placed[1]).all()
    assert read({}) is None


def changed(number, point):
    return {"me.jpg": [*POINTS[:number], point, *POINTS[number + 1 :]]}


@pytest.mark.parametrize(
    ("content", "error", "sentence"),
    [
        ("{half", ValueRangeError, r"landmarks\.json are not JSON"),
        ([POINTS], ValueRangeError, "hold a list; write an object"),
        ({"she.jpg": POINTS}, ValueRangeError, r"'she.jpg' and none of the pictures .*me\.jpg, you\.png"),
        ({"me.jpg": POINTS[:66]}, ShapeError, r"expected 68 points for me\.jpg, got 66"),
        ({"me.jpg": 7}, ShapeError, r"expected 68 points for me\.jpg, got int"),
        (changed(5, [1.0]), ShapeError, r"point 5 of me\.jpg is \[1\.0\]"),
        (changed(6, [1.0, "x"]), ShapeError, r"point 6 of me\.jpg is \[1\.0, 'x'\]"),
        (changed(7, [None, True]), ShapeError, r"point 7 of me\.jpg"),
        (changed(8, [5000, 20]), ValueRangeError, r"point 8 of me\.jpg lies at \(5000, 20\), outside its 300 x 200"),
        ({"me.jpg": [[50, 50]] * 68}, ValueRangeError, r"the eyes of me\.jpg .* 0\.0 pixels apart"),
    ],
)
def test_a_bad_file_gets_one_sentence(read, content, error, sentence):
    with pytest.raises(error, match=sentence):
        read(content)


def test_a_name_of_two_pictures_is_not_guessed(read):
    with pytest.raises(ValueRangeError, match="2 pictures have that name"):
        read({"me.jpg": POINTS}, ["me.jpg", "me.jpg"])


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ValueRangeError, match=r"none\.json cannot be read"):
        read_placed_landmarks(tmp_path / "none.json", NAMES, IMAGES)
