import sys

import pytest
import zmq

from backend_server.service.access.keys import kept_keys
from backend_server.service.access.roster import Roster
from shared.errors import SpeechFaceError, ValueRangeError

posix = pytest.mark.skipif(sys.platform == "win32", reason="POSIX only")


@pytest.fixture
def roster(tmp_path, clock):
    return Roster(tmp_path / "clients", clock)


def key():
    return zmq.curve_keypair()[0]


def test_the_folder_is_read_once_a_second(roster, clock):
    first = key()
    assert roster.public_keys() == set()
    roster.add("one", first)
    clock.seconds = 0.9
    assert roster.public_keys() == set()
    clock.seconds = 1.1
    assert roster.public_keys() == {first}
    roster.revoke("one")
    clock.seconds = 2.2
    assert roster.public_keys() == set()


@pytest.mark.parametrize("name", ["", "Studio", "a/b", "..", "a b", "-a", "x" * 65, "n\n"])
def test_what_is_no_name_is_refused(roster, name):
    with pytest.raises(ValueRangeError, match="cannot name a client"):
        roster.add(name, key())
    with pytest.raises(ValueRangeError, match="cannot name a client"):
        roster.revoke(name)


def test_a_name_is_taken_once_and_revoked_once(roster):
    roster.add("one", key())
    with pytest.raises(ValueRangeError, match="a client one already"):
        roster.add("one", key())
    roster.revoke("one")
    with pytest.raises(ValueRangeError, match="no client one"):
        roster.revoke("one")


@posix
def test_files_are_private_and_what_others_may_write_is_left_out(roster, tmp_path, clock, caplog):
    for name in ("good", "open"):
        roster.add(name, key())
    folder = tmp_path / "clients"
    assert folder.stat().st_mode & 0o777 == 0o700
    assert (folder / "client_good.json").stat().st_mode & 0o077 == 0
    (folder / "client_open.json").chmod(0o622)
    (folder / "client_bad.json").write_bytes(b'{"name": 1}')
    (folder / "client_bad.json").chmod(0o600)
    for seconds in (2.0, 4.0):  # the log says it once
        clock.seconds = seconds
        assert len(roster.public_keys()) == 1
    bad, writable = (record.message for record in caplog.records)
    assert f"{folder / 'client_bad.json'} is damaged" in bad
    assert f"other users may use the key file {folder / 'client_open.json'} (mode 0622)" in writable


def test_a_folder_that_cannot_be_read_changes_nothing(roster, clock, monkeypatch):
    roster.add("one", key())
    clock.seconds = 2.0
    before = roster.public_keys()
    clock.seconds = 4.0
    monkeypatch.setattr(roster, "guests", lambda: (_ for _ in ()).throw(OSError(24, "Too many open files")))
    assert roster.public_keys() == before
    assert len(before) == 1


@pytest.mark.parametrize("content", [b"", b"{}", b'{"public_key": "x", "secret_key": "y"}', b"\xff", b"[" * 4000])
def test_a_damaged_key_file_is_named_and_stays(tmp_path, content):
    kept_keys(tmp_path)
    path = tmp_path / "server_key.json"
    path.write_bytes(content)
    with pytest.raises(SpeechFaceError, match="is damaged"):
        kept_keys(tmp_path)
    assert path.read_bytes() == content


def test_keys_that_are_no_pair_are_refused(tmp_path):
    pair = kept_keys(tmp_path)
    assert kept_keys(tmp_path) == pair
    path = tmp_path / "server_key.json"
    path.write_bytes(path.read_bytes().replace(pair.public, key()))
    with pytest.raises(SpeechFaceError, match="not a pair"):
        kept_keys(tmp_path)
