import os
import stat
import sys
from pathlib import Path

import msgspec
import pytest

from shared import endpoint
from shared.errors import ConnectionFileError, ErrorCode

CONNECTION = endpoint.Connection(
    address="tcp://127.0.0.1:5555",
    server_public_key="a" * 40,
    client_public_key="b" * 40,
    client_secret_key="c" * 40,
    pid=123,
)
posix = pytest.mark.skipif(sys.platform == "win32", reason="file modes have no effect on Windows")


@pytest.fixture
def path(tmp_path):
    return tmp_path / "run" / "connection.json"


def test_round_trip_leaves_one_private_file(path):
    endpoint.write_connection_file(path, CONNECTION)
    assert endpoint.read_connection_file(path) == CONNECTION
    assert [p.name for p in path.parent.iterdir()] == [path.name]
    if sys.platform != "win32":
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_an_existing_file_is_never_overwritten(path):
    endpoint.write_connection_file(path, CONNECTION)
    before = path.read_bytes()
    with pytest.raises(ConnectionFileError, match="exists already"):
        endpoint.write_connection_file(path, msgspec.structs.replace(CONNECTION, pid=9))
    assert path.read_bytes() == before


@posix
@pytest.mark.parametrize("mode", [0o644, 0o640, 0o606, 0o660])
def test_a_file_that_others_can_read_is_refused(path, mode):
    endpoint.write_connection_file(path, CONNECTION)
    path.chmod(mode)
    with pytest.raises(
        ConnectionFileError, match=rf"can be read by other users \(mode {mode:04o}\); .*: chmod 600 {path}"
    ):
        endpoint.read_connection_file(path)
    path.chmod(0o600)
    assert endpoint.read_connection_file(path) == CONNECTION


def test_a_missing_file_says_to_start_the_backend(path):
    with pytest.raises(ConnectionFileError, match="start the backend"):
        endpoint.read_connection_file(path)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b"\xff",
        msgspec.json.encode(CONNECTION)[:-20],
        msgspec.json.encode(CONNECTION).replace(b"cccc", b"cc"),
        msgspec.json.encode(CONNECTION).replace(b"tcp:", b"ipc:"),
        msgspec.json.encode(CONNECTION).replace(b":5555", b":0"),
        msgspec.json.encode(CONNECTION).replace(b":5555", b":65536"),
        msgspec.json.encode(CONNECTION).replace(b"c" * 40, b"~" * 40),  # ZeroMQ would say: invalid argument
        msgspec.json.encode(CONNECTION).replace(b"c" * 40, b"#" * 40),
    ],
)
def test_a_damaged_file_is_refused(path, content):
    endpoint.write_connection_file(path, CONNECTION)
    path.write_bytes(content)
    with pytest.raises(ConnectionFileError, match="is damaged"):
        endpoint.read_connection_file(path)


def test_another_protocol_version_is_refused(path):
    endpoint.write_connection_file(path, msgspec.structs.replace(CONNECTION, version="9.0"))
    with pytest.raises(ConnectionFileError, match=r"speaks protocol 9\.0") as caught:
        endpoint.read_connection_file(path)
    assert caught.value.code is ErrorCode.VERSION_MISMATCH


def test_default_place(monkeypatch, tmp_path):
    monkeypatch.setenv("SPEECH_FACE_CONNECTION_FILE", str(tmp_path / "mine.json"))
    assert endpoint.default_connection_file() == tmp_path / "mine.json"
    monkeypatch.delenv("SPEECH_FACE_CONNECTION_FILE")
    for platform, variable in (("linux", "XDG_RUNTIME_DIR"), ("win32", "LOCALAPPDATA")):
        monkeypatch.setattr(endpoint.sys, "platform", platform)
        monkeypatch.setenv(variable, str(tmp_path))
        assert tmp_path in endpoint.default_connection_file().parents
    monkeypatch.setattr(endpoint.sys, "platform", "darwin")
    assert Path.home() in endpoint.default_connection_file().parents


@posix
@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_cannot_be_written_is_named(path):
    path.parent.mkdir()
    path.parent.chmod(0o500)
    with pytest.raises(ConnectionFileError, match="cannot write"):
        endpoint.write_connection_file(path, CONNECTION)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="POSIX only")
def test_a_pipe_is_not_waited_for(tmp_path):
    path = tmp_path / "connection.json"
    os.mkfifo(path, 0o600)
    with pytest.raises(ConnectionFileError, match="it is not a file"):
        endpoint.read_connection_file(path)
