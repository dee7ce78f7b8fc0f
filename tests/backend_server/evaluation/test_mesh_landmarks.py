import numpy as np
import pytest

from backend_server.commands.rig_table import landmarks_table
from backend_server.data.mpfb.body import make_body
from backend_server.data.mpfb.people import Person
from backend_server.data.mpfb.right_vertices import right_vertices
from backend_server.evaluation.mesh_landmarks import GROUPS, group_figures, placement
from backend_server.evaluation.rigs import RigFigures
from backend_server.rig.head import load_sample_head
from shared.landmarks import MIRROR


@pytest.fixture(scope="module")
def right(makehuman):
    return right_vertices(makehuman)


def test_the_right_vertices_are_symmetrical_and_move_like_lids_and_lips(right):
    head = load_sample_head()  # the average head of the same mesh
    places = head.vertices[right]
    assert np.abs(places * (-1, 1, 1) - places[MIRROR]).max() < 1e-4
    blink = np.linalg.norm(head.deltas[head.shapes.index("eyeBlinkLeft")][right], axis=1)
    assert set(np.argsort(blink)[-2:]) == {43, 44}
    opened = head.deltas[head.shapes.index("jawOpen")][right, 2]
    assert opened[65:68].max() < opened[61:64].min() - 0.01


def test_a_body_has_the_same_landmarks_as_the_head(makehuman, right):
    head, body = load_sample_head(), make_body(makehuman, Person())
    ours, its = head.vertices[right], body.vertices[body.right]
    assert np.abs((ours - ours.mean(0)) - (its - its.mean(0))).max() < 1e-4
    assert 1.4 < np.ptp(body.vertices[:, 2]) < 2.0


def test_figures_by_hand(right):
    head = load_sample_head()
    assert placement(head, right, right).errors.max() == 0
    found = right.copy()
    found[43], found[47] = right[47], right[43]  # the upper and the lower lid, exchanged
    one = placement(head, found, right)
    assert np.flatnonzero(one.is_wrong).tolist() == [43, 47]
    assert one.errors[43] == pytest.approx(one.errors[47])
    figures = {group.name: group for group in group_figures([one, placement(head, right, right)])}
    assert figures["upper lids"].wrong_count == figures["lower lids"].wrong_count == 1
    assert figures["upper lids"].mean == pytest.approx(one.errors[43] / 8)
    assert figures["jaw"].mean == 0
    assert sorted(point for _, points in GROUPS for point in points) == list(range(68))
    table = landmarks_table([RigFigures(0, 30, 0.1, 0.1, 0.1, one), RigFigures(1, 0, 0.1, 0.1, 0.1)])
    assert list(table.columns[3].cells).count("1") == 2
    assert group_figures([]) == []
