"""Chooses from which of a person's pictures each part of a new one is taken.

The mouth comes from the pictures whose mouth is most like the wanted one, each eye in the same way, and all else from
those with the most similar head pose. How much the place of each landmark counts is learned. The shares are continuous
in the landmarks, though fast lips may still pass from one picture to another within a frame. Most are exactly zero
(sparsemax, Martins & Astudillo 2016), so that few pictures are moved and mixing blurs little.

The paper takes only one mean code from all pictures.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from backend_server.config import CROP_SIZE
from backend_server.texture.warping.spline import GRID_SIZE, head_motion
from shared.landmarks import LEFT_EYE, LIPS, OUTER_LIPS, POINT_COUNT, RIGHT_EYE, STABLE

REGIONS = ("rest", "mouth", "right eye", "left eye")
_PARTS = (OUTER_LIPS, RIGHT_EYE, LEFT_EYE)  # of the face, one for each region but the rest
_MARGIN = 0.10  # around a part's landmarks, as a share of the distance of the outer eye corners
_FADE = 0.6  # over which a part gives way to the rest, as a share of its half axes
# Before training: how many pixels apart landmarks may lie until a picture loses to one that fits.
_POSE_PIXELS, _PART_PIXELS, _PART_POSE_PIXELS = 0.16, 0.16, 1.3
_LEAST_WEIGHT = 1e-3
_MOST_AT_ONCE = 3  # references in one region of a picture; each takes time to move
_SURROUNDINGS_CELL = 16  # pixels
_SURROUNDINGS_RING = 3  # cells from the border


def sparsemax(logits: Tensor) -> Tensor:
    """The point of the simplex nearest to the logits, along the last axis; most of its shares are zero."""
    ordered = logits.sort(-1, descending=True).values
    counts = torch.arange(1, logits.shape[-1] + 1, device=logits.device, dtype=logits.dtype)
    excess = ordered.cumsum(-1) - 1
    support = (ordered * counts > excess).sum(-1, keepdim=True)
    return (logits - excess.gather(-1, support - 1) / support).clamp_min(0)


def at_most(count: int, logits: Tensor) -> Tensor:
    """Logits (..., R) spread, if necessary, until `sparsemax` gives at most `count` of them a share.

    Continuous in the logits, unlike a choice of the largest: the next one has just lost its share.
    """
    if logits.shape[-1] <= count:
        return logits
    largest = logits.detach().topk(count + 1).values
    lead = (largest[..., :-1] - largest[..., -1:]).sum(-1, keepdim=True)  # sparsemax stops where this reaches 1
    return logits / lead.clamp(1e-4, 1)


def region_maps(landmarks: Tensor, size: int = GRID_SIZE) -> Tensor:
    """How much of each place belongs to each region, (N, 4, size, size) of landmarks (N, 68, 2); sums to 1."""
    places = torch.linspace(0, CROP_SIZE - 1, size, device=landmarks.device, dtype=landmarks.dtype)
    margin = _MARGIN * (landmarks[:, 36] - landmarks[:, 45]).norm(dim=-1)[:, None]
    maps = []
    for part in _PARTS:
        low, high = landmarks[:, part].amin(1), landmarks[:, part].amax(1)
        offset = (places - (low + high)[..., None] / 2) / ((high - low) / 2 + margin)[..., None]  # (N, 2, size)
        radius = (offset[:, 0, None, :].square() + offset[:, 1, :, None].square()).sqrt()
        inside = ((1 + _FADE - radius) / _FADE).clamp(0, 1)
        maps.append(inside.square() * (3 - 2 * inside))
    parts = torch.stack(maps, 1)
    parts = parts / parts.sum(1, keepdim=True).clamp_min(1)
    return torch.cat([1 - parts.sum(1, keepdim=True), parts], 1)


def strangeness(images: Tensor) -> Tensor:
    """How much each picture's surroundings differ from the first one's, (N, R) of pictures (N, R, 3, 256, 256).

    0 for the first; grows with a different background, clothes and light.
    """
    cells = F.avg_pool2d(images.flatten(0, 1), _SURROUNDINGS_CELL).unflatten(0, images.shape[:2])
    ring = torch.ones_like(cells[0, 0, 0], dtype=torch.bool)
    ring[_SURROUNDINGS_RING:-_SURROUNDINGS_RING, _SURROUNDINGS_RING:-_SURROUNDINGS_RING] = False
    return (cells - cells[:, :1])[..., ring].abs().mean((2, 3))


class ReferenceAttention(nn.Module):
    """Shares of the references in each region of the picture."""

    def __init__(self) -> None:
        super().__init__()
        # The head pose shows in points that speech and blinks do not move.
        absolute, relative = torch.full((2, len(REGIONS), POINT_COUNT), _LEAST_WEIGHT)
        absolute[:, list(STABLE)] = 1 / (len(STABLE) * _PART_POSE_PIXELS**2)
        absolute[0, list(STABLE)] = 1 / (len(STABLE) * _POSE_PIXELS**2)
        for region, part in enumerate((LIPS, RIGHT_EYE, LEFT_EYE), 1):
            relative[region, part] = 1 / ((part.stop - part.start) * _PART_PIXELS**2)
        self.log_weights = nn.Parameter(torch.stack([absolute, relative], 1).log())  # (4, 2, 68)
        self.log_strangeness = nn.Parameter(torch.tensor([1000.0, 100.0, 100.0, 100.0]).log())
        self.log_tolerance = nn.Parameter(torch.full((len(REGIONS),), 0.3).log())
        self.base_bonus = nn.Parameter(torch.tensor([0.1, 0.0, 0.0, 0.0]))

    def forward(self, landmarks: Tensor, references: Tensor, strange: Tensor) -> Tensor:
        """Shares of R references in N pictures by region, (N, 4, R); they sum to 1.

        Args:
            landmarks: of the new pictures, (N, 68, 2) pixels.
            references: landmarks of the references, (N, R, 68, 2).
            strange: their `strangeness`, (N, R).
        """
        flat = references.flatten(0, 1)
        wanted = landmarks[:, None].expand_as(references).flatten(0, 1)
        matrix, offset = head_motion(flat, wanted)
        held_alike = flat @ matrix + offset[:, None]
        apart = torch.stack([flat - wanted, held_alike - wanted], 1).square().sum(-1)  # (N R, 2, 68)
        distance = torch.einsum("npk,gpk->ng", apart, self.log_weights.exp()).unflatten(0, references.shape[:2]).mT
        is_base = F.one_hot(torch.zeros_like(strange[:, :1], dtype=torch.long), references.shape[1])  # (N, 1, R)
        distance = distance + self.log_strangeness.exp()[:, None] * strange[:, None]
        # If none is near, differences count less: between two far ones the shares change more slowly.
        tolerance = 1 + self.log_tolerance.exp()[:, None] * distance.amin(-1, keepdim=True)
        return sparsemax(at_most(_MOST_AT_ONCE, self.base_bonus[:, None] * is_base - distance / tolerance))
