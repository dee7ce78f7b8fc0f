"""Tests that every text of the panel is there in every language, and that Blender shows it."""

import ast
import json
from pathlib import Path

import pytest

bpy = pytest.importorskip("bpy", reason="there is no bpy module for this Python")

ADDON = Path(__file__).resolve().parents[2] / "blender_addon"
LANGUAGES = ("de_DE", "fr_FR", "es", "ja_JP", "zh_HANS")
DRAWN = {"text", "heading", "placeholder"}  # arguments of Blender's layouts
SAID = {"draw_sentence", "allow", "_section", "poll_message_set", "report"}  # functions whose texts a user reads


def subclasses(kind):
    for one in kind.__subclasses__():
        yield one
        yield from subclasses(one)


def of_properties(rna):
    for item in rna.properties:
        is_shown = not item.is_hidden and item.name != item.identifier  # others have no name for people
        if is_shown and item.identifier not in ("rna_type", "name") and not item.identifier.startswith("bl_"):
            yield from (item.name, item.description)
            if item.type == "ENUM":
                for choice in item.enum_items:
                    yield from (choice.name, choice.description)


def registered():
    """Names and tooltips of operators, properties, panels and menus."""
    for name in dir(bpy.ops.speechface):
        rna = getattr(bpy.ops.speechface, name).get_rna_type()
        yield from (rna.name, rna.description, *of_properties(rna))
    for kind in (bpy.types.PropertyGroup, bpy.types.AddonPreferences):
        for one in subclasses(kind):
            if one.__module__.startswith("blender_addon"):
                yield from of_properties(one.bl_rna)
    for kind in (bpy.types.Panel, bpy.types.Menu):
        yield from (one.bl_label for one in subclasses(kind) if one.__module__.startswith("blender_addon"))


def written():
    """Whole texts that the code draws or reports."""
    for path in ADDON.rglob("*.py"):
        for call in (node for node in ast.walk(ast.parse(path.read_text("utf-8"))) if isinstance(node, ast.Call)):
            function = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
            values = [keyword.value for keyword in call.keywords if keyword.arg in DRAWN]
            values += call.args if function in SAID else []
            for value in values:
                if isinstance(value, ast.Constant) and isinstance(value.value, str) and not value.value.isupper():
                    yield value.value


def preview_shapes():
    from shared.arkit import SHAPES

    return SHAPES


def texts():
    names = set(preview_shapes())
    every = {*registered(), *written()}
    every = {t for t in every if t and any(map(str.isalpha, t)) and not t.startswith(("SPEECHFACE", "speechface."))}
    return {t for t in every if not names & set(t.replace(",", " ").split())}  # shapes of ARKit, with numbers


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_text_is_there_in_every_language(addon, language):
    said = json.loads((ADDON / "translations" / f"{language}.json").read_text("utf-8"))
    missing = texts() - set(said)
    assert not missing, f"{len(missing)}: {sorted(missing)}"
    assert all(said.values())
    untranslated = {text for text, word in said.items() if text == word and len(text.split()) > 3}
    assert not untranslated
    assert not set(said) - texts(), "nobody reads these any more"


def test_blender_shows_them(addon):
    view = bpy.context.preferences.view
    if "de_DE" not in view.bl_rna.properties["language"].enum_items:
        pytest.skip("this Blender has no languages; build.py gui-test photographs one that has")
    said = json.loads((ADDON / "translations" / "de_DE.json").read_text("utf-8"))
    before, interface = view.language, view.use_translate_interface
    try:
        view.language, view.use_translate_interface = "de_DE", True
        assert bpy.app.translations.pgettext_iface("Choose Photos...") == said["Choose Photos..."]
        assert bpy.app.translations.pgettext_iface("Render Again", "Operator") == said["Render Again"]
    finally:
        view.language, view.use_translate_interface = before, interface


def test_a_text_has_its_meaning_here_first(addon):
    """Blender's own texts come before those of add-ons, but for a context of ours."""
    from blender_addon import words

    for said in words.messages().values():
        assert {context for context, _ in said} == {"*", "Operator", words.CONTEXT}
    lead = bpy.types.Scene.bl_rna.properties["speech_face"].fixed_type.properties["characters"].fixed_type
    assert lead.properties["lead"].translation_context == words.CONTEXT
