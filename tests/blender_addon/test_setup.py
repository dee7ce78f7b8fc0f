"""Tests how the backend is chosen, installed, checked and explained in Blender."""

import os
import sys
from pathlib import Path

import pytest

bpy = pytest.importorskip("bpy", reason="there is no bpy module for this Python")

ROOT = Path(__file__).resolve().parents[2]
PYTHON = Path(os.environ.get("SPEECH_FACE_PYTHON") or ROOT / ".venv/bin/python")
DIES = """#!/bin/sh
if [ -p "$0.wait" ]; then read -r _ < "$0.wait"; fi
echo "error: the weights '/x' are damaged; install the backend again"
echo "W0000 00:00:1 gl_context.cc:1118] OpenGL error: no display"
exit 3
"""


class Layout:
    """Records the texts, properties and operators that are drawn."""

    def __init__(self, drawn=None):
        self.drawn = [] if drawn is None else drawn

    def _child(self, *_, **__):
        return Layout(self.drawn)

    row = column = box = _child

    def label(self, text="", icon="NONE", **_):
        assert icon in bpy.types.UILayout.bl_rna.functions["label"].parameters["icon"].enum_items
        self.drawn.append(text)

    def prop(self, data, name, **_):
        assert name in data.bl_rna.properties
        self.drawn.append(name)

    def operator(self, name, text=None, icon="NONE"):
        assert icon in bpy.types.UILayout.bl_rna.functions["operator"].parameters["icon"].enum_items
        module, function = name.split(".")
        assert hasattr(getattr(bpy.ops, module), function)
        self.drawn.append(name if text is None else text)

    def progress(self, factor, text, type):  # noqa: A002 (Blender's own name)
        assert 0 <= factor <= 1
        self.drawn.append(text)


@pytest.fixture
def setup(preferences, monkeypatch, tmp_path):
    """What runs, cleared; nothing is installed in the folder that is chosen."""
    from blender_addon.installing.setting_up import setting_up

    monkeypatch.delenv("SPEECH_FACE_PYTHON", raising=False)
    preferences.install_folder = str(tmp_path / "chosen")
    bpy.context.preferences.system.use_online_access = True
    yield setting_up
    setting_up.close()
    setting_up.installation = setting_up.check = None
    setting_up.failure = setting_up.message = ""
    bpy.context.preferences.system.use_online_access = False


@pytest.fixture
def dying(preferences, tmp_path):
    """A Python whose backend cannot start."""
    if os.name == "nt":
        pytest.skip("a shell script stands for Python")
    script = tmp_path / "python"
    script.write_text(DIES)
    script.chmod(0o755)
    preferences.python = str(script)
    return str(script)


def drawn(width=90):
    from blender_addon.installing.setup_panel import draw_setup

    layout = Layout()
    draw_setup(layout, bpy.context, width)
    return layout.drawn


def test_who_fills_in_where_a_backend_is_has_chosen_it(preferences, monkeypatch):
    from blender_addon.installing import setup_plan
    from blender_addon.preferences import settings

    monkeypatch.delenv("SPEECH_FACE_PYTHON", raising=False)
    assert setup_plan.kind(preferences) == "PYTHON"  # of the checkout, until one is chosen
    preferences.connection_file = "/a/connection.json"
    preferences.folder = "/a/checkout"
    assert preferences.backend == "ELSEWHERE"
    assert settings(bpy.context).connection_file == "/a/connection.json"
    preferences.backend = "PYTHON"
    assert settings(bpy.context).connection_file == ""
    assert settings(bpy.context).folder == "/a/checkout"
    preferences.backend = "INSTALLED"
    chosen = settings(bpy.context)
    assert (chosen.python, chosen.folder, chosen.connection_file) == ("", "", "")
    assert chosen.installation is not None
    preferences.folder = preferences.connection_file = ""
    assert preferences.backend == "INSTALLED"
    preferences.python = "/a/python"
    assert preferences.backend == "PYTHON"
    preferences.python = ""
    assert not preferences.is_property_set("backend")


