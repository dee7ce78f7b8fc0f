# pyright: reportAttributeAccessIssue=false, reportOptionalMemberAccess=false, reportArgumentType=false
"""Defines what a user can do to set up the backend: install, cancel, remove, check."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import bpy

from .. import compat, preferences, words
from .._shared import errors
from ..sentences import allow
from ..session import redraw, session
from . import installed, setting_up, setup_panel, setup_plan
from .child_process import ChildProcess
from .installation import Installation
from .setup_check import SetupCheck

if TYPE_CHECKING:
    from bpy.stub_internal.rna_enums import OperatorReturnItems

_DIALOG_WIDTH, _DIALOG_LETTERS = 420, 60
_DELETE = "import shutil, sys; [shutil.rmtree(path, ignore_errors=True) for path in sys.argv[1:]]"


class SPEECHFACE_OT_install_backend(bpy.types.Operator):
    """Load the backend's libraries and install it on this machine, or go on where that stopped"""

    bl_idname = "speechface.install_backend"
    bl_label = "Install Backend"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Only when it can succeed; the tooltip says what is in the way."""
        reason = setup_plan.reason_against(context)
        cls.poll_message_set(reason)
        return not reason

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[OperatorReturnItems]:
        """Says first what is loaded."""
        if not compat.has_event_loop():
            return self.execute(context)
        return context.window_manager.invoke_props_dialog(self, width=_DIALOG_WIDTH, confirm_text="Load and Install")

    def draw(self, context: bpy.types.Context) -> None:
        """Draws what is loaded, and how much."""
        setup_panel.draw_plan(self.layout, context, setup_plan.plan(context), _DIALOG_LETTERS)

    def execute(self, context: bpy.types.Context) -> set[OperatorReturnItems]:
        """Begins without waiting for it; in `blender -b` and scripts, does it all before it returns."""
        preferences_of_it = setup_plan.values(context)
        try:
            if session.backend is not None:
                session.close()  # its files are replaced
            installation = Installation(setup_plan.plan(context))
            setting_up.setting_up.install(installation)
        except errors.SpeechFaceError as error:
            setting_up.setting_up.failure = error.sentence[:1].upper() + error.sentence[1:]
            redraw()
            self.report({"ERROR"}, setting_up.setting_up.failure)
            return {"CANCELLED"}
        preferences_of_it.backend = setup_plan.INSTALLED
        if compat.has_event_loop():
            setting_up.watch()
            redraw()
            return {"FINISHED"}
        installation.run_until_done()
        setting_up.setting_up.settle(installation)
        if installation.error:
            self.report({"ERROR"}, setting_up.setting_up.failure)
            return {"CANCELLED"}
        self.report({"INFO"}, setting_up.setting_up.message)
        return {"FINISHED"}


class SPEECHFACE_OT_cancel_install(bpy.types.Operator):
    """Stop installing; what is complete is kept for the next time"""

    bl_idname = "speechface.cancel_install"
    bl_label = "Cancel"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Only while the backend is being installed."""
        return allow(cls, setting_up.setting_up.is_installing, "Nothing is being installed")

    def execute(self, context: bpy.types.Context) -> set[OperatorReturnItems]:
        """Ends the child process at once."""
        setting_up.setting_up.close()
        redraw()
        return {"FINISHED"}


class SPEECHFACE_OT_uninstall_backend(bpy.types.Operator):
    """Delete the backend that was installed here; learnt faces, results and scenes stay"""

    bl_idname = "speechface.uninstall_backend"
    bl_label = "Uninstall"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Only when there is something, and nothing uses it."""
        is_idle = not setting_up.setting_up.is_installing and session.generation is None
        is_there = (
            setup_plan.values(context) is not None and (setup_plan.folder_of(context) / installed.MARKER).is_file()
        )
        return allow(cls, is_idle and is_there, "Nothing is installed, or it is in use")

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[OperatorReturnItems]:
        """Asks first."""
        return context.window_manager.invoke_confirm(self, event)

    def execute(self, context: bpy.types.Context) -> set[OperatorReturnItems]:
        """Takes the folder out of use at once, and lets a child process delete it."""
        state, folder = setting_up.setting_up, setup_plan.folder_of(context)
        if session.backend is not None:
            session.close()
        state.close()
        state.installation = state.check = None
        state.failure = ""
        try:
            installed.set_aside(folder)
            old = [str(path) for path in installed.leftovers(folder)]
            child = ChildProcess([sys.executable, "-c", _DELETE, *old], folder.parent / "uninstall.log", folder.parent)
        except errors.SpeechFaceError as error:
            state.failure = error.sentence[:1].upper() + error.sentence[1:]
            self.report({"ERROR"}, state.failure)
            return {"CANCELLED"}
        if not compat.has_event_loop():
            child.wait(600)
        state.message = words.fill("The backend is uninstalled")
        self.report({"INFO"}, state.message)
        redraw()
        return {"FINISHED"}


class SPEECHFACE_OT_check_setup(bpy.types.Operator):
    """Check the chosen backend: what is installed, what is missing, and how to mend it"""

    bl_idname = "speechface.check_setup"
    bl_label = "Check Setup"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Only when nothing else runs."""
        is_busy = setting_up.setting_up.is_installing or setting_up.setting_up.is_checking
        return allow(cls, not is_busy, "Wait until the installation or the check has ended")

    def execute(self, context: bpy.types.Context) -> set[OperatorReturnItems]:
        """Begins without waiting for it; in `blender -b` and scripts, waits for the findings."""
        chosen = preferences.settings(context)
        try:
            command = None if chosen.connection_file else chosen.command()
        except errors.SpeechFaceError as error:
            setting_up.setting_up.failure = error.sentence[:1].upper() + error.sentence[1:]
            self.report({"ERROR"}, setting_up.setting_up.failure)
            return {"CANCELLED"}
        check = SetupCheck(command, chosen.connection_file, chosen.data_folder / "check.log")
        setting_up.setting_up.check = check
        if compat.has_event_loop():
            setting_up.watch()
        else:
            check.run_until_done()
        redraw()
        return {"FINISHED"}


class SPEECHFACE_OT_copy_install_log(bpy.types.Operator):
    """Copy the end of the installation's log to the clipboard"""

    bl_idname = "speechface.copy_install_log"
    bl_label = "Copy Log"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Only after an installation was begun."""
        return allow(cls, setting_up.setting_up.installation is not None, "Nothing was installed yet")

    def execute(self, context: bpy.types.Context) -> set[OperatorReturnItems]:
        """Copies it and names the file of the whole log."""
        installation = setting_up.setting_up.installation
        if installation is None:
            return {"CANCELLED"}
        context.window_manager.clipboard = installation.log_tail()
        self.report({"INFO"}, words.fill("Copied; the whole log is in {0}", installation.log_file))
        return {"FINISHED"}


_CLASSES = (
    SPEECHFACE_OT_install_backend,
    SPEECHFACE_OT_cancel_install,
    SPEECHFACE_OT_uninstall_backend,
    SPEECHFACE_OT_check_setup,
    SPEECHFACE_OT_copy_install_log,
)


def register() -> None:
    """Registers the operators."""
    for cls in _CLASSES:
        bpy.utils.register_class(cls)


def unregister() -> None:
    """Removes the operators."""
    for cls in reversed(_CLASSES):
        bpy.utils.unregister_class(cls)
