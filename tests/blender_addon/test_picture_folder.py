"""Tests that a folder of pictures appears complete or not at all, and holds each strip's pictures at their frames."""

import errno
import os
import time
from pathlib import Path

import numpy as np
import pytest

bpy = pytest.importorskip("bpy", reason="there is no bpy module for this Python")


@pytest.fixture
def png(addon):
    from blender_addon.pictures import png_writer

    return png_writer


@pytest.fixture
def pictures(addon):
    from blender_addon.pictures import picture_folder

    return picture_folder


@pytest.fixture
def bake(pictures, tmp_path):
    """Publishes pictures of one colour for the frames of a strip."""

    def bake(strip, frames, value, earlier=None, **how):
        folder = pictures.PictureFolder(tmp_path, "Anna")
        folder.write(np.full((len(frames), 4, 4, 4), value, np.uint8))
        for _ in folder.arrange(strip, frames, earlier, **how):
            pass
        return folder.publish()

    return bake


def publish(folder):
    """Arranges the pictures as a strip from frame 1 on, and publishes them."""
    for _ in folder.arrange("strip", range(1, 1 + folder.count), None):
        pass
    return folder.publish().folder


def values(png, sequence):
    """The colour of every scene frame's picture; None where it is clear."""
    read = [png.decode_png(sequence.path(frame).read_bytes()) for frame in sequence.frames]
    return [None if not pixels.any() else int(pixels[0, 0, 0]) for pixels in read]


def test_every_strip_lies_at_its_frames_and_nothing_between(png, bake, tmp_path):
    first = bake("one", range(10, 13), 1)
    second = bake("two", range(15, 17), 2, first)
    before = bake("three", range(7, 9), 3, second)
    assert values(png, before) == [3, 3, None, 1, 1, 1, None, None, 2, 2]
    assert before.frames == range(7, 17)
    assert (tmp_path / "Anna_003" / "frame_0000.png").read_bytes() == before.path(7).read_bytes()
    assert values(png, first) == [1, 1, 1]  # an undo shows it again


def test_a_second_bake_replaces_its_own_pictures_alone_and_the_newest_is_on_top(png, bake):
    sequence = bake("two", range(4, 8), 2, bake("one", range(1, 6), 1))
    assert values(png, sequence) == [1, 1, 1, 2, 2, 2, 2]
    sequence = bake("one", range(2, 5), 5, sequence)
    assert values(png, sequence) == [5, 5, 5, 2, 2, 2]
    assert sequence.strip_at(4) == "one"


def test_the_last_picture_may_be_held(png, bake):
    sequence = bake("two", range(5, 6), 2, bake("one", range(1, 3), 1), is_held=True)
    assert values(png, sequence) == [1, 1, 1, 1, 2]


def test_what_a_file_remembers_is_read_again_or_refused(pictures, bake):
    sequence = bake("two", range(5, 6), 2, bake("one", range(1, 3), 1))
    assert pictures.Sequence.of(sequence.folder, sequence.shown()) == sequence
    assert list(pictures.Sequence.of(sequence.folder, sequence.shown()).strips) == ["one", "two"]
    for bad in ("", "True", "[]", "{}", '{"a": 3}', '{"a": [3, 3]}'):
        assert pictures.Sequence.of(sequence.folder, bad) is None


def test_a_sequence_appears_when_it_is_complete(pictures, tmp_path):
    frames = np.zeros((3, 4, 4, 4), np.uint8)
    folder = pictures.PictureFolder(tmp_path, "Voice: one/two")
    folder.write(frames[:2])
    folder.write(frames[2:])
    assert [path.name.startswith(".Voice_ one_two.") for path in tmp_path.iterdir()] == [True]
    published = publish(folder)
    assert published.name == "Voice_ one_two_001"
    assert sorted(path.name for path in published.iterdir()) == [
        *(f"frame_000{i}.png" for i in range(4)),
        "speech_face.json",
    ]
    again = pictures.PictureFolder(tmp_path, "Voice: one/two")
    again.write(frames)
    assert publish(again).name == "Voice_ one_two_002"


def test_a_sequence_that_is_given_up_leaves_nothing(pictures, tmp_path):
    with pictures.PictureFolder(tmp_path / "new", "Voice") as folder:
        folder.write(np.zeros((1, 4, 4, 4), np.uint8))
    assert list((tmp_path / "new").iterdir()) == []


def test_two_blenders_with_one_name_do_not_mix_their_faces(png, pictures, tmp_path):
    one, other = pictures.PictureFolder(tmp_path, "Voice"), pictures.PictureFolder(tmp_path, "Voice")
    faces = [np.full((2, 4, 4, 3), value, np.uint8) for value in (10, 200)]
    for index in range(2):
        one.write(faces[0][index : index + 1])
        other.write(faces[1][index : index + 1])
    published = [publish(one), publish(other)]
    assert [path.name for path in published] == ["Voice_001", "Voice_002"]
    for folder, face in zip(published, faces, strict=True):
        assert {path.read_bytes() for path in folder.glob("*.png")} == {png.encode_png(face[0])}
    assert sorted(tmp_path.iterdir()) == published


def test_a_name_that_is_taken_while_publishing_is_left_alone(pictures, tmp_path, monkeypatch):
    folder, rename, taken = pictures.PictureFolder(tmp_path, "Voice"), Path.rename, tmp_path / "Voice_001"
    folder.write(np.zeros((1, 4, 4, 4), np.uint8))

    def late(path, target):
        if not taken.exists():
            taken.mkdir()
            (taken / "frame_0001.png").write_bytes(b"of another Blender")
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", late)
    assert publish(folder).name == "Voice_002"
    assert [path.read_bytes() for path in taken.iterdir()] == [b"of another Blender"]


@pytest.mark.skipif(os.name == "nt", reason="Windows has no modes")
def test_others_may_read_a_sequence_as_any_new_folder(pictures, tmp_path):
    (tmp_path / "usual").mkdir()
    folder = pictures.PictureFolder(tmp_path, "Voice")
    folder.write(np.zeros((1, 4, 4, 4), np.uint8))
    assert publish(folder).stat().st_mode == (tmp_path / "usual").stat().st_mode


def test_what_was_left_a_week_ago_is_swept_and_nothing_else(pictures, tmp_path):
    names = [".Voice.0123456789abcdef.partial", "Voice.partial", "Voice_001"]
    week_ago = time.time() - 7 * 24 * 3600 - 60
    for name in names:
        (tmp_path / name).mkdir()
        (tmp_path / name / "frame_0001.png").touch()
        os.utime(tmp_path / name, (week_ago, week_ago))
    (tmp_path / ".Voice.0123456789abcdee.partial").mkdir()  # of a Blender that runs
    pictures.PictureFolder(tmp_path, "Other").discard()
    left = sorted(path.name for path in tmp_path.iterdir())
    assert left == [".Voice.0123456789abcdee.partial", "Voice.partial", "Voice_001"]


def test_a_full_disk_is_said_in_one_sentence(pictures, tmp_path, monkeypatch):
    from blender_addon._shared import errors

    folder = pictures.PictureFolder(tmp_path, "Voice")

    def full(_path, _data):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(errors.NoSpaceError, match="the disk is full"):
        folder.write(np.zeros((1, 4, 4, 4), np.uint8))
