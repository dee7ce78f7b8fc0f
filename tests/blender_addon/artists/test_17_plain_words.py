"""Complaint: "Image 1 of 1" instead of the photo's name, and words of the trade: Epochs, Adapt."""

import re
from pathlib import Path

import numpy as np
import pytest

bpy = pytest.importorskip("bpy", reason="there is no bpy module for this Python")

ROOT = Path(__file__).parents[3]
TRADE = re.compile(r"\b(epochs?|adapt\w*|fine-?tun\w*|inference|checkpoints?|tensors?|job)\b", re.IGNORECASE)
STAGES = re.compile(r"progress\(\s*\"([\w -]+)\"")


def test_no_label_or_tooltip_has_a_word_of_the_trade(addon):
    found = []
    for name in dir(bpy.types):
        if not name.startswith("SPEECHFACE_"):
            continue
        rna = getattr(bpy.types, name).bl_rna
        texts = [rna.name, rna.description]
        for prop in rna.properties:
            texts += [prop.name, prop.description]
            if prop.type == "ENUM":
                texts += [text for item in prop.enum_items for text in (item.name, item.description)]
        found += [(name, text) for text in texts if TRADE.search(text or "")]
    assert found == []


def test_every_stage_of_the_backend_has_a_plain_name(addon):
    from blender_addon import stages

    told = set()
    for path in ("cascade.py", "face/reference.py", "motion/controls.py", "rig/landmarks.py", "speech/recording.py"):
        told |= set(STAGES.findall((ROOT / "backend_server" / path).read_text("utf-8")))
    for path in ("texture/render.py", "texture/learning/fine_tuning.py", "service/work/job_run.py"):
        told |= set(STAGES.findall((ROOT / "backend_server" / path).read_text("utf-8")))
    assert {"adapt", "face", "motion", "texture", "look"} <= told
    for stage in told:
        label = stages.label(stage)
        assert label.lower() != stage and label[0].isupper() and not TRADE.search(label), label
    assert stages.label("unpacking CUDA kernels") == "Unpacking CUDA kernels"


def test_the_backend_is_told_the_names_of_the_photos(
    preferences, fake_backend, add_image, add_strip, speech_file, tmp_path
):
    from blender_addon.pictures.png_writer import encode_png

    preferences.connection_file = str(fake_backend.connection_file)
    add_image(name="painted")
    path = tmp_path / "anna at the sea.png"
    path.write_bytes(encode_png(np.zeros((32, 32, 3), np.uint8)))
    bpy.ops.speechface.add_images(directory=str(tmp_path), files=[{"name": path.name}])
    add_strip(path=speech_file(0.5))
    assert bpy.ops.speechface.generate() == {"FINISHED"}
    assert fake_backend.messages("AdaptRequest")[0].names == ("painted", path.name)
