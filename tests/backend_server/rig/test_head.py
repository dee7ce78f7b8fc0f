import dataclasses
import subprocess
import sys

import numpy as np
import pytest

from backend_server.rig.head import COLOURS, SAMPLE, load_head, load_sample_head, save_head
from shared.arkit import SHAPES
from shared.errors import ShapeError, SpeechFaceError


@pytest.fixture(scope="module")
def head():
    return load_sample_head()


def weights(**values):
    return np.array([values.get(name, 0.0) for name in SHAPES])


def test_the_sample_has_arkits_shapes_and_all_parts_and_is_small(head):
    assert head.shapes == SHAPES
    assert sorted(set(np.take(head.parts, head.face_parts))) == sorted(COLOURS)
    assert head.deltas.shape == (52, len(head.vertices), 3)
    assert (np.abs(head.deltas).max((1, 2)) > 0.002).all()  # every shape moves something by two millimetres
    assert SAMPLE.stat().st_size < 2 * 2**20


def test_the_sample_stands_as_blender_wants_it(head):
    low, high = head.vertices.min(0), head.vertices.max(0)
    assert low[2] == 0
    assert 0.2 < high[2] < 0.35
    left, right, nose = (head.vertices[head.vertices_of(part)].mean(0) for part in ("left_eye", "right_eye", "lips"))
    assert left[0] > 0.02
    assert right[0] < -0.02
    assert nose[1] < -0.05


@pytest.mark.parametrize("name", [name for name in SHAPES if name.startswith("eye")])
def test_left_and_right_are_the_persons_own(head, name):
    moved = np.linalg.norm(head.deltas[head.shapes.index(name)], axis=1)
    middle = (moved @ head.vertices[:, 0]) / moved.sum()
    assert middle * (1 if name.endswith("Left") else -1) > 0.02


def test_jaw_and_mouth_go_to_the_persons_own_side(head):
    for name, sign in (("jawLeft", 1), ("jawRight", -1), ("mouthLeft", 1), ("mouthRight", -1)):
        delta = head.deltas[head.shapes.index(name)]
        assert sign * delta[np.abs(delta[:, 0]).argmax(), 0] > 0.003


def test_the_jaw_takes_lower_teeth_and_tongue_along(head):
    opened = head.deltas[head.shapes.index("jawOpen")][:, 2]
    assert opened[head.vertices_of("lower_teeth")].max() < -0.005
    assert opened[head.vertices_of("tongue")].mean() < -0.003
    assert not opened[head.vertices_of("upper_teeth")].any()


def test_eyes_turn_about_their_centres(head):
    white, pupil = head.vertices_of("left_eye"), head.vertices_of("pupil")
    pupil, back = pupil[head.vertices[pupil, 0] > 0], white[head.vertices[white, 1].argmax()]
    for name, axis, sign in (("eyeLookInLeft", 0, -1), ("eyeLookOutLeft", 0, 1), ("eyeLookUpLeft", 2, 1)):
        delta = head.deltas[head.shapes.index(name)]
        assert sign * delta[pupil, axis].mean() > 0.002
        assert sign * delta[back, axis] < -0.002


def test_posed_adds_the_shapes_by_their_weights(head):
    opened, both = weights(jawOpen=0.5), weights(jawOpen=0.5, tongueOut=1.0)
    film = head.posed(np.stack([weights(), opened, both]))
    assert film.shape == (3, len(head.vertices), 3)
    assert np.array_equal(film[0], head.vertices)
    jaw, tongue = (head.deltas[head.shapes.index(name)] for name in ("jawOpen", "tongueOut"))
    assert np.allclose(film[2], head.vertices + 0.5 * jaw + tongue, atol=1e-7)
    assert np.allclose(head.posed(opened), film[1], atol=1e-7)


def test_triangles_are_the_halves_of_the_faces_with_their_colours(head):
    assert len(head.triangles) == len(head.colours) == 2 * len(head.faces)
    assert set(head.triangles[8]) | set(head.triangles[9]) == set(head.faces[4])
    assert np.allclose(head.colours[-1], COLOURS[head.parts[head.face_parts[-1]]])


def test_wrong_weights_and_parts_are_named(head):
    with pytest.raises(ShapeError, match=r"expected weights \(52,\) or \(T, 52\), got \(51,\)"):
        head.posed(np.zeros(51))
    with pytest.raises(ShapeError, match="no part beard; it has skin"):
        head.vertices_of("skin", "beard")


def test_a_head_survives_a_round_trip_with_the_same_bytes(head, tmp_path):
    save_head(head, tmp_path / "a.npz")
    again = load_head(tmp_path / "a.npz")
    save_head(again, tmp_path / "b.npz")
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()
    for field in dataclasses.fields(head):
        assert np.array_equal(getattr(head, field.name), getattr(again, field.name))


def test_damaged_and_other_files_are_refused_with_a_sentence(head, tmp_path):
    (tmp_path / "cut.npz").write_bytes(SAMPLE.read_bytes()[:5000])
    np.savez(tmp_path / "other.npz", a=1)
    for name in ("cut", "other", "missing"):
        with pytest.raises(SpeechFaceError, match=rf"cannot read the head .*{name}.npz: .*copy it again"):
            load_head(tmp_path / f"{name}.npz")
    save_head(dataclasses.replace(head, shapes=("a", *SHAPES[1:])), tmp_path / "named.npz")
    with pytest.raises(SpeechFaceError, match="52 shapes that are not ARKit's"):
        load_head(tmp_path / "named.npz")


def test_the_sample_loads_without_torch_and_mediapipe():
    script = "import sys; from backend_server.rig.head import load_sample_head; load_sample_head(); print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout.split()
    assert "numpy" in loaded
    assert not {"torch", "mediapipe", "cv2", "scipy"} & set(loaded)
