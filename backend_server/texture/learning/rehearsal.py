"""Makes fine-tuning remember expressions that the user's images do not show.

A few images rarely show shut eyes or a wide mouth. Learning only from them, the network would forget both. So the
initial network's own pictures of such expressions are further targets.
"""

from __future__ import annotations

import torch
from torch import Tensor

from backend_server.texture.synthesis import References, TextureGenerator
from backend_server.texture.warping.raster import opening_measures

_MOUTH_OPENINGS = (0.08, 0.16, 0.24)  # of the distance of the outer eye corners
_SHOWN_MARGIN = 0.04  # an image within this of an opening shows it
_SHUT_LIDS = 0.12  # an eye whose two gaps add up to less is shut
_LOWER_LIP = (55, 56, 57, 58, 59, 65, 66, 67)
_CHIN = (5, 6, 7, 8, 9, 10, 11)
_LIDS = (((37, 41), (38, 40)), ((43, 47), (44, 46)))
_UPPER_LID_SHARE = 0.8  # of a blink is done by the upper lid


def open_mouth(landmarks: Tensor, opening: float) -> Tensor:
    """Lowers the lower lip and the chin of (68, 2) until the mouth's inside is `opening` eye distances high."""
    points = landmarks.clone()
    eye_distance = (points[36] - points[45]).norm()
    down = opening * eye_distance - (points[66] - points[62]).norm()
    middle = points[66, 0]
    half_width = (points[54, 0] - points[48, 0]).abs() / 2
    for i in (*_LOWER_LIP, *_CHIN):
        aside = ((points[i, 0] - middle) / half_width.clamp_min(1)).abs().clamp(max=1)
        share = 1 - 0.5 * aside.square() if i in _LOWER_LIP else 0.8 * (1 - 0.6 * aside)
        points[i, 1] += down * share
    return points


def shut_eyes(landmarks: Tensor, share: float = 1.0) -> Tensor:
    """Brings the lids of (68, 2) together, by a share of their gap."""
    points = landmarks.clone()
    for eye in _LIDS:
        for upper, lower in eye:
            gap = landmarks[lower] - landmarks[upper]
            points[upper] += share * _UPPER_LID_SHARE * gap
            points[lower] -= share * (1 - _UPPER_LID_SHARE) * gap
    return points


def unseen_expressions(landmarks: Tensor) -> list[Tensor]:
    """Expressions (68, 2) of the first face that none of the faces (K, 68, 2) shows."""
    measures = opening_measures(landmarks)
    base = landmarks[0]
    widest, narrowest = float(measures[:, 0].max()), float(measures[:, 2:].amin())
    mouths = [opening for opening in _MOUTH_OPENINGS if opening > widest + _SHOWN_MARGIN]
    expressions = [open_mouth(base, opening) for opening in mouths]
    if narrowest > _SHUT_LIDS:
        expressions += [shut_eyes(base), shut_eyes(base, 0.5)]
    return expressions


@torch.no_grad()
def rehearsal_pictures(generator: TextureGenerator, references: References, expressions: list[Tensor]) -> Tensor:
    """The initial network's pictures (E, 3, 256, 256) of the expressions, from references of one person."""
    pictures = [generator(points[None], references).picture.clamp(-1, 1) for points in expressions]
    return torch.cat(pictures) if pictures else references.images.new_zeros(0, 3, 256, 256)
