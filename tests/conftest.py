"""What the tests themselves read and start: named at the end, and with `--only-installed` kept to the project's own.

A program or a file that somebody installed by hand hides a step that is missing in the project's files. With the option
(which `.ci/run` gives) a test fails when it reads outside the checkout, the environment, Python itself, the system's
settings and temporary folders, or starts a program that is neither among them nor on the PATH. The data beside the
checkout may be read by tests marked `corpus` alone.
"""

import os
import shutil
import signal
import sys
import tempfile
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
CORPUS = (ROOT.parent / "shared").resolve()
SYSTEM = (  # the last is how Python's own ctypes looks for libraries; without it, it looks otherwise
    *("/proc", "/sys", "/dev", "/etc", "/usr/share/zoneinfo"),
    "/sbin/ldconfig",
)
OWN = tuple(
    os.path.realpath(path) for path in (ROOT, sys.prefix, sys.base_prefix, tempfile.gettempdir(), Path.home(), *SYSTEM)
)


class Reading:
    """Files read and programs started, noted by an audit hook (PEP 578) of this process."""

    def __init__(self) -> None:
        self.foreign: list[str] = []
        self.programs: Counter[str] = Counter()
        self.may_read_corpus = False
        self.is_open = False  # while a test runs; what pytest itself reads is its own affair

    def note(self, event: str, arguments: tuple) -> None:
        if not self.is_open or event not in ("open", "subprocess.Popen", "ctypes.dlopen"):
            return
        name = arguments[0]
        if event == "subprocess.Popen":
            name = name or arguments[1][0]
            self.programs[Path(os.fsdecode(name)).name] += 1
        if isinstance(name, (str, bytes, os.PathLike)) and Path(path := os.fsdecode(name)).is_absolute():
            self._check(event, path)

    def _check(self, event: str, path: str) -> None:
        self.is_open = False  # realpath and which are noted too
        try:
            real = os.path.realpath(path)
            # An environment's Python is a link out of it.
            is_own = any(place == own or place.startswith(own + os.sep) for own in OWN for place in (path, real))
            is_corpus = self.may_read_corpus and real.startswith(str(CORPUS))
            is_on_path = event == "subprocess.Popen" and (found := shutil.which(Path(path).name)) is not None
            if not is_own and not is_corpus and not (is_on_path and os.path.realpath(found) == real):
                self.foreign.append(f"{event}: {path}")
        finally:
            self.is_open = True


READING = Reading()
sys.addaudithook(READING.note)


def pytest_configure():
    """Lets Ctrl-C reach the programs that tests start: what runs in the background inherits that it is ignored."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_addoption(parser):
    parser.addoption("--only-installed", action="store_true", help="fail tests that read what is not the project's own")


@pytest.fixture(autouse=True)
def _reads_only_what_is_installed(request):
    READING.foreign.clear()
    READING.may_read_corpus = request.node.get_closest_marker("corpus") is not None
    READING.is_open = True
    yield
    READING.is_open = False
    if READING.foreign and request.config.getoption("--only-installed"):
        pytest.fail("read what the project's files did not install: " + ", ".join(sorted(set(READING.foreign))))


def pytest_terminal_summary(terminalreporter):
    if READING.programs:
        started = ", ".join(f"{name} ({count})" for name, count in sorted(READING.programs.items()))
        terminalreporter.write_line(f"programs started by tests: {started}")
