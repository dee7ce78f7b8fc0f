"""Moves what has no landmarks, or no reliable ones, when a face moves.

Hair, ears, neck and shoulders follow the head's similarity transform. Their departure from it is linear in that of the
landmarks: hair lies behind the face, so it moves against the nose when the head turns; the jaw line is found only
roughly, so it follows chin and lips. `following_fit.py` fits the factors to the training clips.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from backend_server.config import CROP_SIZE
from backend_server.texture.warping.spline import ControlPoints, head_motion
from shared.landmarks import (
    JAW,
    LEFT_BROW,
    LEFT_EYE,
    LIPS,
    NOSE_BASE,
    NOSE_BRIDGE,
    POINT_COUNT,
    RIGHT_BROW,
    RIGHT_EYE,
)

# How far the map may miss each control point to stay smooth: little at lips, lids and brows (some freedom helps where
# two lips or lids nearly touch, and lids that shut must not drag the brows along); the rest, in this order, is a start
# for the fit.
_CLOSE = 3e-3
_LOOSE = {"jaw": 0.1, "chin": 0.1, "nose": 0.1, "head": 0.05, "neck": 0.05, "border": 0.05}
_SMALLEST_GAP = 3.0  # pixels between two lids or lips, for the warp
_UPPER_EDGES = (37, 38, 43, 44, 61, 62, 63)
_LOWER_EDGES = (41, 40, 47, 46, 67, 66, 65)

# The head beyond its landmarks.
_SKULL_FROM_JAW = (2, 4, 6, 8, 10, 12, 14)
_SKULL_HEIGHT = 0.85  # of the distance from a jaw point to the eyes, mirrored over the eye line
_OUTLINE = 1.15  # how far out hair and ears lie, seen from the nose, as a multiple of the skull and the upper jaw
_UPPER_JAW = (0, 1, 2, 3, 13, 14, 15, 16)
_CHIN = (5, 6, 7, 8, 9, 10, 11)
_NECK_DEPTH = 0.15  # of the distance from the chin to the eyes, below the chin
_NECK_FOLLOWS = 0.15  # of the head's motion
BORDER = tuple((x, y) for x in (0.0, 0.25, 0.5, 0.75, 1.0) for y in (0.0, 0.25, 0.5, 0.75, 1.0) if {x, y} & {0.0, 1.0})
_JAW_COUNT, _NECK_COUNT = JAW.stop - JAW.start, len(_CHIN)
_HEAD_COUNT = 2 * len(_SKULL_FROM_JAW) + len(_UPPER_JAW)
_COUNTS = (_JAW_COUNT, _HEAD_COUNT, _NECK_COUNT, len(BORDER))

# Groups whose mean departure from the head's motion tells how it turns, and how the jaw moves.
_TURNING = ((0, 1, 2), (14, 15, 16), (27, 28, 29), (30, 33), (31, 32), (34, 35), (36, 39), (42, 45))
_SPEAKING = ((3, 4), (12, 13), (5, 6), (10, 11), (7, 8, 9), (48, 60), (54, 64), (50, 51, 52), (56, 57, 58))
_MOTION = 4  # further features: scale and turn of the head, and how far its eyes move
_FURTHEST = 0.35  # of any feature, in distances of the eyes; heads turned in training went no farther


class Following(nn.Module):
    """Control points of the warp.

    Before the fit, all that has no landmarks follows the head rigidly, and the neck a little. The factors are buffers:
    no loss of the networks changes them.
    """

    turning: Tensor
    speaking: Tensor
    log_stiffness: Tensor
    group: Tensor

    def __init__(self) -> None:
        super().__init__()
        # Only jaw and neck may follow the lips: hair would tremble in speech.
        self.register_buffer("turning", torch.zeros(sum(_COUNTS), 2, 2 * len(_TURNING) + _MOTION))
        self.register_buffer("speaking", torch.zeros(_JAW_COUNT + _NECK_COUNT, 2, 2 * len(_SPEAKING)))
        self.register_buffer("log_stiffness", torch.tensor(tuple(_LOOSE.values())).log())
        self.register_buffer("group", _groups(), persistent=False)

    @property
    def is_fitted(self) -> bool:
        """Tells whether anything does not follow rigidly."""
        return bool(self.turning.any())

    def forward(self, reference: Tensor, target: Tensor) -> ControlPoints:
        """Points of the reference and of the new picture that belong together: landmarks, head, neck, border.

        Args:
            reference: landmarks of the reference picture, (T, 68, 2) pixels.
            target: landmarks of the new picture, the same shape.
        """
        reference, target = reference.float(), target.float()
        head, neck = head_of(reference), _neck_of(reference)
        border = reference.new_tensor(BORDER).expand(len(reference), -1, -1) * (CROP_SIZE - 1)
        matrix, offset = head_motion(reference, target)

        def held(points: Tensor) -> Tensor:
            return points @ matrix + offset[:, None]

        jaw, of_head, of_neck, of_border = self._departures(reference, target, matrix, held).split(_COUNTS, 1)
        face = kept_apart(reference, target)
        moved = [
            face[:, JAW] + jaw,
            face[:, JAW.stop :],
            held(head) + of_head,
            neck.lerp(held(neck), _NECK_FOLLOWS) + of_neck,
            border + of_border,
        ]
        loose = torch.cat([self.log_stiffness.new_full((1,), _CLOSE), self.log_stiffness.exp()])
        return ControlPoints(torch.cat([reference, head, neck, border], 1), torch.cat(moved, 1), loose[self.group])

    def _departures(
        self, reference: Tensor, target: Tensor, matrix: Tensor, held: Callable[[Tensor], Tensor]
    ) -> Tensor:
        """How far jaw, head, neck and border go beyond the head's motion, (T, 62, 2) pixels."""
        scale = (reference[:, 36] - reference[:, 45]).norm(dim=-1)[:, None]
        beyond = target - held(reference)

        def of(groups: tuple[tuple[int, ...], ...]) -> Tensor:
            return torch.cat([beyond[:, list(group)].mean(1) for group in groups], 1) / scale

        eyes = _eyes_of(reference)
        motion = torch.cat([matrix[:, 0] - matrix.new_tensor([1, 0]), (held(eyes) - eyes)[:, 0] / scale], 1)
        turn, speech = torch.cat([of(_TURNING), motion], 1), of(_SPEAKING)
        turned, spoken = (
            torch.einsum("tf,pcf->tpc", features.clamp(-_FURTHEST, _FURTHEST), factors)
            for features, factors in ((turn, self.turning), (speech, self.speaking))
        )
        jaw, head, neck, border = turned.split(_COUNTS, 1)
        spoken_jaw, spoken_neck = spoken.split((_JAW_COUNT, _NECK_COUNT), 1)
        return torch.cat([jaw + spoken_jaw, head, neck + spoken_neck, border], 1) * scale[..., None]


