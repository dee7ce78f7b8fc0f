from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image
from skimage.data import astronaut

from backend_server.face.crop import crop_image, to_source
from backend_server.face.detector import FaceDetector
from backend_server.face.reference import picture_of, prepare_references
from shared.errors import NoFaceError, ValueRangeError


def test_the_face_nearest_to_rest_comes_first_and_says_where_it_was_cut_from():
    picture = astronaut()
    with FaceDetector() as detector:
        smiling = detector.detect(picture).landmarks
    closed = smiling.copy()
    closed[[61, 62, 63]] = closed[[67, 66, 65]]  # the inner lips meet
    pictures = [picture, picture[:300] // 2]
    found = prepare_references(pictures, np.stack([smiling, closed]))
    assert picture_of(found, pictures) == 1
    np.testing.assert_array_equal(found.crops[0], crop_image(pictures[1], found.crop))
    np.testing.assert_allclose(to_source(found.landmarks[0], found.crop), closed, atol=0.01)


@pytest.fixture(scope="module")
def portrait():
    return prepare_references([astronaut()])


def test_the_foreground_is_the_first_crop_without_its_wall(portrait):
    foreground, crop, matte = portrait.foreground, portrait.crops[0], portrait.mattes[0]
    assert (foreground.shape, foreground.dtype) == ((256, 256, 3), np.uint8)
    np.testing.assert_array_equal(foreground[matte == 255], crop[matte == 255])
    left_of_cheek = (slice(140, 165), slice(15, 38))
    assert matte[left_of_cheek].max() < 10
    assert crop[left_of_cheek].min() > 140  # a light wall
    assert foreground[left_of_cheek].mean() < 130  # hair continues


def test_a_matte_does_not_depend_on_the_photo_around_the_face(portrait):
    """The same face in a photo of twelve megapixels, in which the segmentation would see it 43 pixels wide."""
    large = np.full((3000, 4000, 3), 128, np.uint8)
    large[1000:1512, 2000:2512] = astronaut()
    landmarks = portrait.landmarks[0] @ portrait.crop[:, :2].T + portrait.crop[:, 2] + (2000, 1000)
    found = prepare_references([large], landmarks[None])
    difference = np.abs(found.mattes[0].astype(int) - portrait.mattes[0])
    assert difference.mean() < 8
    assert (difference > 128).mean() < 0.03


def test_a_face_turned_or_beyond_the_edge_has_a_matte():
    picture = astronaut()
    with FaceDetector() as detector:
        landmarks = detector.detect(picture).landmarks
    turn = np.array([[0.6, 0.8], [-0.8, 0.6]])
    for moved in (landmarks + np.array([-400, 0]), landmarks + np.array([0, 900]), (landmarks - 256) @ turn + 256):
        found = prepare_references([picture], moved.astype(np.float32)[None])
        assert found.mattes.shape == (1, 256, 256)
        assert found.foreground.shape == (256, 256, 3)


def test_sentences_name_the_picture():
    wall = np.full((300, 400, 3), 140, np.uint8)
    with pytest.raises(NoFaceError, match=r"^wall\.png: no face was found"):
        prepare_references([astronaut(), wall], names=["me.jpg", "wall.png"])
    one_point = np.full((2, 68, 2), 100, np.float32)
    one_point[0] += np.random.default_rng(0).uniform(0, 99, (68, 2))
    with pytest.raises(ValueRangeError, match=r"^you\.png: The two eyes"):
        prepare_references([wall, wall], one_point, names=["me.jpg", "you.png"])


@pytest.mark.corpus
@pytest.mark.parametrize("name", ["actor_01", "actor_02", "actor_03", "actor_05"])
def test_no_green_screen_remains_at_the_edges_of_hair(name):
    """Where the cover is partial, the person's colours are less green than the crop's by a clear part."""
    file = Path(__file__).resolve().parents[4] / "shared" / "data" / "portraits" / f"{name}.png"
    if not file.exists():
        pytest.skip(f"the corpus file {file} is not here")
    with Image.open(file) as opened:
        found = prepare_references([np.asarray(opened.convert("RGB"))])
    matte = found.mattes[0]
    edge = (matte > 50) & (matte < 205)
    green, green_left = (
        (x[..., 1] - np.maximum(x[..., 0], x[..., 2]))[edge].clip(0).mean()
        for x in (found.crops[0].astype(int), found.foreground.astype(int))
    )
    assert green > 4
    assert green_left < 0.4 * green


def test_notes_name_each_picture_and_all_together():
    """A blurred picture of one person, and a sharp one of a face of another shape."""
    blurred = cv2.GaussianBlur(astronaut(), (0, 0), 2.0)
    broad = cv2.resize(astronaut(), None, fx=1.3, fy=1.0)
    notes = prepare_references([blurred, broad], names=["old.jpg", "new.jpg"]).notes
    assert {(note.code, note.about) for note in notes} == {("blurred_face", "old.jpg"), ("several_people", "")}
    assert prepare_references([astronaut()]).notes == ()
