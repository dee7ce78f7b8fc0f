# pyright: reportAttributeAccessIssue=false, reportOptionalMemberAccess=false, reportArgumentType=false
# pyright: reportInvalidTypeForm=false
"""Holds what a user sets once for all scenes: which backend, where it is, and where files are written."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import bpy
from bpy.props import EnumProperty, StringProperty

from ._shared import backend_process, errors
from .installing import installed, setup_panel, setup_plan
from .installing.backend_python import find_python
from .installing.setting_up import setting_up
from .installing.setup_plan import ELSEWHERE, INSTALLED, OWN_PYTHON


@dataclass(frozen=True)
class BackendSettings:
    """The preferences as plain values.

    Attributes:
        python: the backend's Python; empty to look for it.
        folder: the Speech Face folder, which holds `.venv` and `backend_server`; may be empty.
        connection_file: of a running backend, here or elsewhere; empty to start one.
        device: "cpu", "cuda:0", or empty for the backend's own choice.
        data_folder: for pictures of unsaved scenes, the connection file and the log.
        installation: folder of the backend that the add-on installs; None when another is chosen.
        backend_data: where the backend keeps its jobs and learnt faces; None for the user's usual folder, whose
            backend all Blenders share.
    """

    python: str
    folder: str
    connection_file: str
    device: str
    data_folder: Path
    installation: Path | None = None
    backend_data: Path | None = None

    def command(self) -> backend_process.BackendCommand:
        """How the backend is started.

        Raises:
            SpeechFaceError: no Python for it is found.
        """
        options = ("--data-dir", str(self.backend_data)) if self.backend_data is not None else ()
        if self.installation is not None:
            if not installed.is_usable(self.installation):
                raise errors.SpeechFaceError("the backend is not installed; press Install Backend")
            python = installed.python_in(self.installation)
            return backend_process.BackendCommand(python, self.installation, self.device, options)
        found = find_python(self.python, self.folder)
        return backend_process.BackendCommand(found.python, found.folder, self.device, options)


def _chosen_by(*names: str) -> object:
    """A callback: who fills in where a backend is chooses that kind of backend; who clears it takes the choice back."""
    kind = ELSEWHERE if names == ("connection_file",) else OWN_PYTHON

    def update(preferences: SPEECHFACE_Preferences, _context: bpy.types.Context) -> None:
        if any(getattr(preferences, name) for name in names):
            if kind == ELSEWHERE or not preferences.connection_file:
                preferences.backend = kind
        elif preferences.backend == kind:
            preferences.property_unset("backend")

    return update


def _devices(_preferences: SPEECHFACE_Preferences, _context: bpy.types.Context, edit_text: str) -> Iterable[str]:
    return [device for device in setting_up.devices() if edit_text.strip().lower() in device]


class SPEECHFACE_Preferences(bpy.types.AddonPreferences):
    """What a user sets once for all scenes."""

    bl_idname = __package__ or ""

    backend: EnumProperty(
        name="Backend",
        description="Which backend makes the faces",
        items=(
            (INSTALLED, "Installed Here", "The one that Install Backend puts on this machine"),
            (OWN_PYTHON, "My Own Python", "One in a Python environment of your own, as `python build.py run` makes it"),
            (ELSEWHERE, "Running Elsewhere", "One that runs already, here or on another machine"),
        ),
        default=INSTALLED,
    )
    torch_build: EnumProperty(
        name="Hardware",
        description="Which build of PyTorch Install Backend loads",
        items=(
            ("cpu", "CPU", "Works on every machine"),
            ("cuda", "NVIDIA GPU (CUDA)", "Faster, and a far larger download; needs driver 580 or newer"),
        ),
        default="cpu",
    )
    wheel_file: StringProperty(
        name="Backend's Wheel",
        description="speech_face-VERSION-py3-none-any.whl, the backend with its weights. Empty: the one in the add-on",
        subtype="FILE_PATH",
    )
    install_folder: StringProperty(
        name="Install Folder",
        description="Where Install Backend puts its folder `backend`. Empty: your own folder for programs' data",
        subtype="DIR_PATH",
    )
    folder: StringProperty(
        name="Speech Face Folder",
        description="Folder of Speech Face. It holds backend_server and, after `python build.py run`, .venv",
        subtype="DIR_PATH",
        update=_chosen_by("python", "folder"),
    )
    python: StringProperty(
        name="Python",
        description="Python that runs the backend. Empty: $SPEECH_FACE_PYTHON, or the .venv of the folder above",
        subtype="FILE_PATH",
        update=_chosen_by("python", "folder"),
    )
    device: StringProperty(
        name="Device",
        description='Where the networks run: "cpu", "cuda:0", or empty for the fastest one. Check Setup finds them',
        search=_devices,
        search_options={"SUGGESTION"},
    )
    connection_file: StringProperty(
        name="Connection File",
        description="File of a running backend, here or on another machine",
        subtype="FILE_PATH",
        update=_chosen_by("connection_file"),
    )
    data_folder: StringProperty(
        name="Data Folder",
        description="For logs, pictures of scenes that are not saved, and the backend's jobs and learnt faces. Empty: "
        "the usual places, and all Blenders share one backend. Blenders with another folder run another backend",
        subtype="DIR_PATH",
    )

    def draw(self, context: bpy.types.Context) -> None:
        """Draws the settings, and what is found with them."""
        setup_panel.draw_preferences(self.layout, context, self)


def settings(context: bpy.types.Context) -> BackendSettings:
    """The preferences; default values when the add-on is not enabled, as in a script."""
    addon = context.preferences.addons.get(__package__)
    values = addon.preferences if addon is not None else None

    def value(name: str) -> str:
        return str(getattr(values, name, "") or "")

    def path(name: str) -> str:
        return bpy.path.abspath(value(name)) if value(name) else ""

    kind = setup_plan.kind(values)
    data_folder = path("data_folder")
    return BackendSettings(
        python=path("python") if kind == OWN_PYTHON else "",
        folder=(path("folder") or setup_plan.checkout()) if kind == OWN_PYTHON else "",
        connection_file=path("connection_file") if kind == ELSEWHERE else "",
        device=value("device").strip(),
        data_folder=Path(data_folder) if data_folder else _user_folder(),
        installation=installed.folder_in(path("install_folder")) if kind == INSTALLED else None,
        backend_data=Path(data_folder) / "backend_data" if data_folder else None,
    )


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
