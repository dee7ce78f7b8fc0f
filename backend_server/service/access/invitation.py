"""Gives a client on another machine its keys."""

from __future__ import annotations

from pathlib import Path

from backend_server.service.access.address import check_reachable
from backend_server.service.access.keys import KeyPair, has_kept_keys, kept_keys
from backend_server.service.access.roster import Roster
from backend_server.service.settings import client_folder
from shared.endpoint import Connection, write_connection_file


def invite(data_dir: Path, name: str, address: str, out: Path) -> bool:
    """Makes a key pair for one client and writes its connection file; the service keeps the public key alone.

    Args:
        data_dir: of the service.
        name: of the client.
        address: where it reaches the service, tcp://host:port.
        out: the connection file; it must not exist.

    Returns:
        Whether the service had no kept keys before.

    Raises:
        SpeechFaceError: name, address, file or folder cannot be used; then nothing has changed.
    """
    roster = Roster(client_folder(data_dir))
    check_reachable(address)
    roster.check_new(name)
    is_first = not has_kept_keys(data_dir)
    server, client = kept_keys(data_dir), KeyPair.fresh()
    connection = Connection(
        address=address,
        server_public_key=server.public.decode(),
        client_public_key=client.public.decode(),
        client_secret_key=client.secret.decode(),
        pid=0,
    )
    write_connection_file(out, connection)
    try:
        roster.add(name, client.public)
    except BaseException:
        out.unlink(missing_ok=True)
        raise
    return is_first
