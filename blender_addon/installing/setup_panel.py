# pyright: reportAttributeAccessIssue=false, reportOptionalMemberAccess=false, reportArgumentType=false
"""Draws how the backend is set up: which one, its installation, and what Check Setup found."""

from __future__ import annotations

import shutil
from contextlib import suppress

import bpy

from .. import words
from .._shared import errors
from ..sentences import draw_sentence
from ..session import session
from . import installed, setup_plan
from .install_recipe import InstallPlan
from .installation import Installation
from .setting_up import setting_up

_ICONS = {"ok": "CHECKMARK", "warn": "ERROR", "fail": "CANCEL"}
_WIDE = 80  # characters that fit the preferences


def draw_setup(layout: bpy.types.UILayout, context: bpy.types.Context, width: int | None = None) -> None:
    """Draws the chosen backend, how to install it if that is wanted, and its check, for a panel.

    Args:
        layout: of the panel.
        context: of the panel.
        width: characters of a line; None for a sidebar.
    """
    values = setup_plan.values(context)
    column = layout.column()
    if values is None:
        draw_sentence(column, "The add-on is not enabled; enable it in the preferences", "INFO", width)
        return
    choice = column.column()
    choice.enabled = session.generation is None and not setting_up.is_installing
    choice.prop(values, "backend", text="")
    kind = setup_plan.kind(values)
    if kind == setup_plan.INSTALLED:
        _draw_installation(column, context, width)
    elif kind == setup_plan.OWN_PYTHON:
        if not values.is_property_set("backend"):
            draw_sentence(column, "Until one is chosen, this checkout's backend is used", "INFO", width)
        choice.prop(values, "folder", text="", placeholder="Speech Face folder")
        choice.prop(values, "python", text="", placeholder="Python of the backend")
    else:
        choice.prop(values, "connection_file", text="", placeholder="Connection file")
    choice.prop(values, "device", placeholder="Fastest")
    _draw_check(column, width)


def draw_preferences(
    layout: bpy.types.UILayout, context: bpy.types.Context, values: bpy.types.AddonPreferences
) -> None:
    """Draws the add-on's preferences."""
    layout.use_property_split = True
    layout.use_property_decorate = False
    draw_setup(layout, context, _WIDE)
    column = layout.column()
    column.prop(values, "data_folder")
    column.label(text=words.fill("Backend: {0}", session.status), icon="LINKED" if session.is_connected else "UNLINKED")
    if problem := session.problem or session.failure:
        draw_sentence(column, problem[:1].upper() + problem[1:], "CANCEL", _WIDE)
    row = column.row(align=True)
    row.operator("speechface.start_backend", icon="PLAY")
    row.operator("speechface.stop_backend", icon="SNAP_FACE")
    row.operator("speechface.copy_log", icon="COPYDOWN")


def draw_plan(
    layout: bpy.types.UILayout, context: bpy.types.Context, plan: InstallPlan, width: int | None = _WIDE
) -> None:
    """Draws what Install Backend loads, how much, and where it goes."""
    values = setup_plan.values(context)
    layout.prop(values, "torch_build")
    draw_sentence(layout, size_line(plan), "IMPORT", width)
    if plan.build == "cpu" and plan.system != "Darwin" and shutil.which("nvidia-smi"):
        draw_sentence(layout, "This machine has an NVIDIA GPU; faces are made faster on it", "INFO", width)


def size_line(plan: InstallPlan) -> str:
    """What an installation loads, how much disk it needs, and where, for people."""
    sizes = (*plan.size.rounded, plan.folder)
    if plan.size.is_measured:
        return words.fill(
            "It loads about {0} (PyTorch {1}, other libraries {2}) and needs {3} of free disk, in {4}", *sizes
        )
    return words.fill(
        "It loads very roughly {0} (PyTorch {1}, other libraries {2}) and needs {3} of free disk, in {4}", *sizes
    )


