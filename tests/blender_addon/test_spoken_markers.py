"""Tests that words and phones stand on the timeline where the strip says them, and follow it."""

import pytest

bpy = pytest.importorskip("bpy", reason="there is no bpy module for this Python")

HELLO = [(37, "SF Hello,"), (49, "SF dear"), (61, "SF world!")]
PHONES = [(37, "SF HH"), (43, "SF AH"), (49, "SF L"), (55, "SF OW")]


@pytest.fixture
def strip(preferences, fake_backend, add_strip, character):
    """A strip of 96 frames from frame 37 on, spoken by a character of which only curves are made."""
    from blender_addon.speakers import cast

    preferences.connection_file = str(fake_backend.connection_file)
    made = add_strip(start=37, fps=24)
    character().use_texture = False
    cast.add_voice(character(), bpy.context.scene, made)
    return made


@pytest.fixture
def text():
    """Makes a text of Blender's Text Editor."""

    def make(content="Hello, dear world!\n", name="Line 1"):
        made = bpy.data.texts.new(name)
        made.write(content)
        return made

    return make


@pytest.fixture
def generate(character):
    """Generates with markers of a kind, and returns those on the timeline."""

    def run(kind, transcript=None):
        character().keys.markers = kind
        if transcript is not None:
            character().voices[0].transcript = transcript
        assert bpy.ops.speechface.generate() == {"FINISHED"}
        return shown()

    return run


def shown(scene=None):
    return sorted((marker.frame, marker.name) for marker in (scene or bpy.context.scene).timeline_markers)


def notes():
    from blender_addon.session import session

    return session.notes


def test_words_of_a_transcript_are_marked_where_they_begin(strip, fake_backend, text, generate):
    assert generate("WORDS", text()) == HELLO
    (asked,) = fake_backend.messages("AnimateRequest")
    assert (asked.wants_speech, asked.transcript) == (True, "Hello, dear world!\n")
    assert notes() == []


def test_phones_need_no_transcript(strip, fake_backend, generate):
    assert generate("PHONES") == PHONES
    assert fake_backend.messages("AnimateRequest")[0].transcript == ""


def test_without_a_transcript_no_word_is_marked_and_that_is_said(strip, generate):
    assert generate("WORDS") == []
    assert notes() == ["No word of Voice is marked: choose its transcript under Markers and generate again"]


def test_without_markers_nothing_is_asked_and_earlier_ones_go(strip, fake_backend, text, generate):
    bpy.context.scene.timeline_markers.new("Cut", frame=50)
    generate("WORDS", text())
    assert generate("NONE") == [(50, "Cut")]
    assert [asked.wants_speech for asked in fake_backend.messages("AnimateRequest")] == [True, False]


def test_only_what_the_strip_shows_is_marked(strip, text, generate):
    strip.frame_offset_start = 12
    many = text(" ".join(f"w{number}" for number in range(40)))
    found = generate("WORDS", many)
    assert found[0] == (49, "SF w0")
    assert found[-1] == (49 + 12 * 6, "SF w6")  # frames 49 to 132 are heard, and frame 133 has the next


def test_what_begins_on_one_frame_shares_a_marker(strip, text, generate):
    bpy.context.scene.render.fps = 1
    assert [name for _, name in generate("WORDS", text())] == ["SF Hello,", "SF dear world!"]


def test_words_become_phones_without_a_new_run(strip, fake_backend, text, character, generate):
    generate("WORDS", text())
    character().keys.markers = "PHONES"
    assert bpy.ops.speechface.shape_again() == {"FINISHED"}
    assert shown() == PHONES
    character().keys.markers = "NONE"
    assert bpy.ops.speechface.shape_again() == {"FINISHED"}
    assert shown() == []
    assert len(fake_backend.messages("AnimateRequest")) == 1


def test_markers_follow_a_moved_and_trimmed_strip_and_an_artists_stays(strip, text, generate):
    generate("WORDS", text())
    next(m for m in bpy.context.scene.timeline_markers if m.name == "SF dear").name = "Here she laughs"
    strip.frame_start += 100
    assert bpy.ops.speechface.follow_strips() == {"FINISHED"}
    moved = [(137, "SF Hello,"), (149, "SF dear"), (161, "SF world!")]
    assert shown() == [(49, "Here she laughs"), *moved]
    strip.frame_offset_start = 6
    assert bpy.ops.speechface.follow_strips() == {"FINISHED"}
    assert shown() == [(49, "Here she laughs"), *moved[1:]]


