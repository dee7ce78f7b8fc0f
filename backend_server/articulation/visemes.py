"""Keeps the shape that the mouth aims at in each sound.

A viseme is the shape that one or several phones share. Most are measured on people who talk (`fitting.py`); the few
that their sentences lack are mixtures of articulatory neighbours, and what anatomy demands is enforced.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from backend_server.articulation.dominance import GROUPS, MANNERS, Dominance, initial_dominance
from backend_server.articulation.phones import SILENCE
from backend_server.checkpoints import WEIGHTS_DIR, load_checkpoint, save_checkpoint
from shared.errors import WeightsError
from shared.landmarks import INNER_LIP_PAIRS, POINT_COUNT

KIND = "visemes"
WEIGHTS = WEIGHTS_DIR / "visemes.safetensors"

# Visemes of one manner share their dominance.
VISEMES_OF_MANNER: dict[str, tuple[str, ...]] = {
    "silence": (SILENCE,),
    "bilabial": ("P",),
    "labiodental": ("F",),
    "rounded consonant": ("W", "R", "CH"),
    "consonant": ("T", "S", "N", "L", "K", "TH", "Y"),
    "vowel": ("AA", "AE", "AH", "EH", "EY", "IH", "IY", "ER"),
    "rounded vowel": ("AO", "UW", "UH"),
}
VISEMES: tuple[str, ...] = tuple(name for names in VISEMES_OF_MANNER.values() for name in names)
# In equal parts; the other visemes are measured. Of AE the corpus knows only the weak one in "at".
MIXTURES = {"AE": ("AA", "EH"), "ER": ("AH", "R")}

# Phones that share a viseme, diphthongs as two visemes of equal length, and HH, which takes its neighbours' shape.
_OTHERS: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(("B", "M"), ("P",)),
    **dict.fromkeys(("V",), ("F",)),
    **dict.fromkeys(("JH", "SH", "ZH"), ("CH",)),
    **dict.fromkeys(("D",), ("T",)),
    **dict.fromkeys(("Z",), ("S",)),
    **dict.fromkeys(("DH",), ("TH",)),
    **dict.fromkeys(("G", "NG"), ("K",)),
    **dict.fromkeys(("UE",), ("UW",)),
    "AY": ("AA", "IH"),
    "AW": ("AA", "UH"),
    "EY": ("EY", "IY"),
    "OW": ("AO", "UW"),
    "OY": ("AO", "IH"),
    "HH": (),
}

_UPPER_LIP = (*range(49, 54), *range(61, 64))
_LOWER_LIP = (*range(55, 60), *range(65, 68))
# Gaps of the inner lips, canonical units. Lips aim past their contact (Löfqvist & Gracco 1997) and so press together.
BILABIAL_GAP = -0.03
LARGEST_LABIODENTAL_GAP = 0.01  # the lower lip at the upper teeth
SMALLEST_GAP = {"W": 0.01, "R": 0.03, "UW": 0.03, "TH": 0.04, "UH": 0.06}
SMALLEST_OTHER_GAP = 0.02

Array = NDArray[np.float32]


@dataclass(frozen=True)
class VisemeTable:
    """Everything that turns phones into motion.

    Attributes:
        neutral: face at rest, (68, 2), canonical units.
        targets: displacements from it, one viseme per row as in `VISEMES`, (V, 68, 2).
        dominance: how strongly and how long each manner pulls.
    """

    neutral: Array
    targets: Array
    dominance: Dominance


def visemes_of(phone: str) -> tuple[str, ...]:
    """The visemes through which the mouth goes in one of `phones.PHONES`."""
    return _OTHERS.get(phone, (phone,))


def manner_indices(names: tuple[str, ...] = VISEMES) -> torch.Tensor:
    """The row of `Dominance` for each viseme, (V,)."""
    rows = {viseme: MANNERS.index(manner) for manner, visemes in VISEMES_OF_MANNER.items() for viseme in visemes}
    return torch.tensor([rows[name] for name in names])


def lip_gap(shape: NDArray[np.floating]) -> float:
    """Mean signed gap of the inner lips of a face (68, 2), canonical units; negative when they overlap."""
    return float(np.mean([shape[lower, 1] - shape[upper, 1] for upper, lower in INNER_LIP_PAIRS]))


def complete_targets(measured: Array, neutral: Array) -> Array:
    """All targets (V, 68, 2) from the measured ones: mixtures, rest in silence, contact where there must be contact.

    Args:
        measured: displacements in the order of `VISEMES`, (V, 68, 2); those of mixtures are ignored.
        neutral: face at rest, (68, 2).
    """
    shapes = dict(zip(VISEMES, measured, strict=True))
    shapes[SILENCE] = np.zeros_like(neutral)
    shapes["P"] = _with_gap(shapes["P"], neutral, -1.0, BILABIAL_GAP)
    shapes["F"] = _with_gap(shapes["F"], neutral, BILABIAL_GAP, LARGEST_LABIODENTAL_GAP)
    for name in VISEMES:
        if name not in (SILENCE, "P", "F"):
            shapes[name] = _with_gap(shapes[name], neutral, SMALLEST_GAP.get(name, SMALLEST_OTHER_GAP), 1.0)
    for name, parts in MIXTURES.items():
        shapes[name] = np.mean([shapes[part] for part in parts], axis=0)
    return np.stack([shapes[name] for name in VISEMES]).astype(np.float32)


def _with_gap(target: Array, neutral: Array, smallest: float, largest: float) -> Array:
    """A displacement (68, 2) whose lips were moved evenly until their gap lies between two bounds."""
    gap = lip_gap(neutral + target)
    half = (min(max(gap, smallest), largest) - gap) / 2
    moved = target.copy()
    moved[list(_UPPER_LIP), 1] -= half
    moved[list(_LOWER_LIP), 1] += half
    return moved


def save_visemes(path: Path, table: VisemeTable, notes: dict[str, str]) -> None:
    """Writes a table as a weights file; notes are for people."""
    tensors = {"neutral": torch.from_numpy(table.neutral), "targets": torch.from_numpy(table.targets)}
    save_checkpoint(path, KIND, _settings(), tensors | table.dominance.tensors(), notes)


def _settings() -> dict[str, list[str]]:
    """What the rows of a table's tensors mean."""
    return {"visemes": list(VISEMES), "groups": list(GROUPS)}


@lru_cache(maxsize=4)
def load_visemes(path: Path = WEIGHTS) -> VisemeTable:
    """Reads a table.

    Raises:
        WeightsError: the file is missing, damaged, or holds something else, such as other visemes.
    """
    settings, tensors, _ = load_checkpoint(path, KIND, dict)
    shapes = {"neutral": (POINT_COUNT, 2), "targets": (len(VISEMES), POINT_COUNT, 2)}
    shapes |= {name: tuple(tensor.shape) for name, tensor in initial_dominance().tensors().items()}
    found = {name: tuple(tensor.shape) for name, tensor in tensors.items()}
    if settings != _settings() or found != shapes:
        raise WeightsError(
            f"{path} holds other visemes than these {len(VISEMES)}; measure it again with: train visemes",
            detail=f"{settings}, {found}",
        )
    neutral, targets = tensors.pop("neutral").numpy(), tensors.pop("targets").numpy()
    return VisemeTable(neutral, targets, Dominance(**tensors))


def visemes_beside(folder: Path) -> VisemeTable | None:
    """The table of a weights folder; None, which means the shipped one, where it has none.

    Raises:
        WeightsError: its file is damaged, or holds something else.
    """
    path = folder / WEIGHTS.name
    return load_visemes(path) if path.exists() else None
