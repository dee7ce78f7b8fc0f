"""Tests which files of the user become pictures, and that each that does not is named."""

import json
import os
import sys

import numpy as np
import pytest
from PIL import Image

from backend_server.identities.pictures import checked_paths, read_source
from shared.errors import ImageError


@pytest.fixture
def folder(tmp_path):
    """Makes a folder of pictures with these names, each of its own grey."""

    def make(*names):
        inside = tmp_path / "me"
        inside.mkdir(exist_ok=True)
        for level, name in enumerate(names):
            Image.new("RGB", (20, 20), (level, level, level)).save(inside / name, "PNG")
        return inside

    return make


def test_a_folder_stands_for_its_pictures_of_every_kind(folder):
    names = ["a.png", "b.JPG", "c.heic", "d.avif", "e.jfif", "f.tif", "g.webp", "h.HEIF"]
    inside = folder(*names)
    (inside / "z.png").mkdir()
    source = read_source([inside], None)
    assert source.names == names
    assert [image[0, 0, 0] for image in source.images] == list(range(len(names)))
    assert source.notes == ()


@pytest.mark.parametrize("name", ["._me.jpg", ".hidden.png", ".DS_Store", "Thumbs.db", "desktop.ini"])
def test_hidden_files_are_left_out_without_a_word(folder, name):
    inside = folder("me.png")
    (inside / name).write_bytes(b"\0\5\26\7 not for people")
    source = read_source([inside], None)
    assert (source.names, source.notes) == (["me.png"], ())


def test_what_is_no_picture_is_named_and_the_others_are_used(folder):
    inside = folder("a.png", "b.png")
    for name, content in {"cut.jpg": b"\xff\xd8\xff\xe0", "empty.heic": b"", "list.txt": b"a", "raw.cr3": b"b"}.items():
        (inside / name).write_bytes(content)
    (inside / "text.png").write_text("no picture")
    Image.new("RGB", (8, 8)).save(inside / "tiny.png")
    (inside / "noending").touch()
    source = read_source([inside], None)
    assert source.names == ["a.png", "b.png"]
    assert {note.code for note in source.notes} == {"skipped_file"}
    said = {note.about: note.sentence for note in source.notes}
    assert set(said) == {"cut.jpg", "empty.heic", "list.txt", "raw.cr3", "text.png", "tiny.png", "noending"}
    assert said["empty.heic"] == "it was left out, as it is empty (0 bytes); choose another image."
    assert said["list.txt"] == "it was left out, as a file of the kind .txt is not read as a picture"
    assert said["noending"] == "it was left out, as a file without an ending is not read as a picture"
    assert "as it has 8 x 8 pixels" in said["tiny.png"]
    assert "as it is not an image that this program can read" in said["text.png"]
    assert str(inside) not in str(said)


@pytest.mark.skipif(os.name == "nt", reason="Windows has no named pipes in folders, and links need rights")
def test_pipes_and_links_to_nothing_are_named_and_not_waited_for(folder, pipe):
    inside = folder("a.png")
    pipe(inside / "pipe.png")
    (inside / "gone.png").symlink_to(inside / "nowhere.png")
    (inside / "also gone").symlink_to(inside / "nowhere")
    source = read_source([inside], None)
    assert source.names == ["a.png"]
    assert {note.about: note.sentence for note in source.notes} == {
        "pipe.png": "it was left out, as it is a pipe, socket or device; give a picture file.",
        "gone.png": "it was left out, as it cannot be read (No such file or directory).",
        "also gone": "it was left out, as a file without an ending is not read as a picture",
    }


def test_many_files_that_are_no_pictures_are_counted(folder):
    inside = folder("a.png")
    for number in range(25):
        (inside / f"{number:02}.txt").touch()
    notes = read_source([inside], None).notes
    assert [note.about for note in notes] == [f"{number:02}.txt" for number in range(10)] + ["me"]
    assert notes[-1].sentence == "15 more files are no pictures and were left out"


def test_a_folder_of_too_many_pictures_gives_its_first_ones(folder):
    inside = folder(*(f"{number:02}.png" for number in range(23)))
    source = read_source([inside], None)
    assert source.names == [f"{number:02}.png" for number in range(20)]
    (note,) = source.notes
    assert (note.code, note.about) == ("skipped_file", "me")
    assert note.sentence.endswith("so these were left out: 20.png, 21.png, 22.png")


def test_named_pictures_come_before_those_of_a_folder(folder, tmp_path):
    inside = folder(*(f"{number:02}.png" for number in range(20)))
    Image.new("RGB", (20, 20), (99, 99, 99)).save(tmp_path / "mine.png")
    source = read_source([inside, tmp_path / "mine.png"], None)
    assert source.names == [*(f"{number:02}.png" for number in range(19)), "mine.png"]
    assert source.images[-1][0, 0, 0] == 99
    assert "19.png" in source.notes[0].sentence


def test_what_is_named_must_be_read(folder):
    inside = folder("a.png")
    (inside / "b.png").write_bytes(b"no picture")
    with pytest.raises(ImageError, match=r"b\.png is not an image"):
        read_source([inside / "a.png", inside / "b.png"], None)
    with pytest.raises(ImageError, match="21 images were given; give 1 to 20"):
        read_source([inside / "a.png"] * 21, None)


def test_a_folder_without_one_that_can_be_read_is_refused(folder):
    inside = folder()
    with pytest.raises(ImageError, match="me holds no pictures"):
        checked_paths([inside])
    (inside / "a.jpg").touch()
    with pytest.raises(ImageError, match=r"me can be read; the first: .*a\.jpg is empty"):
        read_source([inside], None)


def test_landmarks_may_lie_among_the_pictures(folder):
    inside = folder("a.png")
    points = [[k % 17, k // 4] for k in range(68)]
    (inside / "points.json").write_text(json.dumps({"a.png": points}))
    source = read_source([inside], inside / "points.json")
    assert source.notes == ()
    np.testing.assert_array_equal(source.landmarks[0], points)


@pytest.mark.skipif(sys.platform != "linux", reason="names that are not UTF-8 are only possible on Linux")
def test_a_name_that_is_not_utf_8_can_be_written(folder):
    inside = folder("a.png")
    os.rename(os.fsencode(inside / "a.png"), os.fsencode(inside) + b"/\xff.png")  # noqa: PTH104 (bytes)
    assert read_source([inside], None).names == ["\ufffd.png"]
