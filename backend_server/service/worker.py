"""Runs the worker process: loads the cascade once, then does one job after the other.

For each job it gets an `Attach` (which results already exist) and the request, and answers with the job's messages.
Every progress report also reads whether a `Cancel` arrived. Run as `python -m backend_server.service.worker`.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from backend_server.identities.store import IdentityStore
from backend_server.service.job_run import JobRun
from backend_server.service.logs import start_log
from backend_server.service.outcome import failure
from backend_server.service.server_line import ServerLine
from backend_server.service.worker_process import WorkerConfig
from shared.errors import Cancelled as CancelledError
from shared.protocol import AdaptRequest, AnimateRequest, Attach, Cancelled, Message, Welcome

if TYPE_CHECKING:
    from backend_server.cascade import Cascade

LOG = logging.getLogger(__name__)


def main() -> int:
    """Serves jobs until the server ends; returns the exit status."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C in a terminal is for the server
    config = msgspec.json.decode(sys.stdin.buffer.readline(), type=WorkerConfig)
    threading.Thread(target=_end_with_server, daemon=True).start()
    start_log(Path(config.log_file))
    line = ServerLine(config)
    try:
        module, _, name = config.cascade.partition(":")
        cascade: Cascade = getattr(import_module(module), name).load(device=config.device)
        identities = IdentityStore(Path(config.identity_dir))
        welcome = Welcome(backend="worker", device=cascade.device, weights_version=cascade.weights_version)
    except Exception as error:
        LOG.exception("the cascade cannot be loaded")
        line.send(failure(error))
        line.close()
        return 1
    line.send(welcome)
    received = 0
    while True:
        message = line.receive()
        if isinstance(message, Attach):
            received = message.received
        elif isinstance(message, AdaptRequest | AnimateRequest):
            line.send(_run(JobRun(cascade, identities, line, message.job, received), message))
            received = 0


def _run(run: JobRun, request: AdaptRequest | AnimateRequest) -> Message:
    try:
        return run.adapt(request) if isinstance(request, AdaptRequest) else run.animate(request)
    except CancelledError:
        return Cancelled(job=request.job)
    except Exception as error:
        LOG.exception("job %s failed", request.job)
        return msgspec.structs.replace(failure(error), job=request.job)


def _end_with_server() -> None:
    while sys.stdin.buffer.read(4096):
        pass
    os._exit(0)  # at once, even inside a long step of a library


if __name__ == "__main__":
    sys.exit(main())
