"""Tests, trains and measures on a GPU that is at hand for minutes: `python build.py gpu`.

Nothing is installed or loaded from a network: it runs with `.venv`, or with the Python that started it, whichever has a
PyTorch for the device. Every part has a share of the time, and what it leaves goes to those behind it; a part that
fails or takes too long does not stop them.
"""

# ruff: noqa: T201 (it prints for users)

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from build import ROOT, VENV, BuildError, ask, environment, run_parts, venv_python

SHIPPED = ROOT / "backend_server" / "weights"
GPU_TESTS = "tests/backend_server/test_cuda.py"
SECONDS = {
    "tests": 60,
    "bench": 80,
    "motion": 50,
    "texture": 110,
    "texture_paper": 110,
    "evaluate": 70,
}  # of eight minutes
WITH_SPEECH = 200  # the same of motion, which synthetic voices then teach too
OVERRUN = 20  # seconds that a part may take of those behind it, so that a slow start loses no weights
STARTING = 40  # seconds of a training's share that go to its start, to decoding pictures and to the last weights
LEAST_EVALUATION = 60  # seconds; less shows nothing
GRACE = 15  # seconds to end in when the time is over
BATCH = "16"  # pairs an update; the default of 4 suits two cores, and leaves a large GPU waiting
MINUTES = "(minutes of the part)"  # stands in a command for what is known when it begins
OUT_OF_TIME, SKIPPED = 124, 75
PIECE = 15 * 2**20  # bytes
PROBE = """
import json, sys
from importlib.util import find_spec
from backend_server.doctor import LIBRARIES
found = {"missing": [name for name in (*LIBRARIES, "pytest") if find_spec(name) is None], "refusal": ""}
try:
    import torch
    torch.empty(0, device=sys.argv[1])
    found["torch"] = torch.__version__
except (ImportError, OSError, RuntimeError, AssertionError) as error:
    found["refusal"] = str(error).partition("\\n")[0]
print(json.dumps(found))
"""


class Shares:
    """Deals out the time: each part gets its share of what is left when it begins, and may overrun it a little.

    Args:
        minutes: for all parts.
        weights: of the parts, by name.
    """

    def __init__(self, minutes: float, weights: dict[str, int]) -> None:
        self._end, self._weights = time.monotonic() + 60 * minutes, dict(weights)

    def take(self, name: str) -> tuple[float, float]:
        """Seconds for this part, which begins now, and those after which it is stopped."""
        left = max(0.0, self._end - time.monotonic())
        share = left * self._weights[name] / sum(self._weights.values())
        del self._weights[name]
        return share, min(share + OVERRUN, left)


def choose_python(device: str) -> str:
    """Returns the interpreter that computes on the device, and says which libraries it lacks.

    Raises:
        BuildError: there is none.
    """
    refusals = []
    for python in dict.fromkeys([str(venv_python(VENV)), sys.executable]):
        if not Path(python).exists():
            continue
        found = json.loads(ask(python, "-c", PROBE, device) or "{}")
        if found.get("torch"):
            print(f"{python} computes on {device} with PyTorch {found['torch']}")
            if found["missing"]:
                print(f"It lacks {', '.join(found['missing'])}; what needs them will fail.")
            return python
        refusals.append(f"{python} says {found.get('refusal', 'nothing, and needs Python 3.11 to 3.13')!r}")
    raise BuildError(
        f"No PyTorch for --device {device!r} was found ({'; '.join(refusals)}): start build.py with a Python that has "
        "one, or make .venv where there is a network, with python build.py test --cuda."
    )


def plan(args: argparse.Namespace, python: str, judged: Path) -> list[tuple[str, list[str]]]:
    """Returns the parts in their order, first those that may leave time to the others.

    Args:
        args: the command line.
        python: the interpreter.
        judged: folder of the weights that are judged.
    """
    weights, backend = args.out / "weights", [python, "-m", "backend_server"]
    corpus, device = ["--data", str(args.data)], ["--device", args.device]
    heard = [*corpus, *(["--data", str(args.speech)] if args.speech else [])]
    batch = [] if args.device == "cpu" else ["--batch", BATCH]
    texture = [*backend, "train", "texture", *corpus, *device, *batch, "--minutes", MINUTES]
    start = ["--start", str(SHIPPED / "texture.safetensors")]
    report = ["--no-motion", "--weights", str(judged), "--out", str(args.out / "report")]
    return [
        ("tests", [python, "-m", "pytest", "-m", "gpu", GPU_TESTS]),
        ("bench", [*backend, "bench", *device, "--out", str(args.out / "bench.json")]),
        ("motion", [*backend, "train", "motion", *heard, *device, "--out", str(weights)]),
        ("texture", [*texture, *start, "--out", str(weights)]),
        ("texture_paper", [*texture, "--preset", "paper", "--out", str(weights / "texture_paper.safetensors")]),
        ("evaluate", [*backend, "evaluate", *corpus, *device, *report]),
    ]


