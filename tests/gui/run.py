"""Drives a real window of Blender with the add-on against a live backend; `python build.py gui-test` calls it.

It starts the backend, and a virtual screen where Linux has none, then Blender with `drive.py`, which writes photographs
and `report.json` into the folder. What Blender is given are paths that are relative to the checkout where they can be,
so that a Blender that sees the checkout elsewhere, as in a container, finds them.

With `--zip` a new user's first minute (`first_minute.py`) comes instead: Blender starts in the folder, with empty
folders of its own and no way to the checkout, and the zip and its backend are installed.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from backend_server.identities.pictures import portrait_path
from shared import environments

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
SCREEN = (1600, 1000)
PARTS = ("cancel", "generate", "sections", "photos", "again", "rig", "landmarks", "words")
_START_SECONDS = 120.0
_TOO_LONG = 124  # instead of an exit code


def blender_command(given: str | None, environment: dict[str, str]) -> list[str]:
    """The program that starts Blender with its first arguments: the given one, $BLENDER, or `blender`.

    Raises:
        SystemExit: there is no such program.
    """
    text = given or environment.get("BLENDER") or "blender"
    command = [text] if Path(text).is_file() else shlex.split(text, posix=os.name != "nt")
    if not command or shutil.which(command[0]) is None:
        raise SystemExit(f"gui-test: {text!r} is no program; name Blender with --blender or $BLENDER")
    return command


def arguments(command: list[str], script: str, *words: str) -> list[str]:
    """The whole command line of Blender, which must be started where the script's path begins."""
    window = ["--window-geometry", "0", "0", *map(str, SCREEN)]
    quiet = ["--factory-startup", "--enable-event-simulate", "--python-exit-code", "3"]
    return [*command, *quiet, *window, "--python", f"tests/gui/{script}", "--", *words]


def wants_screen(environment: dict[str, str], system: str) -> bool:
    """Whether a virtual screen is started: on Linux without a display, where Xvfb is installed."""
    has_display = any(environment.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY"))
    return system == "linux" and not has_display and shutil.which("Xvfb") is not None


def verdict(report: dict | None, code: int) -> list[str]:
    """What failed, as sentences; empty if all is well."""
    if report is None and code == _TOO_LONG:
        return ["Blender did not come to the end in time; give it more --seconds, or read blender.log"]
    if report is None:
        return [f"Blender ended with exit code {code} before it wrote a report; read blender.log"]
    failures = list(report["failures"])
    if code and not failures:
        failures.append(f"Blender ended with exit code {code}; read blender.log")
    return failures


@contextmanager
def _screen() -> Iterator[dict[str, str]]:
    """A virtual screen of its own number; gives the environment that names it."""
    reading, writing = os.pipe()
    size = f"{SCREEN[0]}x{SCREEN[1]}x24"
    command = ["Xvfb", "-displayfd", str(writing), "-screen", "0", size, "+extension", "GLX", "-nolisten", "tcp"]
    process = subprocess.Popen(command, pass_fds=[writing], stderr=subprocess.DEVNULL)
    os.close(writing)
    try:
        with os.fdopen(reading) as numbers:
            number = numbers.readline().strip()
        if not number:
            raise SystemExit("gui-test: Xvfb opens no screen; start the command where there is a display")
        yield {**os.environ, "DISPLAY": f":{number}"}
    finally:
        process.terminate()
        process.wait()


@contextmanager
def _backend(out: Path) -> Iterator[None]:
    """A backend with data of its own, ready when this begins."""
    connection = out / "connection.json"
    connection.unlink(missing_ok=True)
    command = [sys.executable, "-m", "backend_server", "serve", "--connection-file", str(connection)]
    environment = {**os.environ, "SPEECH_FACE_DATA": str(out / "data")}
    with (out / "backend.log").open("w") as log:
        process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=subprocess.STDOUT)
        try:
            deadline = time.monotonic() + _START_SECONDS
            while not connection.exists():
                if process.poll() is not None or time.monotonic() > deadline:
                    raise SystemExit(f"gui-test: the backend does not start; read {out / 'backend.log'}")
                time.sleep(0.05)  # polling
            yield
        finally:
            process.terminate()
            process.wait()


