import pytest
import torch

from backend_server.texture.warp import at_full_size, head_motion, kept_apart, landmark_flow, sample, thin_plate_spline


def test_a_spline_without_stiffness_passes_through_its_values():
    random = torch.Generator().manual_seed(1)
    points, values = torch.rand(2, 9, 2, generator=random).double(), torch.rand(2, 9, 3, generator=random).double()
    torch.testing.assert_close(
        thin_plate_spline(points, values, points, torch.zeros(9).double()), values, rtol=1e-4, atol=1e-4
    )


def test_a_spline_repeats_an_affine_map_everywhere_however_stiff():
    random = torch.Generator().manual_seed(2)
    points, places = torch.rand(1, 8, 2, generator=random), torch.rand(1, 20, 2, generator=random) * 3
    matrix, offset = torch.tensor([[2.0, 1.0], [-1.0, 0.5]]), torch.tensor([3.0, -4.0])
    read = thin_plate_spline(points, points @ matrix + offset, places, torch.full((8,), 0.7))
    torch.testing.assert_close(read, places @ matrix + offset, rtol=1e-3, atol=1e-3)


def test_the_head_motion_of_a_turned_head_is_that_turn(face_landmarks):
    reference = torch.from_numpy(face_landmarks())[None]
    matrix = 1.1 * torch.tensor([[0.8, 0.6], [-0.6, 0.8]])
    found, offset = head_motion(reference, reference @ matrix + torch.tensor([5.0, -7.0]))
    torch.testing.assert_close(found[0], matrix, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(offset[0], torch.tensor([5.0, -7.0]), rtol=1e-3, atol=1e-2)


def test_unmoved_landmarks_leave_the_picture_as_it_is(face_landmarks):
    points = torch.from_numpy(face_landmarks())[None]
    flow = landmark_flow(points, points)
    image = torch.rand(1, 3, 256, 256)
    torch.testing.assert_close(sample(image, at_full_size(flow.source)), image, rtol=0, atol=2e-3)
    assert flow.stretch.abs().max() < 1e-3


def test_lips_that_open_take_the_picture_along(face_landmarks):
    reference = torch.from_numpy(face_landmarks(mouth=0))[None]
    target = torch.from_numpy(face_landmarks(mouth=20))[None]
    source = at_full_size(landmark_flow(reference, target).source)
    for i in (51, 57, 62, 66):  # middles of the lips
        x, y = target[0, i].round().int().tolist()
        assert (source[0, :, y, x] - reference[0, i]).norm() < 3, i
    # the border holds still
    assert (source[0, :, 0, 0]).abs().max() < 1
    # between the lips the picture is pulled apart
    stretch = at_full_size(landmark_flow(reference, target).stretch)
    assert stretch[0, 0, 188, 128] < -0.5


def test_the_flow_is_differentiable_in_the_landmarks(face_landmarks):
    reference = torch.from_numpy(face_landmarks())[None]
    target = torch.from_numpy(face_landmarks(mouth=12))[None].requires_grad_()
    landmark_flow(reference, target, grid_size=16).source.sum().backward()
    assert target.grad is not None and torch.isfinite(target.grad).all() and target.grad.abs().sum() > 0


def test_lids_that_shut_keep_a_gap_for_the_warp_unless_they_were_shut(face_landmarks):
    reference = torch.from_numpy(face_landmarks(mouth=0, lids=9))[None]
    target = torch.from_numpy(face_landmarks(mouth=0, lids=0))[None]
    apart = kept_apart(reference, target)
    assert (apart[0, 41, 1] - apart[0, 37, 1]).item() == pytest.approx(3.0)
    assert torch.equal(apart[0, 60:], target[0, 60:])  # lips that were shut stay so
    wide = torch.from_numpy(face_landmarks(mouth=20))[None]
    assert torch.equal(kept_apart(reference, wide), wide)


def test_shut_eyes_squeeze_what_lay_between_the_lids(face_landmarks):
    reference = torch.from_numpy(face_landmarks(lids=10))[None]
    source = at_full_size(landmark_flow(reference, torch.from_numpy(face_landmarks(lids=0))[None]).source)
    # four pixels above the shut lids there is skin from above the open eye
    assert source[0, 1, 92, 89] < reference[0, 37, 1] + 0.5


def test_hair_follows_the_head_the_neck_a_little_and_the_border_not(face_landmarks):
    reference = torch.from_numpy(face_landmarks())[None]
    source = at_full_size(landmark_flow(reference, reference + torch.tensor([6.0, 0.0])).source)[0, 0]
    moved = torch.arange(256.0) - source
    assert moved[40, 128] == pytest.approx(6, abs=1.5)  # hair above the forehead
    assert moved[100, 45] == pytest.approx(6, abs=2)  # an ear beside the jaw line
    assert 0 < moved[250, 128] < 3 and moved[0, 0] == pytest.approx(0, abs=1)
