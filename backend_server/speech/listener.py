"""Opens the acoustic model of a weights file, ours or a user's own."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Literal

from backend_server.files import atomic_write
from backend_server.speech.acoustic_model import AcousticModel, CtcAcousticModel, load_acoustic_model
from backend_server.speech.onnx_model import OnnxAcousticModel
from shared.errors import WeightsError

ONNX, OURS = "speech.onnx", "speech.safetensors"  # in a weights folder


def open_acoustic_model(
    path: Path, device: str = "cpu", listens_to: Literal["hidden", "scores"] = "hidden"
) -> AcousticModel:
    """The acoustic model of a file, ready for use.

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


def open_scorer(folder: Path, device: str = "cpu") -> CtcAcousticModel:
    """Our own acoustic model in a weights folder, which alone scores phones and characters.

    Raises:
        WeightsError: the folder's motion listens through an ONNX file, or its own model is missing or damaged.
    """
    path = speech_file(folder)
    if path.name == ONNX:
        raise WeightsError(f"phones and characters are scored by {OURS} alone, but {folder} holds {ONNX}")
    return load_acoustic_model(path, device)


def place_beside(path: Path, folder: Path) -> Path:
    """Where in a weights folder an acoustic model is found: the file that `keep_beside` writes.

    Raises:
        WeightsError: the folder holds one of the other kind, so that it would hold two.
    """
    name, other = (ONNX, OURS) if path.suffix == ".onnx" else (OURS, ONNX)
    if (folder / other).exists():
        raise WeightsError(
            f"{folder} holds {other}, but a folder that listens through {path} holds {name} instead; "
            f"remove {other} or choose another --out"
        )
    return folder / name


def keep_beside(path: Path, folder: Path) -> None:
    """Copies an acoustic model into a weights folder, under the name by which it is found there, in one step.

    Raises:
        WeightsError: the folder holds one of the other kind.
    """
    target = place_beside(path, folder)
    if target.exists() and target.samefile(path):
        return
    with atomic_write(target) as temporary:
        shutil.copyfile(path, temporary)
