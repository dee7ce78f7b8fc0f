"""Tests that faces which the backend has learnt are listed, used, named, deleted and shared from Blender."""

import numpy as np
import pytest

bpy = pytest.importorskip("bpy", reason="there is no bpy module for this Python")

ANNA, BEN, CARA = "20" * 32, "80" * 32, "f0" * 32


@pytest.fixture
def kept(preferences, fake_backend):
    """A backend that keeps three faces and tells of two at a time."""
    preferences.connection_file = str(fake_backend.connection_file)
    fake_backend.faces_per_answer = 2
    fake_backend.keep_face(ANNA, "Anna")
    fake_backend.keep_face(BEN, "ben.jpg", is_outdated=True)
    fake_backend.keep_face(CARA, "Cara", is_damaged=True)
    return fake_backend


@pytest.fixture
def listed(kept):
    """The same, of which Blender knows."""
    assert bpy.ops.speechface.refresh_faces() == {"FINISHED"}
    return kept


def names():
    return [face.name for face in bpy.context.window_manager.speech_face_faces]


def test_all_faces_are_listed_with_what_is_known_of_them(listed):
    from blender_addon.speakers import learnt_faces

    rows = bpy.context.window_manager.speech_face_faces
    assert names() == ["Anna", "ben.jpg", "Cara"]
    assert [(row.image_count, row.is_outdated, row.is_damaged) for row in rows] == [
        (2, False, False), (2, True, False), (2, False, True),
    ]  # fmt: skip
    shown = learnt_faces._previews[BEN]
    assert tuple(shown.image_size) == (96, 96)
    np.testing.assert_allclose(shown.image_pixels_float[:4], (128 / 255, 128 / 255, 128 / 255, 1), atol=0.01)
    listed.kept_faces.clear()
    bpy.ops.speechface.refresh_faces()
    assert names() == []
    with pytest.raises(RuntimeError, match="No learnt face is listed; press Refresh"):
        bpy.ops.speechface.use_face()


def test_a_learnt_face_speaks_without_photos_and_its_pictures_are_drawn_again(listed, add_strip, character):
    add_strip()
    assert bpy.ops.speechface.use_face(identity=ANNA) == {"FINISHED"}
    assert (character().identity, character().identity_name, character().face_source) == (ANNA, "Anna", "LEARNT")
    assert bpy.ops.speechface.generate() == {"FINISHED"}
    assert bpy.ops.speechface.render_again() == {"FINISHED"}
    assert listed.messages("AdaptRequest") == []
    assert [message.identity for message in listed.messages("AnimateRequest")] == [ANNA]
    assert [message.identity for message in listed.messages("RenderRequest")] == [ANNA]


def test_what_lacks_a_face_says_so(listed, add_strip, character):
    from blender_addon import orders

    add_strip()
    character().face_source = "LEARNT"
    assert orders.disabled_reason(bpy.context) == "Choose one of the learnt faces, or set Face to Photos"
    with pytest.raises(RuntimeError, match="The files of 'Cara' are damaged; learn it again from its photos"):
        bpy.ops.speechface.use_face(identity=CARA)


def test_a_face_that_is_gone_is_said_with_the_ways_out(listed, add_strip, character):
    add_strip()
    bpy.ops.speechface.use_face(identity=ANNA)
    del listed.kept_faces[ANNA]
    with pytest.raises(RuntimeError, match="face 'Anna' is gone from the backend; use another, import it from its fi"):
        bpy.ops.speechface.generate()
    with pytest.raises(RuntimeError, match="Error: No face 20202020; list them"):
        bpy.ops.speechface.rename_face(identity=ANNA, name="Anne")


