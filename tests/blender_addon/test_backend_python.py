"""Tests that the backend's Python is found, and that it is said when there is none."""

import sys
from pathlib import Path

import pytest

pytest.importorskip("bpy", reason="there is no bpy module for this Python")


@pytest.fixture
def find_python(addon):
    from blender_addon.installing.backend_python import find_python

    return find_python


def test_where_python_is_looked_for(find_python, tmp_path):
    python = tmp_path / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.touch()
    by_folder = find_python("", str(tmp_path), {})
    assert (by_folder.python, by_folder.folder) == (python, tmp_path)
    by_variable = find_python("", "", {"SPEECH_FACE_PYTHON": str(python)})
    assert (by_variable.python, by_variable.folder) == (python, tmp_path)
    assert find_python(sys.executable, str(tmp_path), {}).python == Path(sys.executable)


@pytest.mark.parametrize(
    ("configured", "folder", "variable", "sentence"),
    [
        ("", "", "", "is not set up"),
        ("/no/python", "", "", "from the add-on's preferences, does not exist"),
        ("", "", "/no/python", r"from \$SPEECH_FACE_PYTHON, does not exist"),
        ("", "/", "", "holds no .venv"),
    ],
)
def test_what_is_said_when_there_is_none(find_python, configured, folder, variable, sentence):
    from blender_addon._shared import errors

    with pytest.raises(errors.SpeechFaceError, match=sentence):
        find_python(configured, folder, {"SPEECH_FACE_PYTHON": variable})
