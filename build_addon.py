"""Builds and validates the extension zips that Blender users install: `python build.py addon`.

It copies the add-on, `shared` as its sub-package, the licence, and the wheels of the manifest into an empty folder.
Blender's own tool, from the bpy module, packs and validates it. Then the names in a zip are compared with the copies.
There is a slim zip for each platform, and a full one for all of them with the backend's wheel inside, from which the
button *Install Backend* sets it up.
"""

# ruff: noqa: E501, T201 (long names with checksums; it prints for users)

from __future__ import annotations

import argparse
import hashlib
import importlib
import shutil
import subprocess
import sys
import tempfile
import tomllib
import zipfile
from collections.abc import Iterable
from pathlib import Path

from build_wheel import WheelError, build_wheel

ROOT = Path(__file__).resolve().parent
MANIFEST = "blender_manifest.toml"

# Blender 4.5-5.0 run CPython 3.11, 5.1-5.2 run 3.13; the manifest's platforms are Linux x64, Windows x64, both macOS.
WHEELS = {
    "msgspec-0.22.0-cp311-cp311-macosx_10_9_x86_64.whl": "fb1e129b81ac8fcf9ec649b081c6c8da1c7ea6f87cab336d46386abc2cd855c1",
    "msgspec-0.22.0-cp311-cp311-macosx_11_0_arm64.whl": "dce29a04966e31abf9b83b697c6d672486526dc5d03fcd6970cb56d5dc1fbeea",
    "msgspec-0.22.0-cp311-cp311-manylinux2014_x86_64.manylinux_2_17_x86_64.manylinux_2_28_x86_64.whl": "a6db3806b3b76ca78064255eac6fa101a8a64fe6f698d80fbaf81fdfa21217d4",
    "msgspec-0.22.0-cp311-cp311-win_amd64.whl": "024138c51afd335d0b4dce401be33902caafac2b64f8c9f2509a378986175d98",
    "msgspec-0.22.0-cp313-cp313-macosx_10_13_x86_64.whl": "f13c127a945479bc9db057eb253b8851075c8e1ae07ffc967bfa1c5676203a86",
    "msgspec-0.22.0-cp313-cp313-macosx_11_0_arm64.whl": "5aa24eb475d070ecbbe5b21080fc3ce4b0b76c60de25cfe0c9678d8fb44bb42f",
    "msgspec-0.22.0-cp313-cp313-manylinux2014_x86_64.manylinux_2_17_x86_64.manylinux_2_28_x86_64.whl": "c6c310ef83e7e291b01a63298828f848348bb99e84a1098c4b3923c05674d032",
    "msgspec-0.22.0-cp313-cp313-win_amd64.whl": "0739b068f31f2004a364f97679ba91f2f5ecd6ec2a5b4b890188ab5c57d20672",
    "pyzmq-26.4.0-cp311-cp311-macosx_10_15_universal2.whl": "bfcf82644c9b45ddd7cd2a041f3ff8dce4a0904429b74d73a439e8cab1bd9e54",
    "pyzmq-26.4.0-cp311-cp311-manylinux_2_28_x86_64.whl": "2f9f7ffe9db1187a253fca95191854b3fda24696f086e8789d1d449308a34b88",
    "pyzmq-26.4.0-cp311-cp311-win_amd64.whl": "963977ac8baed7058c1e126014f3fe58b3773f45c78cce7af5c26c09b6823896",
    "pyzmq-26.4.0-cp313-cp313-macosx_10_15_universal2.whl": "c43fac689880f5174d6fc864857d1247fe5cfa22b09ed058a344ca92bf5301e3",
    "pyzmq-26.4.0-cp313-cp313-manylinux_2_28_x86_64.whl": "6332452034be001bbf3206ac59c0d2a7713de5f25bb38b06519fc6967b7cf771",
    "pyzmq-26.4.0-cp313-cp313-win_amd64.whl": "23ecc9d241004c10e8b4f49d12ac064cd7000e1643343944a10df98e57bc544b",
}


class AddonError(Exception):
    """Ends the program with one sentence that says what to do."""


def build_addon(out: Path, wheels: Path, root: Path = ROOT) -> list[Path]:
    """Builds and validates the slim zips, one for each platform, and the full one; returns their paths, the full first.

    Args:
        out: folder for the zips, created if missing; earlier ones of the same version are replaced.
        wheels: cache of downloaded wheels.
        root: the repository.

    Raises:
        AddonError: a wheel is missing or altered, or Blender's tool refuses a package.
        WheelError: the backend's wheel cannot be packed.
    """
    manifest = tomllib.loads((root / "blender_addon" / MANIFEST).read_text("utf-8"))
    listed = {Path(name).name for name in manifest["wheels"]}
    if listed != set(WHEELS):
        raise AddonError(f"the manifest and WHEELS differ in {', '.join(sorted(listed ^ set(WHEELS)))}; correct one")
    fetch_wheels(wheels)
    out.mkdir(parents=True, exist_ok=True)
    name = f"{manifest['id']}-{manifest['version']}"
    for old in out.glob(f"{name}*.zip"):
        old.unlink()
    with tempfile.TemporaryDirectory(prefix="speech_face_addon_") as folder:
        backend = build_wheel(Path(folder) / "dist", root)
        names = stage(root, wheels, Path(folder) / "slim")
        packed = stage(root, wheels, Path(folder) / "full", backend)
        full = out / f"{name}-full.zip"
        blender_tool("build", "--source-dir", str(Path(folder) / "full"), "--output-filepath", str(full))
        slim = ("--source-dir", str(Path(folder) / "slim"), "--output-dir", str(out), "--split-platforms")
        blender_tool("build", *slim)
    made = {full: packed}
    for platform in manifest["platforms"]:
        foreign = {f"wheels/{wheel}" for wheel in WHEELS if not runs_on(wheel, platform)}
        made[out / f"{name}-{platform.replace('-', '_')}.zip"] = names - foreign
    for path, expected in made.items():
        check(path, expected)
    return list(made)


