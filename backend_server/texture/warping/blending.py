"""Blends several moved references into one picture.

Only those with a share somewhere in a picture are moved; each place of the result is the mean of what they show there,
weighted by their shares. Teeth move with the head and not with the lips: what lies inside the mouth both before and
after follows only the head's motion, and lips open and close over it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from types import EllipsisType
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from backend_server.texture.synthesis import References
from backend_server.texture.warping.attention import region_maps
from backend_server.texture.warping.following import Following
from backend_server.texture.warping.lids import held_open, slid
from backend_server.texture.warping.raster import opening_images
from backend_server.texture.warping.spline import at_full_size, head_motion, places, sample, spline_flow

_DETAIL = 0.75  # of what a blur by 1, 2, 1 removes from the mean of many; chosen for the sharpness of real frames

Box = tuple[EllipsisType, slice, slice]


@dataclass(frozen=True)
class Parts:
    """P references that take part in N pictures.

    Attributes:
        picture: number of the picture that each takes part in, (P,).
        reference: its number among the person's references, (P,).
        images: (P, 3, 256, 256).
        landmarks: (P, 68, 2) pixels.
        mattes: (P, 1, 256, 256) in [0, 1], or None.
        first_edge: of each picture's first reference, (N, 3, 256, 256), or None; see `References`.
        source: pixel of the reference for each pixel of the picture, (P, 2, 256, 256).
        at: pixel at which the warp is read for each pixel of the picture, (N, 2, 256, 256).
        head: matrix (P, 2, 2) and offset (P, 2) that take `at` to the reference if only the head moves.
        inside: share of each pixel that lies inside the mouth before and after, (P, 1, 256, 256).
        openings: how much of the moved reference is the inside of a mouth or an eye there, (P, 2, 256, 256) in [0, 1].
        wanted: the same of the new picture, (N, 2, 256, 256) in [0, 1].
        stretch: logarithm of the area there over the area here, (P, 1, 256, 256).
        share: of the reference at each pixel, (P, 1, 256, 256); sums to 1 over a picture's references.
        count: N.
    """

    picture: Tensor
    reference: Tensor
    images: Tensor
    landmarks: Tensor
    mattes: Tensor | None
    first_edge: Tensor | None
    source: Tensor
    at: Tensor
    head: tuple[Tensor, Tensor]
    inside: Tensor
    openings: Tensor
    wanted: Tensor
    stretch: Tensor
    share: Tensor
    count: int

    def mean(self, *fields: Tensor) -> list[Tensor]:
        """The means, weighted by the shares, each (N, C, H, W), of fields (P, C, H, W)."""
        means = [field.new_zeros(self.count, *field.shape[1:]) for field in fields]
        if torch.is_grad_enabled() or self.share.is_cuda:
            pairs = zip(means, fields, strict=True)
            return [mean.index_add(0, self.picture, field * self.share) for mean, field in pairs]
        for part, picture in enumerate(self.picture.tolist()):  # each value is read once: reading takes the time
            for mean, field in zip(means, fields, strict=True):
                mean[picture].addcmul_(field[part], self.share[part])
        return means

    def pictures(self, mode: Literal["bilinear", "bicubic"]) -> Tensor:
        """The references, moved, (P, 3, 256, 256)."""
        moved = sample(self.images, self.source, mode)
        mouth = box_of(self.inside)
        if mouth is not None:
            carried = sample(self.images, moved_by_head(self._of_parts(self.at[mouth]), self.head), mode)
            lips = moved[mouth].clone()  # backward needs the old values
            moved[mouth] = lips.lerp(carried, self.inside[mouth])
        return moved

    def blended(self) -> Tensor:
        """The moved references as one picture, (N, 3, 256, 256): their mean, with the detail that a mean loses."""
        mean, squares = self.mean(self.pictures("bicubic"), self.share)
        return mean + _DETAIL * (1 - squares) * (mean - blurred(mean))

    def _of_parts(self, field: Tensor) -> Tensor:
        # Unlike field[picture], whose gradients threads add in any order, this gives the same bits each time.
        return field.index_select(0, self.picture)

    def within(self, cut: Callable[[Tensor], Tensor]) -> Parts:
        """The parts of a piece of the picture, which `cut` takes out of a field (P, C, 256, 256)."""
        fields = ("source", "at", "inside", "openings", "wanted", "stretch", "share")
        return replace(self, **{name: cut(getattr(self, name)) for name in fields})

    def shifted(self, shift: Tensor, corner: tuple[int, int]) -> Parts:
        """The parts with a piece of the pictures read elsewhere in the warp.

        Args:
            shift: of the pieces, (N, 2, h, w) pixels.
            corner: the column and row where the pieces begin.
        """
        piece = (..., *(slice(begin, begin + size) for begin, size in zip(corner[::-1], shift.shape[2:], strict=True)))
        at, source = self.at.clone(), self.source.clone()
        at[piece] = self.at[piece] + shift
        source[piece] = sample(self.source, self._of_parts(at[piece]))
        return replace(self, at=at, source=source)

    def alpha(self) -> Tensor:
        """How much of each pixel is the person, (N, 1, 256, 256); ones where no mattes are known."""
        if self.mattes is None:
            return self.share.new_ones(self.count, *self.share.shape[1:])
        return self.mean(sample(self.mattes, self.source))[0]

    def edge(self) -> Tensor | None:
        """Added to the picture, removes the background at the person's edge, (N, 3, 256, 256)."""
        if self.first_edge is None:
            return None
        first = (self.reference == 0).nonzero()[:, 0]
        picture = self.picture[first]
        moved = sample(self.first_edge[picture], self.source[first]) * self.share[first]
        return torch.zeros_like(self.first_edge).index_add(0, picture, moved)


