"""Builds the texture generators, and keeps them on disk."""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

import torch
from torch import nn

from backend_server.checkpoints import fill, load_checkpoint, save_checkpoint
from backend_server.config import TextureConfig
from backend_server.texture.networks.discriminator import build_discriminator
from backend_server.texture.networks.paper import PaperGenerator
from backend_server.texture.networks.warp import WarpGenerator
from backend_server.texture.synthesis import TextureGenerator
from shared.errors import ValueRangeError

KIND = "texture"
_JUDGE = "discriminator."

Network = TypeVar("Network", bound=nn.Module)

_PRESETS: dict[str, type[TextureGenerator]] = {"warp": WarpGenerator, "paper": PaperGenerator}


def build_generator(config: TextureConfig) -> TextureGenerator:
    """The untrained generator of a preset.

    Raises:
        ValueRangeError: there is no such preset.
    """
    if config.preset not in _PRESETS:
        raise ValueRangeError(f"there is no texture preset {config.preset!r}; choose one of {', '.join(_PRESETS)}")
    return _PRESETS[config.preset](config)


def save_texture_generator(path: Path, generator: TextureGenerator, notes: dict[str, str] | None = None) -> None:
    """Writes the weights, and those of its discriminator, as half floats with the config beside them."""
    tensors = {name: tensor.half() for name, tensor in generator.state_dict().items()}
    for judge in generator.judges:
        tensors |= {_JUDGE + name: tensor.half() for name, tensor in judge.state_dict().items()}
    save_checkpoint(path, KIND, generator.config, tensors, notes)


def load_texture_generator(path: Path, device: str = "cpu") -> TextureGenerator:
    """The generator of a weights file, ready to run, with its discriminator when the file holds one.

    Raises:
        WeightsError: the file is missing, damaged, or of another network.
    """
    config, tensors, _ = load_checkpoint(path, KIND, TextureConfig, device)
    generator = build_generator(config)
    judging = {name.removeprefix(_JUDGE): t for name, t in tensors.items() if name.startswith(_JUDGE)}
    fill(generator, {name: t for name, t in tensors.items() if not name.startswith(_JUDGE)}, path)
    if judging:
        judge = build_discriminator(config)
        fill(judge, judging, path)
        generator.judges = (_ready(judge, device),)
    return _ready(generator, device)


def _ready(network: Network, device: str) -> Network:
    # Channels last: convolutions on a CPU run about twice as fast.
    return network.to(device).to(memory_format=torch.channels_last).eval().requires_grad_(False)  # type: ignore[call-overload]
