"""Several values behind one option, and a folder that is written whole or not at all."""

import pytest

from backend_server.commands.output_folder import output_folder
from shared.errors import Cancelled


def test_images_take_several_values_at_once(run_command, tmp_path):
    result = run_command("adapt", "--images", "a.png", "b.png", "--out", tmp_path / "x", "--images", "c.png")
    assert result.exit_code == 2
    assert "a.png" in result.stderr  # not: unexpected extra argument b.png
    assert "unexpected" not in result.stderr


def test_a_failed_block_leaves_the_old_results(tmp_path):
    target = tmp_path / "out"
    with output_folder(target) as folder:
        (folder / "curves.json").write_text("first")
    with pytest.raises(Cancelled), output_folder(target) as folder:
        (folder / "curves.json").write_text("second")
        raise Cancelled
    assert (target / "curves.json").read_text() == "first"
    assert [p.name for p in tmp_path.iterdir()] == ["out"]


def test_new_results_replace_old_ones_and_leave_the_rest(tmp_path):
    target = tmp_path / "out"
    for text in ("first", "second"):
        with output_folder(target) as folder:
            (folder / "frames").mkdir()
            (folder / "frames" / f"{text}.png").touch()
        (target / "notes.txt").write_text("mine")
    assert [p.name for p in (target / "frames").iterdir()] == ["second.png"]
    assert (target / "notes.txt").read_text() == "mine"
