import torch

from backend_server.texture.warping.spline import (
    ControlPoints,
    at_full_size,
    head_motion,
    spline_flow,
    thin_plate_spline,
)


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


def test_points_that_need_not_be_met_are_left_to_the_others():
    points = torch.tensor([[0.0, 0.0], [255.0, 0.0], [0.0, 255.0], [255.0, 255.0], [127.5, 127.5]])[None]
    moved = points.clone()
    moved[0, 4, 0] += 10
    middles = []
    for stiffness in (0.0, 1e3):
        control = ControlPoints(points, moved, torch.tensor([0.0, 0.0, 0.0, 0.0, stiffness]))
        middles.append(at_full_size(spline_flow(control).source)[0, 0, 127, 137].item())
    assert abs(middles[0] - 127.5) < 1 and abs(middles[1] - 137) < 0.5
