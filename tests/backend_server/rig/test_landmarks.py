import numpy as np
import pytest

from backend_server.data.mpfb.body import make_body
from backend_server.data.mpfb.people import Person
from backend_server.data.mpfb.right_vertices import right_vertices
from backend_server.evaluation.mesh_landmarks import distances
from backend_server.face.detector import FaceDetector
from backend_server.rig.head import load_sample_head
from backend_server.rig.landmarks import find_landmarks
from shared.errors import FaceError, NoFaceError, ShapeError
from shared.landmarks import INNER_LIPS, LEFT_EYE, MIRROR, RIGHT_EYE

INNER_UPPER, INNER_LOWER = [61, 62, 63], [65, 66, 67]
UPPER_LIDS, LOWER_LIDS = [37, 38, 43, 44], [40, 41, 46, 47]
Y_UP = np.array([[1, 0, 0], [0, 0, 1], [0, -1, 0]])


@pytest.fixture(scope="module")
def detector():
    with FaceDetector() as detector:
        yield detector


@pytest.fixture(scope="module")
def head():
    return load_sample_head()


@pytest.fixture(scope="module")
def found(head, detector):
    return find_landmarks(head.vertices, head.triangles, detector)


def moved(head, found, *names):
    """How far the landmarks (68, 3) move by shapes, in millimetres."""
    return 1000 * sum(head.deltas[head.shapes.index(name)][found.vertices] for name in names)


def side_of(points):
    return np.ptp(points, axis=0).max()


def check_correspondence(head, found):
    """Lips and lids are told apart by what the shapes move."""
    opened, shut = moved(head, found, "jawOpen")[:, 2], moved(head, found, "eyeBlinkLeft", "eyeBlinkRight")[:, 2]
    assert (opened[INNER_LOWER] < -10).all()
    assert (opened[INNER_UPPER] > -6).all()
    assert opened[INNER_LOWER].max() < opened[INNER_UPPER].min() - 10
    assert opened[8] < -10  # the chin
    assert (shut[UPPER_LIDS] < -4).all()
    assert (np.abs(shut[LOWER_LIDS]) < 2).all()


def test_upper_and_lower_lips_and_lids_are_told_apart_on_a_closed_mouth(head, found):
    check_correspondence(head, found)
    assert np.linalg.norm(found.points[62] - found.points[66]) < 0.03 * side_of(found.points)  # it is closed


def test_landmarks_lie_on_the_skin_where_the_detector_sees_them(head, found):
    placed = found.view.project(head.vertices[found.vertices])[:, :2]
    distance = np.linalg.norm(placed - found.points, axis=1) / side_of(found.points)
    assert distance.max() < 0.05
    assert distance.mean() < 0.015
    assert np.isin(found.vertices, head.vertices_of("skin", "lips")).all()
    assert found.confidence.min() > 0.5
    assert found.confidence.mean() > 0.85
    assert found.picture.shape == (found.view.size, found.view.size, 3)


def test_right_and_left_are_the_persons_own(head, found):
    x = head.vertices[found.vertices, 0]
    assert (x[RIGHT_EYE] < -0.01).all()
    assert (x[LEFT_EYE] > 0.01).all()
    assert np.abs(x + x[MIRROR]).max() < 0.008  # nearly symmetrical, as the sample is


@pytest.mark.parametrize(
    "matrix",
    [
        [[1, 0, 0], [0, 0, 1], [0, -1, 0]],  # Y up, facing +Z: glTF
        [[0, 0, 1], [1, 0, 0], [0, 1, 0]],  # X up, facing -Z
        [[-1, 0, 0], [0, 1, 0], [0, 0, -1]],  # upside down
        [[0, -1, 0], [1, 0, 0], [0, 0, 1]],  # facing +X
    ],
)
def test_a_mesh_may_lie_in_any_pose_and_unit(head, found, detector, matrix):
    turned = 37.0 * head.vertices @ np.transpose(matrix) + (5, -300, 20)
    again = find_landmarks(turned, head.triangles, detector)
    check_correspondence(head, again)
    apart = np.linalg.norm(head.vertices[again.vertices] - head.vertices[found.vertices], axis=1)
    assert apart.mean() < 0.004


def test_on_a_mirrored_mesh_right_is_what_looks_right(head, detector):
    again = find_landmarks(head.vertices * (-1, 1, 1), head.triangles, detector)
    check_correspondence(head, again)
    assert (head.vertices[again.vertices[RIGHT_EYE], 0] > 0.01).all()


def test_a_head_that_is_turned_is_looked_at_from_its_own_front(head, found, detector):
    turn = np.radians(30)
    matrix = np.array([[np.cos(turn), -np.sin(turn), 0], [np.sin(turn), np.cos(turn), 0], [0, 0, 1]])
    again = find_landmarks(head.vertices @ matrix.T, head.triangles, detector)
    check_correspondence(head, again)
    front = -again.view.axes[2] @ matrix  # in the head's own axes, where it faces -Y
    assert np.degrees(np.arccos(-front[1])) < 15


def test_vertices_that_are_not_joined_are_one_skin(head, found, detector):
    """Exporters split vertices at seams and hard edges: at worst, no two triangles share one."""
    soup = head.vertices[head.triangles].reshape(-1, 3)
    again = find_landmarks(soup, np.arange(len(soup)).reshape(-1, 3), detector)
    apart = np.linalg.norm(soup[again.vertices] - head.vertices[found.vertices], axis=1)
    assert apart.max() < 1e-6


