"""How do several moved references become one picture?

Only those with a share somewhere in a picture are moved; each place of the result is the mean of what they show there,
weighed by their shares.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from backend_server.texture.attention import region_maps
from backend_server.texture.synthesis import References
from backend_server.texture.warp import at_full_size, landmark_flow, places, sample


@dataclass(frozen=True)
class Parts:
    """P references that take part in N pictures.

    Attributes:
        picture: number of the picture that each takes part in, (P,).
        images: (P, 3, 256, 256).
        landmarks: (P, 68, 2) pixels.
        mattes: (P, 1, 256, 256) in [0, 1], or None.
        edges: (P, 3, 256, 256), or None; see `References`.
        source: pixel of the reference for each pixel of the picture, (P, 2, 256, 256).
        stretch: logarithm of the area there over the area here, (P, 1, 256, 256).
        share: of the reference at each pixel, (P, 1, 256, 256); sums to 1 over a picture's references.
        count: N.
    """

    picture: Tensor
    images: Tensor
    landmarks: Tensor
    mattes: Tensor | None
    edges: Tensor | None
    source: Tensor
    stretch: Tensor
    share: Tensor
    count: int

    def mean(self, values: Tensor, share: Tensor | None = None) -> Tensor:
        """The mean of values (P, C, h, w) by shares (P, 1, h, w), those of the parts if None: (N, C, h, w)."""
        weighed = values * (self.share if share is None else share)
        return values.new_zeros(self.count, *values.shape[1:]).index_add(0, self.picture, weighed)

    def shifted(self, shift: Tensor) -> Parts:
        """The parts as if each pixel of picture n lay farther by `shift` (N, 2, 256, 256) pixels in the warp."""
        at = (places(shift) + shift)[self.picture]
        return replace(self, source=sample(self.source, at))

    def alpha(self) -> Tensor:
        """How much of each pixel is the person, (N, 1, 256, 256); ones where no mattes are known."""
        if self.mattes is None:
            return torch.ones_like(self.share).new_ones(self.count, *self.share.shape[1:])
        return self.mean(sample(self.mattes, self.source))

    def edge(self) -> Tensor | None:
        """What added to the picture leaves no background at the person's edge, (N, 3, 256, 256)."""
        return None if self.edges is None else self.mean(sample(self.edges, self.source))


def moved_parts(landmarks: Tensor, references: References, shares: Tensor) -> Parts:
    """Moves the references to new landmarks.

    Args:
        landmarks: of the new pictures, (N, 68, 2) pixels.
        references: R of each person.
        shares: of the references in each region, (N, 4, R).
    """
    picture, reference = shares.detach().amax(1).nonzero(as_tuple=True)
    share = torch.einsum("pg,pghw->phw", shares[picture, :, reference], region_maps(landmarks)[picture])
    own = references.landmarks[picture, reference]
    flow = landmark_flow(own, landmarks[picture])
    motion = at_full_size(torch.cat([flow.source, flow.stretch, share[:, None]], 1))
    mattes, edges = (None if x is None else x[picture, reference] for x in (references.mattes, references.edges))
    return Parts(
        picture=picture,
        images=references.images[picture, reference],
        landmarks=own,
        mattes=mattes,
        edges=edges,
        source=motion[:, :2],
        stretch=motion[:, 2:3],
        share=motion[:, 3:],
        count=len(landmarks),
    )
