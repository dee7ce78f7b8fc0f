"""Tests that landmarks are found, corrected by hand, kept with the file, and used by the next generation."""

import numpy as np
import pytest

bpy = pytest.importorskip("bpy", reason="there is no bpy module for this Python")

LEFT_CORNER, RIGHT_CORNER = 54, 48


@pytest.fixture
def ready(preferences, fake_backend, add_strip, character):
    """A scene with sound, whose settings make nothing but the character."""
    preferences.connection_file = str(fake_backend.connection_file)
    add_strip(fps=24)
    settings = character()
    settings.use_texture = settings.use_curves = False
    return settings


@pytest.fixture
def head(ready, add_mesh):
    """A character whose names say nothing, with some depth, and two vertices that no landmark is found on."""
    head = add_mesh("Head", ("q1", "q2"))
    for block in head.data.shape_keys.key_blocks:
        block.data[5].co.z -= 0.2
        block.data[10].co.z -= 0.1
    ready.rigging.character = head
    return head


@pytest.fixture
def face(head):
    assert bpy.ops.speechface.find_landmarks() == {"FINISHED"}
    return head_face()


def head_face():
    from blender_addon.rigs import face_landmarks

    return face_landmarks.face_of(bpy.context.scene.speech_face.characters[0].rigging)


def select(mesh, *vertices, active=None):
    """Selects vertices in Edit Mode, as an artist does."""
    import bmesh

    bpy.context.view_layer.objects.active = mesh
    bpy.ops.object.mode_set(mode="EDIT")
    edited = bmesh.from_edit_mesh(mesh.data)
    edited.verts.ensure_lookup_table()
    for vertex in edited.verts:
        vertex.select = vertex.index in vertices
    edited.select_history.clear()
    if active is not None:
        edited.select_history.add(edited.verts[active])
    bmesh.update_edit_mesh(mesh.data)


def resize(mesh, count):
    """Gives a mesh more vertices in Edit Mode."""
    import bmesh

    bpy.context.view_layer.objects.active = mesh
    bpy.ops.object.mode_set(mode="EDIT")
    edited = bmesh.from_edit_mesh(mesh.data)
    for _ in range(count):
        edited.verts.new((0, 0, 1))
    bmesh.update_edit_mesh(mesh.data)
    bpy.ops.object.mode_set(mode="OBJECT")


def test_landmarks_are_found_alone_and_kept_with_their_names(face, head, fake_backend, character):
    settings = character().rigging
    assert [type(message).__name__ for message in fake_backend.received if hasattr(message, "vertices")] == [
        "FindMeshLandmarks"
    ]
    assert fake_backend.messages("AnimateRequest") == []
    assert settings.show_landmarks
    assert [row.vertex for row in face.landmarks] == [number % 16 for number in range(68)]
    assert {row.object for row in face.landmarks} == {head}
    assert (face.landmarks[LEFT_CORNER].name, face.landmarks[8].name) == ("left mouth corner", "chin")
    assert {round(row.confidence, 3) for row in face.landmarks} == {0.5}
    assert not bpy.data.actions


def test_corrected_landmarks_are_used_instead_of_looking_again(face, head, fake_backend):
    select(head, 9)
    assert bpy.ops.speechface.set_landmark(landmark=LEFT_CORNER) == {"FINISHED"}
    assert face.landmarks[LEFT_CORNER].vertex == 9
    bpy.ops.object.mode_set(mode="OBJECT")
    assert bpy.ops.speechface.generate() == {"FINISHED"}
    assert len(fake_backend.messages("FindMeshLandmarks")) == 1
    (animate,) = fake_backend.messages("AnimateRequest")
    places = np.array([(25 * (number % 4), 0.0) for number in [*range(LEFT_CORNER), 9]])  # 100 pixels a metre
    deep = np.array([{5: 20.0, 10: 10.0}.get(number % 16, 0.0) for number in range(LEFT_CORNER)] + [0.0])
    np.testing.assert_allclose(animate.rig_rest[: LEFT_CORNER + 1], places + deep[:, None] * (0, 1), atol=1e-3)
    np.testing.assert_allclose(animate.rig_basis[:, 16], [(0, -10), (0, 0)], atol=1e-3)  # vertex 0, which q1 lifts
    assert animate.rig_confidence[LEFT_CORNER] == 1
    assert np.delete(animate.rig_confidence, LEFT_CORNER).max() == 0.5
    assert [channel.name for channel in animate.mapping.channels] == ["q1", "q2"]
    assert face.landmarks[LEFT_CORNER].vertex == 9  # the generation leaves the corrections
    assert head.data.shape_keys.animation_data.action is not None


