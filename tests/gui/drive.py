# pyright: reportAttributeAccessIssue=false, reportOptionalMemberAccess=false, reportArgumentType=false
"""Runs inside Blender's window, started by `run.py`: the steps of an artist, with photographs, checks and measures."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

import bpy
import numpy as np

ROOT = Path.cwd()
sys.path.insert(0, str(ROOT))
version = ".".join(map(str, bpy.app.version[:2]))
sys.path += map(str, ROOT.glob(f".venv-blender-{version}/lib/python*/site-packages"))  # behind Blender's own
sys.path += map(str, ROOT.glob(f".venv-blender-{version}/Lib/site-packages"))

import blender_addon  # noqa: E402 (the checkout is on the path now)
from blender_addon import compat, generation, operators, panels, words  # noqa: E402
from blender_addon import session as sessions  # noqa: E402
from blender_addon._shared import head_file  # noqa: E402
from blender_addon.pictures import incoming_pictures, live_plane  # noqa: E402
from blender_addon.properties import active_character  # noqa: E402
from blender_addon.rigs import face_landmarks, sample_head  # noqa: E402
from blender_addon.speakers import cast, photo_landmarks, photo_view  # noqa: E402
from tests.gui import window  # noqa: E402
from tests.gui.script import Script, Steps  # noqa: E402
from tests.gui.watching import Watch  # noqa: E402

_FRAMES, _LOOKED_AT = 48, 12  # of the speech; so many that drawing them takes seconds
_SAMPLES = ROOT / "backend_server" / "samples"
_STEP_MILLISECONDS, _CANCEL_SECONDS, _SEEN_SECONDS = 50, 0.5, 2.0


class Drive(Script):
    """One run against a live backend.

    Args:
        out: for photographs and the report; has `connection.json` and `portrait.png`.
        parts: what is done after speech and photo were chosen, in this order.
    """

    def __init__(self, out: Path, parts: list[str]) -> None:
        super().__init__(out)
        self._parts = parts
        self._watch = Watch()

    def _close(self) -> None:
        self._failures += self._watch.errors
        sessions.session.close()

    def _why(self) -> str:
        return sessions.session.failure

    def _all(self) -> Steps:
        self._set_up()
        yield 1.0
        yield from self._until(lambda: window.open_tab("Speech Face"), 20, "the tab")
        yield 0.5
        yield from self._photograph("start")
        yield from self._choose()
        steps = {
            "cancel": self._cancel,
            "generate": self._generate,
            "sections": self._sections,
            "rig": self._rig,
            "landmarks": self._landmarks,
            "photos": self._photos,
            "again": self._again,
            "words": self._words,
        }
        for part in self._parts:
            yield from steps[part]()

    def _set_up(self) -> None:
        entry = bpy.context.preferences.addons.new()
        entry.module = "blender_addon"
        blender_addon.register()
        entry.preferences.connection_file = str((self._out / "connection.json").resolve())
        entry.preferences.data_folder = str((self._out / "blender").resolve())
        watch = self._watch
        generate = operators.SPEECHFACE_OT_generate
        timed = watch.step(self._kind, generate.modal)

        def modal(self: object, context: bpy.types.Context, event: bpy.types.Event) -> object:
            return timed(self, context, event)  # Blender counts the arguments

        generate.modal = modal
        pictures, live = incoming_pictures.IncomingPictures, live_plane.LivePlane
        pictures.take = watch.moment(watch.came, pictures.take, is_after=False)
        live._draw = watch.moment(watch.drawn, watch.step(lambda: "drawing", live._draw), is_after=True)

    def _kind(self) -> str:
        """What a step of Generate will do."""
        running = sessions.session.generation
        if running is None or not isinstance(running, generation.Generation):
            return "reading" if sessions.session.reader is not None else "other"
        if running.is_over:
            return "writing results"
        return "pictures arriving" if self._watch.came else "waiting for the backend"

    def _choose(self) -> Steps:
        with window.override():
            bpy.ops.speechface.add_sound_file(filepath=str(_SAMPLES / "speech.wav"))
            bpy.ops.speechface.add_images(directory=str(self._out.resolve()), files=[{"name": "portrait.png"}])
        active_character(bpy.context.scene).epochs = 2
        _, strip = next(cast.strips())
        end = "right_handle" if hasattr(strip, "right_handle") else "frame_final_end"
        setattr(strip, end, int(compat.handles(strip)[0]) + _FRAMES)  # a few words are enough
        yield 0.5
        yield from self._photograph("chosen")

    def _live(self) -> live_plane.LivePlane | None:
        pictures = getattr(sessions.session.generation, "_pictures", None)
        return pictures._live if pictures is not None else None

    def _cancel(self) -> Steps:
        before = set(bpy.data.objects.keys())
        self._press("generate")
        yield from self._photograph("begun")
        yield from self._until(lambda: sessions.session.generation is not None, 60, "the generation")

        def shows() -> bool:
            return len(self._watch.drawn) > 2 or sessions.session.generation is None

        yield from self._until(shows, 300, "pictures in the viewport")
        self._measures["seconds from first picture to the viewport"] = self._watch.delay_seconds()
        yield from self._photograph("generating", 0.1)
        live = self._live()
        if live is None:
            raise AssertionError("the generation ended before it was photographed")
        yield from self._same_colours("the live picture", live._picture(live._shown), live._corners, 1)
        start, steps = time.monotonic(), self._watch.step_count
        with window.override():
            bpy.ops.speechface.cancel()
        yield from self._until(lambda: sessions.session.generation is None, 10, "the end after Cancel")
        taken = self._measures["seconds of Cancel"] = round(time.monotonic() - start, 3)
        self._measures["steps of Generate after Cancel"] = self._watch.step_count - steps
        self._check(taken <= _CANCEL_SECONDS, f"Cancel took {taken} s, at most {_CANCEL_SECONDS} are felt as at once")
        self._check(set(bpy.data.objects.keys()) == before, "Cancel left objects in the scene")
        yield from self._photograph("cancelled")

    def _generate(self) -> Steps:
        self._press("generate")
        yield from self._until(lambda: sessions.session.generation is not None, 60, "the generation")
        yield from self._until(lambda: sessions.session.generation is None, 600, "the end of the generation")
        yield 1.0
        character, scene = active_character(bpy.context.scene), bpy.context.scene
        self._check(not sessions.session.failure, sessions.session.failure)
        self._check(character.plane is not None and character.rig is not None, "no plane or no armature was made")
        fcurves = character.rig.animation_data.action.layers[0].strips[0].channelbags[0].fcurves
        keys = {len(fcurve.keyframe_points) for fcurve in fcurves}
        self._measures["keys on each curve"] = sorted(keys)
        self._check(len(fcurves) == 144 and keys == {_FRAMES}, f"{len(fcurves)} curves with {keys} keys")
        chosen = set(bpy.context.selected_objects)
        self._check(chosen == {character.plane, character.rig}, f"what was made is not selected, but {chosen}")
        shading = window.view()[0].spaces.active.shading.type
        self._check(shading == "MATERIAL", f"the viewport is drawn as {shading}, so the picture is not seen")
        scene.frame_set(_LOOKED_AT)
        yield from self._photograph("done", 2.0)
        plane = character.plane
        corners = [plane.matrix_world @ vertex.co for vertex in plane.data.vertices]
        folder = Path(bpy.path.abspath(next(i for i in bpy.data.images if i.source == "SEQUENCE").filepath)).parent
        names = sorted(folder.glob("frame_*.png"))
        yield from self._same_colours("the plane", names[_LOOKED_AT - 1], corners, 240)
        for kind in ("reading", "waiting for the backend", "pictures arriving", "writing results", "drawing"):
            longest, busiest = self._watch.longest_milliseconds(kind)
            self._measures[f"longest step, {kind}, ms"] = longest
            self._measures[f"busiest step, {kind}, ms"] = busiest
        _, busiest = self._watch.longest_milliseconds("pictures arriving")
        self._check(busiest <= _STEP_MILLISECONDS, f"a step worked for {busiest} ms while pictures arrived")
        delay = self._watch.delay_seconds()
        self._check(delay is not None and delay <= _SEEN_SECONDS, f"the first picture was seen after {delay} s")

    def _open(self, *names: str) -> None:
        original = panels.draw_panel if not hasattr(self, "_draw") else self._draw
        self._draw, opened = original, frozenset(names)
        panels.draw_panel = lambda layout, context: original(window.Sections(layout, opened), context)

    def _sections(self) -> Steps:
        window.view()[0].spaces.active.shading.type = "SOLID"  # drawn quickly also without a graphics card
        self._open("SPEECHFACE_editing", "SPEECHFACE_generate")
        yield from self._photograph("keys")
        self._open("SPEECHFACE_shape")
        yield from self._photograph("shape")

    def _rig(self) -> Steps:
        scene, character = bpy.context.scene, active_character(bpy.context.scene)
        head = sample_head.add(scene, "Head", head_file.load_head(_SAMPLES / "head.npz"))
        head.location = (-1.5, 0, 0)
        character.rigging.character = head
        self._frame(head)
        self._open("SPEECHFACE_rig", "SPEECHFACE_preview")
        yield from self._photograph("rig", 1.5)
        blocks = head.data.shape_keys.key_blocks
        x, y = map(round, window.pixel(head.matrix_world.translation) or (600, 500))
        window.mouse("MOUSEMOVE", "NOTHING", x, y)
        yield 0.2
        self._press("preview_face", face="jawOpen")
        yield 0.2
        window.mouse("MOUSEMOVE", "NOTHING", x + 150, y)
        yield 0.3
        self._check(blocks["jawOpen"].value > 0.5, f"the preview shows jawOpen at {blocks['jawOpen'].value:.2f}")
        yield from self._photograph("preview")
        window.mouse("ESC", "PRESS", x + 150, y)
        yield 0.3
        self._check(blocks["jawOpen"].value == 0, "Esc left the preview's value on the head")

    def _frame(self, shown: bpy.types.Object) -> None:
        with window.override():
            for item in bpy.context.selected_objects:
                item.select_set(False)
            shown.select_set(True)
            bpy.context.view_layer.objects.active = shown
            bpy.ops.view3d.view_axis(type="FRONT")
            bpy.ops.view3d.view_selected()

    def _landmarks(self) -> Steps:
        rig = active_character(bpy.context.scene).rigging
        head = rig.character
        for number, block in enumerate(head.data.shape_keys.key_blocks[1:]):
            block.name = f"q{number:03}"
        with window.override():
            bpy.ops.speechface.detect_rig()
        self._open("SPEECHFACE_rig", "SPEECHFACE_landmarks")
        yield 0.5
        self._press("find_landmarks")
        yield from self._until(lambda: sessions.session.generation is None, 120, "the landmarks")
        self._check(not sessions.session.failure, sessions.session.failure)
        face = face_landmarks.face_of(rig)
        self._check(face is not None, "no landmarks were found")
        if face is None:
            return
        yield from self._photograph("landmarks", 1.5)
        places = face_landmarks.places(bpy.context, face)
        x, y = map(round, window.pixel(places[8]))  # the chin
        window.mouse("MOUSEMOVE", "NOTHING", x, y)
        yield 0.2
        self._press("drag_landmarks")
        yield 0.3
        yield from self._drag(x, y, 0, 40)
        yield from self._photograph("dragging")
        window.mouse("RET", "PRESS", x, y + 40)
        yield 0.3
        moved = np.linalg.norm(face_landmarks.places(bpy.context, face)[8] - places[8])
        self._measures["landmark dragged, metres"] = round(float(moved), 4)
        self._check(moved > 0 and face_landmarks.corrected_count(face) == 1, "the mouse dragged no landmark")

    def _photos(self) -> Steps:
        """Finds the landmarks of the photo and drags one in an Image Editor."""
        area = next(area for area in window.main_window().screen.areas if area.type == "PROPERTIES")
        area.ui_type = "IMAGE_EDITOR"
        self._open("SPEECHFACE_characters", "SPEECHFACE_photo")
        yield 0.5
        self._press("find_photo_landmarks")
        yield from self._until(lambda: sessions.session.generation is None, 120, "the landmarks of the photo")
        self._check(not sessions.session.failure, sessions.session.failure)
        photo = active_character(bpy.context.scene).images[0]
        self._check(len(photo.points) == 68, f"{len(photo.points)} landmarks were found in the photo")
        self._press("drag_photo_landmarks")
        yield 1.0
        chin = photo_landmarks.places(photo)[8]
        region = next(region for region in area.regions if region.type == "WINDOW")
        x, y = photo_view.view_of(region).seen(photo, chin[None])[0] + (region.x, region.y)
        yield from self._drag(round(x), round(y), 0, -15)
        yield from self._photograph("photo")
        window.mouse("RET", "PRESS", round(x), round(y) - 15)
        yield 0.3
        moved = photo_landmarks.places(photo)[8] - chin
        self._measures["landmark of the photo dragged, pixels"] = np.round(moved, 1).tolist()
        is_one = photo_landmarks.corrected_count(photo) == 1
        self._check(is_one and moved[1] > 0, "the mouse dragged no landmark of the photo")
        area.ui_type = "PROPERTIES"

    def _drag(self, x: int, y: int, right: int, up: int) -> Steps:
        """Presses the mouse, moves it in two steps, and releases it."""
        for kind, value, share in (
            ("MOUSEMOVE", "NOTHING", 0.0),
            ("LEFTMOUSE", "PRESS", 0.0),
            ("MOUSEMOVE", "NOTHING", 0.5),
            ("MOUSEMOVE", "NOTHING", 1.0),
            ("LEFTMOUSE", "RELEASE", 1.0),
        ):
            window.mouse(kind, value, x + round(share * right), y + round(share * up))
            yield 0.1

    def _again(self) -> Steps:
        """Moves a bone, renders the pictures again, and clears what was made."""
        character = active_character(bpy.context.scene)
        folder = Path(bpy.path.abspath(next(i for i in bpy.data.images if i.source == "SEQUENCE").filepath)).parent
        before = window.pixels_of(folder / "frame_0001.png")

        def fcurves() -> list:
            bags = character.rig.animation_data.action.layers[0].strips[0].channelbags
            return list(bags[0].fcurves) if bags else []

        edited = 'pose.bones["outer_lips_09"].location'  # the middle of the lower lip
        curve = next(each for each in fcurves() if each.data_path == edited and each.array_index == 1)
        for key in curve.keyframe_points:
            key.co.y -= 0.02
        self._press("render_again")
        yield 1.0
        yield from self._until(lambda: sessions.session.generation is None, 300, "the pictures of Render Again")
        self._check(not sessions.session.failure, sessions.session.failure)
        folder = Path(bpy.path.abspath(next(i for i in bpy.data.images if i.source == "SEQUENCE").filepath)).parent
        change = np.abs(window.pixels_of(folder / "frame_0001.png") - before).max()
        self._measures["change by Render Again, of 255"] = round(255 * float(change))
        self._check(change > 0.1, "Render Again left the picture as it was")
        self._open("SPEECHFACE_editing")
        with window.override():
            bpy.ops.speechface.clear()
        self._check(character.plane is None, "Clear left the plane")
        kept = [each for each in fcurves() if len(each.keyframe_points)]
        self._check([each.data_path for each in kept] == [edited], f"Clear left {len(kept)} curves, one was edited")
        yield from self._photograph("cleared", 1.0)

    def _words(self) -> Steps:
        """Shows the panel in another language."""
        view = bpy.context.preferences.view
        view.language = "de_DE"
        shown = bpy.app.translations.pgettext_iface("Choose Photos...", words.CONTEXT)
        self._check(shown != "Choose Photos...", "the panel speaks English to Germans")
        self._check(words.fill("Photos ({0})", 3) == "Fotos (3)", "labels with numbers speak English to Germans")
        self._open("SPEECHFACE_characters", "SPEECHFACE_generate", "SPEECHFACE_setup")
        yield from self._photograph("german", 1.5)
        view.language = "en_US"


def main() -> None:
    """Reads what stands behind `--` and registers the steps."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--parts", nargs="+", required=True)
    given = parser.parse_args(sys.argv[sys.argv.index("--") + 1 :])
    Drive(given.out, given.parts).begin()


main()
