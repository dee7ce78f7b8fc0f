"""Reads and writes small sets of numbers that were measured on a corpus: JSON that says where they come from."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from shared.errors import WeightsError

_ADVICE = "copy the file again from the repository"


def write_measured(path: Path, kind: str, source: str, numbers: Mapping[str, NDArray[np.floating]]) -> None:
    """Writes arrays with five digits behind the point.

    Args:
        path: of the file, which is replaced.
        kind: what they are, checked when they are read.
        source: what they were measured on, for people.
        numbers: by name.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    rounded = {name: np.round(values.astype(np.float64), 5).tolist() for name, values in numbers.items()}
    path.write_text(json.dumps({"kind": kind, "source": source, **rounded}, indent=1) + "\n", "utf-8")


def read_measured(path: Path, kind: str, shapes: Mapping[str, tuple[int, ...]]) -> dict[str, NDArray[np.float64]]:
    """Reads what `write_measured` wrote.

    Args:
        path: of the file.
        kind: what it has to hold.
        shapes: of the arrays by name; one length of each may be -1, which is any.

    Raises:
        WeightsError: the file is missing, damaged, or holds something else.
    """
    try:
        kept = json.loads(path.read_text("utf-8"))
        found = kept["kind"]
        numbers = {name: np.array(kept[name], np.float64).reshape(shape) for name, shape in shapes.items()}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise WeightsError(f"cannot read {kind} from {path}: {error}; {_ADVICE}") from error
    if found != kind:
        raise WeightsError(f"{path} holds {found!r} instead of {kind}; {_ADVICE}")
    return numbers
