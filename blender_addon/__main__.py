# pyright: reportAttributeAccessIssue=false
"""Makes a scene without a window: `python -m blender_addon SPEECH --images PATH... --out SCENE.blend`.

It does what a user does with the panel: a new scene, the sound strip, the photos, Generate, save. An existing file is
replaced only by a run that succeeds, and only if an earlier run made it; any other is kept under a new name.

`python -m blender_addon rig --blend FILE --object NAME` prints what a character can be moved by instead.
`python -m blender_addon hand-off --blend FILE --object NAME --out FILE.glb` writes an animated character for engines.
`python -m blender_addon bench` measures what holds up the window.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import bpy

from . import bench, compat, register, unregister
from ._shared import errors, files_of_others, head_file, protocol, timing
from .made_file import making
from .rigs import inspection, sample_head
from .rigs.hand_off import hand_off
from .speakers import cast


def make_scene(
    speech: Path,
    images: list[Path],
    out: Path,
    *,
    fps: float,
    first_frame: int,
    epochs: int,
    seed: int,
    size: int = protocol.FACE_SIZES[0],
    head: Path | None = None,
) -> Path | None:
    """Writes one .blend with the strip, the armature and the plane; pictures go into a folder beside it.

    Args:
        speech: a sound file.
        images: photos of one face; without any, only curves of the mean face are made.
        out: the .blend file.
        fps: frames per second of the scene.
        first_frame: scene frame on which the strip begins.
        epochs: of fine-tuning.
        seed: of the blinks and the fine-tuning.
        size: of the pictures, pixels a side.
        head: a head as `backend_server/samples/head.npz`, which then talks beside the picture.

    Returns:
        How a file is called now that had the name and was not made by an earlier run, or was changed since; or None.

    Raises:
        RuntimeError: an operator failed; the message says why.
        SpeechFaceError: the head cannot be read.
        OSError: the file cannot be written.
    """
    bpy.ops.wm.read_homefile(use_factory_startup=True, use_empty=True)  # keeps the preferences
    bpy.context.preferences.filepaths.save_version = 0  # no scene.blend1 beside the result
    scene = bpy.context.scene
    rate = timing.FrameRate.from_decimal(fps)
    scene.render.fps, scene.render.fps_base = rate.fps, rate.fps_base
    strips = scene.sequence_editor_create().strips
    strip = strips.new_sound(speech.stem, str(speech.resolve()), channel=1, frame_start=first_frame)
    wanted = cast.add(scene, speech.stem)
    cast.add_voice(wanted, scene, strip)
    wanted.epochs, wanted.seed, wanted.use_texture, wanted.size = epochs, seed, bool(images), str(size)
    for image in images:
        wanted.images.add().image = bpy.data.images.load(str(image.resolve()))
    if head is not None:
        wanted.rigging.character = _add_head(scene, head)
    out.parent.mkdir(parents=True, exist_ok=True)
    with making(out.absolute()) as made:
        bpy.ops.wm.save_as_mainfile(filepath=str(made.temporary))  # first, so that the pictures lie beside it
        bpy.ops.speechface.generate()
        first, end = compat.handles(strip)
        scene.frame_start, scene.frame_end = round(first), round(end) - 1
        scene.render.film_transparent = True
        _add_camera(scene, 1 if head is None else 2)
        bpy.ops.wm.save_mainfile()
    return made.set_aside


def _add_head(scene: bpy.types.Scene, path: Path) -> bpy.types.Object:
    """The head that ships, as high as the picture and beside it, in a light of its own."""
    width = cast.active(scene).width
    made = sample_head.add(scene, "Head", head_file.load_head(path))
    scale = 0.9 * width / made.dimensions.z
    made.scale = (scale, scale, scale)
    made.location = (width, 0.0, -0.45 * width)
    for name, energy, turn in (("Key Light", 2.5, (0.9, 0.0, 0.6)), ("Fill Light", 1.0, (1.1, 0.0, -0.8))):
        data = bpy.data.lights.new(name, "SUN")
        data.energy = energy
        light = bpy.data.objects.new(name, data)
        light.rotation_euler = turn
        scene.collection.objects.link(light)
    return made


def _add_camera(scene: bpy.types.Scene, count: int) -> None:
    """A flat camera in front of the faces, one or two side by side, so that the scene can be rendered as it is."""
    width = cast.active(scene).width
    data = bpy.data.cameras.new("Face Camera")
    data.type = "ORTHO"
    data.ortho_scale = width * count
    camera = bpy.data.objects.new(data.name, data)
    camera.location = ((count - 1) * width / 2, -2.0 * width, 0.0)
    camera.rotation_euler = (1.5707963, 0.0, 0.0)
    scene.collection.objects.link(camera)
    scene.camera = camera
    scene.render.resolution_x, scene.render.resolution_y = 1024 * count, 1024


def hand_off_main(arguments: list[str]) -> int:
    """Reads the command line of `hand-off`, writes the character, and gives the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m blender_addon hand-off",
        description="Writes a character and its animation as glTF or FBX, and imports the file again to prove it.",
    )
    parser.add_argument("--blend", type=Path, required=True, help="the scene; it is not changed")
    parser.add_argument("--object", required=True, help="a mesh or the armature of the character")
    parser.add_argument("--out", type=Path, required=True, help="the .glb or .fbx file")
    parser.add_argument("--frames", type=int, nargs=2, metavar=("FIRST", "LAST"), help="the scene's own if left out")
    given = parser.parse_args(arguments)
    if not given.blend.is_file():
        sys.stderr.write(f"there is no file {given.blend}; give a scene with --blend\n")
        return 2
    try:
        bpy.ops.wm.open_mainfile(filepath=str(given.blend), load_ui=False)
        written = hand_off(given.object, given.out, given.frames and tuple(given.frames))
    except (RuntimeError, OSError, errors.SpeechFaceError) as error:
        sys.stderr.write(f"{str(error).strip()}\n")
        return 2
    if written.set_aside is not None:
        sys.stdout.write(f"{files_of_others.sentence_about(given.out, written.set_aside)}\n")
    sys.stdout.write(
        f"written to {given.out}: frames {written.frame_count}, shape keys {written.key_count}, bones "
        f"{written.bone_count}; imported again, no weight differs by more than {written.largest_error:.6f}\n"
    )
    return 0


