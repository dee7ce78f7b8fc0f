"""Follows docs/remote.md: every command of the backend on the page is run, in order, on real sockets."""

import shlex
import socket
from pathlib import Path

import pytest
from typer.testing import CliRunner

from backend_server.__main__ import app
from backend_server.service import server

PAGE = (Path(__file__).parents[4] / "docs" / "remote.md").read_text(encoding="utf-8")
START = "python -m backend_server "


def commands(section):
    """The arguments of the backend's commands in a section."""
    text = PAGE.split(f"\n## {section}\n")[1].split("\n## ")[0]
    return [
        shlex.split(line.strip().removeprefix(START)) for line in text.splitlines() if line.strip().startswith(START)
    ]


@pytest.fixture
def port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


@pytest.fixture
def follow(new_service, tmp_path, monkeypatch, port):
    """Runs one command of the page and gives its result; `serve` starts a service with the options given."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SPEECH_FACE_DATA", str(tmp_path / "service0" / "data"))

    def run(arguments):
        here = [word.replace("192.168.1.20", "127.0.0.1").replace("5555", str(port)) for word in arguments]
        if here[0] != "serve":
            return CliRunner().invoke(app, here)
        given = {}
        with monkeypatch.context() as patch:
            patch.setattr(server, "serve", lambda **options: given.update(options))
            result = CliRunner().invoke(app, here)
        is_elsewhere = not arguments[arguments.index("--bind") + 1].startswith("127.")
        service = new_service(bind=given["bind"], keep_keys=given["keep_keys"] or is_elsewhere)
        service.client()  # its log exists when it answers
        return result

    return run


@pytest.mark.parametrize("section", ["In the next room", "Through SSH"])
def test_the_steps_lead_to_a_ready_backend(follow, section):
    steps = commands(section)
    assert [step[0] for step in steps] == ["serve", "clients", "status"]
    *others, status = steps
    for step in others:
        result = follow(step)
        assert result.exit_code == 0, result.output
        assert "started again" not in result.stdout
    result = follow(status)
    for _ in range(50):  # the worker loads, and the service looks for new clients once a second
        if result.exit_code == 0:
            break
        result = follow(status)
    assert result.exit_code == 0, result.output
    assert "ready" in result.stdout

    listing, revoking = commands("Who may connect")
    assert "studio-2" in follow(listing).stdout
    assert follow(revoking).exit_code == 0
    assert "studio-2" not in follow(listing).stdout


def test_the_sentences_of_the_page_are_those_of_the_programs():
    root = Path(__file__).parents[4]
    sources = (root / "backend_server" / "service" / "inquiry.py", root / "shared" / "endpoint.py")
    text = "".join(path.read_text("utf-8") for path in sources)
    for words in (
        "nothing listens there",
        "no answer within",
        "closed the connection",
        "refuses the keys",
        "can be read by other users",
    ):
        assert words in PAGE
        assert words in text
