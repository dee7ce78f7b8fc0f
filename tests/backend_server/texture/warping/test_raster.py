import numpy as np
import pytest
import torch

from backend_server.texture.warping.raster import line_images, opening_images, opening_measures
from shared.errors import ShapeError


def test_lines_are_drawn_where_the_points_are_and_by_part(face_landmarks):
    points = torch.from_numpy(face_landmarks())[None]
    image = line_images(points)
    assert image.shape == (1, 3, 256, 256)
    assert image.min() == -1 and image.max() == 1
    for channel, members in enumerate((range(0, 36), range(36, 48), range(48, 68))):
        for i in members:
            x, y = points[0, i].round().int().tolist()
            assert image[0, channel, y, x] > 0.3, (channel, i)
    assert (image[0, 2, :150] == -1).all()  # no lips above the mouth


def test_a_level_line_has_the_width_it_should(face_landmarks):
    points = torch.full((1, 68, 2), -50.0)
    points[0, 27], points[0, 28] = torch.tensor([100.0, 40.0]), torch.tensor([120.0, 40.0])
    points[0, 29] = points[0, 30] = points[0, 28]
    column = (line_images(points)[0, 0, :, 110] + 1) / 2
    # 1.5 pixels to each side of y = 40: full at 40, half a pixel of fading at 39 and 41
    assert column[38:43].tolist() == pytest.approx([0, 0.5, 1, 0.5, 0], abs=0.07)


def test_points_outside_the_picture_are_no_error(face_landmarks):
    points = torch.from_numpy(face_landmarks())[None] + 10_000
    assert (line_images(points) == -1).all()
    assert torch.isfinite(opening_images(points)).all()


@pytest.mark.parametrize("mouth", [0.0, 0.4, 3.0, 17.0])
def test_openings_hold_the_area_between_the_lips(face_landmarks, mouth):
    points = face_landmarks(mouth=mouth)
    x, y = points[60:68].T.astype(np.float64)
    area = abs(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1))) / 2  # shoelace
    drawn = opening_images(torch.from_numpy(points)[None])[0, 0].sum()
    assert float(drawn) == pytest.approx(area, rel=0.03, abs=0.2)


def test_measures_are_shares_of_the_eye_distance(face_landmarks):
    points = torch.from_numpy(face_landmarks(mouth=10.4))[None]  # eyes reach from x = 76 to 180
    assert opening_measures(points)[0, 0] == pytest.approx(0.1, abs=1e-4)
    assert opening_measures(3 * points)[0].tolist() == pytest.approx(opening_measures(points)[0].tolist(), rel=1e-5)


def test_other_shapes_are_refused():
    with pytest.raises(ShapeError, match="68"):
        line_images(torch.zeros(1, 66, 2))
