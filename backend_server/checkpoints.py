"""Reads and writes weights, in files that name their network.

A checkpoint is one safetensors file whose metadata carries the network's name and its config as JSON, so the file
alone rebuilds the network.
"""

from __future__ import annotations

import hashlib
import pickle
import struct
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from backend_server.files import atomic_write, sweep_temporaries
from shared.errors import WeightsError

Config = TypeVar("Config")

# What the pickle reader raises for text, pictures and truncated files.
_NOT_SAVED_BY_TORCH = (
    *(pickle.UnpicklingError, struct.error, EOFError, RuntimeError),
    *(LookupError, ValueError, TypeError, AttributeError),
)
WEIGHTS_DIR = Path(__file__).with_name("weights")
_SCALE = ".row_scale"  # ends the name of the scales of a tensor in eight bits
_FEWEST = 4096  # numbers of a tensor that is worth eight bits


def save_checkpoint(
    path: Path, kind: str, config: object, tensors: Mapping[str, Tensor], notes: Mapping[str, str] | None = None
) -> None:
    """Writes tensors and the config that rebuilds their network.

    Args:
        path: the safetensors file; replaced in one step.
        kind: the network's name, checked when the file is read.
        config: a dataclass of numbers, strings and tuples.
        tensors: name -> tensor of any device and dtype.
        notes: more strings, for people and for resuming.
    """
    metadata = {**(notes or {}), "kind": kind, "config": msgspec.json.encode(config).decode()}
    path.parent.mkdir(parents=True, exist_ok=True)
    sweep_temporaries(path)
    with atomic_write(path) as temporary:
        save_file({name: t.detach().cpu().contiguous() for name, t in tensors.items()}, temporary, metadata)


def load_checkpoint(
    path: Path, kind: str, config_type: type[Config], device: str = "cpu"
) -> tuple[Config, dict[str, Tensor], dict[str, str]]:
    """Reads what `save_checkpoint` wrote: config, tensors, notes.

    Raises:
        WeightsError: the file is missing, damaged, or holds another network.
    """
    try:
        with safe_open(path, framework="pt", device=device) as file:
            notes = dict(file.metadata() or {})
            tensors = _whole({name: file.get_tensor(name) for name in file.keys()})  # noqa: SIM118 (no mapping)
    except (OSError, SafetensorError) as error:
        raise WeightsError(f"cannot read the weights file {path}: {error}") from error
    if notes.pop("kind", None) != kind:
        raise WeightsError(f"{path} does not hold weights of the {kind} network")
    try:
        config = msgspec.json.decode(notes.pop("config"), type=config_type)
    except (KeyError, msgspec.DecodeError) as error:
        raise WeightsError(f"the settings inside {path} are damaged: {error}") from error
    return config, tensors, notes


def in_eight_bits(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Large matrices as 8-bit whole numbers with one scale for each row, all else in half precision.

    `load_checkpoint` gives them back as numbers. The error is below 0.4 % of a row's largest weight.
    """
    result: dict[str, Tensor] = {}
    for name, tensor in tensors.items():
        if not tensor.is_floating_point():
            result[name] = tensor
        elif tensor.ndim < 2 or tensor.numel() < _FEWEST:
            result[name] = tensor.half()
        else:
            scale = tensor.flatten(1).abs().amax(1).clamp(min=1e-12) / 127
            result[name] = (tensor / scale.view(-1, *[1] * (tensor.ndim - 1))).round().to(torch.int8)
            result[name + _SCALE] = scale
    return result


def _whole(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Tensors in which those that `in_eight_bits` made are numbers again."""
    whole = dict(tensors)
    for name, tensor in tensors.items():
        if name + _SCALE in tensors:
            scale = whole.pop(name + _SCALE)
            whole[name] = tensor * scale.view(-1, *[1] * (tensor.ndim - 1))
    return whole


def read_torch_file(path: Path) -> Any:  # noqa: ANN401 (whatever was saved)
    """Reads what `torch.save` wrote, tensors and plain values alone, onto the CPU.

    Raises:
        WeightsError: the file is missing, damaged, or of another kind.
    """
    try:
        return torch.load(path, "cpu", weights_only=True)
    except OSError as error:
        raise WeightsError(f"{path} cannot be read ({error.strerror or error})") from error
    except _NOT_SAVED_BY_TORCH as error:
        raise WeightsError(f"{path} is damaged, or PyTorch did not save it") from error


def fill(network: nn.Module, tensors: Mapping[str, Tensor], path: Path) -> None:
    """Gives a network the weights that `load_checkpoint` read from `path`, float16 as float32.

    Raises:
        WeightsError: names or shapes are not those of the network, as after a change of its code.
    """
    try:
        network.load_state_dict({name: t.float() if t.is_floating_point() else t for name, t in tensors.items()})
    except RuntimeError as error:
        raise WeightsError(f"the weights in {path} do not fit the network they name", detail=str(error)) from error


@lru_cache(maxsize=32)
def _digest(path: Path, modified_ns: int) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def weights_version(directory: Path = WEIGHTS_DIR) -> str:
    """Twelve hexadecimal digits that change when any weights file in the folder changes."""
    whole = hashlib.sha256()
    for path in sorted([*directory.glob("*.safetensors"), *directory.glob("*.onnx")]):
        whole.update(path.name.encode() + _digest(path, path.stat().st_mtime_ns).encode())
    return whole.hexdigest()[:12]
