"""Tests learnt faces on the command line: learnt once, found again, listed, exported, deleted."""

import json

import numpy as np
import pytest

from backend_server.checkpoints import weights_version
from backend_server.identities.pictures import portrait_path
from backend_server.identities.store import IdentityStore, identity_folder
from backend_server.identity import load_identity


@pytest.fixture
def store(data_folder):
    return IdentityStore(identity_folder(data_folder))


@pytest.fixture
def keep(store, face):
    def run(name, version):
        store.save(face(name, weights_version=version, image_count=7, image_names=("me.jpg",), held_out_psnr=27.25))

    return run


def test_faces_are_listed_shown_and_deleted(run_command, store, keep):
    assert json.loads(run_command("identities", "list", "--json").stdout) == []
    current, outdated, damaged = "abcdef" + "1" * 58, "abcdef" + "2" * 58, "3" * 64
    keep(current, weights_version())
    keep(outdated, "old")
    keep(damaged, "old")
    store.path(damaged).write_bytes(b"")
    listed = {entry["identity"]: entry for entry in json.loads(run_command("identities", "list", "--json").stdout)}
    assert set(listed) == {current, outdated, damaged}
    assert listed[current]["is_current"] and not listed[outdated]["is_current"] and listed[damaged]["is_damaged"]
    assert (listed[current]["image_count"], listed[current]["held_out_psnr"]) == (7, 27.25)
    assert listed[current]["size_bytes"] == store.size_bytes(current)
    table = run_command("identities", "list")
    assert table.exit_code == 0 and "3 faces" in table.stdout and "damaged" in table.stdout

    shown = json.loads(run_command("identities", "show", current[:7], "--json").stdout)
    assert (shown["identity"], shown["image_names"], shown["losses"]) == (current, ["me.jpg"], [0.5, 0.25])
    assert "me.jpg" in run_command("identities", "show", current[:7]).stdout
    assert "not the installed ones" in run_command("identities", "show", outdated).stdout
    assert "damaged" in run_command("identities", "show", damaged).stdout

    assert "1 deleted" in run_command("identities", "delete", "--outdated").stdout
    assert set(store.names()) == {current, damaged}
    assert "1 deleted" in run_command("identities", "delete", "--damaged").stdout
    assert "1 deleted" in run_command("identities", "delete", current[:6]).stdout
    assert store.names() == []


def test_a_face_gets_a_name_that_stays_when_it_is_learnt_again_or_travels(run_command, store, keep, tmp_path):
    name = "abcdef" + "1" * 58
    keep(name, weights_version())
    renamed = run_command("identities", "rename", name[:6], " Ann 安 ")
    assert renamed.exit_code == 0, renamed.stderr
    assert "is now called 'Ann 安'" in renamed.stdout
    assert "Ann" in run_command("identities", "list").stdout
    assert "Ann 安" in run_command("identities", "show", name[:6]).stdout
    keep(name, weights_version())  # learnt again
    assert store.check(name).name == "Ann 安"
    assert run_command("identities", "export", name[:6], tmp_path / "ann.safetensors").exit_code == 0
    store.delete(name)
    assert run_command("identities", "import", tmp_path / "ann.safetensors").exit_code == 0
    assert store.check(name).title == "Ann 安"
    refused = run_command("identities", "rename", name[:6], "a\x07b")
    assert refused.exit_code == 2
    assert "'a\\x07b' holds a character" in refused.stderr
    assert run_command("identities", "rename", name[:6], "").exit_code == 0
    assert (store.check(name).name, store.check(name).title) == ("", "me.jpg")


def test_ids_that_name_no_one_face_are_refused_and_nothing_is_deleted(run_command, store, keep):
    for digit in "12":
        keep("abcdef" + digit * 58, "old")
    for words, sentence in (
        (["show", "abcdef"], "2 learnt faces begin with abcdef"),
        (["delete", "abcdef1", "999999"], "begins with 999999"),
        (["delete"], "no face was chosen"),
        (["export", "abc", "face.safetensors"], "6 to 64 of its hexadecimal digits"),
        (["import", "missing.safetensors"], "missing.safetensors"),
    ):
        result = run_command("identities", *words)
        assert result.exit_code == 2
        lines = [line for line in result.stderr.splitlines() if line.startswith("error: ")]
        assert len(lines) == 1 and sentence in lines[0], result.stderr
    assert len(store.names()) == 2


def test_a_face_passes_from_one_machine_to_another(run_command, store, keep, tmp_path, monkeypatch):
    name = "ab" * 32
    keep(name, "old")
    path = tmp_path / "me.safetensors"
    assert run_command("identities", "export", name[:6], path).exit_code == 0
    monkeypatch.setenv("SPEECH_FACE_DATA", str(tmp_path / "elsewhere"))
    result = run_command("identities", "import", path)
    assert result.exit_code == 0 and name[:12] in result.stdout
    assert IdentityStore(identity_folder(tmp_path / "elsewhere")).record(name) == store.record(name)


@pytest.mark.slow
def test_the_same_pictures_are_learnt_once(run_command, store, sound, sample_samples, tmp_path):
    out = tmp_path / "face.safetensors"
    words = ("adapt", "--images", portrait_path(), "--epochs", 1, "--no-sheet", "--out", out)
    first = run_command(*words)
    assert first.exit_code == 0 and "learnt and kept" in first.stdout, first.stderr
    (name,) = store.names()
    identity = load_identity(out)
    assert identity.record == store.record(name) and identity.record.image_names == ("astronaut.png",)

    assert "found, learnt on" in run_command(*words).stdout
    speech = sound("speech.wav", sample_samples[:8_000], 16_000)
    animated = run_command("animate", speech, "--sample-portrait", "--epochs", 1, "--out", tmp_path / "frames")
    assert animated.exit_code == 0 and "found, learnt on" in animated.stderr
    assert store.names() == [name]

    store.path(name).write_bytes(store.path(name).read_bytes()[:-100])
    repaired = run_command(*words)
    assert repaired.exit_code == 0 and "the one kept before was damaged" in repaired.stdout
    again = load_identity(out)
    assert all(np.array_equal(again.weights[layer], weight) for layer, weight in identity.weights.items())
    assert "learnt and kept" in run_command(*words, "--anew").stdout
    assert run_command("animate", speech, "--identity", name[:6], "--out", tmp_path / "named").exit_code == 0
