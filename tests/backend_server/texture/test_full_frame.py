"""A rendered face goes back into its picture: what did not move stays the same, and what moved is at its place."""

import numpy as np
import pytest
import torch
from skimage.data import astronaut

from backend_server.face.crop import crop_image, to_crop, to_source
from backend_server.identity import FaceReferences
from backend_server.texture import full_frame
from backend_server.texture.full_frame import FullFrame, check_full_frame, face_weight
from backend_server.texture.warping.following import Following
from backend_server.texture.warping.lids import held_open, slid
from backend_server.texture.warping.spline import at_full_size, sample, spline_flow
from shared.errors import ImageError, ShapeError

ANGLE, SCALE = 0.2, 1.5  # radians; picture pixels per crop pixel
CROP = np.array(
    [
        [SCALE * np.cos(ANGLE), -SCALE * np.sin(ANGLE), 90.0],
        [SCALE * np.sin(ANGLE), SCALE * np.cos(ANGLE), -30.0],  # the crop reaches above the picture
    ],
    np.float32,
)


def references_of(picture, landmarks):
    crop = crop_image(picture, CROP)
    return FaceReferences(
        crops=crop[None],
        landmarks=landmarks[None],
        mattes=np.full((1, 256, 256), 255, np.uint8),
        foreground=crop,
        neutral_landmarks=landmarks,
        crop=CROP,
    )


@pytest.fixture
def picture():
    return np.ascontiguousarray(astronaut()[:501, :511])


@pytest.fixture
def references(picture, face_landmarks):
    return references_of(picture, face_landmarks())


@pytest.fixture
def reference(references):
    return references.crops[0]


def in_crop(shape):
    """The pixels of a picture (H, W) that lie in the crop."""
    rows, columns = np.mgrid[: shape[0], : shape[1]]
    places = to_crop(np.stack([columns, rows], -1), CROP)
    return ((places > 0) & (places < 255)).all(-1)


def test_the_reference_gives_back_the_picture_itself(picture, references, reference):
    placed = FullFrame(picture, references, reference, Following()).place(reference, references.landmarks[0])
    np.testing.assert_array_equal(placed, picture)


