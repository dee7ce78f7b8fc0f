import json
import sys

import pytest

from shared.endpoint import read_connection_file

ADDRESS = "tcp://192.168.1.20:5555"


@pytest.fixture
def add(run_command, tmp_path):
    """Adds a client; its connection file is NAME.json."""
    return lambda name, address=ADDRESS: run_command(
        "clients", "add", name, "--out", tmp_path / f"{name}.json", "--address", address
    )


def test_each_client_gets_keys_of_its_own(add, run_command, tmp_path, data_folder):
    for name in ("one", "two"):
        assert add(name).exit_code == 0
    one, two = (read_connection_file(tmp_path / f"{name}.json") for name in ("one", "two"))
    assert one.address == ADDRESS
    assert one.server_public_key == two.server_public_key
    assert one.client_secret_key != two.client_secret_key
    listed = json.loads(run_command("clients", "list", "--json").stdout)
    assert [(entry["name"], entry["public_key"]) for entry in listed] == [
        ("one", one.client_public_key),
        ("two", two.client_public_key),
    ]
    kept = "".join(path.read_text("utf-8") for path in (data_folder / "clients").iterdir())
    assert one.client_secret_key not in kept
    if sys.platform != "win32":
        assert (tmp_path / "one.json").stat().st_mode & 0o777 == 0o600


def test_the_list_is_a_table(add, run_command):
    add("studio-2")
    assert "studio-2" in run_command("clients", "list").stdout
    assert run_command("clients", "revoke", "studio-2").exit_code == 0
    assert "studio-2" not in run_command("clients", "list").stdout


@pytest.mark.parametrize(
    ("name", "address", "words"),
    [
        ("one", ADDRESS, "a client one already"),
        ("One", ADDRESS, "cannot name a client"),
        ("two", "192.168.1.20:5555", "write tcp://host:port"),
        ("two", "tcp://0.0.0.0:5555", "every address"),
        ("taken", ADDRESS, "exists already"),
    ],
)
def test_what_cannot_be_added_changes_nothing(add, run_command, tmp_path, name, address, words):
    add("one")
    (tmp_path / "taken.json").write_text("mine")
    result = add(name, address)
    assert result.exit_code == 2
    assert words in result.stderr
    assert result.stderr.count("\n") == 1
    assert [entry["name"] for entry in json.loads(run_command("clients", "list", "--json").stdout)] == ["one"]
    assert (tmp_path / "taken.json").read_text() == "mine"


def test_revoking_nobody_is_an_error(run_command):
    result = run_command("clients", "revoke", "nobody")
    assert result.exit_code == 2
    assert "there is no client nobody" in result.stderr
