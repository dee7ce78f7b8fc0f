"""Says which Pythons, systems and builds of PyTorch the backend needs, and where such a Python may lie.

`build.py` and the add-on's installer read it. Only the standard library, and only what Python 3.8 understands, because
`build.py` starts with any Python.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

PYTHONS = ("3.11", "3.12", "3.13")
PLATFORMS = {("Linux", "x86_64"), ("Windows", "AMD64"), ("Darwin", "arm64")}  # every library has wheels for these
BUILDS = ("cpu", "cuda")
# PyPI has torch 2.13 with CUDA 13.0 for Linux, else for the CPU; PyTorch's own index has the other builds.
NOT_ON_PYPI = {("cpu", "Linux"): "cpu", ("cuda", "Windows"): "cu130"}
TORCH_INDEX = "https://download.pytorch.org/whl/"
TORCH_INDEX_VARIABLE = "SPEECH_FACE_TORCH_INDEX"  # another index than PyTorch's; "pip": the one that pip is set up for
PARENTS_OWN = ("PYTHONHOME", "PYTHONPATH", "PYTHONSTARTUP", "PYTHONEXECUTABLE")  # would mislead another Python


def choose_torch(wish: str | None, installed: str | None, has_gpu: bool) -> str:
    """Names the torch build, "cpu" or "cuda": by the wish, else what is installed, else what the machine has."""
    return wish or installed or ("cuda" if has_gpu else "cpu")


def torch_arguments(build: str, system: str, version: str, index: str | None = None) -> list[str]:
    """Returns pip's arguments for one torch build; `===` refuses another build of the same version.

    Args:
        build: "cpu" or "cuda".
        system: as `platform.system` names it.
        version: of torch.
        index: URL of the only index to use, or "pip" for those that pip is set up for; `$SPEECH_FACE_TORCH_INDEX` if
            None, and if that is empty, the index that has the build.

    Raises:
        ValueError: there is no such build for this system.
    """
    if build == "cuda" and system == "Darwin":
        raise ValueError("there is no CUDA on macOS; choose the build for the CPU")
    index = os.environ.get(TORCH_INDEX_VARIABLE, "") if index is None else index
    if index == "pip":
        return [f"torch=={version}"]
    tag = NOT_ON_PYPI.get((build, system))
    if not index and not tag:
        return [f"torch==={version}"]
    return ["--index-url", index or TORCH_INDEX + str(tag), f"torch=={version}+{tag}" if tag else f"torch=={version}"]


def python_candidates(
    pythons: tuple[str, ...] = PYTHONS, environment: Mapping[str, str] = os.environ, system: str = sys.platform
) -> list[list[str]]:
    """Commands that may start such a Python, the best first; whether they do must be tried.

    Those on the PATH come first, then Windows' launcher, pyenv, and the places where installers put them: a program
    that is started from a desktop often has a short PATH.
    """
    named = [[f"python{name}"] for name in pythons] + [["py", f"-{name}"] for name in pythons]
    found = [command for command in named if shutil.which(command[0])]
    pyenv = Path(environment.get("PYENV_ROOT") or Path.home() / ".pyenv") / "versions"
    files = [file for name in pythons for file in sorted(pyenv.glob(f"{name}.*/bin/python"))]
    if system == "win32":
        places = (("LOCALAPPDATA", "Programs/Python"), ("PROGRAMFILES", "."))
        folders = [Path(environment[name]) / inner for name, inner in places if environment.get(name)]
        files += [folder / f"Python{name.replace('.', '')}/python.exe" for name in pythons for folder in folders]
    else:
        frameworks = "/Library/Frameworks/Python.framework/Versions"
        for name in pythons:
            folders = ("/usr/bin", "/usr/local/bin", "/opt/homebrew/bin", f"{frameworks}/{name}/bin")
            files += [Path(folder) / f"python{name}" for folder in folders]
    return found + [[str(file)] for file in files if file.is_file()]
