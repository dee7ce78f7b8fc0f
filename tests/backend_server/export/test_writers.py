"""Files are written by threads, and no error there is lost."""

import threading

import pytest

from backend_server.export.writers import Writers
from shared.errors import NoSpaceError


def test_all_files_are_whole_when_the_block_ends(tmp_path):
    disk = threading.Event()

    def write(name: str, text: str) -> None:
        assert disk.wait(10)
        (tmp_path / name).write_text(text)

    with Writers(threads=3) as writers:
        for number in range(6):  # as many as may wait
            writers(write, f"{number}.txt", text=str(number))
        assert list(tmp_path.iterdir()) == []
        threading.Timer(0.1, disk.set).start()  # while the block ends
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {f"{n}.txt": str(n) for n in range(6)}


def test_few_files_wait_however_slow_the_disk_is():
    disk, two_given = threading.Event(), threading.Event()
    given: list[int] = []
    written: list[int] = []

    def write(number: int) -> None:
        assert disk.wait(10)
        written.append(number)

    def give_all() -> None:
        with Writers(threads=1) as writers:
            for number in range(20):
                writers(write, number)
                given.append(number)
                if len(given) == 2:
                    two_given.set()

    giver = threading.Thread(target=give_all)
    giver.start()
    assert two_given.wait(10)
    giver.join(0.2)
    assert giver.is_alive() and given == [0, 1]  # the third waits for room
    disk.set()
    giver.join(10)
    assert not giver.is_alive() and written == list(range(20))


def test_what_goes_wrong_ends_the_block():
    written = []

    def write(number: int) -> None:
        if number == 3:
            raise NoSpaceError("the disk is full")
        written.append(number)

    with pytest.raises(NoSpaceError, match="full"), Writers(threads=1) as writers:
        for number in range(100):
            writers(write, number)
    assert written[:3] == [0, 1, 2]
    assert len(written) < 10


def test_the_last_file_may_go_wrong_too():
    def write() -> None:
        raise NoSpaceError("the disk is full")

    with pytest.raises(NoSpaceError), Writers() as writers:
        writers(write)
