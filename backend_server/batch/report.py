"""Writes the report of a batch: every line, those first that somebody should look at."""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import msgspec
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from backend_server.batch.manifest import REPORTS
from backend_server.batch.order import INSIDE, Outcome
from backend_server.files import atomic_write
from shared.files_of_others import set_aside, sha256_of
from shared.timing import FrameRate

TEMPLATE = Path(__file__).with_name("report.html")
CLIPPED = 0.01  # share of a sound's moments at full scale above which it is called clipped
SILENT = 0.5  # share of frames without speech above which a line is called silent
UNSURE = 0.6  # confidence below which the hearing was unsure; clean speech has 0.75, as loud noise as speech 0.63
PLOT_WIDTH, PLOT_HEIGHT = 160, 24  # pixels
WIDEST = 0.5  # opening of a mouth, eye distances, that fills the plot
KNOWN_REPORTS = "reports.json"  # in the inside folder: sha256 of the reports that a batch wrote
COLUMNS = (
    *("id", "state", "look_at", "character", "language", "seconds", "frames", "clipped_percent", "silent_percent"),
    *("confidence", "row", "audio", "seed"),
)


@dataclass(frozen=True)
class Entry:
    """One line as the report shows it."""

    outcome: Outcome

    @property
    def state(self) -> str:
        """An unchanged line is done too: a resumed batch and one in a single run have the same report."""
        return "failed" if self.outcome.result is None else "done"

    @cached_property
    def reasons(self) -> list[str]:
        """Why somebody should look at it."""
        result = self.outcome.result
        if result is None:
            return [self.outcome.sentence]
        found = []
        if result.clipped > CLIPPED:
            found.append(f"clipping: {result.clipped:.0%} of the sound reaches full scale")
        if result.silent > SILENT:
            found.append(f"silence: nobody speaks in {result.silent:.0%} of it")
        if result.confidence is None or result.confidence < UNSURE:
            heard = "no phone was recognised" if result.confidence is None else f"confidence {result.confidence:.2f}"
            found.append(f"low confidence in what is said: {heard}")
        return found + [str(note) for note in result.notes]

    @property
    def rank(self) -> tuple[object, ...]:
        """Orders entries: failed ones, then by the number of reasons, then the least sure."""
        result = self.outcome.result
        confidence = result.confidence if result is not None and result.confidence is not None else 0.0
        return (result is not None, -len(self.reasons), confidence, self.outcome.line.row)

    @property
    def points(self) -> str:
        """The mouth's opening as points of an SVG line."""
        opening = self.outcome.result.opening if self.outcome.result else ()
        step = PLOT_WIDTH / max(len(opening) - 1, 1)
        heights = (PLOT_HEIGHT * (1 - min(value / WIDEST, 1.0)) for value in opening)
        return " ".join(f"{number * step:.0f},{height:.0f}" for number, height in enumerate(heights))

    @property
    def cells(self) -> tuple[object, ...]:
        """The values of `COLUMNS`."""
        line, result = self.outcome.line, self.outcome.result
        measures = (
            ("",) * 5
            if result is None
            else (
                result.seconds,
                result.frames,
                f"{result.clipped:.1%}"[:-1],
                f"{result.silent:.1%}"[:-1],
                result.confidence,
            )
        )
        look_at = " | ".join(self.reasons)
        seed = result.seed if result else ""
        return (line.id, self.state, look_at, line.character, line.language, *measures, line.row, line.audio, seed)


def write_reports(out: Path, outcomes: Sequence[Outcome], frame_rate: FrameRate) -> list[str]:
    """Writes `report.csv` and `report.html`; returns the new names of reports that somebody had changed.

    Args:
        out: the output folder, with its inside folder.
        outcomes: of all lines, in any order.
        frame_rate: of the curves.
    """
    entries = sorted((Entry(outcome) for outcome in outcomes), key=lambda entry: entry.rank)
    table = io.StringIO(newline="")
    csv.writer(table).writerows([COLUMNS, *(entry.cells for entry in entries)])
    contents = dict(
        zip(REPORTS, (table.getvalue().encode("utf-8-sig"), _page(entries, frame_rate).encode()), strict=True)
    )
    known = out / INSIDE / KNOWN_REPORTS
    try:
        ours = msgspec.json.decode(known.read_bytes(), type=dict[str, list[str]])
    except (OSError, msgspec.MsgspecError):
        ours = {}
    kept = []
    written = {name: [hashlib.sha256(content).hexdigest()] for name, content in contents.items()}
    replaced: dict[str, list[str]] = {name: [] for name in contents}
    for name in contents:
        place = out / name
        digest = sha256_of(place) if place.is_file() else ""
        if digest in ours.get(name, ()):
            replaced[name].append(digest)
        elif place.exists():
            kept.append(str(set_aside(place)))
    # Whenever this run is killed, the next one knows the old reports and the new ones as those of a batch.
    _keep(known, {name: [*replaced[name], *written[name]] for name in contents})
    for name, content in contents.items():
        with atomic_write(out / name) as temporary:
            temporary.write_bytes(content)
    _keep(known, written)
    return kept


def _keep(known: Path, digests: dict[str, list[str]]) -> None:
    with atomic_write(known) as temporary:
        temporary.write_bytes(msgspec.json.encode(digests))


def _page(entries: Sequence[Entry], frame_rate: FrameRate) -> str:
    environment = Environment(
        loader=FileSystemLoader(TEMPLATE.parent), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    return environment.get_template(TEMPLATE.name).render(
        entries=entries,
        failed=sum(entry.state == "failed" for entry in entries),
        noted=sum(bool(entry.reasons) for entry in entries),
        seconds=sum(entry.outcome.result.seconds for entry in entries if entry.outcome.result),
        frames_per_second=frame_rate.frames_per_second,
        width=PLOT_WIDTH,
        height=PLOT_HEIGHT,
    )
