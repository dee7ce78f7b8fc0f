"""Turns speech into landmark displacements (G_L, Sections 3.1 and 4.2)."""

from __future__ import annotations

from math import floor
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from backend_server.checkpoints import fill, load_checkpoint
from backend_server.config import CONTEXT_SPACING_SECONDS, MotionConfig
from backend_server.pca import PrincipalComponents
from shared.errors import ShapeError
from shared.landmarks import POINT_COUNT

KIND = "motion"
SLOPE = 0.2  # of LeakyReLU


class WindowConvolutions(nn.Sequential):
    """What is heard around each feature, from a window of samples 33 ms apart, as the paper reads the sound.

    The convolutions are those of VOCA (Cudeiro et al. 2019): they halve the window until one step is left. Between
    features, samples are interpolated.

    Attributes:
        before, after: how many features it sees to either side.
        width: of what it says of each feature.
    """

    def __init__(self, config: MotionConfig) -> None:
        layers: list[nn.Module] = []
        width, steps = config.channels, config.context
        for channels in config.encoder_channels:
            layers += [nn.Conv1d(width, channels, 3, stride=2, padding=1), nn.LeakyReLU(SLOPE)]
            width, steps = channels, (steps + 1) // 2
        super().__init__(*layers)
        spacing = CONTEXT_SPACING_SECONDS * config.features_per_second
        self.offsets = [(sample - (config.context - 1) / 2) * spacing for sample in range(config.context)]  # features
        self.before, self.after = -floor(self.offsets[0]), floor(self.offsets[-1]) + 1
        self.width = width * steps

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002 (as `nn.Sequential` calls it)
        """Features (N, before + U + after, C) to (N, U, width)."""
        windows = self.windows(input)
        return super().forward(windows.flatten(0, 1).transpose(1, 2)).flatten(1).unflatten(0, windows.shape[:2])

    def windows(self, features: Tensor) -> Tensor:
        """The samples around each feature, (N, U, context, C), of features (N, before + U + after, C)."""
        count = features.shape[1] - self.before - self.after
        samples = []
        for offset in self.offsets:
            first = floor(offset)
            lower, upper = (
                features[:, begin : begin + count] for begin in (self.before + first, self.before + first + 1)
            )
            samples.append(lower.lerp(upper, offset - first))
        return torch.stack(samples, 2)


class TemporalConvolutions(nn.Module):
    """What is heard around each feature, by convolutions over time that look ever further.

    The paper has no such network. The first layers look as far ahead as back, the others back only, so that a
    stream of sound is followed 0.2 s behind.

    Attributes:
        before, after: how many features it sees to either side.
        width: of what it says of each feature.
    """

    def __init__(self, config: MotionConfig) -> None:
        super().__init__()
        self.after = sum(config.dilations)
        self.before = self.after + 2 * sum(config.past_dilations)
        self.width = config.width
        self.inner = nn.Linear(config.channels, config.width)
        self.layers = nn.ModuleList(
            nn.Conv1d(config.width, config.width, 3, dilation=dilation)
            for dilation in (*config.dilations, *config.past_dilations)
        )
        self.ends = (*config.dilations, *[0] * len(config.past_dilations))
        self.dropout = nn.Dropout(config.inner_dropout)

    def forward(self, features: Tensor) -> Tensor:
        """Features (N, before + U + after, C) to (N, U, width)."""
        x = F.leaky_relu(self.inner(features), SLOPE).transpose(1, 2)
        for layer, end in zip(self.layers, self.ends, strict=True):
            heard = self.dropout(F.leaky_relu(layer(x), SLOPE))
            x = x[..., x.shape[2] - end - heard.shape[2] : x.shape[2] - end] + heard
        return x.transpose(1, 2)


class MotionGenerator(nn.Module):
    """Encoder-decoder from features of speech to landmark displacements, one for each feature.

    The encoder ends in PCA coefficients. The decoder is one linear layer that starts as the principal components of the
    training displacements.

    Attributes:
        neutral_canonical: the average face at rest, (68, 2), canonical units.
        before, after: how many features it sees to either side.
    """

    def __init__(self, config: MotionConfig) -> None:
        super().__init__()
        self.config = config
        self.convolutions = (WindowConvolutions if config.context else TemporalConvolutions)(config)
        self.before, self.after = self.convolutions.before, self.convolutions.after
        self.dropout = nn.Dropout(config.dropout)
        self.encoder = nn.Sequential(
            nn.Linear(self.convolutions.width, config.hidden_size),
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
            features: of speech, (N, before + U + after, C).

        Returns:
            (N, U, 68, 2), canonical units.

        Raises:
            ShapeError: there are too few features, or they have a wrong width.
        """
        least, channels = self.before + 1 + self.after, self.config.channels
        if features.ndim != 3 or features.shape[1] < least or features.shape[2] != channels:
            raise ShapeError(
                f"expected features of speech of shape (N, {least} or more, {channels}), got {tuple(features.shape)}"
            )
        features = (features - self.feature_mean) / self.feature_scale
        code = self.convolutions(self.dropout(features))  # (N, U, width)
        coefficients = self.encoder(self.dropout(code))  # (N, U, 33)
        return self.decoder(coefficients).unflatten(2, (POINT_COUNT, 2))

    @torch.no_grad()
    def initialise(self, components: PrincipalComponents, neutral_canonical: Tensor, features: Tensor) -> None:
        """Starts the decoder as the principal components and learns the scale of the features (Section 4.2).

        Args:
            components: of training displacements (D, 136), canonical units.
            neutral_canonical: (68, 2).
            features: of training, (F, C).
        """
        self.decoder.weight.copy_(components.components.T)
        self.decoder.bias.copy_(components.mean)
        self.neutral_canonical.copy_(neutral_canonical)
        self.feature_mean.copy_(features.mean(0))
        self.feature_scale.copy_(features.std(0).clamp_min(1e-3))


def load_motion_generator(path: Path, device: str = "cpu") -> MotionGenerator:
    """The generator of a weights file, ready for inference.

    Raises:
        WeightsError: the file is missing, damaged, or of another network.
    """
    config, tensors, _ = load_checkpoint(path, KIND, MotionConfig, device)
    generator = MotionGenerator(config)
    fill(generator, tensors, path)
    return generator.to(device).eval()
