"""Runs the worker process: loads the cascade once, then does one job after the other.

For each job it gets an `Attach` (which results already exist) and the request, and answers with the job's messages.
Every progress report also reads whether a `Cancel` arrived. Run as `python -m backend_server.service.work.worker`.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import msgspec

from backend_server.identities.store import IdentityStore
from backend_server.processes import ending_signals
from backend_server.service.logs import start_log
from backend_server.service.outcome import failure, is_out_of_memory
from backend_server.service.work.job_run import JobRun
from backend_server.service.work.server_line import ServerLine
from backend_server.service.work.worker_process import OUT_OF_MEMORY_STATUS, WorkerConfig
from shared.errors import Cancelled as CancelledError
from shared.protocol import (
    AdaptRequest,
    AnimateRequest,
    Attach,
    Cancelled,
    FindMeshLandmarks,
    Message,
    RenderRequest,
    Request,
    Welcome,
)

if TYPE_CHECKING:
    from backend_server.cascade import Cascade

LOG = logging.getLogger(__name__)


def main() -> NoReturn:
    """Serves jobs until the server ends; whatever goes wrong ends the process at once, so the server notices."""
    status = 1
    try:
        status = _serve()
    except BaseException as error:
        status = OUT_OF_MEMORY_STATUS if is_out_of_memory(error) else 1
        with suppress(MemoryError):
            LOG.critical("the worker ends", exc_info=error)
    finally:
        os._exit(status)  # threads and sockets that wait for memory cannot hold it back


def _serve() -> int:
    for number in set(ending_signals()) - {signal.SIGTERM}:
        signal.signal(number, signal.SIG_IGN)  # Ctrl-C in a terminal, and its end, are for the server
    config = msgspec.json.decode(sys.stdin.buffer.readline(), type=WorkerConfig)
    threading.Thread(target=_end_with_server, daemon=True).start()
    start_log(Path(config.log_file), is_stderr_kept=config.is_stderr_kept)
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
        elif isinstance(message, Request):
            line.pulse.job = message.job
            line.send(_run(JobRun(cascade, identities, line, message.job, received), message))
            line.pulse.job = ""
            received = 0


def _run(run: JobRun, request: Request) -> Message:
    try:
        match request:
            case AdaptRequest():
                return run.adapt(request)
            case AnimateRequest():
                return run.animate(request)
            case RenderRequest():
                return run.render(request)
            case FindMeshLandmarks():
                return run.find_landmarks(request)
    except CancelledError:
        return Cancelled(job=request.job)
    except Exception as error:
        LOG.exception("job %s failed", request.job)
        return failure(error, job=request.job)


def _end_with_server() -> None:
    while sys.stdin.buffer.read(4096):
        pass
    os._exit(0)  # at once, even inside a long step of a library


if __name__ == "__main__":
    main()
