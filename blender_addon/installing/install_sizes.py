"""What an installation of the backend loads, takes on the disk, and needs in time. No bpy."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

MEGABYTE = 1e6


class Stage(IntEnum):
    """The stages of an installation, in their order."""

    PYTHON = 0
    ENVIRONMENT = 1
    PIP = 2
    TORCH = 3
    BACKEND = 4
    CHECK = 5

    @property
    def words(self) -> str:
        """What is done, for people, in English."""
        return _WORDS[self]


_WORDS = {
    Stage.PYTHON: "Looking for Python",
    Stage.ENVIRONMENT: "Making an environment",
    Stage.PIP: "Installing pip",
    Stage.TORCH: "Installing PyTorch",
    Stage.BACKEND: "Installing the backend",
    Stage.CHECK: "Checking the backend",
}
# Seconds of work without loading, on two cores.
SECONDS = {
    Stage.PYTHON: 2.0,
    Stage.ENVIRONMENT: 6.0,
    Stage.PIP: 4.0,
    Stage.TORCH: 30.0,
    Stage.BACKEND: 60.0,
    Stage.CHECK: 15.0,
}


@dataclass(frozen=True)
class Size:
    """What an installation takes.

    Attributes:
        torch_bytes: of PyTorch, to load.
        backend_bytes: of all other libraries, to load.
        disk_bytes: that must be free: what is loaded and what is unpacked of it.
        is_measured: whether the sizes are exact, and no guess.
    """

    torch_bytes: float
    backend_bytes: float
    disk_bytes: float
    is_measured: bool = True

    @property
    def stage_bytes(self) -> dict[Stage, float]:
        """What each stage loads."""
        return {Stage.PIP: 2 * MEGABYTE, Stage.TORCH: self.torch_bytes, Stage.BACKEND: self.backend_bytes}

    @property
    def rounded(self) -> tuple[str, str, str, str]:
        """What is loaded, of that PyTorch and all other libraries, and the free disk, for people."""
        loaded = (self.torch_bytes + self.backend_bytes, self.torch_bytes, self.backend_bytes)
        whole, torch, others = (_rounded(size / MEGABYTE) for size in loaded)
        return whole, torch, others, f"{self.disk_bytes / 1e9:.0f} GB"


def _rounded(megabytes: float) -> str:
    return f"{megabytes / 1000:.1f} GB" if megabytes >= 1000 else f"{round(megabytes, -1):.0f} MB"


# Measured with `pip download` for each system, of the releases that pip chose for Python 3.11 in December 2026: PyTorch
# 2.13, and the other libraries. With CUDA they hold NVIDIA's (2.4 GB on Linux; inside PyTorch's own file on Windows).
_SIZES = {
    ("Linux", "cpu"): Size(192 * MEGABYTE, 281 * MEGABYTE, 3.0e9),
    ("Windows", "cpu"): Size(122 * MEGABYTE, 209 * MEGABYTE, 2.5e9),
    ("Darwin", "cpu"): Size(111 * MEGABYTE, 192 * MEGABYTE, 2.5e9),
    ("Linux", "cuda"): Size(555 * MEGABYTE, 2720 * MEGABYTE, 11e9),
    ("Windows", "cuda"): Size(2500 * MEGABYTE, 209 * MEGABYTE, 10e9, is_measured=False),
}


def size_of(system: str, build: str) -> Size:
    """What an installation takes, on a system as `platform.system` names it, with a build of PyTorch."""
    return _SIZES.get((system, build), _SIZES["Linux", "cpu"])
