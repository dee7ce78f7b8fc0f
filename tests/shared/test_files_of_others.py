"""Tests that what stands in the way of a result keeps its content under a name that was free."""

import hashlib

import pytest

from shared.files_of_others import set_aside, sha256_of


def test_every_file_gets_a_name_that_was_free(tmp_path):
    names = ["face.glb", "face (kept).glb", "face (kept 2).glb"]
    for number, name in enumerate(names[1:], 1):
        (tmp_path / "face.glb").write_text(str(number))
        assert set_aside(tmp_path / "face.glb") == tmp_path / name
        assert (tmp_path / name).read_text() == str(number)
    assert not (tmp_path / "face.glb").exists()


def test_a_link_to_nothing_has_its_name_too(tmp_path):
    folder = tmp_path / "out"
    folder.mkdir()
    try:
        (tmp_path / "out (kept)").symlink_to(tmp_path / "nothing")
    except OSError:
        pytest.skip("links cannot be made here")
    assert set_aside(folder) == tmp_path / "out (kept 2)"


def test_a_file_is_known_by_its_content(tmp_path):
    content = bytes(range(256)) * 5000
    (tmp_path / "long").write_bytes(content)
    assert sha256_of(tmp_path / "long") == hashlib.sha256(content).hexdigest()
