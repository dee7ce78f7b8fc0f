# pyright: reportAttributeAccessIssue=false, reportOptionalMemberAccess=false, reportArgumentType=false
"""Draws the tab *Speech Face* in the sidebar of the 3D viewport and of the sequencer.

It shows what is heard, whose face, which character, what to make, and the progress.
"""

from __future__ import annotations

import bpy

from . import generation
from .job import AnimationJob
from .properties import scene_settings
from .rig_panel import SPEECHFACE_UL_channels, draw_rig
from .sentences import draw_sentence
from .session import session
from .setup_panel import draw_setup

_TAB = "Speech Face"


class SPEECHFACE_UL_images(bpy.types.UIList):
    """The reference images."""

    bl_idname = "SPEECHFACE_UL_images"

    def draw_item(
        self,
        context: bpy.types.Context | None,
        layout: bpy.types.UILayout,
        data: object,
        item: object,
        icon: int | None,
        active_data: object,
        active_property: str | None,
        index: int | None = 0,
        flt_flag: int | None = 0,
    ) -> None:
        """Draws one row: the preview of the image, and a field to exchange it."""
        image = item.image
        row = layout.row(align=True)
        if image is not None and image.preview is not None:
            row.label(text="", icon_value=image.preview.icon_id)
        row.prop(item, "image", text="", emboss=image is None)


def draw_sources(layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
    """Draws sound strip and reference images."""
    wanted = scene_settings(context.scene)
    column = layout.column()
    column.enabled = session.generation is None
    column.label(text="Sound Strip")
    column.prop(wanted, "strip_name", text="", icon="SOUND", placeholder="Active sound strip")
    column.separator()
    count = len(wanted.images)
    column.label(text=f"Reference Images ({count})" if count else "Reference Images")
    row = column.row()
    row.template_list(
        "SPEECHFACE_UL_images", "", wanted, "images", wanted, "active_image", rows=3 if count else 2, maxrows=6
    )
    buttons = row.column(align=True)
    buttons.operator("speechface.add_images", text="", icon="FILE_FOLDER")
    buttons.operator("speechface.add_image_slot", text="", icon="ADD")
    buttons.operator("speechface.remove_image", text="", icon="REMOVE")


def draw_settings(layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
    """Draws what to make and how."""
    wanted = scene_settings(context.scene)
    column = layout.column()
    column.enabled = session.generation is None
    column.use_property_split = True
    column.use_property_decorate = False
    make = column.column(heading="Make")
    make.prop(wanted, "use_curves")
    make.prop(wanted, "use_texture")
    make.prop(wanted, "use_blink")
    numbers = column.column(align=True)
    epochs = numbers.row()
    epochs.enabled = wanted.use_texture
    epochs.prop(wanted, "epochs")
    numbers.prop(wanted, "seed")
    numbers.prop(wanted, "width")
    targets = column.column(align=True)
    if wanted.use_curves:
        targets.prop(wanted, "rig", placeholder="New")
    if wanted.use_texture:
        targets.prop(wanted, "plane", placeholder="New")


def draw_motion(layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
    """Draws the motion controls, closed at first."""
    header, body = layout.panel("SPEECHFACE_motion", default_closed=True)
    header.label(text="Motion")
    if body is None:
        return
    wanted = scene_settings(context.scene)
    column = body.column()
    column.enabled = session.generation is None
    column.use_property_split = True
    column.use_property_decorate = False
    mouth = column.column(align=True)
    for name in ("intensity", "silence", "smoothing", "lead"):
        mouth.prop(wanted, name)
    eyes = column.column(align=True)
    eyes.enabled = wanted.use_blink
    for name in ("blink_frequency", "blink_duration"):
        eyes.prop(wanted, name)


def draw_action(layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
    """Draws Generate, with the reason if it is disabled, or progress and Cancel."""
    running = session.generation
    column = layout.column()
    if running is not None:
        column.progress(factor=running.job.fraction, text=status_line(running.job), type="BAR")
        column.operator("speechface.cancel", icon="X")
        return
    button = column.column()
    button.scale_y = 1.5
    button.operator_context = "INVOKE_DEFAULT"
    button.operator("speechface.generate", icon="OUTLINER_DATA_ARMATURE")
    if reason := generation.disabled_reason(context):
        draw_sentence(column, reason, "INFO")
    if session.failure:
        row = column.row()
        draw_sentence(row, session.failure, "CANCEL")
        row.operator("speechface.dismiss_failure", text="", icon="X")
    for note in session.notes:
        draw_sentence(column, note, "ERROR")


def status_line(job: AnimationJob) -> str:
    """One line for people: the stage, its steps and the time left."""
    if job.queue_position:
        return f"Waiting behind {job.queue_position} other job{'s' if job.queue_position > 1 else ''}"
    line = (job.stage or job.state.value).capitalize()
    if job.steps:
        line += f"  {job.step}/{job.steps}"
    if job.seconds_left is not None:
        minutes, seconds = divmod(round(job.seconds_left), 60)
        line += f"  {minutes} min {seconds:02d} s left" if minutes else f"  {seconds} s left"
    return line


def draw_backend(layout: bpy.types.UILayout) -> None:
    """Draws the state of the backend, and its buttons."""
    row = layout.row(align=True)
    row.label(text=f"Backend: {session.status}", icon="LINKED" if session.is_connected else "UNLINKED")
    if session.backend is not None:
        row.operator("speechface.copy_log", text="", icon="COPYDOWN")
    if session.is_connected:
        row.operator("speechface.stop_backend", text="", icon="SNAP_FACE")
    else:
        row.operator("speechface.start_backend", text="", icon="PLAY")
    row.operator("preferences.addon_show", text="", icon="PREFERENCES").module = __package__
    if problem := session.problem:
        draw_sentence(layout, problem[:1].upper() + problem[1:], "ERROR")


def draw_setup_folded(layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
    """Draws how the backend is set up, closed at first."""
    header, body = layout.panel("SPEECHFACE_setup", default_closed=True)
    header.label(text="Setup")
    if body is not None:
        draw_setup(body, context)


def draw_panel(layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
    """Draws the whole panel."""
    draw_sources(layout, context)
    draw_rig(layout, context)
    layout.separator()
    draw_settings(layout, context)
    draw_motion(layout, context)
    layout.separator()
    draw_action(layout, context)
    draw_backend(layout)
    draw_setup_folded(layout, context)


class _Panel:
    """The panel's content, the same in both editors."""

    bl_label = "Speech Face"
    bl_category = _TAB
    bl_region_type = "UI"

    def draw(self, context: bpy.types.Context) -> None:
        """Draws the panel."""
        draw_panel(self.layout, context)


class SPEECHFACE_PT_view3d(_Panel, bpy.types.Panel):
    """The panel in the 3D viewport."""

    bl_space_type = "VIEW_3D"


class SPEECHFACE_PT_sequencer(_Panel, bpy.types.Panel):
    """The panel in the Video Sequencer."""

    bl_space_type = "SEQUENCE_EDITOR"


_CLASSES = (SPEECHFACE_UL_images, SPEECHFACE_UL_channels, SPEECHFACE_PT_view3d, SPEECHFACE_PT_sequencer)


def register() -> None:
    """Registers the panels."""
    for cls in _CLASSES:
        bpy.utils.register_class(cls)


def unregister() -> None:
    """Removes the panels."""
    for cls in reversed(_CLASSES):
        bpy.utils.unregister_class(cls)
