"""Sends the log of a service process to standard error and to a file."""

from __future__ import annotations

import logging
from logging.handlers import RotatingFileHandler
from pathlib import Path


def start_log(path: Path) -> None:
    """Sends the log to standard error and to a file of at most 2 MB, with one older file beside it."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    file = RotatingFileHandler(path, maxBytes=2_000_000, backupCount=1, encoding="utf-8", delay=True)
    form = "%(asctime)s %(levelname)s %(name)s: %(message)s"
    logging.basicConfig(level=logging.INFO, format=form, handlers=[logging.StreamHandler(), file], force=True)