def test_clear_takes_the_markers_away(strip, text, generate, character):
    from blender_addon.keys import editing
    from blender_addon.slices import exhaust

    bpy.context.scene.timeline_markers.new("Cut", frame=50)
    generate("WORDS", text())
    assert "3 markers of Voice are gone" in exhaust(editing.clear(bpy.context, character()))
    assert shown() == [(50, "Cut")]


def test_another_characters_markers_of_the_same_strip_stay(strip, text, generate, character):
    from blender_addon.speakers import cast

    generate("WORDS", text())
    other = cast.add(bpy.context.scene, "Bob")
    other.use_texture = False
    cast.add_voice(other, bpy.context.scene, strip)
    assert generate("NONE") == HELLO
    assert bpy.ops.speechface.clear() == {"FINISHED"}
    assert shown() == HELLO


def test_each_strip_has_its_own_text(strip, fake_backend, text, generate, character, add_strip):
    from blender_addon.speakers import cast

    other = add_strip(start=201, fps=24, name="Answer")
    cast.add_voice(character(), bpy.context.scene, other).transcript = text("Good bye", "Line 2")
    assert generate("WORDS", text()) == [*HELLO, (201, "SF Good"), (213, "SF bye")]
    assert [asked.transcript for asked in fake_backend.messages("AnimateRequest")] == [
        *("Hello, dear world!\n", "Good bye"),
    ]


def test_transcript_and_words_outlive_a_saved_file(strip, text, generate, character, tmp_path):
    generate("WORDS", text())
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "scene.blend"))
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "scene.blend"))
    assert character().voices[0].transcript.as_string() == "Hello, dear world!\n"
    character().keys.markers = "PHONES"
    assert bpy.ops.speechface.shape_again() == {"FINISHED"}
    assert shown() == PHONES


def test_a_text_that_is_too_long_is_refused_before_the_backend_is_asked(strip, fake_backend, text, character):
    from blender_addon._shared import errors
    from blender_addon.keys import spoken_markers

    character().voices[0].transcript = text("a" * 100_001)
    with pytest.raises(errors.ValueRangeError, match="'Line 1' has 100001 characters"):
        spoken_markers.transcript_of(character().voices[0])
    character().keys.markers = "WORDS"
    with pytest.raises(RuntimeError, match="'Line 1' has 100001 characters"):
        bpy.ops.speechface.generate()
    assert fake_backend.messages("AnimateRequest") == []


def test_a_backend_before_words_is_named(strip, fake_backend, text, character):
    fake_backend.leaves_out = "SpokenWords"
    character().keys.markers, character().voices[0].transcript = "WORDS", text()
    with pytest.raises(RuntimeError, match="without the words and phones; it is of a release before them"):
        bpy.ops.speechface.generate()
    assert shown() == []


class Drawn:
    """Records the properties and labels that are drawn."""

    def __init__(self):
        self.seen = []

    def column(self, **_):
        return self

    row = column

    def prop(self, data, name, **options):
        assert name in data.bl_rna.properties
        self.seen.append((name, options.get("text", "")))

    def label(self, text="", **_):
        self.seen.append(("label", text))


def test_the_panel_asks_for_the_text_of_each_ticked_strip_where_words_are_wanted(strip, character, add_strip):
    from blender_addon import panels
    from blender_addon.speakers import cast

    cast.add_voice(character(), bpy.context.scene, add_strip(start=201, name="Unused")).is_used = False
    strip.name = "Take 2"
    for kind, expected in (("NONE", []), ("PHONES", []), ("WORDS", [("transcript", "Take 2")])):
        character().keys.markers = kind
        drawn = Drawn()
        panels._draw_markers(drawn, character())
        assert drawn.seen == [("markers", ""), *expected]


def test_the_panel_says_where_a_strip_gets_its_text_before_one_is_chosen(strip, character):
    from blender_addon import panels

    character().voices.clear()
    character().keys.markers = "WORDS"
    drawn = Drawn()
    panels._draw_markers(drawn, character())
    assert "Words need a transcript" in " ".join(text for _, text in drawn.seen)
