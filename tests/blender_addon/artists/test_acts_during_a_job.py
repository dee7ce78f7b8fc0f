"""Whatever an artist does while a face is generated: the scene is as if it had been done before or after, or the job
says why it made nothing.
"""

import time
from collections import Counter

import pytest

bpy = pytest.importorskip("bpy", reason="there is no bpy module for this Python")

from hypothesis import HealthCheck, given, seed, settings  # noqa: E402 (not without bpy)
from hypothesis import strategies as some  # noqa: E402 (not without bpy)

EXAMPLES = 100 if bpy.app.version[:2] == (5, 0) else 20  # the other versions run the same code


def set_to(**values):
    """Sets properties of what it is given."""

    def change(item):
        for name, value in values.items():
            setattr(item, name, value(getattr(item, name)) if callable(value) else value)

    return change


def remove_object(item):
    bpy.data.objects.remove(item)


def trim(strip):
    if strip.frame_final_duration > 4:
        strip.frame_offset_start += 2


def remove_character(_):
    if bpy.context.scene.speech_face.characters:
        bpy.ops.speechface.remove_character()


def add_character(scene):
    if bpy.context.scene == scene:
        bpy.ops.speechface.add_character(name="Extra")
        scene.speech_face.active_character = 0


def show_other_scene(_):
    bpy.context.window.scene = bpy.data.scenes.get("Other") or bpy.data.scenes.new("Other")


ACTS = {  # besides undo, redo and save: what is changed, and how
    "delete_rig": ("rig", remove_object),
    "delete_plane": ("plane", remove_object),
    "rename_strip": ("strip", set_to(name="Take")),
    "rename_scene": ("scene", set_to(name="Shot")),
    "rename_rig": ("rig", set_to(name="Puppet")),
    "rename_character": ("character", set_to(name="Ben")),
    "scrub": ("scene", lambda scene: scene.frame_set(scene.frame_current + 5)),
    "rate": ("scene", lambda scene: setattr(scene.render, "fps", 30)),
    "move_strip": ("strip", set_to(channel=3, frame_start=lambda frame: frame + 7)),
    "trim": ("strip", trim),
    "remove_strip": ("strip", lambda strip: strip.id_data.sequence_editor.strips.remove(strip)),
    "remove_character": ("character", remove_character),
    "add_character": ("scene", add_character),
    "other_scene": ("scene", show_other_scene),
}
NAMES = ("undo", "redo", "save", *ACTS)


@pytest.fixture
def artist(preferences, fake_backend, speech_file, tmp_path):
    preferences.connection_file = str(fake_backend.connection_file)
    return Artist(speech_file(0.5), tmp_path)


