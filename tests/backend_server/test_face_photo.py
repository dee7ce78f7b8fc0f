from dataclasses import replace

import cv2
import numpy as np
import pytest
from skimage.data import astronaut

from backend_server.face_photo import kept_photo, opened_photo, photo_side, pixels_across, size_note, square_at_size
from shared.errors import WeightsError
from shared.notes import NoteCode


def crop_of(factor, shift=0.0):
    """Crop pixels are `factor` photo pixels wide; corners of the crop's pixels fall on corners of the photo's."""
    return np.array([[factor, 0, shift + (factor - 1) / 2], [0, factor, (factor - 1) / 2]], np.float32)


@pytest.fixture
def with_photo(face):
    def make(picture, factor):
        references = face().references
        crop = crop_of(factor)
        return replace(references, crop=crop, photo=kept_photo(picture, crop))

    return make


def smooth(side):
    """Colours that JPEG keeps well, different in every place, u8 (side, side, 3)."""
    x = np.linspace(0, 1, side)
    return np.rint(255 * np.stack([*np.meshgrid(x, x), np.full((side, side), 0.5)], -1)).astype(np.uint8)


@pytest.mark.parametrize(("factor", "side"), [(1.0, 0), (0.7, 0), (1.5, 384), (2.0, 512), (4.0, 1024), (6.0, 1024)])
def test_the_square_of_a_photo_is_kept_at_its_own_pixels_within_limits(with_photo, factor, side):
    picture = smooth(round(256 * factor))
    references = with_photo(picture, factor)
    assert pixels_across(references.crop) == round(256 * factor)
    assert photo_side(references) == side
    if side:
        wanted = cv2.resize(picture, (side, side), interpolation=cv2.INTER_AREA)
        difference = np.abs(opened_photo(references.photo).astype(int) - wanted)
        assert difference.mean() < 1
        assert difference[3:-3, 3:-3].max() <= 4


def test_the_file_of_a_face_grows_by_little():
    photo = cv2.resize(astronaut(), (1024, 1024), interpolation=cv2.INTER_CUBIC)
    assert 30_000 < kept_photo(photo, crop_of(4)).nbytes < 500_000


def test_a_square_is_read_where_the_crop_lies(with_photo):
    picture = smooth(600)
    moved = kept_photo(picture, crop_of(2, shift=80))
    np.testing.assert_allclose(opened_photo(moved)[5:-5, 5:-5], picture[5:507, 85:587], atol=5)


@pytest.mark.parametrize("size", [512, 1024])
def test_the_square_at_a_size_is_of_the_photo_or_else_of_the_crop(with_photo, size):
    picture = smooth(512)
    references = with_photo(picture, 2)
    wanted = cv2.resize(picture, (size, size), interpolation=cv2.INTER_CUBIC)
    np.testing.assert_allclose(square_at_size(references, size)[8:-8, 8:-8], wanted[8:-8, 8:-8], atol=4)
    without = square_at_size(replace(references, photo=None), size)
    assert (without == references.crops[0, 0, 0]).all() and without.shape == (size, size, 3)


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"no picture", "cannot be read"),
        (cv2.imencode(".png", np.zeros((300, 300, 3), np.uint8))[1].tobytes(), "cannot be read"),
        (cv2.imencode(".jpg", np.zeros((300, 300, 3), np.uint8))[1].tobytes()[:400], "cannot be read"),
        (cv2.imencode(".jpg", np.zeros((300, 400, 3), np.uint8))[1].tobytes(), "has 400 x 300 pixels"),
        (cv2.imencode(".jpg", np.zeros((1025, 1025, 3), np.uint8))[1].tobytes(), "has 1025 x 1025 pixels"),
        (cv2.imencode(".jpg", np.zeros((256, 256, 3), np.uint8))[1].tobytes(), "has 256 x 256 pixels"),
        (cv2.imencode(".jpg", np.zeros((300, 300), np.uint8))[1].tobytes(), "of the kind 'L'"),
    ],
)
def test_a_damaged_or_foreign_photo_is_refused(content, why):
    with pytest.raises(WeightsError, match=f"{why}.*; learn the face again"):
        opened_photo(np.frombuffer(content, np.uint8))


@pytest.mark.parametrize(
    ("factor", "size", "most"), [(1, 512, 256), (1.2, 1024, 256), (1.6, 1024, 512), (2.9, 1024, 512)]
)
def test_a_photo_with_too_few_pixels_is_noted(with_photo, factor, size, most):
    (note,) = size_note(with_photo(smooth(round(256 * factor)), factor), size, "a.jpg")
    assert (note.code, note.about) == (NoteCode.FEW_PIXELS, "a.jpg")
    pixels = round(256 * factor)
    assert note.sentence == (
        f"the face has {pixels} pixels across, so size {size} shows no more than size {most}; give a larger photo"
    )


@pytest.mark.parametrize(("factor", "size"), [(1, 256), (1.6, 512), (3.1, 1024), (6, 1024)])
def test_nothing_is_noted_where_there_are_enough(with_photo, factor, size):
    assert size_note(with_photo(smooth(round(256 * factor)), factor), size, "a.jpg") == ()


def test_a_face_of_an_earlier_version_is_noted_so_with_a_name_that_fits(with_photo):
    earlier = replace(with_photo(smooth(1024), 4), photo=None)
    (note,) = size_note(earlier, 512, "n" * 300)
    assert note.sentence == (
        "the face was learnt by an earlier version, which kept 256 pixels a side alone, so size 512 shows no more than "
        "size 256; learn it again from its photos"
    )
    assert note.about == "n" * 255
    assert size_note(earlier, 256, "") == ()