def test_a_slim_addon_asks_for_the_wheel_and_says_what_is_loaded(setup, preferences, tmp_path):
    preferences.backend = "INSTALLED"
    assert not bpy.ops.speechface.install_backend.poll()
    assert "This add-on came without the backend; choose the backend's wheel" in " ".join(drawn())
    assert {"wheel_file", "install_folder", "speechface.install_backend", "speechface.check_setup"} <= set(drawn())
    add_wheel(tmp_path, preferences)
    lines = " ".join(drawn())
    assert "loads about" in lines
    assert "PyTorch" in lines
    assert "GB of free disk, in" in lines
    assert str(tmp_path / "chosen" / "backend") in lines
    assert bpy.ops.speechface.install_backend.poll()
    preferences.torch_build = "cuda"
    assert sys.platform != "linux" or "loads about 3.3 GB" in " ".join(drawn())
    preferences.property_unset("torch_build")


def test_without_online_access_it_says_how_to_allow_it(setup, preferences, tmp_path):
    preferences.backend = "INSTALLED"
    add_wheel(tmp_path, preferences)
    bpy.context.preferences.system.use_online_access = False
    assert not bpy.ops.speechface.install_backend.poll()
    assert "Online access is off" in " ".join(drawn())
    assert "use_online_access" in drawn()
    with pytest.raises(RuntimeError):
        bpy.ops.speechface.install_backend()
    assert not (tmp_path / "chosen").exists()


def test_setup_is_open_until_there_is_a_backend(setup, preferences, tmp_path):
    from blender_addon import panels
    from blender_addon.installing import installed

    sections = {}

    class Panel(Layout):
        def panel(self, name, default_closed):
            sections[name] = default_closed
            return self, None if default_closed else self

    def draw():
        sections.clear()
        panels.draw_setup_folded(Panel(), bpy.context)
        return sections

    preferences.backend = "PYTHON"
    assert draw() == {"SPEECHFACE_setup": True}
    preferences.backend = "INSTALLED"
    assert draw() == {"SPEECHFACE_first_setup": False}
    folder = tmp_path / "chosen" / "backend"
    folder.mkdir(parents=True)
    installed.write_record(folder, installed.Record({"check": "a digest"}, "0.1.0", "cpu"))
    assert draw() == {"SPEECHFACE_setup": True}


def test_generate_says_that_the_backend_is_not_installed(setup, preferences, add_strip, character):
    from blender_addon import orders

    preferences.backend = "INSTALLED"
    add_strip()
    character().use_texture = False
    assert orders.disabled_reason(bpy.context) == "The backend is not installed; press Install Backend"


def test_a_failed_installation_stays_in_the_panel(setup, preferences, tmp_path, monkeypatch):
    from blender_addon.installing import installation

    preferences.backend = "INSTALLED"
    add_wheel(tmp_path, preferences)
    monkeypatch.setattr(installation.shutil, "disk_usage", lambda folder: type("Usage", (), {"free": 1e9}))
    with pytest.raises(RuntimeError, match="GB of free disk"):
        bpy.ops.speechface.install_backend()
    assert "has 1.0 GB; free some space, or choose another Install Folder" in " ".join(drawn())


def test_an_installation_shows_progress_and_is_cancelled_from_the_panel(setup, preferences, tmp_path):
    from blender_addon.installing import setup_plan
    from blender_addon.installing.installation import Installation

    preferences.backend = "INSTALLED"
    add_wheel(tmp_path, preferences)
    setup.install(Installation(setup_plan.plan(bpy.context)))
    assert any("left" in line for line in drawn())
    assert "speechface.cancel_install" in drawn()
    assert not bpy.ops.speechface.install_backend.poll()
    assert not bpy.ops.speechface.check_setup.poll()
    assert bpy.ops.speechface.cancel_install() == {"FINISHED"}
    assert not setup.is_installing
    assert "Cancelled; Install Backend goes on where it stopped" in " ".join(drawn())
    assert bpy.ops.speechface.copy_install_log() == {"FINISHED"}


