# pyright: reportAttributeAccessIssue=false, reportOptionalMemberAccess=false, reportArgumentType=false
# pyright: reportInvalidTypeForm=false
"""Holds what a user sets once for all scenes: where the backend is, and where files are written."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

import bpy
from bpy.props import StringProperty

from ._shared import backend_process
from .backend_python import find_python


@dataclass(frozen=True)
class BackendSettings:
    """The preferences as plain values.

    Attributes:
        python: the backend's Python; empty to look for it.
        folder: the Speech Face folder, which holds `.venv` and `backend_server`; may be empty.
        connection_file: of a running backend, here or elsewhere; empty to start one.
        device: "cpu", "cuda:0", or empty for the backend's own choice.
        data_folder: for pictures of unsaved scenes, the connection file and the log.
    """

    python: str
    folder: str
    connection_file: str
    device: str
    data_folder: Path

    def command(self) -> backend_process.BackendCommand:
        """How the backend is started.

        Raises:
            SpeechFaceError: no Python for it is found.
        """
        found = find_python(self.python, self.folder)
        return backend_process.BackendCommand(found.python, found.folder, self.device)


class SPEECHFACE_Preferences(bpy.types.AddonPreferences):
    """What a user sets once for all scenes."""

    bl_idname = __package__ or ""

    folder: StringProperty(
        name="Speech Face Folder",
        description="Folder of Speech Face. It holds backend_server and, after `python build.py run`, .venv",
        subtype="DIR_PATH",
    )
    python: StringProperty(
        name="Python",
        description="Python that runs the backend. Empty: $SPEECH_FACE_PYTHON, or the .venv of the folder above",
        subtype="FILE_PATH",
    )
    device: StringProperty(
        name="Device",
        description='Where the networks run: "cpu", "cuda:0", or empty for the fastest one',
    )
    connection_file: StringProperty(
        name="Connection File",
        description="File of a running backend, here or on another machine. Empty: Blender starts its own",
        subtype="FILE_PATH",
    )
    data_folder: StringProperty(
        name="Data Folder",
        description="For the backend's log and the pictures of scenes that are not saved. Empty: the extension's own",
        subtype="DIR_PATH",
    )

    def draw(self, context: bpy.types.Context) -> None:
        """Draws the settings and whether a backend is found with them."""
        layout = self.layout
        layout.use_property_split = True
        for name in ("folder", "python", "device", "connection_file", "data_folder"):
            layout.prop(self, name)
        row = layout.row(align=True)
        row.operator("speechface.start_backend", icon="PLAY")
        row.operator("speechface.stop_backend", icon="SNAP_FACE")
        row.operator("speechface.copy_log", icon="COPYDOWN")


def settings(context: bpy.types.Context) -> BackendSettings:
    """The preferences; default values when the add-on is not enabled, as in a script."""
    addon = context.preferences.addons.get(__package__)
    values = addon.preferences if addon is not None else None

    def value(name: str) -> str:
        return str(getattr(values, name, "") or "")

    def path(name: str) -> str:
        return bpy.path.abspath(value(name)) if value(name) else ""

    folder = path("folder") or _checkout()
    data_folder = Path(path("data_folder")) if value("data_folder") else _user_folder()
    return BackendSettings(path("python"), folder, path("connection_file"), value("device").strip(), data_folder)


def _checkout() -> str:
    """The repository when the add-on runs from it, else nothing."""
    parent = Path(__file__).parent.parent
    return str(parent) if (parent / "backend_server").is_dir() else ""


def _user_folder() -> Path:
    try:
        return Path(bpy.utils.extension_path_user(__package__))
    except ValueError:  # not installed as an extension
        folder = bpy.utils.user_resource("DATAFILES", path="speech_face")
        return Path(folder) if folder else Path(tempfile.gettempdir()) / "speech_face"


def register() -> None:
    """Registers the preferences."""
    bpy.utils.register_class(SPEECHFACE_Preferences)


def unregister() -> None:
    """Removes the preferences."""
    bpy.utils.unregister_class(SPEECHFACE_Preferences)
