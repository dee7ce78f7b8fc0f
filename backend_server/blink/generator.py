"""Turns a stretch of noise into eye motion (G_B, Sections 3.2 and 4.2)."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

from backend_server.checkpoints import fill, load_checkpoint
from backend_server.config import BlinkConfig
from backend_server.pca import PrincipalComponents
from shared.errors import ShapeError
from shared.landmarks import EYE_REGION, POINT_COUNT

KIND = "blink"


class BlinkGenerator(nn.Module):
    """A recurrent network over noise whose last linear layer starts as the principal components of eye motion.

    Attributes:
        neutral_canonical: the average face at rest, (68, 2), canonical units.
    """

    def __init__(self, config: BlinkConfig) -> None:
        super().__init__()
        self.config = config
        self.recurrence = nn.GRU(config.noise_size, config.hidden_size, batch_first=True)
        self.encoder = nn.Linear(config.hidden_size, config.components)
        self.decoder = nn.Linear(config.components, 2 * len(EYE_REGION))
        self.neutral_canonical: Tensor
        self.coefficient_scale: Tensor
        self.register_buffer("neutral_canonical", torch.zeros(POINT_COUNT, 2))
        self.register_buffer("coefficient_scale", torch.ones(config.components))

    def forward(self, noise: Tensor) -> Tensor:
        """Eye-region displacements.

        Args:
            noise: standard normal, (N, T, 10); T is 75 in training, any length works.

        Returns:
            (N, T, 22, 2), canonical units, points in the order of `shared.landmarks.EYE_REGION`.

        Raises:
            ShapeError: the noise has a wrong width.
        """
        if noise.ndim != 3 or noise.shape[2] != self.config.noise_size:
            raise ShapeError(f"expected noise of shape (N, T, {self.config.noise_size}), got {tuple(noise.shape)}")
        states, _ = self.recurrence(noise)  # (N, T, hidden)
        coefficients = self.encoder(states) * self.coefficient_scale  # (N, T, C)
        return self.decoder(coefficients).unflatten(-1, (len(EYE_REGION), 2))

    @torch.no_grad()
    def initialise(self, components: PrincipalComponents, neutral_canonical: Tensor) -> None:
        """Starts the last layer as the principal components of real eye motion (Section 4.2).

        Args:
            components: of training displacements (D, 44), canonical units.
            neutral_canonical: (68, 2).
        """
        self.decoder.weight.copy_(components.components.T)
        self.decoder.bias.copy_(components.mean)
        self.coefficient_scale.copy_(components.variances.sqrt())
        self.neutral_canonical.copy_(neutral_canonical)


def load_blink_generator(path: Path, device: str = "cpu") -> BlinkGenerator:
    """The generator of a weights file, ready for inference.

    Raises:
        WeightsError: the file is missing, damaged, or of another network.
    """
    config, tensors, _ = load_checkpoint(path, KIND, BlinkConfig, device)
    generator = BlinkGenerator(config)
    fill(generator, tensors, path)
    return generator.to(device).eval()
