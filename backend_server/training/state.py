"""Keeps a training run on disk, so that it can be resumed.

One file beside the weights holds everything that the next step depends on: networks, optimisers, averages, random
generators and counters. It is replaced in one step.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, TypeAlias

import numpy as np
import torch
from torch import Tensor

from backend_server.checkpoints import read_torch_file
from backend_server.files import atomic_write, sweep_temporaries
from shared.errors import WeightsError


class Stateful(Protocol):
    """A network, an optimiser or a running average."""

    def state_dict(self) -> dict[str, Any]:
        """Returns everything that training changes."""
        ...

    def load_state_dict(self, state_dict: dict[str, Any], /) -> object:
        """Restores it."""
        ...


Part: TypeAlias = Stateful | Tensor | dict[str, Tensor] | torch.Generator | np.random.Generator


def state_path(weights: Path) -> Path:
    """Where the state of the training that writes `weights` is kept."""
    return weights.with_suffix(".training")


def settings_of(config: Any, *left_out: str) -> dict[str, object]:  # noqa: ANN401 (any dataclass)
    """The settings of a config by name, without those that may change when a training is resumed."""
    return {name: value for name, value in dataclasses.asdict(config).items() if name not in left_out}


@dataclass(frozen=True)
class TrainingState:
    """The state of one training.

    Attributes:
        path: its file.
        parts: all that training changes, by name; filled in place by `load`.
        settings: what must be the same when the training is resumed.
    """

    path: Path
    parts: Mapping[str, Part]
    settings: Mapping[str, object] = field(default_factory=dict)

    def save(self, **counters: float) -> None:
        """Writes the parts as they are now, and numbers such as the step."""
        state = {
            "parts": {name: _state_of(part) for name, part in self.parts.items()},
            "counters": counters,
            "settings": self._shown(),
        }
        self.path.parent.mkdir(parents=True, exist_ok=True)
        sweep_temporaries(self.path)
        with atomic_write(self.path) as temporary:
            torch.save(state, temporary)

    def load(self) -> dict[str, float]:
        """Puts a saved state into the parts; returns its counters, none when there is no state.

        Raises:
            WeightsError: the file is damaged, or belongs to a training with other networks or settings.
        """
        if not self.path.exists():
            return {}
        try:
            state = read_torch_file(self.path)
            difference = self._difference(state["settings"])
            if not difference:
                for name, part in self.parts.items():
                    _restore(part, state["parts"][name])
                return dict(state["counters"])
        except (WeightsError, RuntimeError, LookupError, ValueError, TypeError, AttributeError) as error:
            sentence = f"cannot resume from {self.path}: it is damaged or belongs to another network; move it away"
            raise WeightsError(sentence, detail=str(error)) from error
        raise WeightsError(f"{self.path} belongs to another run ({difference}); move it away, or give another --out")

    def remove(self) -> None:
        """Deletes the file, when the training is done."""
        self.path.unlink(missing_ok=True)

    def _shown(self) -> dict[str, str]:
        return {name: str(value) for name, value in self.settings.items()}

    def _difference(self, saved: Mapping[str, str]) -> str:
        """The first setting that differs from the saved one, in words; empty when there is none."""
        shown = self._shown().items()
        return next((f"{name}: {saved.get(name)}, now {now}" for name, now in shown if saved.get(name) != now), "")


def _state_of(part: Part) -> object:
    if isinstance(part, np.random.Generator):
        return part.bit_generator.state
    if isinstance(part, torch.Generator):
        return part.get_state()
    return part if isinstance(part, Tensor | dict) else part.state_dict()


def _restore(part: Part, saved: Any) -> None:  # noqa: ANN401 (what `_state_of` gave)
    if isinstance(part, np.random.Generator):
        part.bit_generator.state = saved
    elif isinstance(part, torch.Generator):
        part.set_state(saved)
    elif isinstance(part, Tensor):
        part.copy_(saved)
    elif isinstance(part, dict):
        part.clear()
        part.update(saved)
    else:
        part.load_state_dict(saved)
