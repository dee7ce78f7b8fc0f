import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from backend_server.texture.synthesis import References
from backend_server.texture.warping.attention import (
    REGIONS,
    ReferenceAttention,
    at_most,
    region_maps,
    sparsemax,
    strangeness,
)
from backend_server.texture.warping.blending import moved_parts
from backend_server.texture.warping.following import Following


@settings(max_examples=50, deadline=None)
@given(st.lists(st.floats(-3, 3), min_size=1, max_size=6))
def test_sparsemax_is_the_nearest_point_of_the_simplex(values):
    logits = torch.tensor(values)
    shares = sparsemax(logits)
    assert shares.sum() == pytest.approx(1, abs=1e-5) and shares.min() >= 0
    # nearest: on the support every share lies as far below its logit, off it the logit lies no farther up
    distance = (logits - shares)[shares > 0]
    assert distance.max() - distance.min() < 1e-5
    assert (logits[shares == 0] <= distance.min() + 1e-5).all()


def test_sparsemax_by_hand():
    assert sparsemax(torch.tensor([1.0, 0.5, -2.0])).tolist() == pytest.approx([0.75, 0.25, 0.0])
    assert sparsemax(torch.tensor([3.0, 0.0])).tolist() == [1.0, 0.0]


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(-3000, 3000).map(lambda x: x / 1000), min_size=1, max_size=9, unique=True))
def test_no_more_than_so_many_get_a_share_and_their_order_stays(values):
    logits = torch.tensor(values, dtype=torch.float64)
    shares = sparsemax(at_most(2, logits))
    assert (shares > 1e-9).sum() <= 2 and shares.argmax() == logits.argmax()
    if (sparsemax(logits) > 0).sum() <= 2:
        torch.testing.assert_close(shares, sparsemax(logits), atol=1e-3, rtol=0)


def test_drawing_logits_apart_is_continuous():
    """The third overtakes the second; a choice of the two largest would jump by a third at once."""
    logits = torch.stack([torch.tensor([0.4, 0.2, x]) for x in torch.linspace(0.0, 0.4, 401)])
    assert sparsemax(at_most(2, logits)).diff(dim=0).abs().max() < 0.02


def test_regions_share_the_picture_and_follow_the_landmarks(face_landmarks):
    maps = region_maps(torch.from_numpy(face_landmarks(mouth=20))[None], 256)[0]
    torch.testing.assert_close(maps.sum(0), torch.ones(256, 256))
    at = {"rest": (20, 20), "mouth": (185, 128), "right eye": (96, 89), "left eye": (96, 167)}
    for region, name in enumerate(REGIONS):
        assert maps[region][at[name]] == 1
    assert 0 < maps[1, 185, 90:104].min() < maps[1, 185, 90:104].max() <= 1  # fades beside the corner of the mouth


def test_surroundings_are_compared_and_the_face_is_not():
    images = torch.rand(1, 3, 3, 256, 256, generator=torch.Generator().manual_seed(0))
    images[:, 1] = images[:, 0]
    images[:, 1, :, 100:150, 100:150] = 1
    images[:, 2] = images[:, 0] + 0.25
    assert strangeness(images)[0].tolist() == pytest.approx([0, 0, 0.25], abs=1e-5)


@pytest.fixture
def rest_open_shut(face_landmarks):
    """A face at rest, one with its mouth open, one with its eyes shut."""
    faces = (face_landmarks(mouth=1), face_landmarks(mouth=16), face_landmarks(mouth=1, lids=1))
    return torch.stack([torch.from_numpy(face) for face in faces])[None]


def test_each_part_comes_from_the_reference_that_fits_it(rest_open_shut, face_landmarks):
    wanted = torch.from_numpy(face_landmarks(mouth=15, lids=1.5))[None]
    shares = ReferenceAttention()(wanted, rest_open_shut, torch.zeros(1, 3))[0].detach()
    assert shares.argmax(1)[1:].tolist() == [1, 2, 2]
    assert shares[1:].amax(1).min() > 0.9


def test_a_strange_photo_lends_its_mouth_but_not_its_surroundings(rest_open_shut):
    attention, wanted = ReferenceAttention(), rest_open_shut[:, 1]
    alike, strange = (attention(wanted, rest_open_shut, torch.tensor([[0.0, x, 0.0]]))[0].detach() for x in (0.0, 0.4))
    assert alike[0, 1] > 0.5 and alike[1, 1] > 0.9
    assert strange[0, 1] == 0 and strange[1, 1] > 0.9


