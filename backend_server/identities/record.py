"""What is told of a learnt face without reading its weights?"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Protocol

import msgspec
import numpy as np
from numpy.typing import NDArray


class LearntFace(Protocol):
    """What is read of an identity here and in the service; the rest is the engine's own."""

    @property
    def neutral_landmarks(self) -> NDArray[np.float32]:
        """l_p, (68, 2) pixels of the crop."""
        ...

    @property
    def crop(self) -> NDArray[np.float32]:
        """(2, 3), from pixels of the crop to pixels of the first image."""
        ...

    @property
    def epochs(self) -> int:
        """Of fine-tuning."""
        ...

    @property
    def losses(self) -> Sequence[float]:
        """One a fine-tuning epoch."""
        ...

    @property
    def held_out_psnr(self) -> float | None:
        """dB on images kept back; None when there were none."""
        ...


class IdentityRecord(msgspec.Struct, frozen=True, kw_only=True):
    """Of what, when and how well a face was learnt; travels with an exported identity.

    Attributes:
        identity: its name, 64 hexadecimal digits.
        learnt_at: when.
        weights_version: of the weights that fine-tuning began from.
        image_count: K.
        image_names: of the picture files, in their order; empty where nobody knows.
        seed: of fine-tuning.
        epochs: that were run.
        losses: one an epoch.
        held_out_psnrs: dB after each epoch on images kept back; empty when there were none or nobody watched.
        held_out_psnr: dB of the state that was kept.
        neutral: l_p, 68 x 2, pixels of the crop.
        crop: 2 x 3, from pixels of the crop to pixels of its image.
    """

    identity: str
    learnt_at: datetime
    weights_version: str
    image_count: int
    image_names: tuple[str, ...] = ()
    seed: int = 0
    epochs: int
    losses: tuple[float, ...]
    held_out_psnrs: tuple[float, ...] = ()
    held_out_psnr: float | None
    neutral: tuple[tuple[float, ...], ...]
    crop: tuple[tuple[float, ...], ...]

    @property
    def day_and_time(self) -> str:
        """When it was learnt, in the time of this place."""
        return self.learnt_at.astimezone().strftime("%Y-%m-%d %H:%M")


def record_of(
    identity: str,
    face: LearntFace,
    *,
    weights_version: str,
    image_count: int,
    seed: int = 0,
    image_names: Sequence[str] = (),
    held_out_psnrs: Sequence[float] = (),
    learnt_at: datetime | None = None,
) -> IdentityRecord:
    """The record of a face that was just learnt, or at `learnt_at`."""
    return IdentityRecord(
        identity=identity,
        learnt_at=learnt_at or datetime.now(UTC).replace(microsecond=0),
        weights_version=weights_version,
        image_count=image_count,
        image_names=tuple(image_names),
        seed=seed,
        epochs=face.epochs,
        losses=tuple(float(loss) for loss in face.losses),
        held_out_psnrs=tuple(float(psnr) for psnr in held_out_psnrs),
        held_out_psnr=None if face.held_out_psnr is None else float(face.held_out_psnr),
        neutral=tuple(map(tuple, np.asarray(face.neutral_landmarks, np.float32).tolist())),
        crop=tuple(map(tuple, np.asarray(face.crop, np.float32).tolist())),
    )
