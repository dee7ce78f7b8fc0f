"""How do several moved references become one picture?

Only those with a share somewhere in a picture are moved; each place of the result is the mean of what they show there,
weighed by their shares. Teeth move with the head and not with the lips: what lies inside the mouth both before and
after is carried by the head's motion alone, and lips open and close over it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

import torch
from torch import Tensor

from backend_server.texture.attention import region_maps
from backend_server.texture.following import Following
from backend_server.texture.raster import opening_images
from backend_server.texture.synthesis import References
from backend_server.texture.warp import at_full_size, head_motion, places, sample, spline_flow


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
        inside: share of each pixel that lies inside the mouth before and after, (P, 1, 256, 256).
        openings: how much of the moved reference is the inside of a mouth or an eye there, (P, 2, 256, 256) in [0, 1].
        head_source: the same as `source`, were the head alone to move, (P, 2, 256, 256).
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
    inside: Tensor
    openings: Tensor
    head_source: Tensor
    stretch: Tensor
    share: Tensor
    count: int

    def mean(self, values: Tensor) -> Tensor:
        """The mean of values (P, C, H, W) by the shares, (N, C, H, W)."""
        weighed = values * self.share
        return values.new_zeros(self.count, *values.shape[1:]).index_add(0, self.picture, weighed)

    def pictures(self, mode: Literal["bilinear", "bicubic"]) -> Tensor:
        """The references, moved, (P, 3, 256, 256)."""
        moved = sample(self.images, self.source, mode)
        rows, columns = (self.inside[:, 0].amax(axes).nonzero() for axes in ((0, 2), (0, 1)))
        if len(rows) == 0:
            return moved
        mouth = (..., slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1))
        carried = sample(self.images, self.head_source[mouth], mode)
        lips = moved[mouth].clone()  # backward needs them as they were
        moved[mouth] = lips.lerp(carried, self.inside[mouth])
        return moved

    def within(self, cut: Callable[[Tensor], Tensor]) -> Parts:
        """The parts of a piece of the picture, which `cut` takes out of a field (P, C, 256, 256)."""
        fields = ("source", "inside", "openings", "head_source", "stretch", "share")
        return replace(self, **{name: cut(getattr(self, name)) for name in fields})

    def shifted(self, shift: Tensor) -> Parts:
        """The parts as if each pixel of picture n lay farther by `shift` (N, 2, 256, 256) pixels in the warp."""
        # Unlike shift[picture], whose gradients threads add up in any order, this repeats to the bit.
        at = (places(shift) + shift).index_select(0, self.picture)
        source, head_source = sample(torch.cat([self.source, self.head_source], 1), at).chunk(2, 1)
        return replace(self, source=source, head_source=head_source)

    def alpha(self) -> Tensor:
        """How much of each pixel is the person, (N, 1, 256, 256); ones where no mattes are known."""
        if self.mattes is None:
            return self.share.new_ones(self.count, *self.share.shape[1:])
        return self.mean(sample(self.mattes, self.source))

    def edge(self) -> Tensor | None:
        """What added to the picture leaves no background at the person's edge, (N, 3, 256, 256)."""
        if self.first_edge is None:
            return None
        first = (self.reference == 0).nonzero()[:, 0]
        picture = self.picture[first]
        moved = sample(self.first_edge[picture], self.source[first]) * self.share[first]
        return torch.zeros_like(self.first_edge).index_add(0, picture, moved)


def moved_parts(
    following: Following, landmarks: Tensor, references: References, shares: Tensor, *, has_teeth: bool = True
) -> Parts:
    """Moves the references to new landmarks.

    Args:
        following: says where all else goes.
        landmarks: of the new pictures, (N, 68, 2) pixels.
        references: R of each person.
        shares: of the references in each region, (N, 4, R).
        has_teeth: whether the mouth's inside moves with the head; or else with the lips.
    """
    picture, reference = shares.detach().amax(1).nonzero(as_tuple=True)
    share = torch.einsum("pg,pghw->phw", shares[picture, :, reference], region_maps(landmarks)[picture])
    own = references.landmarks[picture, reference]
    flow = spline_flow(following(own, landmarks[picture]))
    motion = at_full_size(torch.cat([flow.source, flow.stretch, share[:, None]], 1))
    matrix, offset = head_motion(landmarks[picture], own)
    here = places(motion).flatten(1).mT  # (65536, 2)
    head_source = (here @ matrix + offset[:, None]).mT.unflatten(2, motion.shape[-2:])
    drawn = opening_images(own)
    openings = sample(drawn, motion[:, :2])
    if has_teeth:
        inside = opening_images(landmarks)[picture, :1] * sample(drawn[:, :1], head_source)
        openings = torch.cat([openings[:, :1].lerp(torch.ones_like(inside), inside), openings[:, 1:]], 1)
    else:
        inside, head_source = torch.zeros_like(openings[:, :1]), motion[:, :2]
    return Parts(
        picture=picture,
        reference=reference,
        images=references.images[picture, reference],
        landmarks=own,
        mattes=None if references.mattes is None else references.mattes[picture, reference],
        first_edge=references.edge,
        source=motion[:, :2],
        inside=inside,
        openings=openings,
        head_source=head_source,
        stretch=motion[:, 2:3],
        share=motion[:, 3:],
        count=len(landmarks),
    )
