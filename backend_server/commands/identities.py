"""Lists, shows, names, exports, imports and deletes the faces that were learnt on this machine.

A group of commands of its own: `python -m backend_server identities --help`.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from backend_server.commands.console import output, plain_failures

identities = typer.Typer(
    no_args_is_help=True, help="Lists, shows, names, exports, imports and deletes the faces learnt here."
)

Id = Annotated[str, typer.Argument(help="The first 6 or more digits of an ID.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]


@identities.command("list")
def list_identities(as_json: AsJson = False) -> None:
    """Lists all learnt faces, oldest first."""
    with plain_failures():
        from backend_server.commands.identity_table import entries, identity_table

        found = entries()
        if as_json:
            _print_json([entry.as_dictionary() for entry in found])
        else:
            output.print(identity_table(found))


@identities.command()
def show(identity: Id, as_json: AsJson = False) -> None:
    """Shows all that is known about one face."""
    with plain_failures():
        from backend_server.commands.identity_table import entry_of, identity_facts

        entry = entry_of(identity)
        if as_json:
            _print_json(entry.as_dictionary())
        else:
            output.print(identity_facts(entry))


@identities.command()
def rename(
    identity: Id, name: Annotated[str, typer.Argument(help='Its name; "" for the names of its pictures.')]
) -> None:
    """Gives a face a name, which lists show."""
    with plain_failures():
        from backend_server.identities.store import SHORT_DIGITS, open_store

        store = open_store()
        record = store.rename(store.resolve(identity), name)
        _print(f"{record.identity[:SHORT_DIGITS]} is now called {record.title!r}")


@identities.command()
def export(identity: Id, file: Annotated[Path, typer.Argument(help="FACE.safetensors, for another machine.")]) -> None:
    """Writes a face into a file for `import` and `animate --identity`."""
    with plain_failures():
        from backend_server.commands.output_file import check_apart, output_file
        from backend_server.identities.store import SHORT_DIGITS, open_store
        from backend_server.identity import encoded_identity

        store = open_store()
        check_apart(file, [store.folder])
        face = store.load(store.resolve(identity))
        with output_file(file, _print) as temporary:
            temporary.write_bytes(encoded_identity(face))
        _print(f"{face.record.identity[:SHORT_DIGITS]} written to {file}")


@identities.command("import")
def import_identity(file: Annotated[Path, typer.Argument(help="A file made by `export` or `adapt`.")]) -> None:
    """Imports a face that was learnt elsewhere; the same pictures then find it here."""
    with plain_failures():
        from backend_server.identities.store import SHORT_DIGITS, open_store
        from backend_server.identity import load_identity

        face = load_identity(file)
        open_store().save(face)
        _print(f"{face.record.identity[:SHORT_DIGITS]} imported, learnt on {face.record.day_and_time}")


@identities.command()
def delete(
    ids: Annotated[list[str] | None, typer.Argument(help="The first 6 or more digits of each ID.")] = None,
    outdated: Annotated[
        bool, typer.Option("--outdated", help="All that were learnt with other weights than the installed ones.")
    ] = False,
    damaged: Annotated[bool, typer.Option("--damaged", help="All with damaged files.")] = False,
    everything: Annotated[bool, typer.Option("--all", help="All of them.")] = False,
) -> None:
    """Deletes faces. All IDs are checked before the first is deleted."""
    with plain_failures():
        from backend_server.commands.identity_table import chosen, megabytes
        from backend_server.identities.store import open_store

        names = chosen(ids or [], is_outdated=outdated, is_damaged=damaged, is_any=everything)
        freed = sum(open_store().delete(name) for name in names)
        _print(f"{len(names)} deleted, {megabytes(freed)} freed")


def _print(sentence: str) -> None:
    output.print(sentence, soft_wrap=True, highlight=False, markup=False)


def _print_json(value: Any) -> None:  # noqa: ANN401 (any JSON)
    sys.stdout.write(msgspec.json.format(msgspec.json.encode(value)).decode() + "\n")
