"""Builds a wheel of the client library alone, which needs no torch: `python build.py client`.

It copies the library and `shared` as its sub-package into an empty folder, and pip packs them.
"""

# ruff: noqa: T201 (it prints for users)

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent
LIBRARY = "speech_face_client"


class ClientError(Exception):
    """Ends the program with one sentence that says what to do."""


def build_client(out: Path, root: Path = ROOT) -> Path:
    """Builds the wheel and returns its path.

    Args:
        out: folder for the wheel, created if missing; an earlier wheel of the same version is replaced.
        root: the repository.

    Raises:
        ClientError: pip cannot pack it.
    """
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="speech_face_client_") as folder:
        stage(root, Path(folder) / "source")
        made = Path(folder) / "made"
        command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", str(made)]
        if subprocess.run([*command, str(Path(folder) / "source")], check=False).returncode:
            raise ClientError("pip cannot pack the client; see above, and check the connection: it fetches setuptools")
        (wheel,) = made.glob("*.whl")
        return Path(shutil.copy2(wheel, out / wheel.name))


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
    except ClientError as error:
        print(f"build.py client: {error}", file=sys.stderr)
        return 2
    print(f"{path} ({path.stat().st_size / 1e3:.0f} kB): pip install it where Python has no torch")
    return 0


if __name__ == "__main__":
    sys.exit(main())
