# pyright: reportAttributeAccessIssue=false, reportOptionalMemberAccess=false
"""Makes a talking face in Blender without a window, by the operators that the panel's buttons call.

    blender -b --python examples/blender_headless.py -- hello.wav me.jpg out.blend

The add-on must be enabled and have a backend (Preferences > Add-ons > Speech Face). Without photos, curves alone are
made. Every operator waits until its work is done, as there is no window; one that fails raises RuntimeError.
"""

import sys
from pathlib import Path

import bpy


def main(speech: Path, photos: list[Path], out: Path) -> None:
    """Adds a character, generates, and saves the scene."""
    bpy.ops.wm.save_as_mainfile(filepath=str(out))  # first, so that the pictures lie beside it
    bpy.ops.speechface.add_character(name=speech.stem)
    bpy.ops.speechface.add_sound_file(filepath=str(speech))
    character = bpy.context.scene.speech_face.characters[-1]
    character.use_texture = bool(photos)
    for photo in photos:
        bpy.ops.speechface.add_images(directory=str(photo.parent), files=[{"name": photo.name}])
    bpy.ops.speechface.generate()
    bpy.ops.wm.save_mainfile()
    print(f"{out}: {character.rig.name} has keys from {character.rig.animation_data.action.frame_range[:]}")


if __name__ == "__main__":
    given = [Path(argument).absolute() for argument in sys.argv[sys.argv.index("--") + 1 :]]
    if len(given) < 2:
        sys.exit("give a sound file, photos if you like, and the .blend file to write, after --")
    main(given[0], given[1:-1], given[-1])
