"""Tests the warning of places outside the user's profile, as Windows has it."""

import logging
import sys
from pathlib import Path

import pytest

from shared import endpoint
from shared.profile import warn_outside_profile

SENTENCE = "is outside your profile"


@pytest.fixture
def windows(tmp_path, monkeypatch):
    """As on Windows, with a profile of the test's own and its local data elsewhere."""
    for name in ("LOCALAPPDATA", "APPDATA"):
        monkeypatch.setenv(name, str(tmp_path / "moved" / name))
    monkeypatch.setattr(Path, "home", lambda: tmp_path / "me")
    monkeypatch.setattr(sys, "platform", "win32")
    yield
    monkeypatch.undo()  # before anything else is asked on which system it runs


def warnings(caplog):
    return [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]


def test_each_folder_outside_is_named_once(windows, tmp_path, caplog):
    for folder in (tmp_path / "me" / "new" / "data", tmp_path / "moved" / "LOCALAPPDATA" / "Speech Face"):
        warn_outside_profile(folder)
    assert warnings(caplog) == []
    for _ in range(2):
        warn_outside_profile(tmp_path / "data")
        warn_outside_profile(tmp_path / "data" / "jobs")
        warn_outside_profile(tmp_path / "me" / ".." / "other")
    assert [SENTENCE in text for text in warnings(caplog)] == [True, True]
    assert f"the folder {tmp_path / 'data'} {SENTENCE} {tmp_path / 'me'}, so" in warnings(caplog)[0]


def test_other_systems_are_not_warned(tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(Path, "home", lambda: tmp_path / "me")
    monkeypatch.setattr(sys, "platform", "linux")
    warn_outside_profile(tmp_path / "data")
    assert warnings(caplog) == []


@pytest.mark.parametrize("is_written", [True, False])
def test_a_connection_file_outside_is_used_with_a_warning(windows, tmp_path, caplog, is_written):
    connection = endpoint.Connection(
        address="tcp://127.0.0.1:5555",
        server_public_key="a" * 40,
        client_public_key="b" * 40,
        client_secret_key="c" * 40,
        pid=1,
    )
    inside, outside = tmp_path / "me" / "connection.json", tmp_path / "usb" / "connection.json"
    endpoint.write_connection_file(inside, connection)
    assert warnings(caplog) == []
    if is_written:
        endpoint.write_connection_file(outside, connection)
    else:
        outside.parent.mkdir()
        outside.write_bytes(inside.read_bytes())
        assert endpoint.read_connection_file(outside) == connection
    (text,) = warnings(caplog)
    assert f"the folder {outside.parent} {SENTENCE}" in text