def stage_line(installation: Installation) -> str:
    """What an installation does now, in one line for people."""
    stage = words.translate(installation.stage.words)
    return f"{stage}: {installation.library}" if installation.library else stage


def time_line(installation: Installation) -> str:
    """How long an installation still takes, in one line for people."""
    minutes, seconds = divmod(round(installation.seconds_left), 60)
    if minutes:
        return words.fill("About {0} min {1:02d} s left", minutes, seconds)
    return words.fill("About {0} s left", seconds)


def _draw_installation(column: bpy.types.UILayout, context: bpy.types.Context, width: int | None) -> None:
    installation = setting_up.installation
    if setting_up.is_installing and installation is not None:
        column.label(text=stage_line(installation), icon="IMPORT")
        column.progress(factor=installation.fraction, text=time_line(installation), type="BAR")
        column.operator("speechface.cancel_install", icon="X")
        return
    folder = setup_plan.folder_of(context)
    record = installed.read_record(folder)
    values = setup_plan.values(context)
    reason = setup_plan.reason_against(context)
    is_current = False
    if record.is_complete:
        draw_sentence(column, _installed_line(record), "CHECKMARK", width)
        is_current = record.build == setup_plan.build_of(context) and _is_of_wheel(context, record)
    if setting_up.failure:
        draw_sentence(column, setting_up.failure, "CANCEL", width)
    elif setting_up.message and not record.is_complete:
        draw_sentence(column, setting_up.message, "INFO", width)
    if not is_current:
        if reason:
            draw_sentence(column, reason, "INFO", width)
        _draw_missing(column, context, values)
        with suppress(errors.SpeechFaceError):  # `reason` says it
            draw_plan(column, context, setup_plan.plan(context), width)
    row = column.row(align=True)
    if not is_current:
        row.operator_context = "INVOKE_DEFAULT"
        row.operator(
            "speechface.install_backend",
            text="Update Backend" if record.is_complete else "Continue Installing" if record.stages else None,
            icon="IMPORT",
        )
    if record.stages:
        row.operator("speechface.uninstall_backend", icon="TRASH")
    if installation is not None:
        row.operator("speechface.copy_install_log", icon="COPYDOWN")


def _draw_missing(column: bpy.types.UILayout, context: bpy.types.Context, values: bpy.types.AddonPreferences) -> None:
    """Draws what a user can mend at this place: the wheel, and the leave to go online."""
    if installed.bundled_wheel(setup_plan.HOME) is None or values.wheel_file:
        column.prop(values, "wheel_file", text="", placeholder="Backend's wheel (.whl)")
    column.prop(values, "install_folder", text="", placeholder="Your folder for programs' data")
    if not bpy.app.online_access:
        column.prop(context.preferences.system, "use_online_access")


def _is_of_wheel(context: bpy.types.Context, record: installed.Record) -> bool:
    """Whether the installed backend is the one that Install Backend would install."""
    try:
        return record.stages.get("check") == setup_plan.wheel_of(context).digest
    except errors.SpeechFaceError:
        return True  # there is none to compare with


def _installed_line(record: installed.Record) -> str:
    if record.build == "cpu":
        return words.fill("Backend {0} for the CPU is installed", record.version)
    if record.build == "cuda":
        return words.fill("Backend {0} for NVIDIA GPUs is installed", record.version)
    return words.fill("Backend {0} for {1} is installed", record.version, record.build)


def _draw_check(column: bpy.types.UILayout, width: int | None) -> None:
    check = setting_up.check
    column.operator("speechface.check_setup", icon="VIEWZOOM")
    if check is None:
        return
    if not check.is_over:
        draw_sentence(column, "Checking", "SORTTIME", width)
    for found in check.findings:
        advice = f"; {found.advice}" if found.advice else ""
        draw_sentence(column, f"{found.name}: {found.what}{advice}", _ICONS[found.state], width)