def moved_parts(
    following: Following,
    landmarks: Tensor,
    references: References,
    shares: Tensor,
    *,
    has_teeth: bool = True,
    slides_lids: bool = True,
) -> Parts:
    """Moves the references to new landmarks.

    Args:
        following: moves all else.
        landmarks: of the new pictures, (N, 68, 2) pixels.
        references: R of each person.
        shares: of the references in each region, (N, 4, R).
        has_teeth: whether the mouth's inside moves with the head; otherwise with the lips.
        slides_lids: whether lids close over eyes that stand still; otherwise eyes are squeezed.
    """
    picture, reference = shares.detach().amax(1).nonzero(as_tuple=True)
    share = torch.einsum("pg,pghw->phw", shares[picture, :, reference], region_maps(landmarks)[picture])
    own = references.landmarks[picture, reference]
    source, stretch = _moved_places(following, own, landmarks[picture], slides_lids)
    motion = torch.cat([source, stretch, at_full_size(share[:, None])], 1)
    head = head_motion(landmarks[picture], own)
    at = places(motion).expand(len(landmarks), -1, -1, -1)
    drawn, wanted = opening_images(own), opening_images(landmarks)
    here, openings = wanted[:, :1], sample(drawn, motion[:, :2])
    inside = torch.zeros_like(openings[:, :1])
    mouth = box_of(here) if has_teeth else None
    if mouth is not None:
        there = sample(drawn[:, :1], moved_by_head(at[mouth][picture], head))
        inside[mouth] = here[mouth][picture] * there
        openings[:, :1][mouth].lerp_(torch.ones_like(there), inside[mouth])
    return Parts(
        picture=picture,
        reference=reference,
        images=references.images[picture, reference],
        landmarks=own,
        mattes=None if references.mattes is None else references.mattes[picture, reference],
        first_edge=references.edge,
        source=motion[:, :2],
        at=at,
        head=head,
        inside=inside,
        openings=openings,
        wanted=wanted,
        stretch=motion[:, 2:3],
        share=motion[:, 3:],
        count=len(landmarks),
    )


def _moved_places(following: Following, reference: Tensor, target: Tensor, slides_lids: bool) -> tuple[Tensor, Tensor]:
    """Where each pixel of new pictures comes from.

    Args:
        following: moves what has no landmarks.
        reference: landmarks of the references, (P, 68, 2) pixels.
        target: landmarks of the new pictures, the same shape.
        slides_lids: see `moved_parts`.

    Returns:
        Pixels of the references, (P, 2, 256, 256), and the logarithm of the area there over the area here,
        (P, 1, 256, 256).
    """
    held = held_open(reference, target) if slides_lids else target
    flow = spline_flow(following(reference, held))
    source = at_full_size(flow.source)
    return slid(held, target, source) if slides_lids else source, at_full_size(flow.stretch)


def blurred(x: Tensor) -> Tensor:
    """Pictures (N, C, h, w) blurred by 1, 2, 1 along rows and columns."""
    x = F.pad(x, (1, 1, 1, 1), mode="replicate")
    x = x[..., :-2, :] + 2 * x[..., 1:-1, :] + x[..., 2:, :]
    return (x[..., :-2] + 2 * x[..., 1:-1] + x[..., 2:]) / 16


def box_of(field: Tensor) -> Box | None:
    """The smallest box that holds all that is not zero in (N, 1, h, w)."""
    rows, columns = (field[:, 0].amax(axes).nonzero() for axes in ((0, 2), (0, 1)))
    if len(rows) == 0:
        return None
    return ..., slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1)


def moved_by_head(at: Tensor, head: tuple[Tensor, Tensor]) -> Tensor:
    """The pixels of the references (P, 2, h, w) that the head's motion takes to the pixels `at`."""
    matrix, offset = head
    return torch.einsum("pxhw,pxy->pyhw", at, matrix) + offset[..., None, None]
