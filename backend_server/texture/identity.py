"""What does the program know of one person, and how is it kept?

An identity is what `adapt` makes of a few images and `render` needs: reference pictures with landmarks and mattes, the
neutral shape, and the weights that fine-tuning changed. One safetensors file, shareable and deletable.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import msgspec
import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from backend_server.config import CROP_SIZE
from backend_server.files import atomic_write
from shared.errors import WeightsError
from shared.landmarks import POINT_COUNT

FORMAT = "speech-face-identity-2"
_ARRAYS = ("neutral_landmarks", "crop", "reference_images", "reference_landmarks", "mattes", "foreground")


class FaceImages(Protocol):
    """What an identity is made of: K faces of one person, the first of them the one to be animated."""

    @property
    def crops(self) -> NDArray[np.uint8]:
        """(K, 256, 256, 3) RGB."""
        ...

    @property
    def landmarks(self) -> NDArray[np.float32]:
        """(K, 68, 2) pixels of each crop."""
        ...

    @property
    def mattes(self) -> NDArray[np.uint8]:
        """(K, 256, 256), 255 where the person is."""
        ...

    @property
    def neutral_landmarks(self) -> NDArray[np.float32]:
        """l_p, (68, 2) pixels of the first crop."""
        ...

    @property
    def foreground(self) -> NDArray[np.uint8] | None:
        """(256, 256, 3), the first crop with the person's own colours at the matte's edge; None for the crop itself."""
        ...

    @property
    def crop(self) -> NDArray[np.float32]:
        """(2, 3), from pixels of the first crop to pixels of its image."""
        ...


@dataclass(frozen=True)
class Identity:
    """One person, ready to be rendered.

    Attributes:
        neutral_landmarks: l_p, (68, 2) pixels of the crop.
        crop: (2, 3), from pixels of the crop to pixels of the source image.
        reference_images: I^n, u8 (R, 256, 256, 3) RGB; the first is the one that is moved.
        reference_landmarks: (R, 68, 2) pixels.
        mattes: u8 (R, 256, 256), 255 where the person is.
        foreground: u8 (256, 256, 3), the first image without background at the person's edge.
        weights: what fine-tuning changed, half floats by name; empty without fine-tuning.
        losses: of fine-tuning, one an epoch.
        held_out_psnr: dB on images kept from fine-tuning, when there were enough.
        weights_version: of the weights that fine-tuning began from.
        epochs: of fine-tuning.
    """

    neutral_landmarks: NDArray[np.float32]
    crop: NDArray[np.float32]
    reference_images: NDArray[np.uint8]
    reference_landmarks: NDArray[np.float32]
    mattes: NDArray[np.uint8]
    foreground: NDArray[np.uint8]
    weights: Mapping[str, NDArray[np.float16]]
    losses: tuple[float, ...]
    held_out_psnr: float | None
    weights_version: str
    epochs: int


class _Notes(msgspec.Struct, frozen=True):
    losses: tuple[float, ...]
    held_out_psnr: float | None
    weights_version: str
    epochs: int


def save_identity(path: Path, identity: Identity, remarks: Mapping[str, str] | None = None) -> None:
    """Writes an identity as one safetensors file, replaced in one step.

    Args:
        path: the file.
        identity: what is written.
        remarks: further metadata, by name.
    """
    arrays = {name: getattr(identity, name) for name in _ARRAYS}
    arrays |= {f"weights.{name}": weight for name, weight in identity.weights.items()}
    # `np.ascontiguousarray` would turn a single number into an array of one.
    tensors = {name: np.asarray(array, order="C") for name, array in arrays.items()}
    notes = _Notes(identity.losses, identity.held_out_psnr, identity.weights_version, identity.epochs)
    metadata = {**(remarks or {}), "format": FORMAT, "notes": msgspec.json.encode(notes).decode()}
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_write(path) as temporary:
        save_file(tensors, temporary, metadata)


def load_identity(path: Path) -> Identity:
    """Reads what `save_identity` wrote.

    Raises:
        WeightsError: the file is missing, damaged, or no identity.
    """
    try:
        with safe_open(path, framework="np") as file:
            metadata = file.metadata() or {}
            if metadata.get("format") != FORMAT:
                raise WeightsError(
                    f"{path} is not an identity of this version of Speech Face; make one with: backend_server adapt"
                )
            notes = msgspec.json.decode(metadata.get("notes", ""), type=_Notes)
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (safe_open is no mapping)
    except (OSError, SafetensorError, msgspec.DecodeError) as error:
        raise WeightsError(f"cannot read the identity {path}: {error}") from error
    _check(path, tensors)
    weights = {name.removeprefix("weights."): t for name, t in tensors.items() if name.startswith("weights.")}
    return Identity(**{name: tensors[name] for name in _ARRAYS}, weights=weights, **msgspec.structs.asdict(notes))


def _check(path: Path, tensors: Mapping[str, NDArray[np.generic]]) -> None:
    missing = [name for name in _ARRAYS if name not in tensors]
    if missing:
        raise WeightsError(f"the identity {path} lacks {', '.join(missing)}")
    count = len(tensors["reference_images"])
    shapes = {
        "neutral_landmarks": (POINT_COUNT, 2),
        "crop": (2, 3),
        "reference_images": (count, CROP_SIZE, CROP_SIZE, 3),
        "reference_landmarks": (count, POINT_COUNT, 2),
        "mattes": (count, CROP_SIZE, CROP_SIZE),
        "foreground": (CROP_SIZE, CROP_SIZE, 3),
    }
    for name, shape in shapes.items():
        if count == 0 or tensors[name].shape != shape:
            raise WeightsError(f"the identity {path} is damaged: {name} has the shape {tensors[name].shape}")
