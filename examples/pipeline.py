"""Animates a folder of WAV files with a running backend: one JSON file of rig curves for each. Ctrl-C ends it cleanly.

    python -m backend_server serve &
    python examples/pipeline.py lines/ --out curves/ --rig arkit --frame-rate 30

Lines that have their file already are left out, so it can be started again after it was stopped.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import deque
from collections.abc import Iterator
from pathlib import Path

from speech_face_client import Animation, Backend, Job, Progress, SpeechFaceError

AT_ONCE = 4  # lines that are at the backend: one runs, the next ones are there already


def main(arguments: list[str]) -> int:
    """Runs the command line; returns the exit code: 0, 1 where lines failed, 2 without a backend, 130 after Ctrl-C."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path, help="folder of WAV files")
    parser.add_argument("--out", type=Path, required=True, help="folder for the curves")
    parser.add_argument("--rig", default="arkit", help="name of a rig, or path of a mapping (default: arkit)")
    parser.add_argument("--frame-rate", type=float, default=30.0, help="frames per second (default: 30)")
    parser.add_argument("--connection-file", type=Path, help="of the backend (default: the usual place)")
    args = parser.parse_args(arguments)
    lines = [path for path in sorted(args.folder.glob("*.wav")) if not _target(args.out, path).exists()]
    args.out.mkdir(parents=True, exist_ok=True)
    failed = 0
    try:
        with Backend.connect(args.connection_file, name="pipeline example") as backend:
            for number, (path, made) in enumerate(animated(backend, lines, args.rig, args.frame_rate), 1):
                if isinstance(made, SpeechFaceError):
                    failed += 1
                    print(f"\r{path.name}: {made}", file=sys.stderr)
                else:
                    write(_target(args.out, path), made, args.frame_rate)
                    print(f"\r{number}/{len(lines)} {path.name}{' ' * 40}")
                    for note in made.notes:
                        print(f"   note: {note}")
    except KeyboardInterrupt:  # the `with` block has cancelled what was at the backend
        print("\nstopped; start again to go on", file=sys.stderr)
        return 130
    except SpeechFaceError as error:
        print(error, file=sys.stderr)
        return 2
    return 1 if failed else 0


def animated(
    backend: Backend, lines: list[Path], rig: str, frame_rate: float
) -> Iterator[tuple[Path, Animation | SpeechFaceError]]:
    """Each line and its animation, or why there is none."""
    jobs: deque[tuple[Path, Job]] = deque()
    waiting = deque(lines)
    while jobs or waiting:
        while waiting and len(jobs) < AT_ONCE:
            path = waiting.popleft()
            try:
                jobs.append((path, backend.animate(path, frame_rate=frame_rate, rig=rig)))
            except SpeechFaceError as error:
                yield path, error
        if jobs:
            path, job = jobs.popleft()
            try:
                for event in job:
                    if isinstance(event, Progress):
                        print(f"\r{path.name}: {event.stage} {event.step}/{event.steps}    ", end="", flush=True)
                yield path, job.result()
            except SpeechFaceError as error:
                yield path, error


def write(path: Path, made: Animation, frame_rate: float) -> None:
    """Writes the curves of one line; the file appears whole or not at all."""
    if made.rig is None:
        raise ValueError("expected the curves of a rig, got none")
    curves = {name: made.rig.weights[:, column].round(4).tolist() for column, name in enumerate(made.rig.names)}
    temporary = path.with_suffix(".part")
    temporary.write_text(json.dumps({"frame_rate": frame_rate, "curves": curves}), "utf-8")
    temporary.replace(path)


def _target(folder: Path, line: Path) -> Path:
    return folder / f"{line.stem}.json"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
