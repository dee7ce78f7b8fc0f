"""Names the folders of jobs, and finds jobs again by their folders when the queue file does not know them."""

from __future__ import annotations

import hashlib
import logging
import secrets
import shutil
from collections.abc import Collection
from pathlib import Path

from backend_server.service.storage.queue_file import JobOrigin, JobState, QueueRow
from backend_server.service.storage.spool import read_message
from shared import wire
from shared.errors import MessageError
from shared.protocol import KINDS

LOG = logging.getLogger(__name__)

_LAST = frozenset({"Done", "Failed", "Cancelled"})
_TRASH = "trash_"


def job_folder(folder: Path, job: str) -> Path:
    """The folder of a job; IDs that differ only in case have different ones on every disk."""
    return folder / f"job_{hashlib.sha256(job.encode()).hexdigest()[:32]}"


def rename_old_folders(folder: Path, jobs: Collection[str]) -> None:
    """Gives folders that bear their job's ID, as earlier versions named them, their name of today."""
    for job in jobs:
        old, new = folder / f"job_{job}", job_folder(folder, job)
        try:
            if old.is_dir() and not new.exists():
                old.rename(new)
        except OSError as error:
            LOG.error("the results of job %s cannot be moved: %s", job, error)


def adopted(folder: Path, known: Collection[str]) -> list[QueueRow]:
    """The jobs whose folders are here but which the queue does not know, the oldest first.

    Folders in which no message can be read are left as they are.

    Args:
        folder: of all jobs.
        known: IDs of the jobs in the queue.
    """
    of_known = {job_folder(folder, job) for job in known}
    strangers = [place for place in folder.glob("job_*") if place not in of_known and place.is_dir()]
    found: list[QueueRow] = []
    for place in sorted(strangers, key=lambda place: place.stat().st_mtime_ns):
        row = _row(place)
        if row is None or row.id in known:
            LOG.warning("the folder %s belongs to no job that can be read; it is left as it is", place)
            continue
        new = job_folder(folder, row.id)
        if place != new:
            place.rename(new)
        LOG.warning("job %s was found again by its folder: %s, %d results", row.id, row.state.value, row.results)
        found.append(row)
    return found


def put_into_trash(place: Path) -> Path | None:
    """Renames a folder, so that its job is gone at once; returns what must still be deleted."""
    if not place.exists():
        return None
    trash = place.with_name(_TRASH + secrets.token_hex(8))
    place.rename(trash)
    return trash


def sweep(folder: Path) -> None:
    """Deletes what was put into the trash, also by services before."""
    for trash in folder.glob(f"{_TRASH}*"):
        shutil.rmtree(trash, ignore_errors=True)


def _row(place: Path) -> QueueRow | None:
    results = 0
    while (place / f"{results + 1:08d}").is_file():
        results += 1
    request = _header(place / "request")
    last = _header(place / f"{results:08d}") if results else None
    if request is None and last is None:
        return None
    job = request.job if request is not None and request.job else last.job if last is not None else ""
    if not job:
        return None
    has_ended = last is not None and last.type in _LAST
    if request is None and not has_ended:
        return None
    size = sum(path.stat().st_size for path in place.iterdir())
    state = JobState.ENDED if has_ended else JobState.QUEUED
    kind = KINDS.get(request.type, "") if request is not None else ""
    origin = JobOrigin(kind, came=place.stat().st_mtime)
    return QueueRow(0, job, state, results=results, ended=0.0 if has_ended else None, size=size, origin=origin)


def _header(path: Path) -> wire.Header | None:
    try:
        return wire.read_header([*read_message(path, most=2), b""][:3])
    except MessageError:
        return None
