"""Files have the layout of Live Link Face, and files of the app are read."""

import numpy as np
import pytest

from backend_server.export.live_link_csv import HEADER, live_link_rotations, read_live_link_csv, write_live_link_csv
from shared.arkit import SHAPES
from shared.errors import ShapeError, ValueRangeError
from shared.timing import FrameRate

FIRST_LINE = (
    "Timecode,BlendshapeCount,EyeBlinkLeft,EyeLookDownLeft,EyeLookInLeft,EyeLookOutLeft,EyeLookUpLeft,EyeSquintLeft,"
    "EyeWideLeft,EyeBlinkRight,EyeLookDownRight,EyeLookInRight,EyeLookOutRight,EyeLookUpRight,EyeSquintRight,"
    "EyeWideRight,JawForward,JawRight,JawLeft,JawOpen,MouthClose,MouthFunnel,MouthPucker,MouthRight,MouthLeft,"
    "MouthSmileLeft,MouthSmileRight,MouthFrownLeft,MouthFrownRight,MouthDimpleLeft,MouthDimpleRight,MouthStretchLeft,"
    "MouthStretchRight,MouthRollLower,MouthRollUpper,MouthShrugLower,MouthShrugUpper,MouthPressLeft,MouthPressRight,"
    "MouthLowerDownLeft,MouthLowerDownRight,MouthUpperUpLeft,MouthUpperUpRight,BrowDownLeft,BrowDownRight,BrowInnerUp,"
    "BrowOuterUpLeft,BrowOuterUpRight,CheekPuff,CheekSquintLeft,CheekSquintRight,NoseSneerLeft,NoseSneerRight,TongueOut,"
    "HeadYaw,HeadPitch,HeadRoll,LeftEyeYaw,LeftEyePitch,LeftEyeRoll,RightEyeYaw,RightEyePitch,RightEyeRoll"
)


@pytest.fixture
def weights(rng):
    return rng.uniform(0, 1, (75, 52)).astype(np.float32)


def test_the_layout_is_that_of_the_app(tmp_path, weights):
    write_live_link_csv(tmp_path / "a.csv", np.arange(75) / 30, weights)
    lines = (tmp_path / "a.csv").read_bytes().decode().split("\n")
    assert lines[0] == FIRST_LINE
    assert len(lines) == 77 and lines[76] == ""
    values = lines[32].split(",")  # frame 31 at 30 per second: a second and two sixtieths
    assert values[:2] == ["00:00:01:02.000", "61"]
    assert len(values) == 63
    assert values[2 + SHAPES.index("jawOpen")] == f"{weights[31, SHAPES.index('jawOpen')]:.8f}"
    assert set(values[54:]) == {"0.00000000"}


@pytest.mark.parametrize("rate", [23.976, 24, 25, 29.97, 30, 60])
@pytest.mark.parametrize("is_smpte", [False, True])
def test_numbers_and_times_are_read_back(tmp_path, rng, weights, rate, is_smpte):
    rate = FrameRate.from_decimal(rate)
    counted_at = rate if is_smpte else FrameRate(60)
    times, angles = rate.seconds(np.arange(75) + 1790), rng.uniform(-1, 1, (75, 9)).astype(np.float32)
    write_live_link_csv(tmp_path / "a.csv", times, weights, counted_at, angles)
    found = read_live_link_csv(tmp_path / "a.csv", counted_at)
    np.testing.assert_allclose(found.times, times, atol=0.0005 / 23)  # half a thousandth of a frame
    np.testing.assert_allclose(found.weights, weights, atol=1e-7)
    np.testing.assert_allclose(found.rotations, angles, atol=1e-7)


def test_a_recording_with_other_capitals_order_and_a_mark_at_its_start_is_read(tmp_path):
    names = list(HEADER)
    names[1] = "BlendShapeCount"
    names[2], names[19] = names[19], names[2]  # jawOpen first
    row = ["17:18:12:13.348", "61", "0.5", *["0"] * 60]
    (tmp_path / "a.csv").write_bytes(b"\xef\xbb\xbf" + "\r\n".join([",".join(names), ",".join(row), ""]).encode())
    found = read_live_link_csv(tmp_path / "a.csv")
    assert found.times == pytest.approx([17 * 3600 + 18 * 60 + 12 + 13.348 / 60])
    assert dict(zip(SHAPES, found.weights[0], strict=True))["jawOpen"] == 0.5
    assert found.weights.sum() == 0.5


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda lines: ["a,b", *lines[1:]], "a.csv has no column Timecode in its first line; give a CSV of Live Link"),
        (lambda lines: [lines[0].replace("JawOpen", "Jaw"), *lines[1:]], "a.csv has no column JawOpen in its first"),
        (lambda lines: [*lines[:2], lines[2] + ",1"], "line 3 of a.csv has 64 values, and the first line names 63;"),
        (lambda lines: [lines[0], lines[1].replace(",61,0", ",61,x0")], 'line 2 of a.csv has "x0.'),
        (
            lambda lines: [lines[0], lines[1].replace(",61,0.", ",61,nan,0.", 1)[:-11]],
            'line 2 of a.csv has "nan" for a',
        ),
        (lambda lines: [lines[0], lines[1].replace("00:00:00:00", "0 s")], '"0 s.000" is no timecode at 60 frames'),
    ],
)
def test_what_is_wrong_in_a_file_is_said_with_its_line(tmp_path, weights, change, sentence):
    path = tmp_path / "a.csv"
    write_live_link_csv(path, np.arange(2) / 30, weights[:2])
    path.write_text("\n".join(change(path.read_text().splitlines())))
    with pytest.raises(ValueRangeError) as caught:
        read_live_link_csv(path)
    assert caught.value.sentence.startswith(sentence)


def test_files_that_are_no_text_or_missing_are_refused(tmp_path):
    (tmp_path / "a.csv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ValueRangeError, match=r"a\.csv is not UTF-8 text"):
        read_live_link_csv(tmp_path / "a.csv")
    with pytest.raises(ValueRangeError, match=r"b\.csv cannot be read: No such file"):
        read_live_link_csv(tmp_path / "b.csv")


def test_arrays_must_fit(tmp_path, weights):
    with pytest.raises(ShapeError, match=r"expected weights of shape \(74, 52\), got \(75, 52\)"):
        write_live_link_csv(tmp_path / "a.csv", np.arange(74) / 30, weights)
    with pytest.raises(ShapeError, match=r"expected rotations of shape \(75, 9\)"):
        write_live_link_csv(tmp_path / "a.csv", np.arange(75) / 30, weights, rotations=np.zeros((75, 3), np.float32))


def test_heads_turn_about_the_axes_of_arkit():
    """A right-handed space, x to the viewer's right, y up and z towards the viewer."""
    head = np.zeros((3, 6), np.float32)
    head[0, 0] = 0.1  # to the person's right, so the nose goes to the viewer's left
    head[1, 1] = 0.2  # down
    head[2, 2] = 0.3  # to the person's left shoulder, clockwise for the viewer
    head[:, 3:] = 9.0
    rotations = live_link_rotations(head)
    np.testing.assert_allclose(rotations[:, :3], np.diag((-0.1, 0.2, -0.3)), atol=1e-7)
    assert not rotations[:, 3:].any()
    assert live_link_rotations(None) is None