def new_user(out: Path, archive: Path, environment: dict[str, str]) -> dict[str, str]:
    """Puts what a new user has into a folder, and gives an environment whose other folders are empty.

    Raises:
        SystemExit: there is no such zip.
    """
    if not archive.is_file():
        raise SystemExit(f"gui-test: there is no zip {str(archive)!r}; `build.py addon` makes one")
    scripts = out / "tests" / "gui"
    scripts.mkdir(parents=True, exist_ok=True)
    for name in ("first_minute", "script", "watching", "window"):
        shutil.copyfile(HERE / f"{name}.py", scripts / f"{name}.py")
    shutil.copyfile(archive, out / "speech_face.zip")
    shutil.copyfile(ROOT / "backend_server" / "samples" / "speech.wav", out / "speech.wav")
    for name in ("home", "blender"):
        shutil.rmtree(out / name, ignore_errors=True)
        (out / name).mkdir()
    foreign = ("SPEECH_FACE", "XDG_", "PYTHON", "BLENDER_")
    kept = {name: value for name, value in environment.items() if not name.startswith(foreign)}
    home = dict.fromkeys(("HOME", "USERPROFILE", "LOCALAPPDATA", "APPDATA"), str(out / "home"))
    index = {name: value for name, value in environment.items() if name == environments.TORCH_INDEX_VARIABLE}
    return kept | home | index | {"BLENDER_USER_RESOURCES": str(out / "blender")}


def _end(process: subprocess.Popen) -> None:
    """Ends Blender, and where it was started by another program, both."""
    if process.poll() is None:
        if os.name == "nt":
            process.terminate()
        else:
            os.killpg(process.pid, signal.SIGTERM)
        process.wait()


def main(given_words: list[str]) -> int:
    """Runs it, prints what was measured, and gives 0 if all is well."""
    parser = argparse.ArgumentParser(prog="build.py gui-test", description="Drives a real window of Blender.")
    parser.add_argument("--blender", help="program, or command with arguments (default: $BLENDER, else blender)")
    parser.add_argument("--out", type=Path, default=Path("out/gui"), help="for photographs and measures")
    note = "what is done after speech and photo were chosen (default: all)"
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS, help=note)
    note = "full zip of the add-on: does what a new user does with it, and nothing else"
    parser.add_argument("--zip", type=Path, help=note)
    parser.add_argument("--seconds", type=float, default=900.0, help="after which Blender is ended")
    given = parser.parse_args(given_words)
    command = blender_command(given.blender, dict(os.environ))
    out = given.out.resolve()
    out.mkdir(parents=True, exist_ok=True)
    (out / "report.json").unlink(missing_ok=True)
    shutil.copyfile(portrait_path(), out / "portrait.png")
    named = out.relative_to(ROOT).as_posix() if out.is_relative_to(ROOT) else str(out)
    place, words = ROOT, arguments(command, "drive.py", "--out", named, "--parts", *given.parts)
    with ExitStack() as stack:
        screen = stack.enter_context(_screen()) if wants_screen(dict(os.environ), sys.platform) else dict(os.environ)
        if given.zip is None:
            stack.enter_context(_backend(out))
        else:
            screen = new_user(out, given.zip, screen)
            place, words = out, arguments([*command, "--online-mode"], "first_minute.py", ".")
        log = stack.enter_context((out / "blender.log").open("w"))
        streams = {"stdout": log, "stderr": subprocess.STDOUT}
        process = subprocess.Popen(words, cwd=place, env=screen, start_new_session=True, **streams)
        try:
            code = process.wait(given.seconds)
        except subprocess.TimeoutExpired:
            code = _TOO_LONG
        finally:
            _end(process)
    path = out / "report.json"
    report = json.loads(path.read_text("utf-8")) if path.exists() else None
    failures = verdict(report, code)
    lines = [f"   {name:44} {value}" for name, value in (report["measures"] if report else {}).items()]
    lines += [f"   FAILED: {sentence}" for sentence in failures]
    sys.stdout.write("\n".join([*lines, f"   photographs: {out}", ""]))
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
