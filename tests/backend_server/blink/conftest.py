import numpy as np
import pytest
import torch

from backend_server.blink.generator import BlinkGenerator
from backend_server.config import BlinkConfig
from shared.landmarks import EYE_REGION


@pytest.fixture
def neutral() -> np.ndarray:
    """A face at rest, (68, 2): eyes 0.4 wide and 0.12 open, centres 1 apart."""
    points = np.random.default_rng(0).uniform(-1, 1, (68, 2))
    for eye, x in ((36, -0.7), (42, 0.3)):
        outline = [(0, 0), (0.13, -0.06), (0.27, -0.06), (0.4, 0), (0.27, 0.06), (0.13, 0.06)]
        points[eye : eye + 6] = np.add(outline, (x, 0))
    return points.astype(np.float32)


@pytest.fixture
def shutting(neutral) -> np.ndarray:
    """The displacement (22, 2) that closes both eyes: all lids to the height of the corners."""
    motion = np.zeros((68, 2), np.float32)
    lids = [37, 38, 40, 41, 43, 44, 46, 47]
    motion[lids, 1] = -0.95 * neutral[lids, 1]
    return motion[list(EYE_REGION)]


class EventGenerator(BlinkGenerator):
    """A generator without learning: noise above the threshold shuts the eyes for seven frames."""

    def __init__(self, neutral: np.ndarray, shutting: np.ndarray) -> None:
        super().__init__(BlinkConfig())
        self.neutral_canonical.copy_(torch.from_numpy(neutral))
        self.shutting = torch.from_numpy(shutting)

    def forward(self, noise: torch.Tensor) -> torch.Tensor:
        events = (noise[..., 0] > 2.2).float()  # (N, T)
        kernel = torch.tensor([0.3, 0.8, 1.0, 0.9, 0.6, 0.4, 0.2]).flip(0)
        amount = torch.nn.functional.conv1d(torch.nn.functional.pad(events, (6, 0))[:, None], kernel[None, None])[:, 0]
        return amount.clamp(max=1)[..., None, None] * self.shutting


@pytest.fixture
def event_generator(neutral, shutting) -> EventGenerator:
    return EventGenerator(neutral, shutting)


SHAPE = np.array([0.1, 0.6, 1.0, 0.9, 0.6, 0.35, 0.15], np.float32)


@pytest.fixture
def make_clip(neutral, shutting):
    """Canonical landmarks (75, 68, 2) with blinks at the given frames, a slow drift and tracking noise."""

    def make(*starts: int, seed: int = 0) -> np.ndarray:
        amount = np.zeros(75, np.float32)
        for start in starts:
            amount[start : start + len(SHAPE)] = SHAPE[: 75 - start]
        clip = np.repeat(neutral[None], 75, axis=0)
        drift = 0.01 * np.sin(np.arange(75) / 20, dtype=np.float32)
        clip[:, list(EYE_REGION)] += amount[:, None, None] * shutting + drift[:, None, None]
        return clip + 0.001 * np.random.default_rng(seed).standard_normal(clip.shape).astype(np.float32)

    return make
