"""Sends the log of a service process to standard error and to a file."""

from __future__ import annotations

import logging
import re
import time
from logging.handlers import RotatingFileHandler
from pathlib import Path

_MOST_BYTES = 2_000_000
_REPEAT_SECONDS = 60.0
_MOST_COMPLAINTS = 256

# Control characters of all kinds, line and paragraph separators, and marks that change the direction of writing.
_UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069]")


def start_log(path: Path, *, is_stderr_kept: bool = False) -> None:
    """Sends the log to standard error and to a file of at most 2 MB, with one older file beside it.

    Args:
        path: of the file.
        is_stderr_kept: another program keeps standard error in a file, so only the first 2 MB go there.
    """
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    file = RotatingFileHandler(path, maxBytes=_MOST_BYTES, backupCount=1, encoding="utf-8", delay=True)
    stream = _FirstCharacters(path) if is_stderr_kept else logging.StreamHandler()
    for handler in (file, stream):
        handler.setFormatter(LineFormatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logging.basicConfig(level=logging.INFO, handlers=[stream, file], force=True)


class _FirstCharacters(logging.StreamHandler):
    """Writes the first 2 MB of a log to standard error, and then where the rest is."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path = path
        self._left = _MOST_BYTES

    def emit(self, record: logging.LogRecord) -> None:
        """Writes one entry, if there is room for it."""
        if self._left < 0:
            return
        self._left -= len(self.format(record) + self.terminator)
        if self._left >= 0:
            super().emit(record)
        else:
            self.stream.write(f"What follows is in {self._path} alone.{self.terminator}")
            self.flush()


class LineFormatter(logging.Formatter):
    """Writes one line for each entry, whatever a client put into it; traces follow, each line of them indented."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 (logging's name)
        """The entry, with characters that could begin a line or hide one written as escapes."""
        return escaped(super().formatMessage(record))

    def formatException(self, ei: object) -> str:  # noqa: N802 (logging's name)
        """The trace, every line indented."""
        trace = super().formatException(ei)  # pyright: ignore[reportArgumentType] (its type has a private name)
        return "\n".join(f"    {escaped(line)}" for line in trace.split("\n"))


def escaped(text: str) -> str:
    """The text with unprintable characters written as escapes."""
    return _UNPRINTABLE.sub(lambda match: match[0].encode("unicode_escape").decode(), text)


class Complaints:
    """Logs unexpected errors, the same one not more than once a minute.

    Args:
        log: where they go.
    """

    def __init__(self, log: logging.Logger) -> None:
        self._log = log
        self._logged: dict[str, float] = {}

    def note(self, what: str, error: Exception) -> None:
        """Logs an error that came up while doing `what`."""
        key = f"{what} {type(error).__name__} {error}"[:500]
        now = time.monotonic()
        if now - self._logged.get(key, -_REPEAT_SECONDS) < _REPEAT_SECONDS:
            return
        if len(self._logged) >= _MOST_COMPLAINTS:
            self._logged.clear()
        self._logged[key] = now
        self._log.error("unexpected error in %s", what, exc_info=error)
