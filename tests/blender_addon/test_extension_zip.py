"""Tests that the zip that users install holds the right files, installs without errors, and makes a face."""

import hashlib
import json
import os
import platform
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

pytest.importorskip("bpy", reason="there is no bpy module for this Python")

ROOT = Path(__file__).resolve().parents[2]

THIS_PLATFORM = {"linux": "linux_x64", "win32": "windows_x64"}.get(
    sys.platform, f"macos_{platform.machine().replace('x86_64', 'x64')}"
)
PROGRAM = """
import json, sys
from pathlib import Path
import bpy
import addon_utils

job = json.loads(sys.argv[1])
bpy.ops.extensions.package_install_files(filepath=job["zip"], repo="user_default", enable_on_install=True)
name = "bl_ext.user_default.speech_face"
addon = bpy.context.preferences.addons[name]
addon.preferences.connection_file = job["connection_file"]
scene = bpy.context.scene
scene.render.fps = 24
strip = scene.sequence_editor_create().strips.new_sound("Voice", job["sound"], 1, 37)
strip.frame_offset_start = 10
bpy.ops.speechface.add_images(directory=job["folder"], files=[{"name": "photo.png"}])
outcome = bpy.ops.speechface.generate()
rig = scene.speech_face.characters[0].rig
animation = rig.animation_data
curves = animation.action.layers[0].strips[0].channelbag(animation.action_slot).fcurves
nodes = scene.speech_face.characters[0].plane.data.materials[0].node_tree.nodes
found = {
    "outcome": list(outcome),
    "curves": len(curves),
    "frames": [curves[0].keyframe_points[0].co[0], curves[0].keyframe_points[-1].co[0]],
    "picture": bpy.path.abspath(nodes["Speech Face Frames"].image.filepath),
    "user_folder": bpy.utils.extension_path_user(name),
    "warnings": [str(w) for w in addon_utils._extensions_warnings_get()],
    "shared": sys.modules[name + "._shared"].wire.__name__,
    "top_level": [m for m in ("shared", "blender_addon", "backend_server") if m in sys.modules],
}
addon_utils.disable(name)
found["classes_left"] = [n for n in dir(bpy.types) if n.startswith("SPEECHFACE")]
print("FOUND " + json.dumps(found))
"""


@pytest.fixture(scope="module")
def builder():
    import importlib.util

    spec = importlib.util.spec_from_file_location("build_addon", ROOT / "build_addon.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", ["full", "linux_x64", "windows_x64", "macos_arm64", "macos_x64"])
def test_a_zip_holds_exactly_what_it_should(extensions, builder, name):
    with zipfile.ZipFile(extensions[name]) as archive:
        names = set(archive.namelist())
        manifest = tomllib.loads(archive.read("blender_manifest.toml").decode())
        assert archive.read("operators.py") == (ROOT / "blender_addon" / "operators.py").read_bytes()
        assert archive.read("shared/wire.py") == (ROOT / "shared" / "wire.py").read_bytes()
        wheels = {Path(name).name for name in names if name.startswith("wheels/") and name.endswith(".whl")}
        for wheel in wheels:
            assert hashlib.sha256(archive.read(f"wheels/{wheel}")).hexdigest() == builder.WHEELS[wheel]
    assert wheels == {
        each for each in builder.WHEELS if name == "full" or builder.runs_on(each, name.replace("_", "-"))
    }
    assert {each.split("-")[2] for each in wheels} == {"cp311", "cp313"}
    assert len(wheels) >= 4  # two libraries, two Pythons
    listed = manifest if name == "full" else manifest.get("build", {}).get("generated", manifest)
    assert {Path(each).name for each in listed["wheels"]} == wheels
    assert not any("__pycache__" in each or each.startswith(("tests", "backend_server")) for each in names)
    assert {"__init__.py", "_shared.py", "LICENSE", "shared/__init__.py", "shared/protocol.py"} <= names
    assert {f"shared/rig/presets/{each}.json" for each in ("arkit", "oculus", "rigify")} <= names
    assert {"keys/keyframes.py", "translations/de_DE.json", "presets/speech_face/shape/Calm.py"} <= names
    assert extensions[name].stat().st_size < (40e6 if name == "full" else 5e6)


def test_complaint_8_the_full_zip_has_the_backend_inside(extensions, addon, tmp_path):
    from blender_addon.installing import installed

    with zipfile.ZipFile(extensions["full"]) as archive:
        (name,) = (each for each in archive.namelist() if each.startswith("backend/") and each.endswith(".whl"))
        archive.extract(name, tmp_path)
    wheel = installed.read_wheel(installed.bundled_wheel(tmp_path))
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert wheel.version == project["version"]
    assert f"torch=={wheel.torch}" in project["dependencies"]
    with zipfile.ZipFile(wheel.path) as archive:
        inside = set(archive.namelist())
    shipped = (*(ROOT / "backend_server/weights").iterdir(), *(ROOT / "backend_server/samples").iterdir())
    assert {path.relative_to(ROOT).as_posix() for path in shipped} <= inside
    assert {path.relative_to(ROOT).as_posix() for path in (ROOT / "shared/rig/presets").glob("*.json")} <= inside
    for slim in set(extensions) - {"full"}:
        with zipfile.ZipFile(extensions[slim]) as archive:
            assert not any(each.startswith("backend/") for each in archive.namelist())


def test_versions_agree(extensions):
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    manifest = tomllib.loads((ROOT / "blender_addon" / "blender_manifest.toml").read_text("utf-8"))
    assert manifest["version"] == project["version"]
    assert extensions["full"].name == f"speech_face-{manifest['version']}-full.zip"
    pins = {Path(name).name.split("-cp3")[0] for name in manifest["wheels"]}
    assert pins == {d.replace("==", "-") for d in project["dependencies"] if d.startswith(("pyzmq", "msgspec"))}


def test_an_altered_wheel_is_refused(builder, tmp_path):
    for name in builder.WHEELS:
        (tmp_path / name).write_bytes(b"another")
    with pytest.raises(builder.AddonError, match="has the checksum"):
        builder.fetch_wheels(tmp_path)


@pytest.mark.slow
def test_the_installed_zip_makes_a_face(extensions, fake_backend, speech_file, tmp_path, addon):
    import numpy as np

    from blender_addon.pictures.png_writer import encode_png

    (tmp_path / "photo.png").write_bytes(encode_png(np.full((64, 64, 3), 90, np.uint8)))
    job = {
        "zip": str(extensions[THIS_PLATFORM]),
        "connection_file": str(fake_backend.connection_file),
        "sound": str(speech_file()),
        "folder": str(tmp_path),
    }
    environment = {key: value for key, value in os.environ.items() if not key.startswith("SPEECH_FACE")}
    environment["BLENDER_USER_RESOURCES"] = str(tmp_path / "blender")
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, json.dumps(job)],
        capture_output=True, text=True, timeout=250, check=False, env=environment, cwd=tmp_path,
    )  # fmt: skip
    lines = [line for line in done.stdout.splitlines() if line.startswith("FOUND ")]
    assert lines, done.stdout + done.stderr
    found = json.loads(lines[0].removeprefix("FOUND "))
    assert found["outcome"] == ["FINISHED"]
    assert found["curves"] == 144
    assert found["frames"] == [47, 132]
    assert found["picture"].startswith(found["user_folder"])
    assert Path(found["picture"]).is_file()
    assert found["warnings"] == []
    assert found["shared"] == "bl_ext.user_default.speech_face.shared.wire"
    assert found["top_level"] == []
    assert found["classes_left"] == []
    assert done.returncode == 0, done.stderr
