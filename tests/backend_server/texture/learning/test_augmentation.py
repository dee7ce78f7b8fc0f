from dataclasses import replace

import torch

from backend_server.texture.learning.augmentation import (
    AugmentationStrength,
    move_pictures,
    move_points,
    random_change,
    with_turns,
)
from shared.landmarks import MIRROR

NOTHING = AugmentationStrength(degrees=0, scale=0, shift=0, bend=0, mirror=0, colour=0)


def test_no_strength_changes_nothing(face_landmarks):
    change = random_change(2, NOTHING, torch.Generator().manual_seed(0))
    images = torch.rand(2, 3, 256, 256) * 1.8 - 0.9
    torch.testing.assert_close(move_pictures(images, change), images, rtol=0, atol=1e-4)
    points = torch.from_numpy(face_landmarks()).expand(2, -1, -1)
    torch.testing.assert_close(move_points(points, change), points, rtol=0, atol=1e-3)


def test_landmarks_move_with_the_picture(face_landmarks):
    """A bright dot on a landmark is found at the moved landmark, or at its mirror image."""
    points = torch.from_numpy(face_landmarks())[[30, 36, 54, 8]][:, None]  # one landmark per picture
    places = torch.stack(torch.meshgrid(torch.arange(256.0), torch.arange(256.0), indexing="ij")).flip(0)
    dots = torch.exp(-(places - points[:, 0, :, None, None]).square().sum(1) / 18)[:, None].expand(-1, 3, -1, -1)
    strength = replace(AugmentationStrength(), colour=0.0)
    change = random_change(4, strength, torch.Generator().manual_seed(3))
    assert change.is_mirrored.any() and not change.is_mirrored.all()
    moved = move_pictures(dots * 2 - 1, change)[:, 0]
    expected = move_points(torch.from_numpy(face_landmarks()).expand(4, -1, -1), change)
    for n, i in enumerate([30, 36, 54, 8]):
        peak = int(moved[n].argmax())
        found = torch.tensor([peak % 256, peak // 256], dtype=torch.float32)
        name = int(MIRROR[i]) if change.is_mirrored[n] else i
        assert (found - expected[n, name]).norm() < 1.5


def test_the_same_seed_draws_the_same_change():
    a, b = (random_change(3, AugmentationStrength(), torch.Generator().manual_seed(7)) for _ in range(2))
    assert torch.equal(a.bend, b.bend) and torch.equal(a.matrix, b.matrix) and torch.equal(a.gains, b.gains)


def test_turned_heads_take_their_landmarks_along_and_leave_the_border(face_landmarks):
    points = torch.from_numpy(face_landmarks()).expand(3, -1, -1)
    random = torch.Generator().manual_seed(3)
    strength = AugmentationStrength(0, 0, 0, 0, 0, 0, yaw=15, pitch=8)
    still = random_change(3, strength, random)
    change = with_turns(still, points, 1.0, strength, random)
    moved = move_points(points, change)
    nose, ears = moved[:, 30] - points[:, 30], moved[:, [0, 16]] - points[:, [0, 16]]
    assert (nose[:, 0].abs() > 1).any()
    assert ((nose[:, 0].abs() > ears[..., 0].abs().amax(1)) | (nose[:, 0].abs() < 1)).all()  # it is in front
    marked = torch.full((3, 3, 256, 256), -1.0)
    for k in range(3):
        x, y = points[k, 30].round().int().tolist()
        marked[k, :, y - 2 : y + 3, x - 2 : x + 3] = 1
    seen = move_pictures(marked, change)[:, 0] > 0
    for k in range(3):
        place = seen[k].nonzero().float().mean(0).flip(0)
        assert (place - moved[k, 30]).norm() < 1.5
    corners = move_points(torch.tensor([[[0.0, 0.0], [255.0, 255.0]]]).repeat(3, 34, 1), change)
    assert (corners[:, 0]).abs().max() < 1


def test_no_share_of_turned_heads_changes_nothing(face_landmarks):
    points = torch.from_numpy(face_landmarks())[None]
    strength = AugmentationStrength(0, 0, 0, 0, 0, 0, yaw=15, pitch=8)
    change = with_turns(random_change(1, strength, torch.Generator()), points, 0.0, strength, torch.Generator())
    assert change.turn.abs().max() < 1e-2
