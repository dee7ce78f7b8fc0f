"""Tests that a service is found by its data folder, and that only one that runs is shared."""

import os
import signal
import stat
import subprocess
import sys

import msgspec
import pytest

from backend_server.service.access import sharing
from backend_server.service.storage.queue_file import DataFolderInUseError, QueueFile
from shared.endpoint import Connection, read_connection_file, write_connection_file
from shared.errors import ConnectionFileError

CONNECTION = Connection(
    address="tcp://127.0.0.1:40211",
    server_public_key="a" * 40,
    client_public_key="b" * 40,
    client_secret_key="c" * 40,
    pid=os.getpid(),
)


@pytest.fixture
def dead_pid():
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait(30)
    return process.pid


def refuses():
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    raise DataFolderInUseError("another backend uses it")


def test_a_service_leaves_its_connection_in_its_data_folder(new_service):
    service = new_service()
    offer = service.data_dir / sharing.OFFER_NAME
    service.wait_for(offer.exists)
    assert read_connection_file(offer) == service.connection
    if os.name != "nt":
        assert stat.S_IMODE(offer.stat().st_mode) == 0o600
    service.process.terminate()
    service.process.wait(30)
    assert not offer.exists()


def test_a_second_service_shares_the_first(new_service, tmp_path):
    service = new_service()
    place = tmp_path / "second" / "connection.json"
    command = ["serve", "--share", "--connection-file", str(place), "--data-dir", str(service.data_dir)]
    done = subprocess.run(
        [sys.executable, "-m", "backend_server", *command], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    assert read_connection_file(place) == service.connection
    assert service.process.poll() is None
    without = subprocess.run(
        [sys.executable, "-m", "backend_server", command[0], *command[2:]],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert without.returncode != 0
    assert "another backend uses the data folder" in without.stderr


def test_what_a_dead_service_left_is_not_shared_but_replaced(tmp_path, dead_pid):
    data, place = tmp_path / "data", tmp_path / "mine.json"
    left = msgspec.structs.replace(CONNECTION, pid=dead_pid)
    write_connection_file(data / sharing.OFFER_NAME, left)
    with pytest.raises(DataFolderInUseError):
        sharing.serve_or_share(refuses, place, data, patience=0)
    assert not place.exists()
    write_connection_file(place, CONNECTION)
    with sharing.offered(place, data):
        assert read_connection_file(data / sharing.OFFER_NAME) == CONNECTION
    assert not (data / sharing.OFFER_NAME).exists()


def test_the_folder_is_served_once_the_other_service_has_left_it(tmp_path):
    tries = []

    def serve():
        tries.append(1)
        if len(tries) < 3:
            refuses()

    before = signal.getsignal(signal.SIGTERM)
    sharing.serve_or_share(serve, tmp_path / "mine.json", tmp_path, patience=30)
    assert len(tries) == 3
    assert signal.getsignal(signal.SIGTERM) is before


def test_files_that_are_no_connection_files_stay(tmp_path):
    data, mine = tmp_path / "data", tmp_path / "mine.json"
    write_connection_file(mine, CONNECTION)
    data.mkdir()
    foreign = data / sharing.OFFER_NAME
    foreign.write_text("my own notes")
    with sharing.offered(mine, data):  # it runs all the same
        assert foreign.read_text() == "my own notes"
    assert foreign.read_text() == "my own notes"
    foreign.unlink()
    write_connection_file(foreign, CONNECTION)
    mine.write_text("my own notes")
    with pytest.raises(ConnectionFileError, match="exists already"):
        sharing.serve_or_share(refuses, mine, data, patience=0)
    assert mine.read_text() == "my own notes"


def test_a_connection_file_that_lies_in_the_data_folder_is_the_offer_itself(tmp_path):
    place = tmp_path / sharing.OFFER_NAME
    write_connection_file(place, CONNECTION)
    with sharing.offered(place, tmp_path):
        assert read_connection_file(place) == CONNECTION
    assert place.exists()  # the service withdraws it


def test_a_locked_queue_says_that_the_folder_is_in_use(tmp_path):
    queue = QueueFile(tmp_path / "queue.sqlite")
    try:
        with pytest.raises(DataFolderInUseError, match="another backend uses the data folder"):
            QueueFile(tmp_path / "queue.sqlite")
    finally:
        queue.close()
