"""Says by which commands the backend is installed into a private environment, stage by stage. No bpy.

`commands` yields one command after another and is sent what came of each; who runs them is `installation`. A stage that
is complete is noted in the folder's record and left out the next time.
"""

from __future__ import annotations

import json
import platform
import shutil
import sys
from collections.abc import Generator
from dataclasses import dataclass, replace
from pathlib import Path

from .._shared import backend_process, environments, errors
from . import installed
from .install_sizes import Size, Stage, size_of
from .pip_output import reason

CHECK = ("-m", "backend_server", "doctor", "--json")
_PIP = "pip>=25.1"  # goes on with a download that broke off, and says how far it is to a file
_PROBE = (
    "import json, platform, ssl, sys, sysconfig, venv, ensurepip;"
    "print(json.dumps(['%d.%d' % sys.version_info[:2], sys.executable, platform.machine(),"
    " bool(sysconfig.get_config_var('Py_GIL_DISABLED'))]))"
)
_PROBE_SECONDS = 30.0


@dataclass(frozen=True)
class InstallPlan:
    """What is installed, and where.

    Attributes:
        folder: of the installation.
        wheel: the backend.
        build: of PyTorch, "cpu" or "cuda".
        own_python: of the program that installs, the last that is tried.
        system: as `platform.system` names it.
        machine: as `platform.machine` names it.
    """

    folder: Path
    wheel: installed.Wheel
    build: str
    own_python: str = sys.executable
    system: str = platform.system()
    machine: str = platform.machine()

    @property
    def size(self) -> Size:
        """What is loaded, and what it takes on the disk."""
        return size_of(self.system, self.build)


@dataclass(frozen=True)
class Step:
    """One command of a stage."""

    stage: Stage
    command: list[str]
    seconds: float = float("inf")  # after which it is ended


@dataclass(frozen=True)
class Outcome:
    """What came of a command: its exit code, and what it wrote."""

    code: int
    output: str


class Recipe:
    """The commands of one installation.

    Args:
        plan: what to install.
        record: what is complete already.
    """

    def __init__(self, plan: InstallPlan, record: installed.Record) -> None:
        self.plan = plan
        self._record = record

    def commands(self) -> Generator[Step, Outcome, None]:
        """The commands, one after another; each is answered with its outcome.

        Raises:
            SpeechFaceError: one failed; the sentence says what to do.
            OSError: the record cannot be written.
        """
        plan = self.plan
        self._note(replace(self._record, stages=_without(self._record.stages, "check")))
        python = str(installed.python_in(plan.folder))
        if (
            "environment" not in self._record.stages
            or (yield Step(Stage.PYTHON, [python, "-c", _PROBE], _PROBE_SECONDS)).code
        ):
            self._note(replace(self._record, stages={}))
            base = yield from self._find_python()
            outcome = yield Step(Stage.ENVIRONMENT, [base, "-m", "venv", "--clear", str(plan.folder / "environment")])
            if outcome.code:
                raise errors.SpeechFaceError(reason(outcome.output, outcome.code, "a Python environment"))
            self._complete("environment", base)
        install = [python, "-m", "pip", "install", "--only-binary=:all:"]
        yield from self._pip(Stage.PIP, "pip", _PIP, "pip", [*install, "--upgrade", _PIP])
        install.append("--progress-bar=raw")
        try:
            torch = environments.torch_arguments(plan.build, plan.system, plan.wheel.torch)
        except ValueError as error:
            raise errors.SpeechFaceError(str(error)) from error
        patience = ["--no-deps", "--retries", "2", "--timeout", "20"]
        yield from self._pip(Stage.TORCH, "torch", " ".join(torch), "PyTorch", [*install, *patience, *torch])
        key = f"{plan.wheel.digest} {' '.join(torch)}"  # each build of PyTorch brings other libraries
        if self._record.stages.get("backend", key) != key:  # perhaps another wheel of the same version
            yield Step(Stage.BACKEND, [python, "-m", "pip", "uninstall", "--yes", "speech-face"])
        wheel = [*install, str(plan.wheel.path)]
        yield from self._pip(Stage.BACKEND, "backend", key, "the backend with its libraries", wheel)
        outcome = yield Step(Stage.CHECK, [python, *CHECK])
        if outcome.code:
            raise errors.SpeechFaceError(f"the backend is installed but does not work: {_worst(outcome)}")
        shutil.rmtree(plan.folder / "cache", ignore_errors=True)
        shutil.rmtree(plan.folder / "temporary", ignore_errors=True)
        self._complete("check", plan.wheel.digest)
        self._note(replace(self._record, version=plan.wheel.version, build=plan.build))

    def _pip(self, stage: Stage, name: str, key: str, what: str, command: list[str]) -> Generator[Step, Outcome, None]:
        if self._record.stages.get(name) == key:
            return
        outcome = yield Step(stage, command)
        if outcome.code:
            raise errors.SpeechFaceError(reason(outcome.output, outcome.code, what))
        self._complete(name, key)

    def _find_python(self) -> Generator[Step, Outcome, str]:
        """The first Python that has the right version, is whole, and is built for this machine."""
        for command in [*environments.python_candidates(), [self.plan.own_python]]:
            try:
                outcome = yield Step(Stage.PYTHON, [*command, "-c", _PROBE], _PROBE_SECONDS)
                version, executable, machine, is_free_threaded = json.loads(outcome.output)
            except ValueError:
                continue
            is_from_store = "WindowsApps" in executable  # Windows would move what it writes to another place
            is_fit = version in environments.PYTHONS and machine == self.plan.machine
            if is_fit and not is_from_store and not is_free_threaded:
                return executable
        wanted = " or ".join(environments.PYTHONS)
        raise errors.SpeechFaceError(
            f"no whole Python {wanted} was found; install one from https://www.python.org/downloads (on Debian and "
            f"Ubuntu: apt install python{environments.PYTHONS[0]}-venv), then press Install Backend again"
        )

    def _complete(self, name: str, key: str) -> None:
        self._note(replace(self._record, stages={**self._record.stages, name: key}))

    def _note(self, record: installed.Record) -> None:
        self._record = record
        installed.write_record(self.plan.folder, record)


def _without(stages: dict[str, str], name: str) -> dict[str, str]:
    return {key: value for key, value in stages.items() if key != name}


def check_system(system: str, machine: str) -> None:
    """Checks that the backend runs on such a machine.

    Raises:
        SpeechFaceError: it does not.
    """
    if (system, machine) not in environments.PLATFORMS:
        raise errors.SpeechFaceError(
            f"the backend runs on Linux x86-64, Windows x86-64 and Apple silicon, not on {system} {machine}; run it on "
            "another machine and choose its connection file under Running Elsewhere"
        )


def _worst(outcome: Outcome) -> str:
    """The first thing that the check found broken."""
    for line in outcome.output.splitlines():
        try:
            findings = json.loads(line)["findings"]
        except (ValueError, KeyError, TypeError):
            continue
        for found in findings:
            if found["state"] == "fail":
                return f"{found['name']}: {found['what']}; {found['advice']}"
    words = backend_process.last_words(outcome.output)
    return f"its check ended with code {outcome.code} ({words}); press Copy Log"
