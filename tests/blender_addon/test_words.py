"""Tests that every text of the panel is there in every language, and that Blender shows it."""

import ast
import json
import string
from pathlib import Path
from types import SimpleNamespace

import pytest

bpy = pytest.importorskip("bpy", reason="there is no bpy module for this Python")

ADDON = Path(__file__).resolve().parents[2] / "blender_addon"
LANGUAGES = ("de_DE", "fr_FR", "es", "ja_JP", "zh_HANS")
DRAWN = {"text", "heading", "placeholder", "title", "message", "confirm_text"}  # arguments of Blender's layouts
SAID = {"draw_sentence", "allow", "_section", "poll_message_set", "report", "status_text_set"}  # a user reads these
KEPT = {"unchanged", "_help", "_HELP"}  # names of texts that `words.translate` is given later


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


def name_of(call):
    return call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")


def is_fill(call):
    return ast.unparse(call.func) == "words.fill"


def said_values(node):
    """Expressions that a user reads: arguments of layouts and reports, templates, and texts that are kept."""
    if isinstance(node, ast.Call):
        yield from (keyword.value for keyword in node.keywords if keyword.arg in DRAWN)
        yield from node.args if name_of(node) in SAID else node.args[:1] if is_fill(node) else ()
    if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") in KEPT:
        yield node.value


def constants(value):
    """The texts that an expression can be; a text that depends on a condition is one or the other."""
    if isinstance(value, ast.IfExp):
        yield from (*constants(value.body), *constants(value.orelse))
    elif isinstance(value, ast.BoolOp):
        yield from (text for part in value.values for text in constants(part))
    elif isinstance(value, ast.Constant) and isinstance(value.value, str):
        yield value.value


def nodes():
    for path in ADDON.rglob("*.py"):
        yield from ((path, node) for node in ast.walk(ast.parse(path.read_text("utf-8"))))


def written():
    """Whole texts and templates that the code draws or reports."""
    for _, node in nodes():
        for value in said_values(node):
            yield from (text for text in constants(value) if not text.isupper())


def named():
    """Texts that modules without bpy keep for those that draw them."""
    from blender_addon import job, stages
    from blender_addon._shared import pause
    from blender_addon.installing.install_sizes import Stage

    yield from stages.LABELS.values()
    yield from (stages.label(state.value) for state in job.JobState)
    yield stages.label(pause.STAGE)
    yield from (stage.words for stage in Stage)


def fields(template):
    """What stands in the braces of a template, in the order of its letters."""
    found = string.Formatter().parse(template)
    return sorted((name, form, conversion or "") for _, name, form, conversion in found if name is not None)


def preview_shapes():
    from shared.arkit import SHAPES

    return SHAPES


def texts():
    names = set(preview_shapes())
    every = {*registered(), *written(), *named()}
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


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_translation_has_the_fields_of_its_template(language):
    said = json.loads((ADDON / "translations" / f"{language}.json").read_text("utf-8"))
    templates = {
        t for _, node in nodes() if isinstance(node, ast.Call) and is_fill(node) for t in constants(node.args[0])
    }
    assert sum(bool(fields(template)) for template in templates) > 50
    wrong = {template: said[template] for template in templates if fields(template) != fields(said[template])}
    assert not wrong


def test_templates_are_literals_and_what_is_drawn_is_no_f_string_with_words():
    for path, node in nodes():
        if isinstance(node, ast.Call) and is_fill(node):
            assert list(constants(node.args[0])), f"{path.name}:{node.lineno}: a template that no test finds"
        for value in said_values(node):
            forms = [part.format_spec for part in ast.walk(value) if isinstance(part, ast.FormattedValue)]
            parts = [part for part in ast.walk(value) if isinstance(part, ast.JoinedStr) and part not in forms]
            letters = [c.value for part in parts for c in part.values if isinstance(c, ast.Constant)]
            assert not any(map(str.isalpha, "".join(letters))), f"{path.name}:{node.lineno}: use words.fill"


def test_filled_labels_are_in_the_language(addon, monkeypatch):
    """The lookup is exchanged, as this bpy may have no languages; the one below asks Blender itself."""
    from blender_addon import panels, words
    from blender_addon.keys.key_clearing import Cleared

    said = json.loads((ADDON / "translations" / "de_DE.json").read_text("utf-8"))
    monkeypatch.setattr(words, "translate", lambda text: said.get(text, text))
    assert words.fill("Photos ({0})", 3) == "Fotos (3)"
    assert Cleared(key_count=7).sentence("Kopf") == "7 Schlüsselbilder von Kopf entfernt"
    job = SimpleNamespace(queue_position=2, seconds_left=75.0, stage="adapt", step=3, steps=10)
    assert panels.status_line(job) == "Warten auf 2 andere Aufträge"
    job.queue_position = 0
    assert panels.status_line(job) == "Gesicht wird gelernt  3/10"
    assert panels.time_left(job) == "noch 1 min 15 s"


def test_names_with_braces_are_drawn_as_they_are(addon):
    from blender_addon import words

    assert words.fill("{0} (gone)", "{1} {x}") == "{1} {x} (gone)"


def test_blender_shows_them(addon):
    from blender_addon import words

    view = bpy.context.preferences.view
    if "de_DE" not in view.bl_rna.properties["language"].enum_items:
        pytest.skip("this Blender has no languages; build.py gui-test photographs one that has")
    said = json.loads((ADDON / "translations" / "de_DE.json").read_text("utf-8"))
    before, interface = view.language, view.use_translate_interface
    try:
        view.language, view.use_translate_interface = "de_DE", True
        assert bpy.app.translations.pgettext_iface("Choose Photos...") == said["Choose Photos..."]
        assert bpy.app.translations.pgettext_iface("Render Again", "Operator") == said["Render Again"]
        assert words.fill("Photos ({0})", 3) == "Fotos (3)"
        assert words.translate("Starting") == said["Starting"]  # Blender's own text is another
    finally:
        view.language, view.use_translate_interface = before, interface


def test_a_text_has_its_meaning_here_first(addon):
    """Blender's own texts come before those of add-ons, but for a context of ours."""
    from blender_addon import words

    for said in words.messages().values():
        assert {context for context, _ in said} == {"*", "Operator", words.CONTEXT}
    lead = bpy.types.Scene.bl_rna.properties["speech_face"].fixed_type.properties["characters"].fixed_type
    assert lead.properties["lead"].translation_context == words.CONTEXT
