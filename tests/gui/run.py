"""Drives a real window of Blender with the add-on against a live backend; `python build.py gui-test` calls it.

It starts the backend, and a virtual screen where Linux has none, then Blender with `drive.py`, which writes photographs
and `report.json` into the folder. What Blender is given are paths that are relative to the checkout where they can be,
so that a Blender that sees the checkout elsewhere, as in a container, finds them.
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
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from backend_server.identities.pictures import portrait_path

ROOT = Path(__file__).resolve().parents[2]
SCREEN = (1600, 1000)
PARTS = ("cancel", "generate", "sections", "rig", "landmarks")
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


def arguments(command: list[str], out: str, parts: Sequence[str] = PARTS) -> list[str]:
    """The whole command line of Blender, which must be started in the checkout."""
    window = ["--window-geometry", "0", "0", *map(str, SCREEN)]
    quiet = ["--factory-startup", "--enable-event-simulate", "--python-exit-code", "3"]
    return [*command, *quiet, *window, "--python", "tests/gui/drive.py", "--", "--out", out, "--parts", *parts]


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
    parser.add_argument("--seconds", type=float, default=900.0, help="after which Blender is ended")
    given = parser.parse_args(given_words)
    command = blender_command(given.blender, dict(os.environ))
    out = given.out.resolve()
    out.mkdir(parents=True, exist_ok=True)
    (out / "report.json").unlink(missing_ok=True)
    shutil.copyfile(portrait_path(), out / "portrait.png")
    named = out.relative_to(ROOT).as_posix() if out.is_relative_to(ROOT) else str(out)
    with ExitStack() as stack:
        stack.enter_context(_backend(out))
        screen = stack.enter_context(_screen()) if wants_screen(dict(os.environ), sys.platform) else dict(os.environ)
        log = stack.enter_context((out / "blender.log").open("w"))
        words = arguments(command, named, given.parts)
        streams = {"stdout": log, "stderr": subprocess.STDOUT}
        process = subprocess.Popen(words, cwd=ROOT, env=screen, start_new_session=True, **streams)
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