def test_uncorrected_landmarks_are_looked_for_again_and_shown(head, fake_backend):
    assert head_face() is None
    bpy.ops.speechface.generate()
    assert head_face().landmarks[20].vertex == 4
    bpy.ops.speechface.generate()
    assert len(fake_backend.messages("FindMeshLandmarks")) == 2


def test_the_active_vertex_of_several_is_taken_else_the_most_central_one(face, head):
    face.active_landmark = RIGHT_CORNER
    select(head, 1, 2, 7, active=7)
    bpy.ops.speechface.set_landmark()
    assert face.landmarks[RIGHT_CORNER].vertex == 7
    select(head, 8, 9, 10)
    bpy.ops.speechface.set_landmark()
    assert face.landmarks[RIGHT_CORNER].vertex == 9
    select(head)
    with pytest.raises(RuntimeError, match="No vertex of 'Head' is selected; select one in Edit Mode"):
        bpy.ops.speechface.set_landmark()
    with pytest.raises(RuntimeError, match="There is no landmark 68; choose 0 to 67"):
        bpy.ops.speechface.set_landmark(landmark=68)
    bpy.ops.object.mode_set(mode="OBJECT")
    for vertex in head.data.vertices:
        vertex.select = vertex.index == 3
    bpy.ops.speechface.set_landmark()  # in Object Mode, as scripts do
    assert face.landmarks[RIGHT_CORNER].vertex == 3


def test_reset_puts_back_what_was_found(face, head):
    from blender_addon.rigs import face_landmarks

    for number in (3, 4, 5):
        face.landmarks[number].vertex = 9
    assert face_landmarks.corrected_count(face) == 3
    assert bpy.ops.speechface.reset_landmarks(landmark=4) == {"FINISHED"}
    assert [face.landmarks[number].vertex for number in (3, 4, 5)] == [9, 4, 9]
    bpy.ops.speechface.reset_landmarks()
    assert face_landmarks.corrected_count(face) == 0


def test_a_saved_file_keeps_the_corrections_and_uses_them(face, head, fake_backend, tmp_path):
    face.landmarks[LEFT_CORNER].vertex = 9
    path = str(tmp_path / "scene.blend")
    bpy.ops.wm.save_as_mainfile(filepath=path)
    bpy.ops.wm.read_homefile(use_factory_startup=True, use_empty=True)
    bpy.ops.wm.open_mainfile(filepath=path)
    bpy.data.objects["Head"].name = "Renamed"
    again = head_face()
    assert (again.landmarks[LEFT_CORNER].vertex, again.landmarks[LEFT_CORNER].found_vertex) == (9, LEFT_CORNER % 16)
    assert bpy.ops.speechface.generate() == {"FINISHED"}
    assert len(fake_backend.messages("FindMeshLandmarks")) == 1
    assert fake_backend.messages("AnimateRequest")[0].rig_confidence[LEFT_CORNER] == 1


def test_a_mesh_with_other_vertices_is_refused_in_one_sentence(face, head, fake_backend):
    from blender_addon import orders

    sentence = "The mesh 'Head' has 18 vertices, and 16 when its landmarks were placed; press Find Landmarks"
    face.landmarks[LEFT_CORNER].vertex = 9
    resize(head, 2)
    assert sentence in orders.disabled_reason(bpy.context)
    assert not bpy.ops.speechface.generate.poll()
    select(head, 9)
    with pytest.raises(RuntimeError, match=sentence):
        bpy.ops.speechface.set_landmark()
    bpy.ops.object.mode_set(mode="OBJECT")
    assert len(fake_backend.messages("FindMeshLandmarks")) == 1
    bpy.ops.speechface.find_landmarks()
    assert orders.disabled_reason(bpy.context) == ""
    resize(head, 1)  # nothing is corrected, so it is looked for anew
    assert bpy.ops.speechface.generate() == {"FINISHED"}
    head_face().landmarks[3].vertex = 99
    assert "The landmark 'right jaw line, 4' lies on vertex 99 of 'Head', which has 19" in orders.disabled_reason(
        bpy.context
    )


def test_a_mesh_that_is_hidden_or_gone_is_said(face, head, add_mesh):
    other = add_mesh("Mask", parent=head)
    face.landmarks[3].object = other
    other.hide_viewport = True
    with pytest.raises(
        RuntimeError, match="The landmark 'right jaw line, 4' lies on 'Mask', which is none of the mesh"
    ):
        bpy.ops.speechface.generate()
    bpy.data.objects.remove(other)
    with pytest.raises(RuntimeError, match="lies on a mesh that is gone, which is none of the meshes that 'Head' show"):
        bpy.ops.speechface.generate()
    bpy.ops.speechface.reset_landmarks()
    assert bpy.ops.speechface.generate() == {"FINISHED"}


