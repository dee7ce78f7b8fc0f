"""Puts mouths and sounds into one space, in which those of the same moment lie together.

Two streams without shared weights, after SyncNet (Chung and Zisserman 2016, "Out of time: automated lip sync in the
wild"), which the paper judges by; much smaller, and trained here.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from backend_server.checkpoints import fill, load_checkpoint, save_checkpoint
from backend_server.evaluation.sync.films import MOUTH_HEIGHT, MOUTH_WIDTH, SOUND_FRAMES, Film
from backend_server.speech.features import MEL_BANDS

KIND = "sync"
SEEN = 5  # consecutive pictures, 0.2 s as of the sound
MARGIN = SEEN // 2  # pictures at either end of a film that are the middle of no five
LEAST_SPREAD = 4.0  # grey levels; a mouth that moves less is not made to move more


@dataclass(frozen=True)
class SyncConfig:
    """The sync network and its training."""

    mouth_channels: tuple[int, ...] = (16, 32, 64)  # of convolutions that each halve the picture
    sound_channels: int = 128
    hidden_size: int = 256
    size: int = 128  # of the space that both streams share
    dropout: float = 0.2
    temperature: float = 0.1  # at first; learnt
    clips_per_speaker: int = 60
    run_frames: int = 40  # consecutive pictures of one clip in a batch
    batch_clips: int = 12
    steps: int = 600
    learning_rate: float = 2e-3
    weight_decay: float = 1e-2


class MouthStream(nn.Module):
    """Pictures (N, T, 32, 48) to directions (N, T - 4, size), one for each five pictures."""

    def __init__(self, config: SyncConfig) -> None:
        super().__init__()
        channels = (1, *config.mouth_channels)
        layers: list[nn.Module] = []
        for place, (wide, narrow) in enumerate(zip(channels[1:], channels[:-1], strict=True)):
            kernel = 3 if place else 5
            layers += [nn.Conv2d(narrow, wide, kernel, 2, kernel // 2), nn.BatchNorm2d(wide), nn.ReLU()]
        halvings = 2 ** len(config.mouth_channels)
        flat = channels[-1] * math.ceil(MOUTH_HEIGHT / halvings) * math.ceil(MOUTH_WIDTH / halvings)
        self.look = nn.Sequential(
            *layers, nn.Flatten(), nn.Dropout(config.dropout), nn.Linear(flat, config.hidden_size // 2), nn.ReLU()
        )
        self.follow = nn.Sequential(
            nn.Conv1d(config.hidden_size // 2, config.hidden_size, SEEN),
            nn.BatchNorm1d(config.hidden_size),
            nn.ReLU(),
            nn.Dropout(config.dropout),
            nn.Conv1d(config.hidden_size, config.size, 1),
        )

    def forward(self, mouths: Tensor) -> Tensor:
        """Directions of length 1."""
        seen = self.look(mouths.flatten(0, 1)[:, None]).unflatten(0, mouths.shape[:2])
        return F.normalize(self.follow(seen.transpose(1, 2)).transpose(1, 2), dim=-1)


class SoundStream(nn.Module):
    """Sounds (N, T, 20, 64) to directions (N, T, size)."""

    def __init__(self, config: SyncConfig) -> None:
        super().__init__()
        channels = config.sound_channels
        layers: list[nn.Module] = []
        for narrow, stride in ((MEL_BANDS, 1), (channels, 2), (channels, 2)):
            layers += [nn.Conv1d(narrow, channels, 3, stride, 1), nn.BatchNorm1d(channels), nn.ReLU()]
        self.hear = nn.Sequential(
            *layers,
            nn.Flatten(),
            nn.Dropout(config.dropout),
            nn.Linear(channels * math.ceil(SOUND_FRAMES / 4), config.hidden_size),
            nn.BatchNorm1d(config.hidden_size),
            nn.ReLU(),
            nn.Linear(config.hidden_size, config.size),
        )

    def forward(self, sounds: Tensor) -> Tensor:
        """Directions of length 1."""
        heard = self.hear(sounds.flatten(0, 1).transpose(1, 2)).unflatten(0, sounds.shape[:2])
        return F.normalize(heard, dim=-1)


class SyncNetwork(nn.Module):
    """Both streams, and the sharpness with which their products are compared in training."""

    def __init__(self, config: SyncConfig) -> None:
        super().__init__()
        self.config = config
        self.mouth, self.sound = MouthStream(config), SoundStream(config)
        self.sharpness = nn.Parameter(torch.tensor(-math.log(config.temperature)))

    @torch.inference_mode()
    def similarities(self, film: Film) -> NDArray[np.float32]:
        """Cosines of every five pictures of a film with every sound: (T - 4, T - 4), pictures down, sounds across."""
        device = self.sharpness.device
        seen = self.mouth(torch.from_numpy(levelled(film.mouths))[None].to(device))[0]
        heard = self.sound(torch.from_numpy(film.sounds[MARGIN:-MARGIN])[None].to(device))[0]
        return (seen @ heard.T).cpu().numpy()


def levelled(mouths: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Mouths (T, 32, 48) less their mean over the film, by their spread: what moves is left, and not who it is."""
    moving = mouths.astype(np.float32)
    moving -= moving.mean(0)
    return moving / np.maximum(moving.std(), LEAST_SPREAD)


def save_sync_network(path: Path, network: SyncNetwork) -> None:
    """Writes a weights file."""
    save_checkpoint(path, KIND, network.config, network.state_dict())


def load_sync_network(path: Path, device: str = "cpu") -> SyncNetwork:
    """The network of a weights file, ready to judge.

    Raises:
        WeightsError: the file is missing, damaged, or of another network.
    """
    config, tensors, _ = load_checkpoint(path, KIND, SyncConfig, device)
    network = SyncNetwork(config)
    fill(network, tensors, path)
    return network.to(device).eval()
