# pyright: reportAttributeAccessIssue=false, reportOptionalMemberAccess=false
"""Runs inside Blender's window, started by `run.py --zip`: what a new user does, without a repository.

The zip is installed as an extension, *Install Backend* is pressed, speech and a photo are chosen, and Generate is
pressed. Nothing of the checkout is imported but the neighbours of this file, of which the folder has copies.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import bpy

sys.path.insert(0, str(Path.cwd()))

from tests.gui import window
from tests.gui.script import Script, Steps

_NAME = "bl_ext.user_default.speech_face"
_INSTALL_SECONDS = 1500.0
_LOOKED_AT = 30


class FirstMinute(Script):
    """One new user; the folder has `speech_face.zip`, `speech.wav` and `portrait.png`."""

    def _module(self, name: str) -> object:
        return sys.modules[f"{_NAME}.{name}"]

    def _close(self) -> None:
        foreign = [name for name in ("backend_server", "blender_addon", "shared") if name in sys.modules]
        self._check(not foreign, f"the repository was used: {foreign}")
        if f"{_NAME}.session" in sys.modules:
            self._module("session").session.close()

    def _why(self) -> str:
        if f"{_NAME}.session" not in sys.modules:
            return "the add-on is not there"
        setting_up = self._module("installing.setting_up").setting_up
        return " ".join(filter(None, (setting_up.failure, self._module("session").session.failure)))

    def _all(self) -> Steps:
        archive = str((self._out / "speech_face.zip").resolve())
        bpy.ops.extensions.package_install_files(filepath=archive, repo="user_default", enable_on_install=True)
        yield 1.0
        yield from self._until(lambda: window.open_tab("Speech Face"), 20, "the tab")
        yield from self._photograph("installed_zip", 1.5)
        yield from self._install()
        yield from self._generate()

    def _install(self) -> Steps:
        setting_up = self._module("installing.setting_up").setting_up
        x, y = 700, 500
        window.mouse("MOUSEMOVE", "NOTHING", x, y)
        yield 0.2
        self._press("install_backend")
        yield from self._photograph("asks", 1.0)
        begun = time.monotonic()
        window.mouse("RET", "PRESS", x, y)
        window.mouse("RET", "RELEASE", x, y)
        yield from self._until(lambda: setting_up.is_installing, 10, "the installation")
        yield from self._photograph("installing", 15.0)
        yield from self._until(lambda: not setting_up.is_installing, _INSTALL_SECONDS, "the end of the installation")
        self._measures["seconds of Install Backend"] = round(time.monotonic() - begun)
        if setting_up.failure:
            raise AssertionError(setting_up.failure)
        yield from self._until(lambda: not setting_up.is_checking, 120, "the check")
        findings = setting_up.check.findings if setting_up.check is not None else ()
        self._check(findings and all(found.state != "fail" for found in findings), f"Check Setup found {findings}")
        yield from self._photograph("backend")
        with window.override():
            bpy.ops.preferences.addon_show(module=_NAME)
        yield from self._photograph("preferences", 2.0)
        if len(bpy.context.window_manager.windows) > 1:
            with bpy.context.temp_override(window=bpy.context.window_manager.windows[-1]):
                bpy.ops.wm.window_close()

    def _generate(self) -> Steps:
        session, folder = self._module("session").session, str(self._out.resolve())
        with window.override():
            bpy.ops.speechface.add_sound_file(filepath=f"{folder}/speech.wav")
            bpy.ops.speechface.add_images(directory=folder, files=[{"name": "portrait.png"}])
        yield from self._photograph("chosen", 1.0)
        begun = time.monotonic()
        self._press("generate")
        yield from self._until(lambda: session.generation is not None, 120, "the generation")
        yield from self._until(lambda: session.generation is None, 900, "the end of the generation")
        self._measures["seconds of Generate"] = round(time.monotonic() - begun)
        yield 1.0
        if self._why():
            raise AssertionError(self._why())
        character = bpy.context.scene.speech_face.characters[0]
        self._check(character.plane is not None and character.rig is not None, "no plane or no armature was made")
        fcurves = character.rig.animation_data.action.layers[0].strips[0].channelbags[0].fcurves
        self._check(len(fcurves) == 144, f"{len(fcurves)} curves were made")
        pictures = Path(bpy.path.abspath(next(i for i in bpy.data.images if i.source == "SEQUENCE").filepath)).parent
        self._measures["pictures"] = len(list(pictures.glob("frame_*.png")))
        self._check(self._measures["pictures"], "no picture was made")
        bpy.context.scene.frame_set(_LOOKED_AT)
        yield from self._photograph("talking", 2.0)
        plane = character.plane
        corners = [plane.matrix_world @ vertex.co for vertex in plane.data.vertices]
        yield from self._same_colours("the plane", sorted(pictures.glob("frame_*.png"))[_LOOKED_AT - 1], corners, 240)


FirstMinute(Path(sys.argv[sys.argv.index("--") + 1])).begin()
