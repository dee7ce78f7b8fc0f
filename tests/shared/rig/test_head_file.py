"""Tests what a head with ARKit's shapes is, and that its file is read or refused with a sentence."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from shared.arkit import SHAPES
from shared.errors import ShapeError, SpeechFaceError
from shared.rig.head_file import load_head, stored_arrays

SAMPLE = Path(__file__).parents[3] / "backend_server" / "samples" / "head.npz"


@pytest.fixture(scope="module")
def head():
    return load_head(SAMPLE)


def weights(**values):
    return np.array([values.get(name, 0.0) for name in SHAPES])


def test_what_is_stored_is_read_again(head, tmp_path):
    np.savez(tmp_path / "head.npz", **stored_arrays(head))
    again = load_head(tmp_path / "head.npz")
    for field in dataclasses.fields(head):
        np.testing.assert_array_equal(getattr(head, field.name), getattr(again, field.name))


def test_triangles_are_the_halves_of_the_faces(head):
    assert len(head.triangles) == 2 * len(head.faces)
    assert set(head.triangles[8]) | set(head.triangles[9]) == set(head.faces[4])


def test_posed_adds_the_shapes_by_their_weights(head):
    opened, both = weights(jawOpen=0.5), weights(jawOpen=0.5, tongueOut=1.0)
    film = head.posed(np.stack([weights(), opened, both]))
    assert film.shape == (3, len(head.vertices), 3)
    assert np.array_equal(film[0], head.vertices)
    jaw, tongue = (head.deltas[head.shapes.index(name)] for name in ("jawOpen", "tongueOut"))
    assert np.allclose(film[2], head.vertices + 0.5 * jaw + tongue, atol=1e-7)
    assert np.allclose(head.posed(opened), film[1], atol=1e-7)


def test_wrong_weights_and_parts_are_named(head):
    with pytest.raises(ShapeError, match=r"expected weights \(52,\) or \(T, 52\), got \(51,\)"):
        head.posed(np.zeros(51))
    with pytest.raises(ShapeError, match="no part 'beard'; it has skin"):
        head.vertices_of("skin", "beard")


def test_damaged_and_other_files_are_refused_with_a_sentence(head, tmp_path):
    whole = SAMPLE.read_bytes()
    (tmp_path / "cut.npz").write_bytes(whole[:5000])
    (tmp_path / "overwritten.npz").write_bytes(whole[:2000] + bytes(4000) + whole[6000:])
    np.savez(tmp_path / "other.npz", a=1)
    for name in ("cut", "overwritten", "other", "missing"):
        with pytest.raises(SpeechFaceError, match=rf"cannot read the head .*{name}.npz: .*copy it again"):
            load_head(tmp_path / f"{name}.npz")
    np.savez(tmp_path / "named.npz", **stored_arrays(dataclasses.replace(head, shapes=("a", *SHAPES[1:]))))
    with pytest.raises(SpeechFaceError, match="52 shapes that are not ARKit's"):
        load_head(tmp_path / "named.npz")