def test_a_colour_offset_of_all_renders_is_matched_away(face_landmarks):
    picture = np.ascontiguousarray(astronaut()[:501, :511] // 2 + 60)  # room for the offset
    references = references_of(picture, face_landmarks())
    offset = (references.crops[0].astype(int) + (20, -12, 6)).astype(np.uint8)  # noqa: RUF005 (a sum)
    placed = FullFrame(picture, references, offset, Following()).place(offset, face_landmarks())
    np.testing.assert_allclose(placed.astype(int), picture, atol=1)


def test_a_painted_mouth_shows_at_its_place_and_nowhere_else(picture, references, reference):
    frame = reference.copy()
    frame[170:190, 118:138] = (0, 0, 255)
    placed = FullFrame(picture, references, reference, Following()).place(frame, references.landmarks[0])
    changed = (placed != picture).any(-1)
    rows, columns = np.nonzero(changed)
    expected = to_source(np.array([127.5, 179.5]), CROP)
    np.testing.assert_allclose([columns.mean(), rows.mean()], expected, atol=1)
    column, row = np.rint(expected).astype(int)
    np.testing.assert_allclose(placed[row, column], (0, 0, 255), atol=6)
    assert changed.sum() < 2.5 * (20 * SCALE) ** 2


def test_nothing_outside_the_crop_changes(picture, references, reference, face_landmarks):
    frame = 255 - reference
    placed = FullFrame(picture, references, reference, Following()).place(frame, face_landmarks(mouth=30))
    inside = in_crop(picture.shape[:2])
    np.testing.assert_array_equal(placed[~inside], picture[~inside])
    assert (placed[inside] != picture[inside]).mean() > 0.5


def test_detail_finer_than_the_render_moves_with_the_face(face_landmarks):
    still, opened = face_landmarks(), face_landmarks(mouth=20)
    lip = 57  # the middle of the lower lip
    picture = np.full((501, 511, 3), 120, np.uint8)
    column, row = np.rint(to_source(still[lip], CROP)).astype(int)
    picture[row, column] = 150
    references = references_of(picture, still)
    flow = spline_flow(Following()(torch.from_numpy(still[None]), torch.from_numpy(opened[None])))
    crop = torch.from_numpy(references.crops).permute(0, 3, 1, 2).float()
    moved = sample(crop, at_full_size(flow.source))[0].permute(1, 2, 0).round().byte().numpy()
    placed = FullFrame(picture, references, references.crops[0], Following()).place(moved, opened)
    found = np.unravel_index(placed[..., 0].argmax(), placed.shape[:2])
    np.testing.assert_allclose(found[::-1], to_source(opened[lip], CROP), atol=2)
    assert placed.max() > references.crops.max() + 3  # sharper than the render has it


def test_detail_finer_than_the_render_lies_on_lids_that_shut(face_landmarks):
    opened, shut = face_landmarks(lids=16), face_landmarks(lids=0)
    picture = np.full((501, 511, 3), 120, np.uint8)
    above = opened[37] - (-3, 3)  # skin on the upper lid of the right eye, three pixels above its edge
    column, row = np.rint(to_source(above, CROP)).astype(int)
    picture[row, column] = 150
    references = references_of(picture, opened)
    landmarks = [torch.from_numpy(points[None]) for points in (opened, shut)]
    held = held_open(*landmarks)
    crop = torch.from_numpy(references.crops).permute(0, 3, 1, 2).float()
    source = slid(held, landmarks[1], at_full_size(spline_flow(Following()(landmarks[0], held)).source))
    moved = sample(crop, source)[0].permute(1, 2, 0).round().byte().numpy()
    placed = FullFrame(picture, references, references.crops[0], Following()).place(moved, shut)
    found = np.unravel_index(placed[..., 0].argmax(), placed.shape[:2])
    lower = to_crop(np.array(found[::-1], float), CROP)[1] - above[1]
    assert 3 < lower < 9  # the edge went down by eight pixels
    assert placed.max() > references.crops.max() + 3  # sharper than the render has it


def test_the_face_fades_out_before_the_border_of_the_crop(face_landmarks):
    landmarks = face_landmarks()
    weight = face_weight(landmarks)
    np.testing.assert_array_equal(weight[[0, -1]], 0)
    np.testing.assert_array_equal(weight[:, [0, -1]], 0)
    inner = np.rint(landmarks[17:]).astype(int)  # brows, eyes, nose and lips
    np.testing.assert_array_equal(weight[inner[:, 1], inner[:, 0]], 1)
    assert max(np.abs(np.diff(weight, axis=axis)).max() for axis in (0, 1)) < 0.1


def test_strips_leave_no_trace(picture, references, reference, face_landmarks, monkeypatch):
    full = FullFrame(picture, references, reference, Following())
    whole = full.place(255 - reference, face_landmarks(mouth=20))
    monkeypatch.setattr(full_frame, "_STRIP_ROWS", 17)
    strips = full.place(255 - reference, face_landmarks(mouth=20))
    np.testing.assert_allclose(strips.astype(int), whole, atol=6)  # OpenCV rounds places to 1/32 pixel
    assert np.abs(strips.astype(int) - whole).mean() < 0.05


def test_alpha_is_not_used(picture, references, reference):
    frame = np.dstack([reference, np.zeros((256, 256), np.uint8)])
    full = FullFrame(picture, references, frame, Following())
    np.testing.assert_array_equal(full.place(frame, references.landmarks[0]), picture)


def test_what_cannot_be_placed_is_refused(picture, references, reference):
    full = FullFrame(picture, references, reference, Following())
    with pytest.raises(ShapeError, match=r"\(256, 256, 3 or 4\), got \(128, 256, 3\)"):
        full.place(reference[:128], references.landmarks[0])
    with pytest.raises(ImageError, match=r"me\.png has 4097 x 2 pixels; full frames have at most 4096 a side"):
        check_full_frame(np.zeros((2, 4097, 3), np.uint8), "me.png")
    check_full_frame(np.zeros((4096, 2, 3), np.uint8), "me.png")
