"""Gives Blender the words of the add-on in other languages.

Blender shows labels, tooltips and reports in the user's language by themselves; `translations/LOCALE.json` holds a text
for each of the English ones. Sentences with names or numbers in them stay English.
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


def register() -> None:
    """Gives Blender the words."""
    bpy.app.translations.register(__package__ or __name__, messages())


def unregister() -> None:
    """Takes them back."""
    bpy.app.translations.unregister(__package__ or __name__)
