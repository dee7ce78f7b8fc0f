"""Which acoustic model does a weights file hold, ours or a user's own?"""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Literal

from backend_server.speech.acoustic_model import AcousticModel, load_acoustic_model
from backend_server.speech.onnx_model import OnnxAcousticModel
from shared.errors import WeightsError

ONNX, OURS = "speech.onnx", "speech.safetensors"  # in a weights folder


def open_acoustic_model(
    path: Path, device: str = "cpu", listens_to: Literal["hidden", "scores"] = "hidden"
) -> AcousticModel:
    """The acoustic model of a file, ready to listen.

    Args:
        path: an ONNX file, or a checkpoint of `CtcAcousticModel`.
        device: where it computes.
        listens_to: which layer of our own network is heard; an ONNX file has one output.

    Raises:
        WeightsError: the file is missing, damaged, or holds no acoustic model.
    """
    if path.suffix == ".onnx":
        return OnnxAcousticModel(path, device)
    return load_acoustic_model(path, device, listens_to)


def speech_file(folder: Path) -> Path:
    """The file of a weights folder through which its motion network listens.

    Raises:
        WeightsError: there are two.
    """
    onnx, ours = folder / ONNX, folder / OURS
    if onnx.exists() and ours.exists():
        raise WeightsError(
            f"{folder} holds both {ONNX} and {OURS}; keep the one that motion.safetensors was trained against"
        )
    return onnx if onnx.exists() else ours


def keep_beside(path: Path, folder: Path) -> None:
    """Copies an acoustic model into a weights folder, under the name by which it is found there, in one step."""
    target = folder / (ONNX if path.suffix == ".onnx" else OURS)
    if target.exists() and target.samefile(path):
        return
    temporary = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        shutil.copyfile(path, temporary)
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)