def test_what_is_installed_can_be_uninstalled_and_nothing_else_goes(setup, preferences, tmp_path):
    from blender_addon.installing import installed

    preferences.backend = "INSTALLED"
    wheel = installed.read_wheel(add_wheel(tmp_path, preferences))
    folder = tmp_path / "chosen" / "backend"
    python = installed.python_in(folder)
    python.parent.mkdir(parents=True)
    python.touch(0o755)
    (tmp_path / "chosen" / "own.txt").touch()
    installed.write_record(folder, installed.Record({"check": wheel.digest}, "0.1.0", "cpu"))
    lines = drawn()
    assert "Backend 0.1.0 for the CPU is installed" in lines
    assert "speechface.install_backend" not in lines  # it is this very wheel
    preferences.torch_build = "cuda"
    assert "Update Backend" in drawn()
    preferences.property_unset("torch_build")
    installed.write_record(folder, installed.Record({"check": wheel.digest}, "0.1.0", "cuda"))
    assert "Update Backend" not in drawn()  # another Blender of this user chose it
    assert bpy.ops.speechface.uninstall_backend() == {"FINISHED"}
    assert not folder.exists()
    assert (tmp_path / "chosen" / "own.txt").exists()
    assert installed.leftovers(folder) == []
    assert not bpy.ops.speechface.uninstall_backend.poll()


@pytest.mark.slow
@pytest.mark.skipif(not PYTHON.is_file(), reason=f"{PYTHON} does not exist; set SPEECH_FACE_PYTHON")
def test_check_setup_shows_what_the_backend_finds_and_its_devices(setup, preferences):
    preferences.python, preferences.folder = str(PYTHON), str(ROOT)
    assert bpy.ops.speechface.check_setup() == {"FINISHED"}
    assert {"Python", "Libraries", "PyTorch", "Weights: speech"} <= {found.name for found in setup.check.findings}
    assert "cpu" in setup.devices()
    assert any(line.startswith("PyTorch: ") for line in drawn())


def test_check_setup_of_a_connection_file_and_of_a_python_without_the_backend(setup, preferences, fake_backend):
    preferences.connection_file = str(fake_backend.connection_file)
    assert bpy.ops.speechface.check_setup() == {"FINISHED"}
    assert [found.state for found in setup.check.findings] == ["ok"]
    preferences.connection_file += ".none"
    bpy.ops.speechface.check_setup()
    assert "there is no connection file" in setup.check.findings[0].what
    preferences.connection_file = ""
    preferences.python, preferences.folder = sys.executable, str(Path(sys.executable).parent)
    bpy.ops.speechface.check_setup()
    assert "No module named backend_server" in setup.check.findings[0].what
    assert "install the backend here" in " ".join(drawn())


def test_complaint_17_a_backend_that_dies_at_its_start_is_shown_at_once_with_its_own_words(dying, monkeypatch, until):
    from blender_addon import session as sessions

    gate = Path(dying + ".wait")
    os.mkfifo(gate)
    redrawn = []
    monkeypatch.setattr(sessions, "redraw", lambda: redrawn.append(sessions.session.status))
    assert bpy.ops.speechface.start_backend() == {"FINISHED"}
    sessions._watch()
    assert sessions.session.status == "Starting"
    redrawn.clear()
    gate.write_text("")
    until(lambda: not sessions.session.backend.is_running)
    assert sessions._watch() is None  # the last look
    assert redrawn == ["Ended unexpectedly"]
    assert "ended with code 3 (error: the weights '/x' are damaged; install the" in sessions.session.problem
    assert "OpenGL" not in sessions.session.problem


def test_complaint_17_errors_are_kept_until_something_works(dying, preferences, add_strip, character):
    from blender_addon.session import session

    add_strip()
    character().use_texture = False
    with pytest.raises(RuntimeError, match="ended with code 3"):
        bpy.ops.speechface.generate()
    assert session.failure.startswith("The backend ended with code 3 (error: the weights '/x' are damaged")
    assert bpy.ops.speechface.dismiss_failure() == {"FINISHED"}
    assert session.failure == ""
    preferences.python = "/no/python"
    with pytest.raises(RuntimeError, match="/no/python"):
        bpy.ops.speechface.start_backend()
    assert "/no/python" in session.failure


def add_wheel(tmp_path, preferences):
    import zipfile

    path = tmp_path / "speech_face-0.1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("backend_server/__main__.py", "")
        text = "Name: speech-face\nVersion: 0.1.0\nRequires-Dist: torch==2.13.0\n"
        archive.writestr("speech_face-0.1.0.dist-info/METADATA", text)
    preferences.wheel_file = str(path)
    return path
