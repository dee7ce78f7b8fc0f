"""Builds the wheel of the backend with its weights and samples: `python build.py wheel`.

It copies the packages into an empty folder, so that nothing else of a checkout gets in, and pip packs them. The wheel
needs no repository: `pip install` it, after a build of PyTorch, and start `python -m backend_server`.
"""

# ruff: noqa: T201 (it prints for users)

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parent
PACKAGES = ("backend_server", "shared", "speech_face_client")
FILES = ("pyproject.toml", "README.md", "LICENSE")


class WheelError(Exception):
    """Ends the program with one sentence that says what to do."""


def build_wheel(out: Path, root: Path = ROOT) -> Path:
    """Builds the backend's wheel and returns its path.

    Args:
        out: folder for the wheel, created if missing; an earlier wheel of the same version is replaced.
        root: the repository.

    Raises:
        WheelError: pip cannot pack it.
    """
    return pack(lambda folder: stage(root, folder), out)


def pack(fill: Callable[[Path], None], out: Path) -> Path:
    """Has pip pack what `fill` puts into an empty folder, and returns the wheel's path.

    Raises:
        WheelError: pip cannot pack it.
    """
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="speech_face_wheel_") as folder:
        fill(Path(folder) / "source")
        made = Path(folder) / "made"
        command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", str(made)]
        if subprocess.run([*command, str(Path(folder) / "source")], check=False).returncode:
            raise WheelError("pip cannot pack the wheel; see above, and check the connection: it fetches setuptools")
        (wheel,) = made.glob("*.whl")
        return Path(shutil.copy2(wheel, out / wheel.name))


def stage(root: Path, folder: Path) -> None:
    """Copies the files for the wheel."""
    for name in PACKAGES:
        shutil.copytree(root / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in FILES:
        shutil.copyfile(root / name, folder / name)


def main() -> int:
    """Builds the wheel and says where it is."""
    parser = argparse.ArgumentParser(prog="build.py wheel", description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--out", type=Path, default=ROOT / "dist", help="folder for the wheel (default: dist)")
    try:
        path = build_wheel(parser.parse_args().out.resolve())
    except WheelError as error:
        print(f"build.py wheel: {error}", file=sys.stderr)
        return 2
    print(f"{path} ({path.stat().st_size / 1e6:.1f} MB): pip install it beside PyTorch, or let the add-on do so")
    return 0


if __name__ == "__main__":
    sys.exit(main())
