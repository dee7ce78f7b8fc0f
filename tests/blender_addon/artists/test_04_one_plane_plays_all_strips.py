"""Complaint: with two strips on one character the plane kept only the last strip's pictures."""

import pytest

bpy = pytest.importorskip("bpy", reason="there is no bpy module for this Python")


def test_each_strip_has_its_pictures_at_its_place_and_nothing_between(
    preferences, fake_backend, add_image, add_strip, speech_file, character
):
    from blender_addon.pictures import texture_plane
    from blender_addon.pictures.png_writer import decode_png
    from blender_addon.speakers import cast

    preferences.connection_file = str(fake_backend.connection_file)
    add_image()
    for start in (1, 41):
        strip = add_strip(start=start, path=speech_file(1.0), name=f"Line {start}")
        cast.add_voice(character(), bpy.context.scene, strip)
    assert bpy.ops.speechface.generate() == {"FINISHED"}
    plane = character().plane
    sequence = texture_plane.sequence_of(plane)
    assert sequence.frames == range(1, 65)
    user = texture_plane.image_node(plane).image_user
    assert (user.frame_start, user.frame_duration) == (1, 64)
    for frame, expected in ((1, 0), (24, 23), (41, 0), (64, 23)):
        assert decode_png(sequence.path(frame).read_bytes())[0, 0, 0] == expected  # the number of the picture
    for frame in (25, 40):
        assert not decode_png(sequence.path(frame).read_bytes()).any()
    character().voices[0].is_used = False
    assert bpy.ops.speechface.generate() == {"FINISHED"}  # the second one again
    assert texture_plane.sequence_of(character().plane).frames == range(1, 65)
    assert len([item for item in bpy.data.objects if texture_plane.is_plane(item)]) == 1
