"""Two processes at once, as `torchrun` starts them."""

import os
import socket
import sys

import pytest
import torch
import torch.multiprocessing as processes


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


@pytest.fixture
def together():
    """Runs work(rank, *arguments), a function of a module, in two processes."""

    def run(work, *arguments):
        processes.spawn(_started, (free_port(), sys.path, work, arguments), nprocs=2)

    return run


def _started(rank, port, path, work, arguments):
    sys.path[:] = path
    torch.set_num_threads(1)
    names = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": 2, "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
    os.environ.update({name: str(value) for name, value in names.items()})
    work(rank, *arguments)
