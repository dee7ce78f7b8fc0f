"""Tests that files appear complete or not at all, even with many writers at once."""

import os
import sys
import threading
from pathlib import Path

import pytest

from backend_server.files import atomic_write, close_if_ours, private_folder, temporary_name
from backend_server.service.access.keys import check_private


def test_a_file_takes_its_place_when_it_is_whole(tmp_path):
    path = tmp_path / "weights.safetensors"
    path.write_text("old")
    with atomic_write(path) as temporary:
        temporary.write_text("new")
        assert path.read_text() == "old"
    assert path.read_text() == "new"
    assert list(tmp_path.iterdir()) == [path]


def test_a_failure_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "weights.safetensors"
    path.write_text("old")
    with pytest.raises(KeyboardInterrupt), atomic_write(path) as temporary:
        temporary.write_text("half")
        raise KeyboardInterrupt
    with pytest.raises(FileNotFoundError), atomic_write(path):
        pass  # nothing was written
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_threads_that_write_the_same_file_do_not_meet(tmp_path):
    path, both = tmp_path / "index.tsv", threading.Barrier(2, timeout=30)
    failures = []

    def write(text):
        try:
            with atomic_write(path) as temporary:
                temporary.write_text(text)
                both.wait()
                assert temporary.read_text() == text
        except BaseException as error:  # noqa: BLE001 (a thread's failure has to reach the test)
            failures.append(error)

    threads = [threading.Thread(target=write, args=(text,)) for text in ("one", "two")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert path.read_text() in ("one", "two")
    assert list(tmp_path.iterdir()) == [path]


def test_temporary_names_are_not_found_by_their_ending_and_fit_the_system(tmp_path):
    path = tmp_path / ("ä" * 110 + ".safetensors")
    with atomic_write(path) as temporary:
        temporary.write_text("long")
        assert list(tmp_path.glob("*.safetensors")) == []
    assert path.read_text() == "long"
    assert temporary_name(path) != temporary_name(path)


def test_a_folder_or_a_device_is_never_replaced(tmp_path):
    (tmp_path / "pipe").mkdir()
    with pytest.raises(FileExistsError, match="not a file"), atomic_write(tmp_path / "pipe"):
        pass
    if (device := Path("/dev/null")).is_char_device():
        with pytest.raises(FileExistsError, match="not a file"), atomic_write(device):
            pass
        assert device.is_char_device()


@pytest.mark.parametrize("use", ["private folder", "data folder", "key file"])
def test_windows_warns_of_secrets_outside_the_profile(tmp_path, monkeypatch, caplog, use):
    with monkeypatch.context() as patch:
        for name in ("LOCALAPPDATA", "APPDATA"):
            patch.delenv(name, raising=False)
        patch.setattr(Path, "home", lambda: tmp_path / "me")
        patch.setattr(sys, "platform", "win32")
        folder = tmp_path / "data"
        if use == "private folder":
            private_folder(folder)
        elif use == "data folder":
            close_if_ours(folder)
        else:
            check_private(folder / "server_key.json", os.stat_result((0o100644, *[0] * 9)))
    (record,) = caplog.records
    assert f"the folder {folder} is outside your profile" in record.getMessage()
