"""Chooses the device on which the networks compute."""

from __future__ import annotations

import torch

from shared.errors import ValueRangeError


def choose_device(device: str) -> str:
    """The device to use: "auto" means CUDA if there is a GPU, else the CPU.

    Raises:
        ValueRangeError: torch or this machine has no such device.
    """
    if device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        raise ValueRangeError(f"the device {device!r} cannot be used here; choose cpu, cuda, cuda:N or auto") from error
    return device
