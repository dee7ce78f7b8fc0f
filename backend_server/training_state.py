"""How does an interrupted training go on where it was?

Beside the weights file stands, while training runs, a file with everything that the next step depends on: networks,
optimisers and the number of the step. It is written to a temporary name and renamed, and removed at the end.
"""

from __future__ import annotations

import os
import pickle
from pathlib import Path
from typing import Any, Protocol

import torch

from shared.errors import WeightsError


class Stateful(Protocol):
    """A network or an optimiser."""

    def state_dict(self) -> dict[str, Any]:
        """Returns everything that training changes."""
        ...

    def load_state_dict(self, state_dict: dict[str, Any], /) -> object:
        """Takes it back."""
        ...


def state_path(weights: Path) -> Path:
    """Where the state of the training that writes `weights` is kept."""
    return weights.with_suffix(".training")


def save_state(path: Path, step: int, *parts: Stateful) -> None:
    """Writes the state after `step` steps."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        torch.save({"step": step, "parts": [part.state_dict() for part in parts]}, temporary)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def load_state(path: Path, *parts: Stateful) -> int:
    """Puts a saved state into networks and optimisers; the number of steps done, 0 when there is no state.

    Raises:
        WeightsError: the file is damaged or belongs to other networks.
    """
    if not path.exists():
        return 0
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
        for part, saved in zip(parts, state["parts"], strict=True):
            part.load_state_dict(saved)
        return int(state["step"])
    except (OSError, RuntimeError, KeyError, ValueError, EOFError, pickle.UnpicklingError) as error:
        raise WeightsError(f"cannot go on from {path}: it is damaged or of another network; delete it") from error
