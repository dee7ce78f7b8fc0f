"""Tests that pictures have the size that an artist chooses, also when they are drawn again, and fill no memory."""

from types import SimpleNamespace

import numpy as np
import pytest

bpy = pytest.importorskip("bpy", reason="there is no bpy module for this Python")


@pytest.fixture
def ready(preferences, fake_backend, add_image, add_strip, character):
    """A character with a photo and a strip of 20 frames."""
    preferences.connection_file = str(fake_backend.connection_file)
    add_image()
    add_strip(start=1, fps=5)
    return character()


def sides_of(character):
    """Pixels of the picture of each scene frame, as Blender reads it."""
    from blender_addon.pictures import texture_plane

    sequence = texture_plane.sequence_of(character.plane)
    return [tuple(bpy.data.images.load(str(sequence.path(frame))).size) for frame in sequence.frames]


@pytest.mark.parametrize("size", ["256", "512", "1024"])
def test_pictures_have_the_size_that_was_chosen_and_nothing_else_changes(ready, fake_backend, size):
    from blender_addon.coordinates import CropPlane
    from blender_addon.rigs import landmark_rig

    assert ready.size == "256"
    ready.size, ready.width = size, 2.0
    assert bpy.ops.speechface.generate() == {"FINISHED"}
    assert fake_backend.messages("AnimateRequest")[0].size == int(size)
    assert sides_of(ready) == [(int(size), int(size))] * 20
    assert ready.plane.dimensions.x == pytest.approx(2.0)
    bpy.context.scene.frame_set(1)
    posed = CropPlane(2.0).to_pixels(np.array(landmark_rig.posed(bpy.context.scene, ready.rig)))
    np.testing.assert_allclose(posed, fake_backend.turned(20, 0.3)[0], atol=1e-3)


def test_pictures_are_drawn_again_in_the_size_that_is_chosen_now(ready, fake_backend, character):
    assert bpy.ops.speechface.generate() == {"FINISHED"}
    character().size = "512"
    assert bpy.ops.speechface.render_again(use_range=True, first=3, last=4) == {"FINISHED"}
    assert fake_backend.messages("RenderRequest")[0].size == 512
    assert [width for width, _ in sides_of(character())[:6]] == [256, 256, 512, 512, 256, 256]


def test_so_many_bytes_of_pictures_wait_at_most(addon, tmp_path):
    from blender_addon.orders import Order
    from blender_addon.pictures.incoming_pictures import IncomingPictures
    from blender_addon.pictures.picture_folder import PictureFolder

    job = SimpleNamespace(error=None, is_over=False, ticks=0)
    job.tick = lambda: setattr(job, "ticks", job.ticks + 1)
    pictures = IncomingPictures(PictureFolder(tmp_path, "face"), Order(-1, "", "", "", ""), range(17), 1.0)
    pictures.take(np.zeros((17, 1024, 1024, 4), np.uint8))
    for ticks, written in ((0, 1), (0, 2), (1, 3)):  # 68 MiB wait, then 64, then 60
        pictures.carry_on(job, budget=0.0)
        assert (job.ticks, pictures.folder.count) == (ticks, written)
    pictures.carry_on(job, budget=None)
    assert pictures.folder.count == 17
    pictures.discard()


class Layout:
    """Remembers which properties are drawn."""

    def __init__(self):
        self.drawn = []

    def column(self, **_):
        return self

    row = column

    def prop(self, _data, name, **_):
        self.drawn.append(name)


@pytest.mark.parametrize("is_wanted", [True, False])
def test_the_size_stands_beside_what_else_is_said_of_a_picture(ready, is_wanted):
    from blender_addon import panels

    ready.use_texture = is_wanted
    layout = Layout()
    panels._draw_targets(layout, ready)
    place = layout.drawn.index("width")
    assert ("size" in layout.drawn) == is_wanted
    if is_wanted:
        assert layout.drawn[place : place + 4] == ["width", "size", "shading", "between"]
