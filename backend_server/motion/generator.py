"""Turns a window of speech into a landmark displacement (G_L, Sections 3.1 and 4.2)."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

from backend_server.checkpoints import fill, load_checkpoint
from backend_server.config import MotionConfig
from backend_server.pca import PrincipalComponents
from shared.errors import ShapeError
from shared.landmarks import POINT_COUNT

KIND = "motion"
SLOPE = 0.2  # of LeakyReLU


class MotionGenerator(nn.Module):
    """Encoder-decoder from speech windows to landmark displacements.

    The encoder is that of VOCA (Cudeiro et al. 2019): convolutions over time that halve the window until one step is
    left, then two linear layers, down to PCA coefficients. The decoder is one linear layer that starts as the
    principal components of the training displacements.

    Attributes:
        neutral_canonical: the average face at rest, (68, 2), canonical units.
    """

    def __init__(self, config: MotionConfig) -> None:
        super().__init__()
        self.config = config
        layers: list[nn.Module] = []
        width, steps = config.channels, config.context
        for channels in config.encoder_channels:
            layers += [nn.Conv1d(width, channels, 3, stride=2, padding=1), nn.LeakyReLU(SLOPE)]
            width, steps = channels, (steps + 1) // 2
        self.convolutions = nn.Sequential(*layers)
        self.dropout = nn.Dropout(config.dropout)
        self.encoder = nn.Sequential(
            nn.Linear(width * steps, config.hidden_size),
            nn.LeakyReLU(SLOPE),
            nn.Linear(config.hidden_size, config.components),
        )
        self.decoder = nn.Linear(config.components, 2 * POINT_COUNT)
        self.neutral_canonical: Tensor
        self.feature_mean: Tensor
        self.feature_scale: Tensor
        self.register_buffer("neutral_canonical", torch.zeros(POINT_COUNT, 2))
        self.register_buffer("feature_mean", torch.zeros(config.channels))
        self.register_buffer("feature_scale", torch.ones(config.channels))

    def forward(self, features: Tensor) -> Tensor:
        """Displacements from the neutral pose.

        Args:
            features: speech windows, (N, context, C).

        Returns:
            (N, 68, 2), canonical units.

        Raises:
            ShapeError: the windows have a wrong length or width.
        """
        expected = (self.config.context, self.config.channels)
        if features.ndim != 3 or tuple(features.shape[1:]) != expected:
            raise ShapeError(
                f"expected speech windows of shape (N, {expected[0]}, {expected[1]}), got {tuple(features.shape)}"
            )
        features = (features - self.feature_mean) / self.feature_scale
        code = self.convolutions(self.dropout(features).transpose(1, 2))  # (N, width, steps)
        coefficients = self.encoder(self.dropout(code.flatten(1)))  # (N, 33)
        return self.decoder(coefficients).unflatten(1, (POINT_COUNT, 2))

    @torch.no_grad()
    def initialise(self, components: PrincipalComponents, neutral_canonical: Tensor, features: Tensor) -> None:
        """Starts the decoder as the principal components and learns the scale of the features (Section 4.2).

        Args:
            components: of training displacements (D, 136), canonical units.
            neutral_canonical: (68, 2).
            features: training windows, (N, context, C).
        """
        self.decoder.weight.copy_(components.components.T)
        self.decoder.bias.copy_(components.mean)
        self.neutral_canonical.copy_(neutral_canonical)
        flat = features.flatten(0, 1)
        self.feature_mean.copy_(flat.mean(0))
        self.feature_scale.copy_(flat.std(0).clamp_min(1e-3))


def load_motion_generator(path: Path, device: str = "cpu") -> MotionGenerator:
    """The generator of a weights file, ready for inference.

    Raises:
        WeightsError: the file is missing, damaged, or of another network.
    """
    config, tensors, _ = load_checkpoint(path, KIND, MotionConfig, device)
    generator = MotionGenerator(config)
    fill(generator, tensors, path)
    return generator.to(device).eval()