PLACES = {
    "moved": {"location": (1, 2, 3)},
    "turned": {"rotation_euler": (0.4, -0.8, 2.1)},
    "scaled": {"scale": (3, 3, 3)},
    "mirrored": {"scale": (-1, 1, 1), "rotation_euler": (0, 0, 1)},
}


@pytest.mark.parametrize("place", PLACES)
def test_a_head_that_was_moved_since_is_still_seen_from_its_front(face, head, fake_backend, place):
    face.landmarks[LEFT_CORNER].vertex = 9
    bpy.ops.speechface.generate()
    for name, value in PLACES[place].items():
        setattr(head, name, value)
    bpy.context.view_layer.update()
    bpy.ops.speechface.generate()
    first, second = fake_backend.messages("AnimateRequest")
    rest = [animate.rig_rest - animate.rig_rest.mean(axis=0) for animate in (first, second)]
    np.testing.assert_allclose(rest[1], rest[0], atol=1e-3)
    np.testing.assert_allclose(second.rig_basis, first.rig_basis, atol=1e-3)


def test_each_character_keeps_its_own(face, head, ready, add_mesh):
    face.landmarks[LEFT_CORNER].vertex = 9
    other = add_mesh("Other", ("q1", "q2"))
    ready.rigging.character = other
    assert head_face() is None
    assert not bpy.ops.speechface.set_landmark.poll()
    bpy.ops.speechface.find_landmarks()
    assert {row.object for row in head_face().landmarks} == {other}
    ready.rigging.character = head
    assert head_face().landmarks[LEFT_CORNER].vertex == 9


def test_a_mesh_that_bones_move_takes_landmarks_through_its_modifiers(ready, add_mesh, add_armature):
    rig = add_armature(bones=("b0", "b1"))
    mesh = add_mesh("Head", parent=rig)
    mesh.vertex_groups.new(name="b1").add(list(range(16)), 1, "REPLACE")
    mesh.modifiers.new("Armature", "ARMATURE").object = rig
    mesh.modifiers.new("Subdivision", "SUBSURF")
    ready.rigging.character = rig
    assert bpy.ops.speechface.find_landmarks() == {"FINISHED"}
    face = head_face()
    assert {row.object.name for row in face.landmarks} == {"Head"}
    count = len(mesh.evaluated_get(bpy.context.evaluated_depsgraph_get()).data.vertices)
    assert [record.vertex_count for record in face.meshes] == [count]
    select(mesh, 10)
    bpy.ops.speechface.set_landmark(landmark=LEFT_CORNER)
    assert mesh.mode == "EDIT"
    bpy.ops.object.mode_set(mode="OBJECT")
    vertex = mesh.evaluated_get(bpy.context.evaluated_depsgraph_get()).data.vertices[face.landmarks[54].vertex]
    assert (vertex.co - mesh.data.vertices[10].co).length < 0.1
    mesh.modifiers["Subdivision"].levels = 2
    with pytest.raises(RuntimeError, match=f"The mesh 'Head' has .* vertices, and {count} when its landmarks were pl"):
        bpy.ops.speechface.generate()


def test_a_search_that_is_cancelled_or_fails_changes_nothing(face, head, fake_backend):
    from blender_addon import generation
    from blender_addon._shared import errors
    from blender_addon.rigs import landmark_search
    from blender_addon.session import session

    face.landmarks[LEFT_CORNER].vertex = 9
    fake_backend.holds = True
    landmark_search.begin(bpy.context)
    assert not bpy.ops.speechface.find_landmarks.poll()
    assert bpy.ops.speechface.cancel() == {"FINISHED"}
    with pytest.raises(errors.Cancelled):
        generation.end_at_once(bpy.context)
    fake_backend.holds = False
    search = landmark_search.begin(bpy.context)
    search.job.run_until_done(20)
    resize(head, 1)
    with pytest.raises(errors.SpeechFaceError, match="the meshes of 'Head' were changed meanwhile"):
        generation.end_at_once(bpy.context)
    assert session.generation is None
    assert face.landmarks[LEFT_CORNER].vertex == 9


def test_landmarks_are_not_looked_for_without_need(ready, add_mesh):
    from blender_addon.rigs import landmark_search

    assert landmark_search.disabled_reason(bpy.context) == "Choose a character first"
    ready.rigging.character = add_mesh("Head", ("jawOpen", "mouthPucker", "mouthFunnel", "mouthSmileLeft"))
    ready.rigging.method = "NAMES"
    assert "The names of its channels are known" in landmark_search.disabled_reason(bpy.context)
    assert not bpy.ops.speechface.find_landmarks.poll()