@pytest.mark.parametrize("first", [1, -1])
def test_lips_that_lie_on_each_other_stay_two(head, detector, first):
    """Vertices of both lips at the same places, as in characters whose mouth was modelled shut; either lip first."""
    opened = -head.deltas[head.shapes.index("jawOpen")][:, 2]
    vertices = head.vertices.copy()
    lips = head.vertices_of("lips")
    upper, lower = lips[opened[lips] < 0.01], lips[opened[lips] > 0.01]
    apart = np.linalg.norm(vertices[lower, None] - vertices[upper], axis=2)
    touching = apart.min(1) < 0.003
    vertices[lower[touching]] = vertices[upper[apart.argmin(1)[touching]]]
    assert touching.sum() > 10
    order = np.argsort(first * opened, kind="stable")
    again = find_landmarks(vertices[order], np.argsort(order)[head.triangles], detector)
    assert (opened[order][again.vertices[INNER_LOWER]] > 0.01).all()
    assert (opened[order][again.vertices[INNER_UPPER]] < 0.01).all()


def test_an_open_mouth_shows_teeth_and_lips_are_taken_all_the_same(head, detector):
    weights = np.zeros(52)
    weights[head.shapes.index("jawOpen")] = 0.4
    vertices = head.posed(weights)
    again = find_landmarks(vertices, head.triangles, detector)
    check_correspondence(head, again)
    assert np.isin(again.vertices[INNER_LIPS], head.vertices_of("skin", "lips")).all()


def test_a_face_on_a_tall_body_is_found(head, found, detector):
    box = np.array([[x, y, z] for x in (-0.25, 0.25) for y in (-0.12, 0.12) for z in (-1.5, -0.02)])
    sides = [[0, 1, 3, 2], [4, 5, 7, 6], [0, 1, 5, 4], [2, 3, 7, 6], [0, 2, 6, 4], [1, 3, 7, 5]]
    quads = np.array(sides) + len(head.vertices)
    triangles = np.concatenate([head.triangles, quads[:, [0, 1, 2]], quads[:, [0, 2, 3]]])
    again = find_landmarks(np.concatenate([head.vertices, box]), triangles, detector)
    apart = np.linalg.norm(head.vertices[again.vertices] - head.vertices[found.vertices], axis=1)
    assert apart.mean() < 0.004


def test_two_heads_are_refused_with_a_sentence(head, detector):
    vertices = np.concatenate([head.vertices, head.vertices + np.array([0.4, 0, 0])])
    triangles = np.concatenate([head.triangles, head.triangles + len(head.vertices)])
    with pytest.raises(FaceError, match="the mesh of 10536 vertices has more than one head; select one character"):
        find_landmarks(vertices, triangles, detector)


@pytest.mark.slow
def test_two_people_at_full_length_are_refused_as_two(makehuman, detector):
    """Their heads are so small in a picture of both that no face is read there."""
    body = make_body(makehuman, Person())
    vertices = np.concatenate([body.vertices, body.vertices + np.array([2.0, 0, 0])])
    triangles = np.concatenate([body.triangles, body.triangles + len(body.vertices)])
    with pytest.raises(FaceError, match="'Crowd' has more than one head; select one character"):
        find_landmarks(vertices, triangles, detector, name="Crowd")


@pytest.mark.slow
def test_a_mesh_without_a_face_is_refused_with_a_sentence(detector):
    turn, height = np.meshgrid(np.linspace(0, 2 * np.pi, 40), np.linspace(0, 1, 30))
    vase = np.stack([np.cos(turn) * (0.3 + 0.1 * np.cos(9 * height)), np.sin(turn) * 0.3, 1.5 * height], -1)
    index = np.arange(vase.shape[0] * vase.shape[1]).reshape(vase.shape[:2])
    quads = np.stack([index[:-1, :-1], index[:-1, 1:], index[1:, 1:], index[1:, :-1]], -1).reshape(-1, 4)
    triangles = quads[:, [0, 1, 2, 0, 2, 3]].reshape(-1, 3)
    with pytest.raises(NoFaceError, match="no face was found on 'Vase' from any side"):
        find_landmarks(vase.reshape(-1, 3), triangles, detector, name="Vase")


def test_arrays_that_are_no_mesh_are_refused_with_their_values(head):
    for vertices, triangles, sentence in (
        (head.vertices[:, :2], head.triangles, r"expected vertices \(V, 3\) .* got \(5268, 2\)"),
        (head.vertices, head.triangles[:0], "the mesh has no faces"),
        (head.vertices[:100], head.triangles, "names vertex 5267, and the mesh has 100 vertices"),
        (head.vertices * np.nan, head.triangles, "not finite"),
    ):
        with pytest.raises(ShapeError, match=sentence):
            find_landmarks(vertices, triangles)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1, 2, 109])  # in the last the detector sees the upper lids too low
def test_other_people_are_found_as_well(people, detector, seed):
    head = people(seed)
    found = find_landmarks(head.vertices, head.triangles, detector)
    check_correspondence(head, found)
    assert found.confidence.mean() > 0.8


@pytest.mark.slow
@pytest.mark.parametrize("seed", [28, 48])  # who had a lower lid's or an eye fold's vertex for an upper lid's
def test_landmarks_of_the_eyes_are_vertices_where_lids_end(makehuman, people, detector, seed):
    head, right = people(seed), right_vertices(makehuman)
    found = find_landmarks(head.vertices, head.triangles, detector)
    errors = distances(head.vertices, found.vertices, right)
    check_correspondence(head, found)
    assert errors[UPPER_LIDS].mean() < 0.04
    assert errors[36:48].mean() < 0.04


@pytest.mark.slow
def test_a_whole_body_with_hair_before_its_eyes_is_found(makehuman, detector):
    body = make_body(makehuman, Person(), has_hair=True)
    found = find_landmarks(0.01 * body.vertices @ Y_UP.T, body.triangles, detector)
    errors = distances(body.vertices, found.vertices, body.right)
    assert errors[36:].mean() < 0.06
    assert errors.mean() < 0.12
