# pyright: reportAttributeAccessIssue=false, reportOptionalMemberAccess=false, reportArgumentType=false
"""Draws the tab *Speech Face* in the sidebar of the 3D viewport and of the sequencer.

It shows the backend, the characters, the rig, how the face moves, what is made, and the progress.
"""

from __future__ import annotations

import bpy

from . import orders, stages, words
from .installing import setup_plan
from .installing.setup_panel import draw_setup
from .job import AnimationJob
from .properties import SPEECHFACE_Character, active_character, scene_settings
from .rigs.rig_panel import SPEECHFACE_UL_channels, draw_rig
from .sentences import draw_sentence
from .session import session
from .shape_presets import SPEECHFACE_MT_shape_presets
from .speakers import cast, cast_panel
from .speakers.cast_panel import draw_characters

_TAB = "Speech Face"
_SHOWN_ORDERS = 4
_SPLIT = ("SPEECHFACE_shape", "SPEECHFACE_editing", "SPEECHFACE_generate")  # sections of names and values side by side


def draw_shape(layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
    """Draws how the face moves, closed at first."""
    body = _section(layout, "SPEECHFACE_shape", "Shape", is_closed=True)
    character = active_character(context.scene)
    if body is None or character is None:
        return
    presets = body.row(align=True)
    presets.menu("SPEECHFACE_MT_shape_presets", text=SPEECHFACE_MT_shape_presets.bl_label)
    presets.operator("speechface.shape_preset_add", text="", icon="ADD")
    presets.operator("speechface.shape_preset_add", text="", icon="REMOVE").remove_active = True
    for names in (("intensity", "jaw", "lips", "brows", "eyes"), ("liveliness",), ("silence", "smoothing", "lead")):
        group = body.column(align=True)
        for name in names:
            group.prop(character, name)
    body.prop(character, "use_blink")
    eyes = body.column(align=True)
    eyes.enabled = character.use_blink
    for name in ("blink_frequency", "blink_duration"):
        eyes.prop(character, name)
    body.prop(character, "seed")


def draw_editing(layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
    """Draws which keys are made, how they meet what is there, and what can be done afterwards; closed at first."""
    body = _section(layout, "SPEECHFACE_editing", "Keys", is_closed=True)
    character = active_character(context.scene)
    if body is None or character is None:
        return
    keys = character.keys
    body.prop(keys, "policy")
    body.prop(keys, "use_nla")
    if keys.policy == "LAYER":
        body.prop(keys, "is_combined")
    body.prop(keys, "influence")
    shaping = body.column(align=True)
    shaping.prop(keys, "choice")
    if keys.choice in ("EVERY_NTH", "HOLD"):
        shaping.prop(keys, "step")
    if keys.choice == "SIMPLIFY":
        shaping.prop(keys, "bound")
    if keys.choice in ("EVERY_NTH", "SIMPLIFY"):
        shaping.prop(keys, "use_bezier")
    shaping.prop(keys, "smooth")
    for names in (("shape_again",), ("follow_strips", "clear")):
        row = body.row(align=True)
        row.operator_context = "INVOKE_DEFAULT"
        for name in names:
            row.operator(f"speechface.{name}")


def draw_generate(layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
    """Draws what is made, Generate with the reason if it is disabled, progress, and what came of it."""
    body = _section(layout, "SPEECHFACE_generate", "Generate")
    if body is None:
        return
    if (character := active_character(context.scene)) is not None:
        _draw_targets(body, character)
    body.prop(scene_settings(context.scene), "is_presented")
    _draw_progress(body)
    button = body.column()
    button.scale_y = 1.5
    button.operator_context = "INVOKE_DEFAULT"
    button.operator("speechface.generate", icon="OUTLINER_DATA_ARMATURE")
    if len(scene_settings(context.scene).characters) > 1:
        every = body.column()
        every.operator_context = "INVOKE_DEFAULT"
        every.operator("speechface.generate", text="Generate All Characters").use_all = True
    again = body.column()
    again.operator_context = "INVOKE_DEFAULT"
    again.operator("speechface.render_again", icon="RENDER_ANIMATION")
    if reason := orders.disabled_reason(context):
        draw_sentence(body, reason, "INFO")
    for remark in orders.remarks(context, character) if character is not None else ():
        draw_sentence(body, remark, "INFO")
    if session.failure:
        row = body.row()
        draw_sentence(row, session.failure, "CANCEL")
        row.operator("speechface.dismiss_failure", text="", icon="X")
    for note in session.notes:
        draw_sentence(body, note, "ERROR")
    body.operator("speechface.clean_up", icon="TRASH")


def _draw_targets(body: bpy.types.UILayout, character: SPEECHFACE_Character) -> None:
    make = body.column(heading="Make")
    make.prop(character, "use_curves")
    make.prop(character, "use_texture")
    numbers = body.column(align=True)
    epochs = numbers.row()
    epochs.enabled = character.use_texture
    epochs.prop(character, "epochs", text="Learning")  # the whole name is cut in a sidebar of usual width
    numbers.prop(character, "width")
    if character.use_texture:
        numbers.prop(character, "size")
        numbers.prop(character, "shading")
        numbers.prop(character, "between")
    targets = body.column(align=True)
    if character.use_curves:
        targets.prop(character, "rig", placeholder="New")
    if character.use_texture:
        targets.prop(character, "plane", placeholder="New")
    _draw_markers(body, character)


def _draw_markers(body: bpy.types.UILayout, character: SPEECHFACE_Character) -> None:
    """Draws what is marked on the timeline, and for words the transcript of each strip."""
    body.prop(character.keys, "markers")
    if character.keys.markers != "WORDS":
        return
    if not character.voices:
        draw_sentence(body, "Words need a transcript: choose the strip under Speech, then its text here", "INFO")
    texts = body.column(align=True)
    for voice in character.voices:
        if voice.is_used:
            found = cast.find(voice)
            texts.prop(voice, "transcript", text=found[1].name if found else voice.name, translate=False)


def _draw_progress(body: bpy.types.UILayout) -> None:
    running, reader = session.generation, session.reader
    if reader is not None:
        body.label(text=reader.order.label)
        row = body.row(align=True)
        factor = reader.shown.step / max(1, reader.shown.steps)
        row.progress(
            factor=factor,
            text=f"{words.translate(stages.label(reader.shown.stage))}  {reader.shown.step}/{reader.shown.steps}",
            type="BAR",
        )
        row.operator("speechface.cancel", text="", icon="X")
    if running is not None:
        names = body.row()
        names.label(text=running.plan.order.label)
        if left := time_left(running.job):
            times = names.row()
            times.alignment = "RIGHT"
            times.label(text=left)
        row = body.row(align=True)
        row.progress(factor=running.job.fraction, text=status_line(running.job), type="BAR")
        row.operator("speechface.cancel", text="", icon="X")
    for order in session.orders[:_SHOWN_ORDERS]:
        body.label(text=order.label, icon="TIME")
    if len(session.orders) > _SHOWN_ORDERS:
        body.label(text=words.fill("and {0} more", len(session.orders) - _SHOWN_ORDERS))
    if session.orders:
        body.operator("speechface.cancel", text="Cancel All", icon="X").use_all = True


def status_line(job: AnimationJob) -> str:
    """One line for people: the stage and its steps."""
    if before := job.queue_position:
        return words.fill("Waiting behind {0} other jobs" if before > 1 else "Waiting behind {0} other job", before)
    line = words.translate(stages.label(job.stage or job.state.value))
    if job.steps:
        line += f"  {job.step}/{job.steps}"
    return line


def time_left(job: AnimationJob) -> str:
    """How long a job takes from now, for people; empty when that is not known."""
    if job.seconds_left is None or job.queue_position:
        return ""
    minutes, seconds = divmod(round(job.seconds_left), 60)
    if minutes:
        return words.fill("{0} min {1:02d} s left", minutes, seconds)
    return words.fill("{0} s left", seconds)


def draw_backend(layout: bpy.types.UILayout) -> None:
    """Draws the state of the backend, and its buttons."""
    row = layout.row(align=True)
    row.label(text=words.fill("Backend: {0}", session.status), icon="LINKED" if session.is_connected else "UNLINKED")
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
    """Draws how the backend is set up: open until there is one, then closed at first."""
    is_missing = setup_plan.is_missing(context)
    name = "SPEECHFACE_first_setup" if is_missing else "SPEECHFACE_setup"  # Blender remembers by name what is open
    header, body = layout.panel(name, default_closed=not is_missing)
    header.label(text="Setup", text_ctxt=words.CONTEXT)
    if body is not None:
        draw_setup(body, context)


def draw_panel(layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
    """Draws the whole panel, in the order of use."""
    draw_backend(layout)
    draw_setup_folded(layout, context)
    body = _section(layout, "SPEECHFACE_characters", "Characters")
    if body is not None:
        draw_characters(body, context)
    if active_character(context.scene) is not None:
        draw_rig(layout, context)
        draw_shape(layout, context)
        draw_editing(layout, context)
    draw_generate(layout, context)


def _section(
    layout: bpy.types.UILayout, name: str, label: str, *, is_closed: bool = False
) -> bpy.types.UILayout | None:
    header, body = layout.panel(name, default_closed=is_closed)
    header.label(text=label, text_ctxt=words.CONTEXT)
    if body is None:
        return None
    column = body.column()
    if name in _SPLIT:
        column.use_property_split = True
        column.use_property_decorate = False
    return column


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


_CLASSES = (*cast_panel.CLASSES, SPEECHFACE_UL_channels, SPEECHFACE_PT_view3d, SPEECHFACE_PT_sequencer)


def register() -> None:
    """Registers the panels."""
    for cls in _CLASSES:
        bpy.utils.register_class(cls)


def unregister() -> None:
    """Removes the panels."""
    for cls in reversed(_CLASSES):
        bpy.utils.unregister_class(cls)
