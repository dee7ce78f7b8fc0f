import dataclasses
import subprocess
import sys

import numpy as np
import pytest

from backend_server.rig.head import COLOURS, SAMPLE, load_sample_head, save_head, triangle_colours
from shared.arkit import SHAPES
from shared.rig.head_file import load_head


@pytest.fixture(scope="module")
def head():
    return load_sample_head()


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


def test_triangles_have_the_colours_of_their_parts(head):
    assert len(triangle_colours(head)) == len(head.triangles)
    assert np.allclose(triangle_colours(head)[-1], COLOURS[head.parts[head.face_parts[-1]]])


def test_a_head_survives_a_round_trip_with_the_same_bytes(head, tmp_path):
    save_head(head, tmp_path / "a.npz")
    again = load_head(tmp_path / "a.npz")
    save_head(again, tmp_path / "b.npz")
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()
    for field in dataclasses.fields(head):
        assert np.array_equal(getattr(head, field.name), getattr(again, field.name))


def test_the_sample_loads_without_torch_and_mediapipe():
    script = "import sys; from backend_server.rig.head import load_sample_head; load_sample_head(); print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout.split()
    assert "numpy" in loaded
    assert not {"torch", "mediapipe", "cv2", "scipy"} & set(loaded)
