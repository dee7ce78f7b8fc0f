"""Judges whether canonical landmarks are real (D_L, Section 4.2)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from backend_server.config import MotionConfig
from backend_server.motion.generator import SLOPE
from backend_server.pca import PrincipalComponents
from shared.landmarks import POINT_COUNT


class MotionDiscriminator(nn.Module):
    """Two linear layers; the first re-encodes landmarks into PCA coefficients."""

    def __init__(self, config: MotionConfig) -> None:
        super().__init__()
        self.config = config
        self.encoder = nn.Linear(2 * POINT_COUNT, config.components)
        self.judge = nn.Linear(config.components, 1)

    def forward(self, landmarks: Tensor) -> Tensor:
        """Logits of being real, (...,), of canonical landmarks (..., 68, 2) in canonical units."""
        coefficients = self.encoder(landmarks.flatten(-2) / self.config.judged_unit)  # (..., 33)
        return self.judge(F.leaky_relu(coefficients, SLOPE)).squeeze(-1)

    @torch.no_grad()
    def initialise(self, components: PrincipalComponents, neutral_canonical: Tensor) -> None:
        """Starts the first layer as the principal components of training displacements (D, 136).

        Args:
            components: fitted on displacements, canonical units.
            neutral_canonical: (68, 2), which the landmarks contain and the displacements do not.
        """
        origin = components.mean + neutral_canonical.flatten()
        self.encoder.weight.copy_(components.components)
        self.encoder.bias.copy_(-(components.components @ origin) / self.config.judged_unit)
