"""Gives Blender the words of the add-on in other languages.

Blender shows labels, tooltips and reports in the user's language by themselves; `translations/LOCALE.json` holds a text
for each of the English ones. One with names or numbers in it is a template, which `fill` translates before it is
filled. English stay: the sentences of errors (`SpeechFaceError`), notes (`shared.notes`), what the doctor finds, and
the reasons that `shared` has for the kind of a rig.
"""

from __future__ import annotations

import json
from pathlib import Path

import bpy

_FOLDER = Path(__file__).parent / "translations"
CONTEXT = "Speech Face"  # of words that mean something else elsewhere in Blender, whose own texts come first
_CONTEXTS = ("*", "Operator", CONTEXT)  # everything, what stands on buttons, and ours


def messages() -> dict[str, dict[tuple[str, str], str]]:
    """The texts by locale and context, as Blender wants them."""
    found = {}
    for path in sorted(_FOLDER.glob("*.json")):
        texts = json.loads(path.read_text("utf-8"))
        found[path.stem] = {(context, text): said for text, said in texts.items() for context in _CONTEXTS}
    return found


def translate(text: str) -> str:
    """A whole text in the user's language, ours before Blender's; the text itself where none is known."""
    return bpy.app.translations.pgettext_iface(text, CONTEXT)


def fill(template: str, *values: object) -> str:
    """A template in the user's language, with values in its fields.

    Args:
        template: in English, a literal, so that the tests find it; fields are `{0}`, `{1:.1f}`, `{2!r}`. A translation
            has the same fields, in an order of its own.
        values: for the fields, by their numbers.
    """
    return translate(template).format(*values)


def register() -> None:
    """Gives Blender the words."""
    bpy.app.translations.register(__package__ or __name__, messages())


def unregister() -> None:
    """Takes them back."""
    bpy.app.translations.unregister(__package__ or __name__)
