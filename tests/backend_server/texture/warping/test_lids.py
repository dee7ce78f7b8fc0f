"""Lids slide over eyes that stand still."""

import pytest
import torch

from backend_server.texture.warping.lids import held_open, lid_bounds, lid_shift, slid
from backend_server.texture.warping.spline import places

PLACES = places(torch.zeros(1, 1, 256, 256))


def pair(face_landmarks, before, after):
    return (torch.from_numpy(face_landmarks(lids=lids))[None] for lids in (before, after))


def read_from(face_landmarks, before, after):
    """The row from which each pixel of the eyes' picture is read, (256, 256)."""
    reference, target = pair(face_landmarks, before, after)
    return slid(held_open(reference, target), target, PLACES[None])[0, 1]


def test_lids_that_close_are_held_open_and_others_are_not(face_landmarks):
    reference, target = pair(face_landmarks, 9, 2)
    torch.testing.assert_close(held_open(reference, target), reference, rtol=0, atol=1e-3)
    reference, target = pair(face_landmarks, 2, 9)
    torch.testing.assert_close(held_open(reference, target), target, rtol=0, atol=1e-3)


def test_lids_are_held_open_where_the_head_is(face_landmarks):
    reference, target = pair(face_landmarks, 9, 0)
    target = target + torch.tensor([7.0, -4.0])
    torch.testing.assert_close(held_open(reference, target), reference + torch.tensor([7.0, -4.0]), rtol=0, atol=1e-3)


@pytest.mark.parametrize("lids", [9, 12])
def test_nothing_slides_where_lids_stay_or_open(lids, face_landmarks):
    torch.testing.assert_close(read_from(face_landmarks, 9, lids), PLACES[1], rtol=0, atol=1e-3)


def test_half_shut_lids_cover_the_eye_with_skin_and_leave_the_rest_of_it_alone(face_landmarks):
    rows = read_from(face_landmarks, 16, 8)[:, 89]  # the middle of the right eye, 88 to 104, then 92 to 100
    edge = 96 - 4
    assert rows[edge] < 96 - 8 + 1.5  # the edge of the lid, lashes and all
    assert (rows[edge + 3 : 98] - torch.arange(edge + 3, 98)).abs().max() < 0.5  # the eye stands still
    assert (rows[1:] - rows[:-1]).min() > -1e-3  # in order: nothing is seen twice


def test_shut_lids_show_nothing_of_the_eye(face_landmarks):
    for column in (84, 89, 95):
        rows = read_from(face_landmarks, 16, 0)[86:106, column]
        open_top = 96 - 8 * torch.sin(torch.tensor((column - 76) / 26 * torch.pi))
        open_bottom = 192 - open_top
        inside = (rows > open_top + 1.5) & (rows < open_bottom - 1.0)
        assert inside.sum() <= 1, column


def test_what_is_far_from_the_eyes_is_not_touched(face_landmarks):
    reference, target = pair(face_landmarks, 16, 0)
    (left, top), (right, bottom) = lid_bounds(target)
    shift = lid_shift(held_open(reference, target), target, PLACES)[0].norm(dim=0)
    shift[int(top) : int(bottom) + 1, int(left) : int(right) + 1] = 0
    assert shift.max() < 1e-3
    assert lid_shift(held_open(reference, target), target, PLACES).abs().max() > 4


def test_the_shift_at_any_places_is_that_of_the_picture(face_landmarks):
    reference, target = pair(face_landmarks, 16, 3)
    held = held_open(reference, target)
    read = slid(held, target, PLACES[None])
    torch.testing.assert_close(PLACES + lid_shift(held, target, PLACES), read, rtol=0, atol=1e-3)


def test_the_field_that_is_read_stays_as_it_is_and_gradients_pass(face_landmarks):
    reference, target = pair(face_landmarks, 16, 0)
    field = torch.rand(1, 3, 256, 256, requires_grad=True)
    before = field.detach().clone()
    slid(held_open(reference, target), target, field).sum().backward()
    assert torch.equal(field.detach(), before)
    assert field.grad is not None and torch.isfinite(field.grad).all()
