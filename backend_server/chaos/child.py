"""Runs one server for `chaos`, and the faults that only its own process can have.

Each line on standard input is an `Order`. The process ends when its standard input does, so that nothing is left over
when the command is stopped. Run as `python -m backend_server.chaos.child SETTINGS`.
"""

from __future__ import annotations

import ctypes
import os
import socket
import sys
import threading
import time
from pathlib import Path

import msgspec

_CLONE_NEWNS, _CLONE_NEWUSER = 0x00020000, 0x10000000
_FILLER = "filler"
_NO_SMALL_DISK = 3  # exit status


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """What the server's process shall suffer.

    Attributes:
        cut_ports: the connections to these remote ports are shut down.
        clock_seconds: from now on `time.time` is this far ahead.
        is_disk_full: whether the disk of the data folder is full; None: as it is.
    """

    cut_ports: tuple[int, ...] = ()
    clock_seconds: float | None = None
    is_disk_full: bool | None = None


class ChildConfig(msgspec.Struct, frozen=True, kw_only=True):
    """The settings of the server, and of the disk it lives on.

    Attributes:
        settings: fields of `ServiceSettings`.
        small_disk_bytes: the data folder becomes a disk of this size, in memory; 0: it stays an ordinary folder.
    """

    settings: dict[str, str | int | float]
    small_disk_bytes: int = 0


def main() -> int:
    """Serves until the signal to stop or the end of the input; returns the exit status."""
    config = msgspec.json.decode(sys.argv[1], type=ChildConfig)
    data_dir = Path(str(config.settings["data_dir"]))
    data_dir.mkdir(parents=True, exist_ok=True)
    if config.small_disk_bytes and not _mount_small_disk(data_dir, config.small_disk_bytes):
        return _NO_SMALL_DISK
    threading.Thread(target=_obey, args=(data_dir,), daemon=True).start()
    from backend_server.service.server import serve_with  # noqa: PLC0415 (after the mount: it may start threads)
    from backend_server.service.settings import ServiceSettings  # noqa: PLC0415

    paths = {name: Path(str(config.settings[name])) for name in ("connection_file", "data_dir")}
    serve_with(ServiceSettings(**{**config.settings, **paths}))  # pyright: ignore[reportArgumentType]
    return 0


def _obey(data_dir: Path) -> None:
    real_time, ahead = time.time, [0.0]
    time.time = lambda: real_time() + ahead[0]
    waiting = b""
    while chunk := os.read(0, 4096):  # not `sys.stdin`, whose lock a daemon thread would keep at the end
        *lines, waiting = (waiting + chunk).split(b"\n")
        for line in lines:
            _carry_out(msgspec.json.decode(line, type=Order), data_dir, ahead)
            os.write(1, b"\n")  # obeyed
    os._exit(1)


def _carry_out(order: Order, data_dir: Path, ahead: list[float]) -> None:
    if order.cut_ports:
        _cut(frozenset(order.cut_ports))
    if order.clock_seconds is not None:
        ahead[0] = order.clock_seconds
    if order.is_disk_full is not None:
        _fill(data_dir / _FILLER, order.is_disk_full)


def _cut(ports: frozenset[int]) -> None:
    import psutil  # noqa: PLC0415 (after the mount)

    for connection in psutil.Process().net_connections("tcp"):
        if connection.raddr and connection.raddr[1] in ports:
            with socket.socket(fileno=os.dup(connection.fd)) as twin:
                twin.shutdown(socket.SHUT_RDWR)


def _fill(filler: Path, is_full: bool) -> None:
    if not is_full:
        filler.unlink(missing_ok=True)
        return
    with filler.open("ab", buffering=0) as file:
        for size in (1 << 20, 1 << 12):
            block = bytes(size)
            try:
                while file.write(block) == size:
                    pass
            except OSError:  # full, as it should be
                continue


def _mount_small_disk(folder: Path, size: int) -> bool:
    """Puts a disk in memory over a folder, for this process and its children alone; False where that is forbidden."""
    if sys.platform != "linux":
        return False
    user, group = os.getuid(), os.getgid()
    library = ctypes.CDLL(None, use_errno=True)
    if library.unshare(_CLONE_NEWNS | _CLONE_NEWUSER):
        return False
    try:
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"{user} {user} 1")
        Path("/proc/self/gid_map").write_text(f"{group} {group} 1")
    except OSError:
        return False
    return not library.mount(b"tmpfs", os.fsencode(folder), b"tmpfs", 0, f"size={size},mode=0700".encode())


if __name__ == "__main__":
    sys.exit(main())
