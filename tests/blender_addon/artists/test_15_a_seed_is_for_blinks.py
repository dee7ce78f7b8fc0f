"""Complaint: a new seed, for other blinks, learnt the face anew."""

import pytest

bpy = pytest.importorskip("bpy", reason="there is no bpy module for this Python")


def test_the_face_is_asked_for_in_the_same_way_under_every_seed(
    preferences, fake_backend, add_image, add_strip, speech_file, character
):
    preferences.connection_file = str(fake_backend.connection_file)
    add_image()
    add_strip(path=speech_file(0.5))
    for seed in (1, 2):
        character().seed = seed
        assert bpy.ops.speechface.generate() == {"FINISHED"}
    faces, motions = fake_backend.messages("AdaptRequest"), fake_backend.messages("AnimateRequest")
    assert len({(face.seed, face.epochs, face.images[0].tobytes()) for face in faces}) == 1  # what names a learnt face
    assert [motion.seed for motion in motions] == [1, 2]
