"""A process that ended is not alive, also before its parent asks how it ended."""

import os
import subprocess
import sys

import psutil
import pytest

from backend_server.chaos.waiting import wait_until
from backend_server.processes import is_alive


def test_alive_until_it_ends():
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        process = psutil.Process(child.pid)
        assert is_alive(process)
        child.communicate(b"\n")
    assert not is_alive(process)
    assert not is_alive(None)


@pytest.mark.skipif(os.name != "posix", reason="only POSIX keeps a process until its parent has asked for its status")
def test_a_zombie_is_not_alive():
    with subprocess.Popen([sys.executable, "-c", ""]) as child:
        process = psutil.Process(child.pid)
        assert wait_until(lambda: process.status() == psutil.STATUS_ZOMBIE, 20.0)
        assert process.is_running()
        assert not is_alive(process)
