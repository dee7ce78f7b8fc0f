"""Tests what becomes of a face that its picture's edge or its user has cut out."""

import numpy as np
import pytest
from skimage.data import astronaut

from backend_server.face.cover import missed_share
from backend_server.face.crop import crop_cut_out, picture_cover, to_source
from backend_server.face.cut import cut_face
from backend_server.face.detector import FaceDetector
from backend_server.face.foreground import nearest_colours
from backend_server.face.reference import picture_of, prepare_references

GARBAGE = (0, 255, 0)


@pytest.fixture(scope="module")
def found():
    """Landmarks, crop and matte of the astronaut's face."""
    return prepare_references([astronaut()])


def outlined(soft=False):
    """The astronaut with a matte of the user's own, an ellipse, and a colour under it that must never show."""
    y, x = np.mgrid[:512, :512]
    distance = np.hypot((x - 225) / 70, (y - 120) / 100)
    alpha = np.clip((1.1 - distance) / 0.1, 0, 1) if soft else distance < 1
    alpha = np.rint(255 * alpha).astype(np.uint8)
    return np.dstack([np.where(alpha[..., None] > 0, astronaut(), np.uint8(GARBAGE)), alpha])


def test_the_cover_of_a_picture_by_hand():
    transform = np.array([[0.5, 0, -10], [0, 0.5, 20]], np.float32)  # two pixels of the crop for each of the picture
    cover = picture_cover((128, 100, 3), transform)
    row = cover[100]  # pixel x of the crop lies at x / 2 - 10; the picture begins at -0.5 and ends at 99.5
    assert row[:20].max() == 0  # to x = 19: the edge
    np.testing.assert_array_equal(row[[20, 21, 22, 100]], [128, 255, 255, 255])
    np.testing.assert_array_equal(row[[217, 218, 219, 255]], [255, 128, 0, 0])
    np.testing.assert_array_equal(cover[[0, 213, 214, 215], 100], [255, 255, 128, 0])


@pytest.mark.parametrize("edge", ["left", "right", "top", "bottom"])
@pytest.mark.parametrize("is_fine", [True, False])
def test_outside_the_picture_nobody_is(found, edge, is_fine):
    """The picture ends at the landmarks, inside the head, and the crop reaches beyond it."""
    landmarks = found.landmarks[0] @ found.crop[:, :2].T + found.crop[:, 2]
    (left, top), (right, bottom) = landmarks.min(0).astype(int), landmarks.max(0).astype(int)
    kept = {
        "left": np.s_[:, left:],
        "right": np.s_[:, :right],
        "top": np.s_[top:],
        "bottom": np.s_[:bottom],
    }[edge]
    transform = found.crop - np.array([[0, 0, left * (edge == "left")], [0, 0, top * (edge == "top")]], np.float32)
    picture = astronaut()[kept]
    cut = cut_face(picture, transform, found.landmarks[0], is_fine=is_fine)
    places = to_source(np.stack(np.meshgrid(*[np.arange(256.0)] * 2), -1), transform)
    last = np.array(picture.shape[1::-1]) - 1
    depth = np.minimum(places, last - places).min(-1)  # pixels of the picture, below 0 outside
    assert (depth < -0.5).sum() > 2000
    assert cut.matte[depth < -0.5].max() == 0
    assert not cut.is_inside[depth < -0.5].any() and cut.is_inside[depth > 0].all()
    assert (cut.matte[(depth > 2) & (depth < 6)] > 200).sum() > 50  # the head goes up to the edge


def test_the_users_own_alpha_is_the_matte(found):
    for soft in (False, True):
        picture = outlined(soft)
        cut = cut_face(picture, found.crop, found.landmarks[0])
        _, alpha = crop_cut_out(picture, found.crop)
        inside = picture_cover(picture.shape, found.crop) == 255
        np.testing.assert_array_equal(cut.matte[inside], alpha[inside])
        assert np.abs(cut.matte.astype(int) - found.mattes[0])[inside].max() > 200  # not the one that is found
        assert (cut.matte > 0).any() and (cut.matte == 0).any()


