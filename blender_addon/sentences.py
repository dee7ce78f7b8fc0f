"""Shows sentences: in a sidebar, broken into lines that fit, and in the tooltips of what is disabled."""

from __future__ import annotations

import bpy

from . import words

_LINE_LENGTH = 36  # characters that fit a sidebar of usual width


def draw_sentence(layout: bpy.types.UILayout, sentence: str, icon: str, width: int | None = None) -> None:
    """Draws a sentence as lines, an icon before the first.

    Args:
        layout: gets a column with the lines.
        sentence: for people.
        icon: of Blender.
        width: characters of a line; None for a sidebar.
    """
    lines = layout.column(align=True)
    lines.scale_y = 0.8
    said = words.translate(sentence)
    for number, line in enumerate(_wrap(said, width or _LINE_LENGTH)):
        lines.label(text=line, translate=False, icon=icon if not number else "BLANK1")  # pyright: ignore[reportArgumentType]


def allow(operator: type[bpy.types.Operator], is_allowed: bool, reason: str) -> bool:
    """Whether an operator may be used now; if not, its tooltip says why."""
    operator.poll_message_set("" if is_allowed else bpy.app.translations.pgettext_tip(reason))
    return is_allowed


def _wrap(sentence: str, width: int) -> list[str]:
    lines = [""]
    for word in sentence.split():
        if lines[-1] and len(lines[-1]) + len(word) >= width:
            lines.append("")
        lines[-1] = f"{lines[-1]} {word}".strip()
    return lines
