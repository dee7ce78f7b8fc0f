"""Builds a wheel of the client library alone, which needs no torch: `python build.py client`.

It copies the library and `shared` as its sub-package into an empty folder, and pip packs them.
"""

# ruff: noqa: T201 (it prints for users)

from __future__ import annotations

import argparse
import shutil
import sys
from pathlib import Path

from build_wheel import WheelError, pack

ROOT = Path(__file__).resolve().parent
LIBRARY = "speech_face_client"


def build_client(out: Path, root: Path = ROOT) -> Path:
    """Builds the wheel and returns its path.

    Args:
        out: folder for the wheel, created if missing; an earlier wheel of the same version is replaced.
        root: the repository.

    Raises:
        WheelError: pip cannot pack it.
    """
    return pack(lambda folder: stage(root, folder), out)


def stage(root: Path, folder: Path) -> None:
    """Copies the files for the wheel."""
    skip = shutil.ignore_patterns("__pycache__", "pyproject.toml")
    shutil.copytree(root / LIBRARY, folder / LIBRARY, ignore=skip)
    shutil.copytree(root / "shared", folder / LIBRARY / "shared", ignore=skip)
    shutil.copyfile(root / LIBRARY / "pyproject.toml", folder / "pyproject.toml")
    shutil.copyfile(root / "docs" / "client.md", folder / "README.md")
    shutil.copyfile(root / "LICENSE", folder / "LICENSE")


def main() -> int:
    """Builds the wheel and says where it is."""
    parser = argparse.ArgumentParser(prog="build.py client", description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--out", type=Path, default=ROOT / "dist", help="folder for the wheel (default: dist)")
    try:
        path = build_client(parser.parse_args().out.resolve())
    except WheelError as error:
        print(f"build.py client: {error}", file=sys.stderr)
        return 2
    print(f"{path} ({path.stat().st_size / 1e3:.0f} kB): pip install it where Python has no torch")
    return 0


if __name__ == "__main__":
    sys.exit(main())