def test_shares_change_little_from_frame_to_frame(rest_open_shut, face_landmarks):
    openings = torch.linspace(1, 16, 601)
    wanted = torch.stack([torch.from_numpy(face_landmarks(mouth=float(opening))) for opening in openings])
    attention, count = ReferenceAttention(), len(wanted)
    shares = attention(wanted, rest_open_shut.expand(count, -1, -1, -1), torch.zeros(count, 3)).detach()
    assert shares[0, 1, 1] == 0 and shares[-1, 1, 1] == 1
    assert shares.diff(dim=0).abs().max() < 0.4  # a fortieth of a pixel a step; a choice of the nearest jumps by 1


def test_moved_references_are_blended_by_their_shares(rest_open_shut):
    images = torch.stack([torch.full((3, 256, 256), level) for level in (-1.0, 0.0, 1.0)])[None]
    mattes = torch.tensor([0.0, 0.5, 1.0]).view(1, 3, 1, 1, 1).expand(-1, -1, -1, 256, 256)
    shares = torch.tensor([[0.25, 0.0, 0.75]]).expand(4, 3)[None]
    parts = moved_parts(Following(), rest_open_shut[:, 0], References(images, rest_open_shut, mattes), shares)
    assert parts.picture.tolist() == [0, 0]  # the second has no share anywhere and is not moved
    assert torch.allclose(parts.mean(parts.images)[0], torch.tensor(0.5), atol=1e-5)
    assert torch.allclose(parts.alpha(), torch.tensor(0.75), atol=1e-5)


def test_means_are_the_same_with_and_without_gradients(rest_open_shut):
    images = torch.rand(1, 3, 3, 256, 256, generator=torch.Generator().manual_seed(0))
    shares = torch.tensor([[0.25, 0.0, 0.75], [1.0, 0.0, 0.0]])[:, None].expand(-1, 4, -1)
    references = References(images, rest_open_shut).expand(2)
    parts = moved_parts(Following(), rest_open_shut[0, :2], references, shares)
    learning = parts.mean(parts.images, parts.share)
    with torch.no_grad():
        for one, other in zip(parts.mean(parts.images, parts.share), learning, strict=True):
            torch.testing.assert_close(one, other)
    assert torch.allclose(learning[0][0], 0.25 * images[0, 0] + 0.75 * images[0, 2], atol=1e-5)


def test_detail_lost_in_a_mean_is_given_back(rest_open_shut):
    image = torch.rand(3, 256, 256, generator=torch.Generator().manual_seed(0))
    pictures = torch.stack([image, image.roll(1, 2), image])[
        None
    ]  # as if the second's landmarks were found a pixel off
    references = References(pictures, rest_open_shut[:, :1].expand(-1, 3, -1, -1))

    def detail(*shares):
        parts = moved_parts(Following(), rest_open_shut[:, 0], references, torch.tensor(shares).expand(4, 3)[None])
        (mean,), blended = parts.mean(parts.pictures("bicubic")), parts.blended()
        return [float(picture.diff(dim=3).square().mean()) for picture in (mean, blended)]

    alone, mixed = detail(1.0, 0.0, 0.0), detail(0.5, 0.5, 0.0)
    assert alone[0] == pytest.approx(alone[1])  # a single picture has lost nothing
    assert mixed[0] * 1.1 < mixed[1] < alone[0]


def test_shifted_parts_read_so_far_aside(rest_open_shut):
    images = torch.linspace(-1, 1, 256).expand(1, 1, 3, 256, 256)
    parts = moved_parts(
        Following(), rest_open_shut[:, 0], References(images, rest_open_shut[:, :1]), torch.ones(1, 4, 1)
    )
    shifted = parts.shifted(torch.tensor([3.0, 0.0]).view(1, 2, 1, 1).expand(-1, -1, 200, 200), (40, 30))
    assert (shifted.source - parts.source)[0, 0, 60:200, 60:200].mean() == pytest.approx(3, abs=0.05)
    assert torch.equal(shifted.source[..., :30, :], parts.source[..., :30, :])


def test_teeth_stay_where_the_head_holds_them(face_landmarks):
    """The lower lip sinks by eight pixels over an open mouth that holds a white bar; the bar stays."""
    before, after = (torch.from_numpy(face_landmarks(mouth=opening))[None] for opening in (12, 20))
    images = torch.full((1, 1, 3, 256, 256), -1.0)
    images[..., 178:184, 112:144] = 1.0
    references, shares = References(images, before[:, None]), torch.ones(1, 4, 1)
    bars = []
    for has_teeth in (True, False):
        parts = moved_parts(Following(), after, references, shares, has_teeth=has_teeth)
        bars.append(parts.mean(parts.pictures("bilinear"))[0][0, 0, :, 128])
    held, stretched = ((bar > 0).nonzero().flatten() for bar in bars)
    assert held[0] in (178, 179) and held[-1] == 183
    assert stretched[-1] >= 186  # with the lips it would grow
    parts = moved_parts(Following(), after, references, shares)
    assert parts.inside[0, 0, 185, 128] == 1 and parts.inside[0, 0, 195, 128] == 0  # newly opened: to be painted
