import io
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from backend_server.texture import render as render_module
from backend_server.texture.colours import are_grey, to_grey
from backend_server.texture.learning.fine_tuning import adapt
from backend_server.texture.networks.presets import build_generator
from backend_server.texture.render import render, tuned_generator


def in_grey(faces):
    grey = np.repeat(faces.crops.mean(-1, keepdims=True), 3, axis=-1).astype(np.uint8)
    return replace(faces, crops=grey, foreground=grey[0])


def test_grey_references_are_told_from_coloured_ones(drawn_faces):
    coloured = drawn_faces(2)
    grey = in_grey(coloured)
    assert are_grey(grey)
    assert not are_grey(coloured)
    assert not are_grey(replace(grey, crops=np.stack([grey.crops[0], coloured.crops[1]])))
    before_a_wall = grey.crops.copy()
    before_a_wall[grey.mattes == 0] = (30, 120, 200)
    assert are_grey(replace(grey, crops=before_a_wall))
    lips = grey.crops.copy()
    lips[:, 170:190, 108:148] = (180, 60, 70)  # coloured by hand
    assert not are_grey(replace(grey, crops=lips))


def test_what_jpeg_makes_of_grey_is_grey(drawn_faces):
    grey = in_grey(drawn_faces(1))
    buffer = io.BytesIO()
    tinted = np.clip(grey.crops[0] + np.array([1, 0, -1]), 0, 255).astype(np.uint8)
    Image.fromarray(tinted).save(buffer, "JPEG", quality=60)
    with Image.open(buffer) as opened:
        read = np.asarray(opened.convert("RGB"))
    assert np.ptp(read, axis=2).max() > 0
    assert are_grey(replace(grey, crops=read[None]))


def test_the_luminance_by_hand():
    picture = torch.tensor([1.0, 0.5, -1.0])[None, :, None, None]
    np.testing.assert_allclose(to_grey(picture)[0, :, 0, 0], np.full(3, 0.2126 + 0.5 * 0.7152 - 0.0722), atol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("preset", ["warp", "paper"])
def test_grey_pictures_stay_grey_through_learning_and_rendering(drawn_faces, small_configs, preset, monkeypatch):
    torch.manual_seed(0)
    generator = build_generator(small_configs[preset])
    faces = in_grey(drawn_faces(2))
    identity = adapt(generator, faces, epochs=1, seed=0, weights_version="v1")
    tuned = tuned_generator(generator, identity)
    made = np.concatenate(list(render(tuned, faces, faces.landmarks)))
    assert np.ptp(made[..., :3], axis=-1).max() == 0
    monkeypatch.setattr(render_module, "are_grey", lambda _: False)
    tinted = np.concatenate(list(render(tuned, faces, faces.landmarks)))[..., :3]
    assert np.ptp(tinted, axis=-1).max() > 2  # the network itself does not keep them grey