class Artist:
    """Begins a scene anew, acts in it, and says what is there."""

    def __init__(self, sound, folder):
        self.sound, self.folder = str(sound), folder
        self.token = ""

    def begin(self, has_face):
        """An unsaved scene with a character who speaks a strip, and who has a face already or not."""
        from blender_addon.speakers import cast

        bpy.ops.wm.read_homefile(use_factory_startup=True, use_empty=True)
        scene = bpy.context.scene
        scene.render.fps = 24
        strip = scene.sequence_editor_create().strips.new_sound("Voice", self.sound, 1, 11)
        character = cast.add(scene, "Anna")
        character.token = self.token = "of Anna"
        character.images.add().image = bpy.data.images.new("Photo", 32, 32)
        cast.add_voice(character, scene, strip)
        bpy.ops.ed.undo_push(message="Begin")
        if has_face:
            bpy.ops.speechface.generate()
            bpy.ops.ed.undo_push(message="Generate")

    def scene(self):
        """The scene of the character, whatever it is called."""
        return next((s for s in bpy.data.scenes if s.sequence_editor or s.speech_face.characters), bpy.data.scenes[0])

    def character(self):
        return next((c for c in self.scene().speech_face.characters if c.token == self.token), None)

    def act(self, name):
        """Does it as a window does, with an undo step of its own; what is not there is not changed."""
        if name in ("undo", "redo"):
            if getattr(bpy.ops.ed, name).poll():
                getattr(bpy.ops.ed, name)()
            return
        if name == "save":
            bpy.ops.wm.save_as_mainfile(filepath=str(self.folder / "shot.blend"), copy=bool(bpy.data.filepath))
            return
        scene, character = self.scene(), self.character()
        strips = scene.sequence_editor.strips if scene.sequence_editor else ()
        about = {"strip": strips[0] if len(strips) else None, "scene": scene, "character": character}
        about |= {"rig": character and character.rig, "plane": character and character.plane}
        what, how = ACTS[name]
        if about[what] is not None:
            how(about[what])
            bpy.ops.ed.undo_push(message=name)

    def generate(self, acts=(), moments=()):
        """Generates step by step, with acts in between; returns the reason if it made nothing."""
        from blender_addon import generation, orders
        from blender_addon._shared import errors
        from blender_addon.session import session

        waiting = list(zip(acts, moments, strict=True))
        try:
            if bpy.context.scene != self.scene():
                bpy.context.window.scene = self.scene()
            running = generation.begin(bpy.context, orders.orders(bpy.context, self.character())[0])
        except (errors.SpeechFaceError, AttributeError) as error:
            return str(error) or "no character"
        moment, deadline = 0, time.monotonic() + 60
        while not running.is_over and time.monotonic() < deadline:
            while waiting and waiting[0][1] <= moment:
                self.act(waiting.pop(0)[0])
            running.tick()
            moment += 1
            time.sleep(0.001)  # polling
        for act, _ in waiting:  # just before the results are written
            self.act(act)
        steps = generation.end(bpy.context)
        try:
            for _ in steps:
                pass
        except errors.SpeechFaceError as error:
            assert session.generation is None
            return error.sentence
        bpy.ops.ed.undo_push(message="Generate")
        return ""

    def found(self):
        """What is in the file: names, kinds, keys and pictures by scene frame."""
        from blender_addon.pictures import texture_plane

        scene = self.scene()
        keys = {}
        for action in bpy.data.actions:
            for layer in action.layers:
                for bag in (bag for strip in layer.strips for bag in strip.channelbags):
                    for curve in bag.fcurves:
                        frames = tuple(round(point.co[0]) for point in curve.keyframe_points)
                        keys[frames] = keys.get(frames, 0) + 1
        shown = [(sequence.frames.start, sequence.frames.stop) for item in bpy.data.objects
                 if (sequence := texture_plane.sequence_of(item))]  # fmt: skip
        objects = Counter(item.type for item in bpy.data.objects if item.users_scene)
        strips = scene.sequence_editor.strips if scene.sequence_editor else ()
        return {
            "scenes": sorted(s.name for s in bpy.data.scenes),
            "characters": [(c.name, bool(c.rig), bool(c.plane)) for c in scene.speech_face.characters],
            "objects": dict(objects),
            "keys": keys,
            "pictures": shown,
            "strips": [(strip.name, strip.frame_final_start, strip.frame_final_duration) for strip in strips],
            "time": (scene.render.fps, scene.frame_current),
        }


@pytest.mark.slow
@seed(20)
@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck), database=None)
@given(
    acts=some.lists(some.sampled_from(NAMES), min_size=1, max_size=4),
    moments=some.lists(some.integers(0, 12), min_size=4, max_size=4).map(sorted),
    has_face=some.booleans(),
)
def test_the_scene_is_as_if_it_was_done_before_or_after(artist, acts, moments, has_face):
    artist.begin(has_face)
    reason = artist.generate(acts, moments[: len(acts)])
    during = artist.found()

    def other_way(is_made, is_first):
        artist.begin(has_face)
        for step in ((lambda: [artist.act(act) for act in acts]), artist.generate)[:: 1 if is_first else -1]:
            if is_made or step != artist.generate:
                step()
        return artist.found()

    allowed = [other_way(is_made=False, is_first=True)] if reason else []
    if not reason:
        allowed = [other_way(is_made=True, is_first=True), other_way(is_made=True, is_first=False)]
    assert during in allowed, f"{reason or 'made'}"