def kept_apart(reference: Tensor, target: Tensor) -> Tensor:
    """Target landmarks whose lids and lips keep a small gap where the reference has one.

    Without a gap, two points in one place would come from two places, and the map could not squeeze what lies between.
    """
    upper, lower = list(_UPPER_EDGES), list(_LOWER_EDGES)
    gap = reference[:, lower] - reference[:, upper]  # (T, 7, 2)
    length = gap.norm(dim=-1, keepdim=True).clamp_min(1e-6)
    along = gap / length
    left = ((target[:, lower] - target[:, upper]) * along).sum(-1, keepdim=True)
    missing = (length.clamp_max(_SMALLEST_GAP) - left).clamp_min(0) * along / 2
    apart = target.clone()
    apart[:, upper] -= missing
    apart[:, lower] += missing
    return apart


def _eyes_of(landmarks: Tensor) -> Tensor:
    return landmarks[:, RIGHT_EYE.start : LEFT_EYE.stop].mean(1, keepdim=True)


def head_of(landmarks: Tensor) -> Tensor:
    """The skull, and the outline of hair and ears, (T, 22, 2)."""
    middle, nose = _eyes_of(landmarks), landmarks[:, NOSE_BRIDGE].mean(1, keepdim=True)
    skull = middle + _SKULL_HEIGHT * (middle - landmarks[:, list(_SKULL_FROM_JAW)])
    outline = nose + _OUTLINE * (torch.cat([landmarks[:, list(_UPPER_JAW)], skull], 1) - nose)
    return torch.cat([skull, outline], 1)


def _neck_of(landmarks: Tensor) -> Tensor:
    """Points below the chin, (T, 7, 2)."""
    down = landmarks.new_tensor([0, _NECK_DEPTH]) * (landmarks[:, 8:9] - _eyes_of(landmarks))
    return landmarks[:, list(_CHIN)] + down


def _groups() -> Tensor:
    """Which stiffness each control point has: 0 is close, then those of `_LOOSE`."""
    number = {name: place for place, name in enumerate(_LOOSE, 1)}
    group = torch.full((POINT_COUNT,), number["jaw"])
    group[list(_CHIN)] = number["chin"]
    group[NOSE_BRIDGE.start : NOSE_BASE.stop] = number["nose"]
    for part in (LIPS, RIGHT_EYE, LEFT_EYE, RIGHT_BROW, LEFT_BROW):
        group[part] = 0
    counts = {"head": _HEAD_COUNT, "neck": _NECK_COUNT, "border": len(BORDER)}
    return torch.cat([group, *(torch.full((count,), number[name]) for name, count in counts.items())])
