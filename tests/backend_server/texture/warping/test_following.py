"""What has no landmarks follows those that move."""

import numpy as np
import pytest
import torch

from backend_server.config import CROP_SIZE
from backend_server.texture.learning.following_fit import fit_following
from backend_server.texture.learning.objective import Batch
from backend_server.texture.synthesis import References
from backend_server.texture.warping.following import Following, kept_apart
from backend_server.texture.warping.spline import at_full_size, sample, spline_flow


def test_unmoved_landmarks_leave_the_picture_as_it_is(face_landmarks):
    points = torch.from_numpy(face_landmarks())[None]
    flow = spline_flow(Following()(points, points))
    image = torch.rand(1, 3, 256, 256)
    torch.testing.assert_close(sample(image, at_full_size(flow.source)), image, rtol=0, atol=2e-3)
    assert flow.stretch.abs().max() < 1e-3


def test_lips_that_open_take_the_picture_along(face_landmarks):
    reference = torch.from_numpy(face_landmarks(mouth=0))[None]
    target = torch.from_numpy(face_landmarks(mouth=20))[None]
    source = at_full_size(spline_flow(Following()(reference, target)).source)
    for i in (51, 57, 62, 66):  # middles of the lips
        x, y = target[0, i].round().int().tolist()
        assert (source[0, :, y, x] - reference[0, i]).norm() < 3, i
    # the border holds still
    assert (source[0, :, 0, 0]).abs().max() < 1
    # between the lips the picture is pulled apart
    stretch = at_full_size(spline_flow(Following()(reference, target)).stretch)
    assert stretch[0, 0, 188, 128] < -0.5


def test_the_flow_is_differentiable_in_the_landmarks(face_landmarks):
    reference = torch.from_numpy(face_landmarks())[None]
    target = torch.from_numpy(face_landmarks(mouth=12))[None].requires_grad_()
    spline_flow(Following()(reference, target), 16).source.sum().backward()
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
    source = at_full_size(spline_flow(Following()(reference, torch.from_numpy(face_landmarks(lids=0))[None])).source)
    # four pixels above the shut lids there is skin from above the open eye
    assert source[0, 1, 92, 89] < reference[0, 37, 1] + 0.5


def test_hair_follows_the_head_the_neck_a_little_and_the_border_not(face_landmarks):
    reference = torch.from_numpy(face_landmarks())[None]
    source = at_full_size(spline_flow(Following()(reference, reference + torch.tensor([6.0, 0.0]))).source)[0, 0]
    moved = torch.arange(256.0) - source
    assert moved[40, 128] == pytest.approx(6, abs=1.5)  # hair above the forehead
    assert moved[100, 45] == pytest.approx(6, abs=2)  # an ear beside the jaw line
    assert 0 < moved[250, 128] < 3 and moved[0, 0] == pytest.approx(0, abs=1)


def test_a_smaller_copy_of_the_face_moves_as_much_less(face_landmarks):
    """Departures are counted in distances of the eyes, so faces of any size follow alike."""
    following, random = Following(), torch.Generator().manual_seed(3)
    following.turning += 0.2 * torch.randn(following.turning.shape, generator=random)
    following.speaking += 0.2 * torch.randn(following.speaking.shape, generator=random)
    pair = [torch.from_numpy(face_landmarks(mouth=mouth))[None] for mouth in (2, 14)]
    whole, half = (following(*(landmarks * scale for landmarks in pair)) for scale in (1.0, 0.5))
    inside = slice(0, -16)  # the border is as large for both
    torch.testing.assert_close(whole.moved[:, inside] * 0.5, half.moved[:, inside], rtol=0, atol=1e-3)


def test_hair_and_border_do_not_follow_the_lips(face_landmarks):
    following = Following()
    following.speaking += 1
    shut, opened = (torch.from_numpy(face_landmarks(mouth=mouth))[None] for mouth in (0, 20))
    opened[:, :17] = shut[:, :17]
    rigid, loose = (one(shut, opened).moved for one in (Following(), following))
    changed = (rigid != loose).any(-1)[0]
    assert changed[:17].all() and changed[90:97].all()  # jaw, neck
    assert not changed[17:90].any() and not changed[97:].any()


def test_what_no_training_clip_showed_leads_nowhere(face_landmarks):
    """In an upside-down head whose nose left its face, no feature counts for more than 0.2."""
    following, reference = Following(), torch.from_numpy(face_landmarks())[None]
    following.turning += 0.5
    target = 400 - 0.5 * reference
    target[:, 30] += 300
    departed = following(reference, target).moved - Following()(reference, target).moved
    features = following.turning.shape[2]
    assert departed.abs().max() <= 0.2 * 0.5 * features * (reference[0, 36] - reference[0, 45]).norm() + 1e-3


def test_fitting_finds_hair_that_moves_against_the_nose(face_landmarks):
    """Heads that turn: nose and hair move apart, and only the nose has landmarks."""
    rng, rest = np.random.default_rng(0), torch.from_numpy(face_landmarks())
    rows, columns = np.mgrid[:CROP_SIZE, :CROP_SIZE]
    hair = torch.from_numpy(((rows < 60) & (columns // 6 % 2 == 0)).astype(np.float32))

    def next_batch():
        turns = torch.from_numpy(rng.uniform(-6, 6, 8).astype(np.float32))
        turned = rest.repeat(8, 1, 1)
        turned[:, 28:36, 0] += turns[:, None]
        shift = torch.zeros(8, 2, CROP_SIZE, CROP_SIZE)
        shift[:, 0] = 0.5 * turns[:, None, None]
        source = torch.from_numpy(np.stack([columns, rows]).astype(np.float32)) + shift
        images = (hair * 2 - 1).expand(8, 3, -1, -1)
        references = References(images[:, None], rest.expand(8, 1, -1, -1))
        return Batch(references, turned, sample(images, source))

    following, told = Following(), []
    before, after = fit_following(following, next_batch, 60, lambda *told_now: told.append(told_now))
    assert after < 0.6 * before
    assert following.is_fitted and not Following().is_fitted
    assert told[0] == ("following", 0, 60) and told[-1] == ("following", 60, 60)