def runs_on(wheel: str, platform: str) -> bool:
    """Tells whether a wheel is for one of the manifest's platforms."""
    tag = wheel.removesuffix(".whl").split("-")[-1]
    system, machine = platform.split("-")
    if system == "macos":
        return tag.startswith("macosx") and tag.endswith(("universal2", {"arm64": "arm64", "x64": "x86_64"}[machine]))
    return tag.startswith({"linux": "manylinux", "windows": "win_amd64"}[system])


def check(path: Path, names: set[str]) -> None:
    """Checks that a zip holds these files and no others, and that Blender takes it.

    Raises:
        AddonError: it does not.
    """
    if not path.is_file():
        raise AddonError(f"Blender's extension tool did not write {path.name}; see above")
    with zipfile.ZipFile(path) as archive:
        packed = {name for name in archive.namelist() if not name.endswith("/")}
    if packed != names:
        raise AddonError(f"{path.name} has other files than it should: {', '.join(sorted(packed ^ names))}")
    blender_tool("validate", str(path))


def stage(root: Path, wheels: Path, folder: Path, backend: Path | None = None) -> set[str]:
    """Copies the files for a zip, with the backend's wheel if that is given, and returns their names."""
    addon, shared = root / "blender_addon", root / "shared"
    copies = {path.relative_to(addon): path for path in _sources(addon, ("*.py", "translations/*.json", MANIFEST))}
    copies |= {Path("shared") / path.relative_to(shared): path for path in _sources(shared, ("*.py", "*.json"))}
    copies |= {Path("wheels") / name: wheels / name for name in WHEELS}
    copies[Path("LICENSE")] = root / "LICENSE"
    if backend is not None:
        copies[Path("backend") / backend.name] = backend
    for relative, source in copies.items():
        (folder / relative).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, folder / relative)
    return {relative.as_posix() for relative in copies}


def _sources(folder: Path, patterns: Iterable[str]) -> Iterable[Path]:
    return (path for pattern in patterns for path in folder.rglob(pattern) if "__pycache__" not in path.parts)


def fetch_wheels(folder: Path) -> None:
    """Downloads the wheels that the folder lacks, and checks all of them.

    Raises:
        AddonError: a wheel cannot be downloaded, or is not the pinned one.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for name, digest in WHEELS.items():
        path = folder / name
        if not path.is_file():
            _download(name, folder)
        found = hashlib.sha256(path.read_bytes()).hexdigest()
        if found != digest:
            path.unlink()
            raise AddonError(f"{name} has the checksum {found} instead of {digest}; it was deleted, try again")


def _download(name: str, folder: Path) -> None:
    package, version, python, _, platforms = name.removesuffix(".whl").split("-")
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:"]
    command += ["--python-version", python.removeprefix("cp"), "--implementation", "cp", "--dest", str(folder)]
    for platform in platforms.split("."):
        command += ["--platform", platform]
    if subprocess.run([*command, f"{package}=={version}"], check=False).returncode or not (folder / name).is_file():
        raise AddonError(f"{name} cannot be downloaded; check the network, or put the file into {folder}")


def blender_tool(*arguments: str) -> None:
    """Runs `blender --command extension ...` within this process, through the bpy module.

    Raises:
        AddonError: the tool refuses.
    """
    importlib.import_module("bpy")  # makes bl_pkg importable
    code = importlib.import_module("bl_pkg.bl_extension_cli").cli_extension_handler(list(arguments))
    if code:
        raise AddonError(f"Blender's extension tool refuses to {arguments[0]} the add-on (code {code}); see above")


def main() -> int:
    """Builds the zips and says where they are."""
    parser = argparse.ArgumentParser(prog="build.py addon", description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--out", type=Path, default=ROOT / "dist", help="folder for the zips (default: dist)")
    parser.add_argument("--wheels", type=Path, default=ROOT / "build" / "wheels", help="cache of downloaded wheels")
    arguments = parser.parse_args()
    try:
        paths = build_addon(arguments.out.resolve(), arguments.wheels.resolve())
    except (AddonError, WheelError) as error:
        print(f"build.py addon: {error}", file=sys.stderr)
        return 2
    for path in paths:
        print(f"{path} ({path.stat().st_size / 1e6:.1f} MB)")
    print("Drag one into a Blender window to install it; the full one can install the backend too")
    return 0


if __name__ == "__main__":
    sys.exit(main())
