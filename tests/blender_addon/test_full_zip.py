"""Tests the way of a new user: the full zip, an empty home, Install Backend, Generate; the repository is not used."""

import json
import os
import subprocess
import sys

import pytest

bpy = pytest.importorskip("bpy", reason="there is no bpy module for this Python")

PROGRAM = """
import json, sys
from pathlib import Path
import bpy
import addon_utils

job = json.loads(sys.argv[1])
bpy.ops.extensions.package_install_files(filepath=job["zip"], repo="user_default", enable_on_install=True)
name = "bl_ext.user_default.speech_face"
found = {"poll_offline": bpy.ops.speechface.install_backend.poll()}
bpy.context.preferences.system.use_online_access = True
found["install"] = list(bpy.ops.speechface.install_backend())
setting_up = sys.modules[name + ".installing.setting_up"].setting_up
found["folder"] = str(setting_up.installation.plan.folder)
found["findings"] = [(each.name, each.state) for each in setting_up.check.findings]
found["devices"] = setting_up.devices()
(sound,) = Path(found["folder"]).glob("environment/**/samples/speech.wav")
scene = bpy.context.scene
scene.render.fps = 24
scene.sequence_editor_create().strips.new_sound("Voice", str(sound), 1, 1)
bpy.ops.speechface.add_character(name="Anna")
scene.speech_face.characters[0].use_texture = False
found["generate"] = list(bpy.ops.speechface.generate())
animation = scene.speech_face.characters[0].rig.animation_data
found["curves"] = len(animation.action.layers[0].strips[0].channelbag(animation.action_slot).fcurves)
found["uninstall"] = list(bpy.ops.speechface.uninstall_backend())
found["left"] = [path.name for path in Path(found["folder"]).parent.iterdir()]
found["warnings"] = [str(w) for w in addon_utils._extensions_warnings_get()]
found["top_level"] = [m for m in ("shared", "blender_addon", "backend_server") if m in sys.modules]
print("FOUND " + json.dumps(found))
addon_utils.disable(name)
"""


@pytest.mark.slow
@pytest.mark.timeout(900)  # two minutes on two cores that are at rest
@pytest.mark.skipif(
    bpy.app.version[:2] != (5, 0), reason="what is installed is the same for every Blender; 5.0 does it"
)
def test_a_new_user_installs_the_full_zip_and_its_backend_and_makes_curves(extensions, tmp_path):
    ours = ("SPEECH_FACE", "XDG_DATA", "XDG_RUNTIME", "PYTHON")
    environment = {key: value for key, value in os.environ.items() if not key.startswith(ours)}
    home = tmp_path / "home"
    home.mkdir()
    environment["PIP_NO_COMPILE"] = "1"  # half of the time
    environment |= {"BLENDER_USER_RESOURCES": str(tmp_path / "blender"), "HOME": str(home), "LOCALAPPDATA": str(home)}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, json.dumps({"zip": str(extensions["full"])})],
        capture_output=True, text=True, timeout=850, check=False, env=environment, cwd=tmp_path,
    )  # fmt: skip
    lines = [line for line in done.stdout.splitlines() if line.startswith("FOUND ")]
    assert lines, done.stdout + done.stderr
    found = json.loads(lines[0].removeprefix("FOUND "))
    assert not found["poll_offline"]
    assert found["install"] == found["generate"] == found["uninstall"] == ["FINISHED"]
    assert {"PyTorch", "Face detector", "Weights: speech"} <= {name for name, _ in found["findings"]}
    assert {state for _, state in found["findings"]} <= {"ok", "warn"}
    assert found["devices"] == ["cpu"]
    assert found["folder"].startswith(str(home))
    assert found["curves"] == 144
    assert "backend" not in found["left"]
    assert found["warnings"] == found["top_level"] == []