@pytest.mark.parametrize("soft", [False, True])
def test_colours_under_transparent_pixels_never_show(found, soft):
    cut = cut_face(outlined(soft), found.crop, found.landmarks[0])
    for pixels in (cut.own, cut.crop):
        green = pixels[..., 1].astype(int) - np.maximum(pixels[..., 0], pixels[..., 2])
        assert green.max() < 40  # 255 for the garbage, at most 30 in the astronaut's suit
    np.testing.assert_allclose(cut.own[cut.matte == 255], found.crops[0][cut.matte == 255], atol=40)


def test_rounded_corners_are_no_outline_of_a_person(found):
    """Nearly all of the picture is opaque, so the person is still found in it."""
    alpha = np.full((512, 512, 1), 255, np.uint8)
    alpha[:12, :12] = alpha[:12, -12:] = alpha[-12:, :12] = alpha[-12:, -12:] = 0
    cut = cut_face(np.dstack([astronaut(), alpha]), found.crop, found.landmarks[0])
    assert np.abs(cut.matte.astype(int) - found.mattes[0]).mean() < 3


def test_references_take_pictures_with_and_without_alpha(found):
    pictures = [outlined(soft=True), astronaut()]
    both = prepare_references(pictures)
    assert both.crops.shape == (2, 256, 256, 3)
    assert np.abs(both.landmarks[0] - found.landmarks[0]).max() < 6  # the face before grey is the same face
    only = prepare_references(pictures[:1])
    assert picture_of(only, [astronaut()[::-1], pictures[0]]) == 1


def test_a_large_cut_out_is_reduced_without_its_transparent_colours():
    picture = np.full((1024, 1024, 4), (200, 90, 30, 255), np.uint8)
    picture[:, 1::2] = (*GARBAGE, 0)
    colours, alpha = crop_cut_out(picture, np.array([[4, 0, 1.5], [0, 4, 1.5]], np.float32))
    assert np.abs(colours[8:-8, 8:-8].astype(int) - (200, 90, 30)).max() <= 1
    assert np.abs(alpha[8:-8, 8:-8].astype(int) - 128).max() <= 8


def test_unknown_colours_are_those_of_the_nearest_pixel():
    colours = np.zeros((3, 7, 3), np.uint8)
    colours[1, 0], colours[1, 6] = (200, 10, 10), (10, 10, 200)
    is_known = colours.any(-1)
    filled = nearest_colours(colours, is_known)
    assert (filled[:, :3] == (200, 10, 10)).all()
    assert (filled[:, 4:] == (10, 10, 200)).all()
    np.testing.assert_array_equal(nearest_colours(colours, np.zeros((3, 7), bool)), colours)


def test_a_face_before_nothing_is_detected():
    """Transparent pixels that are black in the file would hide where dark hair ends."""
    picture = outlined(soft=True)
    picture[picture[..., 3] == 0] = 0
    with FaceDetector() as detector:
        alone = detector.detect(astronaut()).landmarks
    references = prepare_references([picture])
    landmarks = references.landmarks[0] @ references.crop[:, :2].T + references.crop[:, 2]
    assert np.abs(landmarks - alone).max() < 6


def test_a_face_that_is_taken_for_background_stays_opaque(found, monkeypatch):
    """As in a pencil drawing on white paper: the segmentation sees nobody."""
    monkeypatch.setattr("backend_server.face.cut.person_matte", lambda image, **_: np.zeros(image.shape[:2], np.uint8))
    cut = cut_face(astronaut(), found.crop, found.landmarks[0])
    assert cut.missed == 1.0
    assert missed_share(cut.matte, found.landmarks[0]) == 0.0
    assert not cut.has_own_alpha


def test_the_users_own_alpha_is_never_mended(found):
    alpha = np.zeros((512, 512, 1), np.uint8)
    alpha[100:] = 255  # cuts the face at its eyes
    cut = cut_face(np.dstack([astronaut(), alpha]), found.crop, found.landmarks[0])
    assert 0.1 < cut.missed < 0.9
    assert missed_share(cut.matte, found.landmarks[0]) == pytest.approx(cut.missed, abs=0.02)