def carry_out(command: list[str], log: Path, seconds: float, variables: dict[str, str]) -> int:
    """Runs a command, ends it after so many seconds, shows what it writes into its log, and returns its exit code."""
    end = time.monotonic() + seconds
    print(f"{' '.join(command)}\nat most {seconds:.0f} s")
    with log.open("wb") as file, log.open(encoding="utf-8", errors="replace") as written:
        process = subprocess.Popen(command, cwd=ROOT, env=variables, stdout=file, stderr=subprocess.STDOUT)
        try:
            while (is_running := process.poll() is None) and time.monotonic() < end:
                print(written.read(), end="", flush=True)
                time.sleep(0.2)
            if is_running:
                stop(process)
        except KeyboardInterrupt:
            process.wait()  # it got the same Ctrl-C
            raise
        print(written.read(), end="", flush=True)
    if is_running:
        print(f"Stopped after {seconds:.0f} s: its time is over.")
    return OUT_OF_TIME if is_running else process.returncode


def stop(process: subprocess.Popen[bytes]) -> None:
    """Asks a process to end, and forces it soon."""
    process.terminate()
    try:
        process.wait(GRACE)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def gather(weights: Path, judged: Path) -> bool:
    """Fills a folder with the weights to judge, new ones and else those that ship; tells if texture is a new one."""
    for folder in (SHIPPED, weights):
        for file in folder.glob("*.safetensors"):
            shutil.copyfile(file, judged / file.name)
    return (weights / "texture.safetensors").exists()


def cut(folder: Path) -> None:
    """Cuts files larger than a piece into NAME.00, NAME.01 ..., and deletes states of trainings that wrote weights."""
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        if path.suffix == ".training" and list(path.parent.glob(f"{path.stem}.safetensors*")):
            path.unlink()
        elif path.stat().st_size > PIECE:
            with path.open("rb") as file:
                for number, piece in enumerate(iter(lambda file=file: file.read(PIECE), b"")):
                    path.with_name(f"{path.name}.{number:02}").write_bytes(piece)
            path.unlink()


def gpu(args: argparse.Namespace) -> int:
    """Carries out all parts, and returns 0 if none failed.

    Raises:
        BuildError: there is no corpus or no PyTorch for the device, or the output folder holds something.
    """
    if not (args.data / "index.tsv").is_file():
        raise BuildError(f"--data {str(args.data)!r} is no corpus; make one: python -m backend_server prepare VIDEOS.")
    if args.out.exists() and any(args.out.iterdir()):
        raise BuildError(f"--out {str(args.out)!r} holds files already; name another folder.")
    python = choose_python(args.device)
    paths = os.environ.get("PYTHONPATH", "") if python == sys.executable else ""
    variables = {**environment(), "PYTHONPATH": paths, "PYTHONUNBUFFERED": "1"}
    (args.out / "weights").mkdir(parents=True, exist_ok=True)
    shares = Shares(args.minutes, {**SECONDS, "motion": WITH_SPEECH if args.speech else SECONDS["motion"]})
    with tempfile.TemporaryDirectory(prefix="speech_face_judged_") as judged:

        def run(name: str, command: list[str]) -> int:
            share, most = shares.take(name)
            is_judging = name == "evaluate"
            if is_judging and (share < LEAST_EVALUATION or not gather(args.out / "weights", Path(judged))):
                return SKIPPED
            minutes = f"{max(0.1, (share - STARTING) / 60):.2f}"
            command = [minutes if argument == MINUTES else argument for argument in command]
            code = carry_out(command, args.out / f"{name}.log", most, variables)
            return SKIPPED if is_judging and code == OUT_OF_TIME else code

        code = run_parts(plan(args, python, Path(judged)), run)
    if args.pieces:
        cut(args.out)
    made = sorted(path for path in args.out.rglob("*") if path.is_file())
    print(
        f"\n{args.out}:",
        *(f"   {path.stat().st_size / 1e6:8.2f} MB  {path.relative_to(args.out)}" for path in made),
        sep="\n",
    )
    return code


def main() -> int:
    """Reads the command line, and returns the exit code."""
    sys.stdout.reconfigure(encoding="utf-8", errors="replace", line_buffering=True)  # pyright: ignore
    parser = argparse.ArgumentParser(prog="build.py gpu", description=__doc__, allow_abbrev=False)
    parser.add_argument("--data", type=Path, required=True, metavar="CORPUS", help="a corpus that `prepare` made")
    parser.add_argument("--speech", type=Path, metavar="FOLDER", help="transcribed speech, for `train motion`")
    parser.add_argument("--out", type=Path, required=True, metavar="FOLDER", help="a new folder for all results")
    parser.add_argument("--minutes", type=float, default=8.0, help="for all parts together (default: 8)")
    parser.add_argument("--device", default="cuda", help="cuda, cuda:N, or cpu for a rehearsal (default: cuda)")
    note = (
        "cut what is larger than 15 MiB into pieces (cat joins them), and delete states of trainings that wrote weights"
    )
    parser.add_argument("--pieces", action="store_true", help=note)
    args = parser.parse_args()
    args.data, args.out = args.data.absolute(), args.out.absolute()
    args.speech = args.speech and args.speech.absolute()
    try:
        return gpu(args)
    except BuildError as error:
        print(f"build.py gpu: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
