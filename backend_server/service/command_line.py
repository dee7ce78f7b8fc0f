"""Runs the commands of the service: serving, how it is, its jobs, and which other machines may use it."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from backend_server.commands.console import output, plain_failures

jobs = typer.Typer(no_args_is_help=True, help="Lists, cancels and forgets the jobs of a running backend.")
clients = typer.Typer(no_args_is_help=True, help="Adds, lists and revokes clients on other machines.")

DataDir = Annotated[Path | None, typer.Option(help="Of the backend, as with `serve`.")]
Name = Annotated[str, typer.Argument(help="Small letters, digits, - and _, such as studio-2.")]
ConnectionFile = Annotated[Path | None, typer.Option(help="Of the backend; the usual place if left out.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]


def serve(
    connection_file: Annotated[Path | None, typer.Option(help="Where to write the address and keys.")] = None,
    device: Annotated[str, typer.Option(help="cpu, cuda, cuda:N, or auto for CUDA if there is a GPU.")] = "auto",
    bind: Annotated[str, typer.Option(help="IP address[:port]; by default this machine only.")] = "127.0.0.1",
    keep_keys: Annotated[bool, typer.Option("--keep-keys", help="Keys outlive a restart, as with --bind.")] = False,
    data_dir: Annotated[Path | None, typer.Option(help="Where the queue, results and identities are kept.")] = None,
    parent_pid: Annotated[int | None, typer.Option(help="End when the process with this ID ends.")] = None,
    metrics: Annotated[
        int | None, typer.Option(min=0, max=65535, help="Port for Prometheus, on this machine only; 0: any free one.")
    ] = None,
    share: Annotated[
        bool, typer.Option("--share", help="If a backend uses the data folder, write its address and keys, and end.")
    ] = False,
) -> None:
    """Serves the add-on and other clients until it is stopped."""
    with plain_failures():
        from backend_server.service import server
        from backend_server.service.access import sharing

        run = partial(
            server.serve,
            connection_file=connection_file,
            device=device,
            bind=bind,
            data_dir=data_dir,
            parent_pid=parent_pid,
            metrics_port=metrics,
            keep_keys=keep_keys,
        )
        if share:
            sharing.serve_or_share(run, connection_file, data_dir)
        else:
            run()


def status(connection_file: ConnectionFile = None, as_json: AsJson = False) -> None:
    """Says how a running backend is; the exit code is 0 when it is ready, 1 when not, 2 when none answers."""
    with plain_failures():
        from backend_server.commands import status as show
        from backend_server.service.health import READY
        from backend_server.service.inquiry import ask_status
        from shared.endpoint import default_connection_file

        report = ask_status(connection_file or default_connection_file())
    if as_json:
        output.out(show.as_json(report), highlight=False)
    else:
        output.print(show.status_table(report))
    raise typer.Exit(0 if report.state == READY else 1)


@jobs.command("list")
def list_jobs(
    ended: Annotated[
        bool, typer.Option("--ended", help="The jobs that have ended and whose results are kept.")
    ] = False,
    connection_file: ConnectionFile = None,
    as_json: AsJson = False,
) -> None:
    """Lists the jobs that run and wait, also those that no client has come back for; the next ones first."""
    with plain_failures():
        from backend_server.commands import job_table as show
        from backend_server.service.inquiry import ask_jobs
        from shared.endpoint import default_connection_file

        found = ask_jobs(connection_file or default_connection_file(), are_ended=ended)
        if as_json:
            output.out(show.as_json(found), highlight=False)
        else:
            output.print(show.ended_table(found) if ended else show.job_table(found))


@jobs.command()
def cancel(
    ids: Annotated[list[str] | None, typer.Argument(help="The first 4 or more characters of each ID.")] = None,
    parked: Annotated[
        bool, typer.Option("--parked", help="All that waited before a restart, and that no client asked for since.")
    ] = False,
    connection_file: ConnectionFile = None,
) -> None:
    """Cancels jobs. All IDs are checked before the first is cancelled."""
    with plain_failures():
        from backend_server.commands.job_table import chosen, outcome
        from backend_server.service.inquiry import ask_jobs, cancel_jobs
        from shared.endpoint import default_connection_file

        file = connection_file or default_connection_file()
        names = chosen(ask_jobs(file), ids or [], is_parked=parked)
        for end in cancel_jobs(file, names):
            _print(outcome(end))
        if not names:
            _print("no job is parked")


@jobs.command()
def forget(
    ids: Annotated[list[str], typer.Argument(help="The first 4 or more characters of each ID.")],
    connection_file: ConnectionFile = None,
) -> None:
    """Deletes jobs that have ended, and their results. All IDs are checked before the first is deleted."""
    with plain_failures():
        from backend_server.commands.job_table import chosen_ended
        from backend_server.service.inquiry import ask_jobs, forget_jobs
        from shared.endpoint import default_connection_file

        file = connection_file or default_connection_file()
        for job in forget_jobs(file, chosen_ended(ask_jobs(file, are_ended=True), ids)):
            _print(f"{job} forgotten")


@clients.command()
def add(
    name: Name,
    out: Annotated[Path, typer.Option(help="The connection file for the other machine; keep it private.")],
    address: Annotated[str, typer.Option(help="Where that machine reaches this one: tcp://host:port.")],
    data_dir: DataDir = None,
) -> None:
    """Makes keys for one client and writes its connection file."""
    with plain_failures():
        from backend_server.service.access.invitation import invite

        is_first = invite(_data_dir(data_dir), name, address, out)
        _print(f"client {name} added; move {out} to its machine, and keep it private there")
        if is_first:
            _print("a backend that runs must be started again once: from then on it uses kept keys")


@clients.command("list")
def list_clients(data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """Lists the clients that were added."""
    with plain_failures():
        import msgspec

        from backend_server.commands.client_table import client_table
        from backend_server.service.access.roster import Roster
        from backend_server.service.settings import client_folder

        guests = Roster(client_folder(_data_dir(data_dir))).guests()
        if as_json:
            output.out(msgspec.json.format(msgspec.json.encode(guests)).decode(), highlight=False)
        else:
            output.print(client_table([(guest.name, guest.added, guest.public_key) for guest in guests]))


@clients.command()
def revoke(name: Name, data_dir: DataDir = None) -> None:
    """Takes a client's right away; a backend that runs notices within two seconds."""
    with plain_failures():
        from backend_server.service.access.roster import Roster
        from backend_server.service.settings import client_folder

        Roster(client_folder(_data_dir(data_dir))).revoke(name)
        _print(f"client {name} revoked")


def _data_dir(given: Path | None) -> Path:
    from backend_server.identities.store import data_folder

    return given or data_folder()


def _print(sentence: str) -> None:
    output.print(sentence, soft_wrap=True, highlight=False, markup=False)
