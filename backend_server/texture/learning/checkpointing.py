"""How does a training run of t-GAN survive being stopped?

The run's folder holds one file with both networks, their optimisers, the averaged weights, those it began with and the
counters; it is replaced in one step.
"""

from __future__ import annotations

import os
import pickle
from pathlib import Path

import torch

from backend_server.texture.learning.trainer import TextureTrainer
from shared.errors import WeightsError

STATE = "state.pt"


def save_state(folder: Path, trainer: TextureTrainer, seconds: float) -> None:
    """Writes where a run stands.

    Args:
        folder: of the run.
        trainer: the run.
        seconds: spent so far, earlier sessions included.
    """
    folder.mkdir(parents=True, exist_ok=True)
    state = {
        "generator": trainer.generator.state_dict(),
        "discriminator": trainer.discriminator.state_dict(),
        "optimizers": [optimizer.state_dict() for optimizer in trainer.optimizers],
        "averages": trainer.averages,
        "start": trainer.start,
        "random": trainer.random.get_state(),
        "step": trainer.step,
        "episodes": trainer.episodes,
        "seconds": seconds,
    }
    temporary = folder / f".{STATE}.{os.getpid()}"
    torch.save(state, temporary)
    temporary.replace(folder / STATE)


def load_state(folder: Path, trainer: TextureTrainer) -> float:
    """Puts a trainer where its run stood; returns the seconds spent until then.

    Raises:
        WeightsError: the folder holds no run, or one of other networks.
    """
    path = folder / STATE
    try:
        state = torch.load(path, map_location=trainer.device, weights_only=True)
        trainer.generator.load_state_dict(state["generator"])
        trainer.discriminator.load_state_dict(state["discriminator"])
        for optimizer, saved in zip(trainer.optimizers, state["optimizers"], strict=True):
            optimizer.load_state_dict(saved)
        trainer.averages, trainer.start = dict(state["averages"]), dict(state["start"])
        if trainer.workers.is_first:
            trainer.random.set_state(state["random"].cpu())
        else:  # its own state was not kept
            trainer.random.manual_seed(trainer.seed + trainer.workers.rank + int(state["step"]))
        trainer.step, trainer.episodes = int(state["step"]), int(state["episodes"])
        return float(state["seconds"])
    except (OSError, RuntimeError, KeyError, ValueError, EOFError, pickle.UnpicklingError) as error:
        raise WeightsError(f"cannot go on with the training run in {folder}: {error}") from error
