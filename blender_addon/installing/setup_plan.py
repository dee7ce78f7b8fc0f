# pyright: reportAttributeAccessIssue=false, reportOptionalMemberAccess=false, reportArgumentType=false
"""Says from the preferences which backend is chosen, what Install Backend would do, and why it cannot."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import bpy

from .. import words
from .._shared import errors
from ..session import session
from . import installed
from .backend_python import PYTHON_VARIABLE
from .install_recipe import InstallPlan, check_system
from .setting_up import setting_up

_ADDON = __package__.rpartition(".")[0]
HOME = Path(__file__).parent.parent
INSTALLED, OWN_PYTHON, ELSEWHERE = "INSTALLED", "PYTHON", "ELSEWHERE"


def kind(preferences: bpy.types.AddonPreferences | None) -> str:
    """The backend that is chosen; for developers who chose none, the one of the checkout or the environment."""
    if preferences is not None and preferences.is_property_set("backend"):
        return preferences.backend
    return OWN_PYTHON if checkout() or os.environ.get(PYTHON_VARIABLE) else INSTALLED


def is_missing(context: bpy.types.Context) -> bool:
    """Whether the backend is to be installed here, and is not."""
    chosen = values(context)
    if chosen is None or kind(chosen) != INSTALLED:
        return False
    return setting_up.is_installing or not installed.read_record(folder_of(context)).is_complete


def checkout() -> str:
    """The repository when the add-on runs from it, else nothing."""
    return str(HOME.parent) if (HOME.parent / "backend_server").is_dir() else ""


def plan(context: bpy.types.Context) -> InstallPlan:
    """What Install Backend would install.

    Raises:
        SpeechFaceError: it cannot be installed on this system, or the wheel is missing.
    """
    made = InstallPlan(
        folder=folder_of(context), wheel=wheel_of(context), build=build_of(context), own_python=sys.executable
    )
    check_system(made.system, made.machine)
    return made


def reason_against(context: bpy.types.Context) -> str:
    """Why the backend cannot be installed now, as a sentence; empty when it can."""
    if values(context) is None:
        return words.fill("The add-on is not enabled; enable it in the preferences")
    if setting_up.is_installing:
        return words.fill("The backend is being installed")
    if session.generation is not None:
        return words.fill("A face is being generated; wait until it is made")
    try:
        plan(context)
    except errors.SpeechFaceError as error:
        return error.sentence[:1].upper() + error.sentence[1:]
    if not bpy.app.online_access:
        return words.fill(
            "Online access is off, and the libraries come from the package index; allow it below, or under "
            "Preferences > System > Network"
        )
    return ""


def values(context: bpy.types.Context) -> bpy.types.AddonPreferences | None:
    """The preferences; None when the add-on is not enabled, as in a script."""
    addon = context.preferences.addons.get(_ADDON)
    return addon.preferences if addon is not None else None


def folder_of(context: bpy.types.Context) -> Path:
    """Where the backend is installed."""
    chosen = values(context).install_folder
    return installed.folder_in(bpy.path.abspath(chosen) if chosen else "")


def build_of(context: bpy.types.Context) -> str:
    """The build of PyTorch: the chosen one, else what is installed, perhaps by another Blender."""
    chosen = values(context)
    if chosen.is_property_set("torch_build"):
        return chosen.torch_build
    return installed.read_record(folder_of(context)).build or chosen.torch_build


def wheel_of(context: bpy.types.Context) -> installed.Wheel:
    """The wheel that is installed: the chosen one, else the one inside the add-on.

    Raises:
        SpeechFaceError: there is none, or it is another file.
    """
    chosen = values(context).wheel_file
    path = Path(bpy.path.abspath(chosen)) if chosen else installed.bundled_wheel(HOME)
    if path is None:
        raise errors.SpeechFaceError(
            "this add-on came without the backend; choose the backend's wheel (a .whl file) below, or install the full "
            "add-on, which has it inside"
        )
    return installed.read_wheel(path)
