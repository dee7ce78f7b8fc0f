"""Tests with the real backend that of two faces in one photo the chosen one is learnt, kept and used again."""

import os
import subprocess
from pathlib import Path

import numpy as np
import pytest

bpy = pytest.importorskip("bpy", reason="there is no bpy module for this Python")

ROOT = Path(__file__).resolve().parents[2]
WEIGHTS = ROOT / "backend_server" / "weights"
PYTHON = Path(os.environ.get("SPEECH_FACE_PYTHON") or ROOT / ".venv/bin/python")
# The portrait twice side by side, the right one smaller and mirrored; then the same as a camera held sideways has it.
WRITE = """
import sys
from pathlib import Path
from PIL import Image, ImageOps
from backend_server.identities.pictures import portrait_path
one = Image.open(portrait_path()).convert("RGB")
other = ImageOps.mirror(one).resize((one.width * 4 // 5, one.height * 4 // 5))
both = Image.new("RGB", (one.width + other.width, one.height), (128, 128, 128))
both.paste(one, (0, 0))
both.paste(other, (one.width, 0))
folder = Path(sys.argv[1])
both.save(folder / "both.png")
notes = both.getexif()
notes[0x0112] = 6
both.transpose(Image.Transpose.ROTATE_90).save(folder / "held.jpg", quality=95, exif=notes.tobytes())
"""

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not PYTHON.is_file(), reason=f"{PYTHON} does not exist; set SPEECH_FACE_PYTHON"),
    pytest.mark.skipif(len(list(WEIGHTS.glob("*.safetensors"))) < 4, reason="networks are missing; train them first"),
]


@pytest.fixture
def pictures(tmp_path):
    """The folder with both pictures."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    subprocess.run([str(PYTHON), "-c", WRITE, str(tmp_path)], env=environment, cwd=ROOT, check=True)
    return tmp_path


def test_the_chosen_one_of_two_faces_is_learnt_and_used_again(own_backend, pictures, character):
    from blender_addon.session import session
    from blender_addon.speakers import photo_landmarks
    from blender_addon.speakers.photo_view import PhotoView

    scene, wanted = bpy.context.scene, character()
    scene.render.fps = 25
    speech = ROOT / "backend_server" / "samples" / "speech.wav"
    strip = scene.sequence_editor_create().strips.new_sound("Voice", str(speech), 1, 1)
    strip.frame_final_end = 6
    for name in ("both.png", "held.jpg"):
        wanted.images.add().image = bpy.data.images.load(str(pictures / name))
    wanted.epochs = 0
    assert bpy.ops.speechface.find_photo_landmarks() == {"FINISHED"}
    both, held = wanted.images
    assert (len(both.faces), both.taken, held.orientation) == (2, 0, 6)
    assert "both.png" in " ".join(session.notes)  # that there are two is said
    assert (held.width, held.height) == (both.width, both.height) == (held.image.size[1], held.image.size[0])
    left = photo_landmarks.places(both)
    np.testing.assert_allclose(photo_landmarks.places(held), left, atol=0.02 * both.height)
    lying = PhotoView((0, 0), held.image.size).seen(held, left[8:9])[0]  # the chin, as Blender shows it: on its side
    np.testing.assert_allclose(lying, (left[8, 1] + 0.5, left[8, 0] + 0.5), atol=0.02 * both.height)
    wanted.images.remove(1)
    assert bpy.ops.speechface.choose_photo_face(photo=0, face=1) == {"FINISHED"}
    right = photo_landmarks.places(wanted.images[0])
    assert right[:, 0].min() > left[:, 0].max()

    nose = right[30] + (3, 0)
    bpy.ops.speechface.set_photo_landmark(photo=0, landmark=30, x=nose[0], y=nose[1])
    assert bpy.ops.speechface.generate() == {"FINISHED"}
    assert bpy.ops.speechface.refresh_faces() == {"FINISHED"}
    (face,) = bpy.context.window_manager.speech_face_faces
    assert (face.name, face.image_count, face.is_damaged) == ("both.png", 1, False)
    assert bpy.ops.speechface.rename_face(name="Right") == {"FINISHED"}
    shared = pictures / "right.safetensors"
    assert bpy.ops.speechface.export_face(filepath=str(shared)) == {"FINISHED"}
    assert bpy.ops.speechface.use_face() == {"FINISHED"}
    wanted.images.clear()
    assert bpy.ops.speechface.delete_face() == {"FINISHED"}
    with pytest.raises(RuntimeError, match="The learnt face 'Right' is gone from the backend"):
        bpy.ops.speechface.generate()
    assert bpy.ops.speechface.import_face(filepath=str(shared)) == {"FINISHED"}
    assert bpy.ops.speechface.generate() == {"FINISHED"}
