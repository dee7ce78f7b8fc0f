"""Shows the clients on other machines as a table."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from rich.table import Table
from rich.text import Text


def client_table(clients: Sequence[tuple[str, datetime, str]]) -> Table:
    """One row for each client: name, when it was added, public key."""
    table = Table("name", "added", "public key")
    for name, added, public_key in clients:
        table.add_row(name, added.astimezone().strftime("%Y-%m-%d %H:%M"), Text(public_key, overflow="fold"))
    return table
