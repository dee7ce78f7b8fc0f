"""Reports what preparing a corpus gave, which clips were refused, and why."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True)
class Refusal:
    """A video that did not become a clip: its name in the corpus, its file, and why."""

    name: str
    video: str
    reason: str


@dataclass(frozen=True)
class PrepareReport:
    """The outcome of one run.

    Attributes:
        clips: clips the corpus now holds.
        reused: clips that an earlier run had made.
        refused: videos that cannot be used.
        seconds_of_sound: of all clips.
        frames: of all clips.
        wall_seconds: how long this run took.
    """

    clips: int
    reused: int
    refused: tuple[Refusal, ...]
    seconds_of_sound: float
    frames: int
    wall_seconds: float


def write_report(report: PrepareReport, out: Path) -> None:
    """Writes `report.json` for programs and `report.md` for people into the corpus's folder."""
    (out / "report.json").write_text(json.dumps(asdict(report), indent=2) + "\n", encoding="utf-8")
    lines = [
        "# Corpus",
        "",
        f"{report.clips} clips ({report.reused} made earlier), {report.frames} frames, "
        f"{report.seconds_of_sound / 60:.1f} minutes of sound; this run took {report.wall_seconds:.0f} s.",
        "",
        f"{len(report.refused)} videos were refused.",
    ]
    if report.refused:
        lines += ["", "| video | why |", "|---|---|"]
        lines += [f"| {r.video} | {r.reason.replace('|', '/')} |" for r in report.refused]
        most = Counter(r.reason.split(" in ")[0] for r in report.refused).most_common(1)[0]
        lines += ["", f"Most often: {most[0]} ({most[1]})."]
    (out / "report.md").write_text("\n".join(lines) + "\n", encoding="utf-8")
