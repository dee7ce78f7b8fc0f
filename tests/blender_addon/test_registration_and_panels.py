"""Tests that the add-on registers and unregisters cleanly, and that its panels and small operators work."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

bpy = pytest.importorskip("bpy", reason="there is no bpy module for this Python")

OPERATORS = (
    "generate", "render_again", "cancel", "add_character", "remove_character", "add_voice", "add_sound_file",
    "remove_voice", "add_images", "add_image_slot", "remove_image", "clean_up", "start_backend", "stop_backend",
    "copy_log", "shape_preset_add", "shape_again", "follow_strips", "clear", "dismiss_failure", "install_backend",
    "cancel_install", "uninstall_backend", "check_setup", "copy_install_log", "detect_rig", "choose_preset",
    "load_mapping", "save_mapping", "add_channel", "remove_channel", "preview_channel", "preview_face",
    "find_landmarks", "set_landmark", "reset_landmarks", "drag_landmarks", "find_photo_landmarks", "choose_photo_face",
    "set_photo_landmark", "reset_photo_landmarks", "show_photo", "drag_photo_landmarks", "refresh_faces", "use_face",
    "rename_face", "delete_face", "export_face", "import_face",
)  # fmt: skip
SHAPES = (
    "jawOpen", "mouthClose", "mouthPucker", "mouthFunnel", "mouthLeft", "mouthRight", "mouthSmileLeft",
    "mouthSmileRight", "mouthStretchLeft", "mouthStretchRight", "mouthRollLower", "mouthRollUpper",
)  # fmt: skip


class Layout:
    """Records what is drawn, and refuses properties and operators that do not exist."""

    def __init__(self, lines=None, opens=()):
        self.lines = [] if lines is None else lines
        self.opens = opens
        self.enabled = True

    def _child(self, *_, **__):
        return Layout(self.lines, self.opens)

    row = column = box = split = _child

    def panel(self, idname, default_closed=False):
        assert idname.startswith("SPEECHFACE_")
        return self._child(), self._child() if idname in self.opens or not default_closed else None

    def separator(self, **_):
        pass

    def menu(self, name, text=""):
        assert hasattr(bpy.types, name)

    def label(self, text="", icon="NONE", icon_value=0, text_ctxt="", translate=True):
        assert icon in bpy.types.UILayout.bl_rna.functions["label"].parameters["icon"].enum_items
        self.lines.append(text)

    def prop(self, data, name, text=None, icon="NONE", emboss=True, placeholder="", **_):
        assert name in data.bl_rna.properties
        self.lines.append(f"{name}={getattr(data, name)}")

    def operator(self, name, text=None, icon="NONE", emboss=True):
        assert icon in bpy.types.UILayout.bl_rna.functions["operator"].parameters["icon"].enum_items
        module, function = name.split(".")
        assert hasattr(getattr(bpy.ops, module), function)
        assert module != "speechface" or function in OPERATORS
        self.lines.append(name)
        return SimpleNamespace()

    def operator_menu_enum(self, name, prop, text="", icon="NONE"):
        self.operator(name, icon=icon)

    def template_icon(self, icon_value, scale=1.0):
        self.lines.append(f"picture {scale:g} lines high")

    def progress(self, factor, text, type):  # noqa: A002 (Blender's own name)
        assert 0 <= factor <= 1
        assert type == "BAR"
        self.lines.append(text)

    def template_list(self, kind, _name, data, items, active, active_name, **_):
        assert hasattr(bpy.types, kind)
        self.lines.append(f"{len(getattr(data, items))} rows, {getattr(active, active_name)} active")


def draw(opens=()):
    from blender_addon import panels

    layout = Layout(opens=opens)
    panels.draw_panel(layout, bpy.context)
    return layout.lines


def test_everything_is_registered_and_goes_again(addon):
    kinds = ("SPEECHFACE_PT_view3d", "SPEECHFACE_PT_sequencer", "SPEECHFACE_UL_images")
    assert all(hasattr(bpy.types, kind) for kind in kinds)
    assert all(hasattr(bpy.types, f"SPEECHFACE_OT_{name}") for name in OPERATORS)
    assert {bpy.types.SPEECHFACE_PT_view3d.bl_category, bpy.types.SPEECHFACE_PT_sequencer.bl_category} == {
        "Speech Face"
    }
    addon.unregister()
    try:
        assert not any(hasattr(bpy.types, kind) for kind in kinds)
        assert not hasattr(bpy.types.Scene, "speech_face")
    finally:
        addon.register()
    with pytest.raises(ValueError, match="already registered"):
        addon.register()


def test_the_panel_says_why_generate_is_off(preferences, character):
    lines = draw()
    assert {"speechface.generate", "speechface.add_sound_file", "speechface.add_images"} <= set(lines)
    assert "Choose the speech, and a photo or a rig" in " ".join(lines)
    assert "Backend: Not running" in lines
    character()
    assert "Face Picture needs a photo: add at least one" in " ".join(draw())


def test_the_controls_of_the_motion_are_folded_away_and_explained(addon, character):
    from blender_addon._shared import motion_controls

    shown = set(motion_controls.RANGES) - {"blink_gain"}
    settings = character()
    assert "Shape" in draw()
    assert not any(line.startswith("intensity=") for line in draw())
    lines = draw(opens=("SPEECHFACE_shape",))
    assert {line.split("=")[0] for line in lines} >= shown
    for name in shown:
        look, bounds = settings.bl_rna.properties[name], motion_controls.RANGES[name]
        assert (look.hard_min, look.hard_max) == pytest.approx(tuple(bounds))
        assert look.default == pytest.approx(getattr(motion_controls.MotionControls(liveliness=0.3), name))
        assert len(look.description) > 30


def test_the_panel_shows_photos_large_and_a_button_for_each_face(preferences, fake_backend, add_image, character):
    preferences.connection_file = str(fake_backend.connection_file)
    add_image()
    assert "speechface.find_photo_landmarks" not in draw()
    lines = draw(opens=("SPEECHFACE_photo",))
    assert {"picture 6 lines high", "speechface.find_photo_landmarks", "speechface.show_photo"} <= set(lines)
    assert "speechface.drag_photo_landmarks" not in lines
    fake_backend.photo_boxes = np.array([(400, 240, 100), (100, 240, 90)], np.float32)
    bpy.ops.speechface.find_photo_landmarks()
    bpy.ops.speechface.set_photo_landmark(landmark=0, x=1, y=1)
    lines = draw(opens=("SPEECHFACE_photo",))
    assert {"speechface.drag_photo_landmarks", "Landmarks (1 corrected)"} <= set(lines)
    assert "2 faces, from the left; the one that is learnt:" in " ".join(lines)
    assert lines.count("speechface.choose_photo_face") == 2


def test_the_panel_shows_learnt_faces_in_place_of_photos(preferences, fake_backend, character):
    preferences.connection_file = str(fake_backend.connection_file)
    character().face_source = "LEARNT"
    bpy.context.window_manager.speech_face_faces.clear()  # what other tests have listed
    lines = draw()
    assert {"speechface.refresh_faces", "speechface.import_face", "0 rows, 0 active"} <= set(lines)
    fake_backend.keep_face("20" * 32, "Anna")
    bpy.ops.speechface.refresh_faces()
    bpy.ops.speechface.use_face()
    lines = set(draw())
    assert lines >= {"1 rows, 0 active", "Face: Anna"}
    assert lines >= {f"speechface.{name}_face" for name in ("rename", "delete", "export")}


def test_the_panel_shows_progress_and_cancel(preferences, fake_backend, add_strip, add_image, begin):
    preferences.connection_file = str(fake_backend.connection_file)
    fake_backend.holds = True
    add_strip()
    add_image()
    assert "speechface.generate" in draw()
    running = begin()
    assert "Waiting for the backend" in draw()
    for _ in range(10_000):
        running.job.tick()
        if running.job.steps == 10:
            break
    lines = draw()
    assert {"Waiting for a test  3/10", "1 min 15 s left", "speechface.cancel", "Backend: Ready on cpu"} <= set(lines)
    assert "speechface.generate" in lines  # another one waits behind it


def test_the_panel_shows_what_is_read_and_that_a_strip_is_muted(preferences, add_strip, add_image, character):
    from blender_addon import orders, reader
    from blender_addon.session import session

    preferences.connection_file = "somewhere"
    add_image()
    add_strip().mute = True
    session.reader = reader.Reader(bpy.context, orders.orders(bpy.context, character())[0])
    session.reader.tick(0.0)
    lines = draw()
    assert "Character: Voice" in lines
    assert "Reading photos  0/1" in lines
    assert "speechface.cancel" in lines
    assert "'Voice' is muted: it moves the face, but is not heard" in " ".join(lines)


def test_the_panel_shows_the_character_what_it_is_and_why(preferences, add_mesh, character):
    wanted = character()
    assert not any(line.startswith("method=") for line in draw())
    head = add_mesh("Head", (*SHAPES, "corr_jaw"))
    wanted.rigging.character = head
    lines = draw()
    assert any(line.startswith("arkit, ") and line.endswith("% sure") for line in lines)
    assert f"{len(SHAPES)} rows, 0 active" in lines
    assert " ".join(lines).count("corr_jaw of Head: corrects a") == 1
    wanted.rigging.channels[0].sources = "jawOpem 1"
    assert "'jawOpem'" in " ".join(draw())
    head.shape_key_clear()
    with pytest.raises(RuntimeError):
        bpy.ops.speechface.detect_rig()
    assert "speechface.choose_preset" not in draw()
    assert "Head has no shape keys and no bones" in " ".join(draw())


def test_the_panel_has_the_landmarks_of_solved_rigs_and_a_preview_of_the_others(
    preferences, fake_backend, add_mesh, character, until
):
    from blender_addon import generation
    from blender_addon._shared import errors
    from blender_addon.rigs import landmark_search

    preferences.connection_file = str(fake_backend.connection_file)
    rigging = character().rigging
    rigging.character = add_mesh("Head", ("q1", "q2"))
    opens = ("SPEECHFACE_landmarks", "SPEECHFACE_preview")
    lines = draw(opens)
    assert "speechface.find_landmarks" in lines
    assert "speechface.drag_landmarks" not in lines
    assert "Only the backend can fit channels" in " ".join(lines)
    assert "speechface.preview_face" not in lines
    bpy.ops.speechface.find_landmarks()
    lines = draw(opens)
    assert {"68 rows, 0 active", "show_landmarks=True", "speechface.set_landmark", "speechface.drag_landmarks"} <= set(
        lines
    )
    row = rigging.faces[0].landmarks[54]
    assert landmark_row(row) == ["left mouth corner"]
    row.vertex = 9
    assert landmark_row(row) == ["left mouth corner", "speechface.reset_landmarks"]
    assert "Landmarks (1 corrected)" in draw()
    fake_backend.holds = True
    search = landmark_search.begin(bpy.context)
    assert not bpy.ops.speechface.find_landmarks.poll()
    until(lambda: search.tick() or search.job.steps == 10)
    assert {search.plan.order.label, "Waiting for a test  3/10", "speechface.cancel"} <= set(draw())
    assert bpy.ops.speechface.cancel() == {"FINISHED"}
    with pytest.raises(errors.Cancelled):
        generation.end_at_once(bpy.context)
    rigging.character = add_mesh("Named", SHAPES)
    lines = draw(opens)
    assert "speechface.find_landmarks" not in lines
    assert {"speechface.preview_face", "preview_face=jawOpen"} <= set(lines)


def landmark_row(landmark):
    from blender_addon.rigs.landmark_panel import SPEECHFACE_UL_landmarks

    layout = Layout()
    SPEECHFACE_UL_landmarks.draw_item(None, bpy.context, layout, None, landmark, 0, None, "", 54)
    return layout.lines


def test_preferences_draw(preferences):
    from blender_addon.preferences import SPEECHFACE_Preferences

    class Drawn(SimpleNamespace):
        layout = Layout()
        bl_rna = preferences.bl_rna

    names = ("folder", "python", "device", "connection_file", "data_folder")
    SPEECHFACE_Preferences.draw(Drawn(**{name: getattr(preferences, name) for name in names}), bpy.context)
    assert "speechface.start_backend" in Drawn.layout.lines


def test_images_are_added_and_removed(addon, tmp_path, character):
    from blender_addon.pictures.png_writer import encode_png

    for name in ("a.png", "b.png"):
        (tmp_path / name).write_bytes(encode_png(np.zeros((4, 4, 3), np.uint8)))
    wanted = character()
    files = [{"name": "a.png"}, {"name": "b.png"}]
    assert bpy.ops.speechface.add_images(directory=str(tmp_path), files=files) == {"FINISHED"}
    assert [row.image.name for row in wanted.images] == ["a.png", "b.png"]
    assert bpy.ops.speechface.add_image_slot() == {"FINISHED"}
    assert wanted.active_image == 2
    assert bpy.ops.speechface.remove_image(index=0) == {"FINISHED"}
    assert bpy.ops.speechface.remove_image() == {"FINISHED"}
    assert [row.image.name for row in wanted.images] == ["b.png"]
    with pytest.raises(RuntimeError, match="no image in row 6"):
        bpy.ops.speechface.remove_image(index=5)
    bpy.ops.speechface.remove_image()
    assert not bpy.ops.speechface.remove_image.poll()


@pytest.mark.parametrize(
    ("files", "sentence"),
    [([], "No file was chosen"), ([{"name": "none.png"}], "does not exist"), ([{"name": "a.png"}] * 21, "At most 20")],
)
def test_images_that_cannot_be_added_are_said(addon, tmp_path, files, sentence, character):
    with pytest.raises(RuntimeError, match=sentence):
        bpy.ops.speechface.add_images(directory=str(tmp_path), files=files)
    assert len(character().images) == 0


def test_the_backend_is_started_and_stopped_by_hand(preferences, fake_backend):
    from blender_addon.session import session

    preferences.connection_file = str(fake_backend.connection_file)
    assert not bpy.ops.speechface.stop_backend.poll()
    assert bpy.ops.speechface.start_backend() == {"FINISHED"}
    for _ in range(10_000):
        session.poll_idle()
        if session.status == "Ready on cpu":
            break
    assert session.status == "Ready on cpu"
    assert bpy.ops.speechface.stop_backend() == {"FINISHED"}
    assert session.status == "Not running"
    preferences.connection_file, preferences.python = "", "/no/python"
    with pytest.raises(RuntimeError, match="/no/python"):
        bpy.ops.speechface.start_backend()


def test_where_the_backend_is_looked_for(preferences, tmp_path):
    from blender_addon.preferences import settings

    plain = settings(bpy.context)
    assert plain.folder == str(Path(__file__).resolve().parents[2])  # the checkout
    assert plain.data_folder == tmp_path / "data"
    preferences.folder, preferences.device = str(tmp_path), " cuda:1 "
    assert settings(bpy.context).folder == str(tmp_path)
    assert settings(bpy.context).device == "cuda:1"


def test_a_backend_that_refuses_or_ends_is_explained(preferences, fake_backend, tmp_path):
    from blender_addon.session import session

    preferences.connection_file = str(tmp_path / "none.json")
    bpy.ops.speechface.start_backend()
    session.poll_idle()
    assert session.status == "Connecting"
    assert "none.json" in session.problem
    bpy.ops.speechface.stop_backend()
    fake_backend.refuses = "the add-on is of another release; install both of the same release"
    preferences.connection_file = str(fake_backend.connection_file)
    bpy.ops.speechface.start_backend()
    for _ in range(10_000):
        session.poll_idle()
        if session.status == "Refused":
            break
    assert session.problem == fake_backend.refuses
    assert any("another release" in line for line in draw())
    assert bpy.ops.speechface.start_backend.poll()