def main(arguments: list[str]) -> int:
    """Reads the command line, makes the scene, and gives the exit code."""
    if arguments[:1] == ["rig"]:
        return inspection.main(arguments[1:])
    if arguments[:1] == ["bench"]:
        register()
        try:
            return bench.main(arguments[1:])
        finally:
            unregister()
    if arguments[:1] == ["hand-off"]:
        return hand_off_main(arguments[1:])
    parser = argparse.ArgumentParser(prog="python -m blender_addon", description=__doc__)
    parser.add_argument("speech", type=Path, help="a sound file")
    parser.add_argument("--images", type=Path, nargs="+", default=[], help="1 to 20 photos of one face")
    parser.add_argument("--head", type=Path, help="a head that talks too: backend_server/samples/head.npz")
    parser.add_argument("--out", type=Path, required=True, help="the .blend file")
    parser.add_argument("--fps", type=float, default=25.0, help="frames per second of the scene")
    parser.add_argument("--first-frame", type=int, default=1, help="scene frame on which the sound begins")
    parser.add_argument("--epochs", type=int, default=10, help="rounds of learning the face; 0 for none")
    parser.add_argument("--connection-file", default="", help="of a running backend; without it, one is started")
    parser.add_argument("--size", type=int, choices=protocol.FACE_SIZES, default=256, help="pixels of a picture's side")
    parser.add_argument("--seed", type=int, default=0, help="the same seed gives the same result")
    given = parser.parse_args(arguments)
    register()
    entry = bpy.context.preferences.addons.new()
    entry.module = __package__ or ""
    entry.preferences.connection_file = given.connection_file
    entry.preferences.folder = str(Path(__file__).resolve().parents[1])  # whose .venv holds the backend
    try:
        kept = make_scene(
            given.speech,
            given.images,
            given.out,
            fps=given.fps,
            first_frame=given.first_frame,
            epochs=given.epochs,
            seed=given.seed,
            size=given.size,
            head=given.head,
        )
    except (RuntimeError, OSError, errors.SpeechFaceError) as error:
        sys.stderr.write(f"{str(error).strip()}\n")
        return 2
    finally:
        unregister()
    if kept is not None:
        sys.stdout.write(f"{files_of_others.sentence_about(given.out, kept)}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
