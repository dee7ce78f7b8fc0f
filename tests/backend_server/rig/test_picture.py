import numpy as np
import pytest

from backend_server.rig import picture
from backend_server.rig.head import load_sample_head, triangle_colours
from backend_server.rig.picture import View, draw, view_around

SQUARE = np.array([[0.0, 0.0, 0.0], [4.0, 0.0, 0.0], [4.0, 0.0, 4.0], [0.0, 0.0, 4.0]])
HALVES = np.array([[0, 1, 2], [0, 2, 3]])
AXES = np.array([[1.0, 0, 0], [0, 0, -1.0], [0, 1.0, 0]])


def view(centre, pixels_per_unit, size):
    return View(AXES, np.array(centre, float), pixels_per_unit, size)


def test_a_square_covers_the_pixels_whose_centres_it_holds():
    drawn = draw(SQUARE, HALVES, view((2, 0, 2), 2.0, 16))  # 8 pixels a side, from 3.5 to 11.5
    covered = np.zeros((16, 16), bool)
    covered[4:12, 4:12] = True
    assert np.array_equal(drawn.triangle >= 0, covered)
    assert drawn.triangle[11, 11] == 0  # bottom right in the picture: x high, z low
    assert drawn.triangle[4, 4] == 1
    assert np.isinf(drawn.depth[~covered]).all()
    assert np.allclose(drawn.depth[covered], 0)


def test_barycentric_coordinates_give_back_the_point_that_is_seen():
    head = load_sample_head()
    seen_from = view_around(head.vertices, 200)
    drawn = draw(head.vertices, head.triangles, seen_from)
    rows, columns = np.nonzero(drawn.triangle >= 0)
    assert len(rows) > 5000
    corners = head.vertices[head.triangles[drawn.triangle[rows, columns]]]
    points = np.einsum("pc,pcx->px", drawn.barycentric[rows, columns], corners)
    placed = seen_from.project(points)
    assert np.allclose(placed[:, 0], columns, atol=0.02)
    assert np.allclose(placed[:, 1], rows, atol=0.02)
    assert np.allclose(placed[:, 2], drawn.depth[rows, columns], atol=0.02)


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_the_nearer_face_hides_the_other_whatever_comes_first(order):
    behind = SQUARE + np.array([0, 1.0, 0])
    vertices = np.concatenate([(SQUARE, behind)[which] for which in order])
    drawn = draw(vertices, np.concatenate([HALVES, HALVES + 4]), view((2, 0, 2), 2.0, 16))
    assert set(drawn.triangle[drawn.triangle >= 0] // 2) == {order.index(0)}


def test_both_sides_of_a_face_are_drawn_alike():
    head = load_sample_head()
    seen_from = view_around(head.vertices, 128)
    drawn, turned = (
        draw(head.vertices, triangles, seen_from) for triangles in (head.triangles, head.triangles[:, ::-1])
    )
    assert np.abs(drawn.colours.astype(int) - turned.colours).max() <= 1


def test_many_parts_give_the_same_picture_as_one(monkeypatch):
    head = load_sample_head()
    seen_from = view_around(head.vertices, 128)
    whole = draw(head.vertices, head.triangles, seen_from)
    monkeypatch.setattr(picture, "_PAIRS_AT_ONCE", 5000)
    parts = draw(head.vertices, head.triangles, seen_from)
    assert np.array_equal(whole.triangle, parts.triangle)
    assert np.array_equal(whole.colours, parts.colours)


def test_colours_are_those_of_the_triangles_and_hollows_are_darker():
    head = load_sample_head()
    drawn = draw(head.vertices, head.triangles, view_around(head.vertices, 256), triangle_colours(head))
    part = np.where(drawn.triangle >= 0, head.face_parts[drawn.triangle // 2], 255)
    of = {name: drawn.colours[part == head.parts.index(name)].mean(0) for name in ("skin", "lips", "left_eye", "pupil")}
    assert of["lips"][0] > 1.5 * of["lips"][1]
    assert np.ptp(of["left_eye"]) < 10
    assert of["pupil"].max() < 30
    plain = draw(head.vertices, head.triangles, view_around(head.vertices, 256)).colours
    mouth = np.argwhere(part == head.parts.index("lips"))
    column = plain[mouth[:, 0].min() : mouth[:, 0].max(), int(mouth[:, 1].mean())].mean(1)
    assert column.min() < 0.5 * np.median(column)  # the line between the lips


def test_what_is_outside_the_picture_or_flat_is_left_out():
    vertices = np.concatenate([SQUARE + np.array([100.0, 0, 0]), [[2, 0, 2]] * 3])
    drawn = draw(vertices, np.concatenate([HALVES, [[4, 5, 6]]]), view((2, 0, 2), 2.0, 16))
    assert (drawn.triangle == -1).all()
    assert (drawn.colours == drawn.colours[0, 0]).all()


def test_turn_is_the_difference_of_two_projections():
    seen_from = view((1, 2, 3), 5.0, 64)
    point, move = np.array([0.3, 0.2, -0.5]), np.array([0.1, -0.4, 0.2])
    assert np.allclose(seen_from.project(point + move) - seen_from.project(point), seen_from.turn(move))
    assert np.allclose(seen_from.turn(move), (0.5, -1.0, -2.0))
