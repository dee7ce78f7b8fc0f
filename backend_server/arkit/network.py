"""Turns the motion of landmarks into the blend shapes of ARKit, frame by frame.

The paper has no such network: it drives pictures. Engines and rigs take blend shapes.
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

from backend_server.checkpoints import fill, load_checkpoint
from backend_server.config import ArkitConfig
from shared.arkit import MIRROR as MIRROR_SHAPES
from shared.arkit import SHAPES
from shared.errors import ShapeError
from shared.landmarks import EYE_REGION, MIRROR, POINT_COUNT

KIND = "arkit"
BLOCK_FRAMES = 4096  # computed at once
EYE_SHAPES = tuple(n for n, name in enumerate(SHAPES) if name.startswith(("eyeBlink", "eyeSquint", "eyeWide", "brow")))
FACE_SHAPES = tuple(n for n, name in enumerate(SHAPES) if name.startswith(("jaw", "mouth", "cheek", "nose")))
# Scores of these follow the motion itself, those of all others bend: they hardly leave 0 and 1.
STRAIGHT_SHAPES = tuple(
    n for n, name in enumerate(SHAPES) if name.startswith(("jawOpen", "mouthClose", "mouthLowerDown"))
)
BLINKS = (SHAPES.index("eyeBlinkLeft"), SHAPES.index("eyeBlinkRight"))
STRAIGHT_STEP = 0.1  # of the score, where a change is 1
LEARNT = (*EYE_SHAPES, *FACE_SHAPES)  # gaze and tongue cannot be seen in landmarks
FACE_REGION = tuple(point for point in range(POINT_COUNT) if point not in EYE_REGION)


class RegionNetwork(nn.Module):
    """A perceptron with one hidden layer and a way around it, over the motion of one region of the face."""

    def __init__(self, points: int, shapes: int, config: ArkitConfig) -> None:
        super().__init__()
        self.hidden = nn.Linear(2 * points, config.hidden_size)
        self.bent = nn.Linear(config.hidden_size, shapes, bias=False)
        self.straight = nn.Linear(2 * points, shapes, bias=False)

    def forward(self, motion: Tensor) -> Tensor:
        """Changes (N, shapes) for motions (N, points, 2); 0 for a motion of 0."""
        flat = motion.flatten(1)
        bent = nn.functional.silu(self.hidden(flat)) - nn.functional.silu(self.hidden.bias)
        return self.bent(bent) + self.straight(flat)


class ArkitNetwork(nn.Module):
    """Displacements from the face at rest to scores as the Face Landmarker gives them.

    A face at rest has scores of its own, which its form makes. The network learns by how much a motion changes them, or
    their logits, the same for all people, so a person is never asked for. The shapes of eyes and brows listen to these
    alone and all others to the rest of the face: a blink moves no lips, and speech does not blink. A face and its
    mirror image take mirrored shapes.

    Attributes:
        usual_rest: logits of the scores of a usual face at rest, (52,).
    """

    def __init__(self, config: ArkitConfig) -> None:
        super().__init__()
        self.config = config
        self.eyes = RegionNetwork(len(EYE_REGION), len(EYE_SHAPES), config)
        self.face = RegionNetwork(len(FACE_REGION), len(FACE_SHAPES), config)
        self.usual_rest: Tensor
        self._is_straight: Tensor
        self.register_buffer("usual_rest", torch.zeros(len(SHAPES)))
        is_straight = torch.tensor([shape in STRAIGHT_SHAPES for shape in range(len(SHAPES))])
        self.register_buffer("_is_straight", is_straight, persistent=False)

    def changes(self, displacements: Tensor) -> Tensor:
        """By how much a motion (N, 68, 2), canonical units, changes the scores at rest, (N, 52), 0 for a motion of 0.

        A change of 1 takes one of `STRAIGHT_SHAPES` a tenth of the way from rest to 1, and adds 1 to the logit of any
        other.

        Raises:
            ShapeError: the motion has other points.
        """
        if displacements.ndim != 3 or tuple(displacements.shape[1:]) != (POINT_COUNT, 2):
            raise ShapeError(f"expected displacements (N, {POINT_COUNT}, 2), got {tuple(displacements.shape)}")
        mirrored = displacements[:, MIRROR.tolist()] * displacements.new_tensor([-1.0, 1.0])
        return (self._one_sided(displacements) + self._one_sided(mirrored)[:, list(MIRROR_SHAPES)]) / 2

    def forward(self, displacements: Tensor, rest: Tensor | None = None) -> Tensor:
        """Scores, (N, 52), of which those that bend are within (0, 1).

        Args:
            displacements: from the face at rest, (N, 68, 2), canonical units.
            rest: logits of the scores of each frame's person at rest, (N, 52) or (52,); those of a usual face if None.
        """
        rest = self.usual_rest if rest is None else rest
        changes, at_rest = self.changes(displacements), torch.sigmoid(rest)
        straight = at_rest + (1 - at_rest) * STRAIGHT_STEP * changes
        return torch.where(self._is_straight, straight, torch.sigmoid(changes + rest))

    @torch.no_grad()
    def weights(self, displacements: Tensor) -> Tensor:
        """Weights for a rig, (T, 52), 0 at rest, 1 at most; those of gaze and tongue are 0.

        They are scores on a scale on which those at rest are 0 and 1 stays 1, but for the blinks: the Face Landmarker
        scores shut eyes lower, and a rig whose eyes shall shut needs 1.

        Args:
            displacements: of a usual face, (T, 68, 2), canonical units.
        """
        weights = [displacements.new_zeros(0, len(SHAPES))]
        for motion in displacements.split(BLOCK_FRAMES):
            changes = self.changes(motion).clamp_min(0)
            bent = -torch.expm1(-changes) * torch.sigmoid(changes + self.usual_rest)
            raised = torch.where(self._is_straight, STRAIGHT_STEP * changes, bent)
            raised[:, list(BLINKS)] /= self.config.shut_eyes
            weights.append(raised.clamp_max(1))
        return torch.cat(weights)

    def _one_sided(self, displacements: Tensor) -> Tensor:
        motion = displacements / self.config.unit
        changes = motion.new_zeros(len(motion), len(SHAPES))
        changes[:, list(EYE_SHAPES)] = self.eyes(motion[:, list(EYE_REGION)])
        changes[:, list(FACE_SHAPES)] = self.face(motion[:, list(FACE_REGION)])
        return changes


def load_arkit_network(path: Path, device: str = "cpu") -> ArkitNetwork:
    """The network of a weights file, ready for inference.

    Raises:
        WeightsError: the file is missing, damaged, or of another network.
    """
    config, tensors, _ = load_checkpoint(path, KIND, ArkitConfig, device)
    network = ArkitNetwork(config)
    fill(network, tensors, path)
    return network.to(device).eval()
