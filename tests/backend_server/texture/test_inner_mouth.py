"""What no picture shows of a mouth is drawn: teeth, tongue and darkness, in the light of the picture, at any size."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from backend_server.texture.inner_mouth import MouthLight, drawn_share, paint_mouth
from backend_server.texture.large_mouth import LargeMouth
from backend_server.texture.warping.raster import mouth_opening, opening_images
from backend_server.texture.warping.spline import places

CLEAR = MouthLight(torch.tensor([[0.8, 0.6, 0.5]]), torch.tensor([0.05]), torch.tensor([0.9]))
VEILED = replace(CLEAR, black=torch.tensor([0.3]))


def points_of(landmarks):
    return torch.from_numpy(landmarks)[None]


def brightness(landmarks, light):
    """Of the middle column of a mouth, from lip to lip."""
    points = points_of(landmarks)
    picture = paint_mouth(points, light, places(torch.zeros(1, 1, 256, 256)))
    top, bottom = int(points[0, 62, 1]) + 1, int(points[0, 66, 1])
    return picture[0, :, top:bottom, 126].mean(0)


def test_a_wide_mouth_shows_teeth_above_and_darkness_below_them(face_landmarks):
    column = brightness(face_landmarks(mouth=34), CLEAR)
    assert column[3:6].mean() > 0.3  # teeth
    assert column[len(column) // 2] < column[3:6].mean() - 0.6
    assert column[-1] > column[len(column) // 2]  # lower teeth


def test_a_mouth_hardly_open_shows_teeth_alone(face_landmarks):
    assert brightness(face_landmarks(mouth=5), CLEAR)[1:3].min() > -0.2


def test_a_veil_dims_teeth_and_lifts_the_dark(face_landmarks):
    clear, veiled = (brightness(face_landmarks(mouth=34), light) for light in (CLEAR, VEILED))
    assert veiled[3:6].mean() < clear[3:6].mean()
    assert veiled.min() > clear.min()


def test_the_two_halves_of_a_frontal_mouth_are_alike(face_landmarks):
    picture = paint_mouth(points_of(face_landmarks(mouth=30)), CLEAR, places(torch.zeros(1, 1, 256, 256)))
    mouth = picture[0, :, 184:206, 110:147]
    torch.testing.assert_close(mouth, mouth.flip(2), rtol=0, atol=0.02)


def test_it_is_the_same_picture_at_any_size_and_place(face_landmarks):
    points = points_of(face_landmarks(mouth=30))
    here = places(torch.zeros(1, 1, 256, 256))
    fine = here.repeat_interleave(3, 1).repeat_interleave(3, 2)
    torch.testing.assert_close(paint_mouth(points, CLEAR, fine)[..., 1::3, 1::3], paint_mouth(points, CLEAR, here))
    moved = paint_mouth(points + 10, CLEAR, here)
    torch.testing.assert_close(
        moved[..., 10:, 10:], paint_mouth(points, CLEAR, here)[..., :-10, :-10], atol=1e-4, rtol=0
    )


def test_the_light_is_read_from_the_face_alone(face_landmarks):
    points = points_of(face_landmarks())
    picture = torch.full((1, 3, 256, 256), 0.2)
    picture[..., :40, :] = -1  # hair above the face
    picture[..., 110:130, 90:160] = 0.6
    picture[..., 140:150, 100:156] = -0.8
    light = MouthLight.of(picture, points)
    assert light.black.item() == pytest.approx(0.1, abs=0.01)
    assert light.white.item() == pytest.approx(0.8, abs=0.01)
    torch.testing.assert_close(light.skin[0], torch.full((3,), 0.6))


def test_mouths_under_a_veil_are_left_to_the_network():
    veils = torch.tensor([0.05, 0.26, 0.4])
    light = MouthLight(CLEAR.skin.expand(3, -1), veils, torch.ones(3))
    torch.testing.assert_close(light.clearness, torch.tensor([1.0, 0.5, 0.0]))


def test_one_grey_picture_still_gives_a_light(face_landmarks):
    light = MouthLight.of(torch.full((1, 3, 256, 256), -1.0), points_of(face_landmarks()))
    assert 0 < light.black.item() < light.white.item()


@pytest.mark.parametrize(("shown", "expected"), [(0.0, 1.0), (0.8, 0.0), (0.5, 0.25)])
def test_a_mouth_that_pictures_show_well_is_not_drawn(shown, expected):
    opening = torch.ones(1, 1, 4, 4)
    torch.testing.assert_close(drawn_share(opening, shown * opening), torch.full((1, 1, 4, 4), expected))


def test_no_opening_draws_nothing():
    assert drawn_share(torch.zeros(1, 1, 4, 4), torch.zeros(1, 1, 4, 4)).sum() == 0


def test_openings_at_any_pixels_have_the_same_area(face_landmarks):
    points = points_of(face_landmarks(mouth=11.3))
    here = places(torch.zeros(1, 1, 256, 256))
    torch.testing.assert_close(mouth_opening(points, here, 1.0), opening_images(points)[:, :1], rtol=0, atol=2e-3)
    half = torch.stack(torch.meshgrid(torch.arange(512), torch.arange(512), indexing="xy")) / 2 - 0.25
    fine = mouth_opening(points, half, 0.5).sum() / 4
    assert fine.item() == pytest.approx(opening_images(points)[:, 0].sum().item(), rel=0.01)


def test_a_large_mouth_lies_between_the_lips_of_the_picture_and_nowhere_else(drawn_faces, face_landmarks):
    references = drawn_faces(1)
    to_crop = np.array([[0.25, 0, -0.375], [0, 0.25, -0.375]])  # a picture of four times the crop's pixels
    picture = np.full((1024, 1024, 3), 128, np.uint8)
    landmarks = face_landmarks(mouth=30)
    LargeMouth(references, to_crop).draw(picture, landmarks)
    changed = np.argwhere((picture != 128).any(-1))
    (top, left), (bottom, right) = changed.min(0), changed.max(0)
    inner = landmarks[60:68] * 4 + 1.5
    assert (left, right) == pytest.approx((inner[:, 0].min(), inner[:, 0].max()), abs=6)
    assert (top, bottom) == pytest.approx((inner[:, 1].min(), inner[:, 1].max()), abs=6)


def test_a_large_mouth_is_left_alone_where_a_picture_shows_it(drawn_faces, face_landmarks):
    references = drawn_faces(10)
    picture = np.full((256, 256, 3), 128, np.uint8)
    LargeMouth(references, np.eye(2, 3)).draw(picture, references.landmarks[9])
    assert (picture == 128).all()
    LargeMouth(references, np.eye(2, 3)).draw(picture, face_landmarks(mouth=0))
    assert (picture == 128).all()


def test_the_mouth_of_a_grey_photo_is_grey(drawn_faces, face_landmarks):
    references = drawn_faces(1)
    grey = np.repeat(references.crops[..., :1], 3, -1)
    picture = np.full((256, 256, 3), 128, np.uint8)
    LargeMouth(replace(references, crops=grey), np.eye(2, 3)).draw(picture, face_landmarks(mouth=30))
    assert (picture != 128).any()
    assert (np.ptp(picture, axis=-1) <= 1).all()