def test_a_face_gets_a_name_and_goes(listed, character):
    bpy.ops.speechface.use_face(identity=ANNA)
    assert bpy.ops.speechface.rename_face(identity=ANNA, name="Anne") == {"FINISHED"}
    assert names()[0] == character().identity_name == "Anne"
    bpy.context.window_manager.speech_face_active_face = 1
    assert bpy.ops.speechface.rename_face(name="Benjamin") == {"FINISHED"}
    assert names() == ["Anne", "Benjamin", "Cara"]
    assert bpy.ops.speechface.delete_face(identity=CARA) == {"FINISHED"}
    assert bpy.ops.speechface.delete_face(identity=ANNA) == {"FINISHED"}
    assert names() == ["Benjamin"]
    assert list(listed.kept_faces) == [BEN]


def test_a_face_is_shared_as_a_file(listed, tmp_path):
    theirs = tmp_path / "anna.safetensors"
    theirs.write_bytes(b"a month's work")
    assert bpy.ops.speechface.export_face(identity=ANNA, filepath=str(tmp_path / "anna")) == {"FINISHED"}
    assert theirs.read_bytes() == ANNA.encode()
    assert (tmp_path / "anna (kept).safetensors").read_bytes() == b"a month's work"
    del listed.kept_faces[ANNA]
    assert bpy.ops.speechface.import_face(filepath=str(theirs)) == {"FINISHED"}
    assert ANNA in listed.kept_faces
    assert names() == ["imported", "ben.jpg", "Cara"]
    with pytest.raises(RuntimeError, match=r"Cannot read .*none\.safetensors.*; choose another"):
        bpy.ops.speechface.import_face(filepath=str(tmp_path / "none.safetensors"))
    (tmp_path / "empty.safetensors").touch()
    with pytest.raises(RuntimeError, match="has 0 bytes, the file of a face has 1 to 64 MiB"):
        bpy.ops.speechface.import_face(filepath=str(tmp_path / "empty.safetensors"))
    with pytest.raises(RuntimeError, match=r"Cannot write .*; choose another"):
        bpy.ops.speechface.export_face(identity=BEN, filepath=str(tmp_path / "none" / "ben"))


def test_faces_are_managed_while_a_job_runs_which_goes_on(kept, add_strip, add_image, begin):
    add_strip()
    add_image()
    kept.holds = True
    running = begin()
    assert bpy.ops.speechface.refresh_faces() == {"FINISHED"}
    assert names() == ["Anna", "ben.jpg", "Cara"]
    for _ in range(10_000):
        if running.job.steps == 10:
            break
        running.job.tick()
    assert running.job.steps == 10
    assert not running.is_over


def test_in_a_window_a_timer_takes_the_answers(kept, until):
    from blender_addon.speakers import learnt_faces

    asked = learnt_faces.start(bpy.context, learnt_faces.listing())
    assert learnt_faces.last() is asked
    until(lambda: learnt_faces._carry_on() is None)
    assert asked.sentence == "The backend keeps 3 learnt faces"
    assert names() == ["Anna", "ben.jpg", "Cara"]
    refused = learnt_faces.start(bpy.context, learnt_faces.renaming("77" * 32, "X"))
    until(lambda: learnt_faces._carry_on() is None)
    assert refused.error.sentence == "no face 77777777; list them"


def test_a_question_is_asked_again_on_a_new_connection(kept, until):
    from blender_addon.session import session
    from blender_addon.speakers import learnt_faces

    bpy.ops.speechface.start_backend()
    until(lambda: session.poll_idle() or session.client.is_ready)
    kept.is_mute = True
    asked = learnt_faces.start(bpy.context, learnt_faces.listing())
    until(lambda: learnt_faces._carry_on() and kept.messages("ListFaces"))
    kept.is_mute = False
    session.client.reconnect()
    until(lambda: learnt_faces._carry_on() is None)
    assert asked.sentence == "The backend keeps 3 learnt faces"
    assert len({message.id for message in kept.messages("ListFaces")[:2]}) == 1


def test_a_backend_that_is_stopped_ends_the_question(kept, until):
    from blender_addon.session import session
    from blender_addon.speakers import learnt_faces

    kept.is_mute = True
    asked = learnt_faces.start(bpy.context, learnt_faces.listing())
    session.close()
    until(lambda: learnt_faces._carry_on() is None)
    assert asked.error.sentence == "the backend was stopped before it had answered; try again"
