"""``embsearch stack up|down|clean|status|logs``: the local stack."""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import timedelta
from typing import Annotated

import typer
from rich import box
from rich.text import Text

from include.cli.session import FAILED, command_session
from include.cli.tables import console, whole_table
from include.errors import InputError
from include.local_stack import airflow, stack
from include.local_stack.lifecycle import LeftOver, ServiceStatus
from include.settings import Settings, get_settings

app = typer.Typer(help="The servers on this machine: start, stop, look at.", no_args_is_help=True)


@app.command()
def up() -> None:
    """Install what is missing, start every service, wait until all are ready."""
    with command_session("stack", get_settings()):
        settings = get_settings()
        found = stack.up(settings)
        print_status(found, settings)


@app.command()
def down() -> None:
    """Stop every service; no process is left."""
    with command_session("stack", get_settings()):
        count = stack.down(get_settings())
        console.print(f"Stopped {count} processes." if count else "Nothing was running.")


@app.command()
def clean() -> None:
    """Remove what the servers of root keep outside of the project; `make clean` removes all else, too."""
    with command_session("stack", get_settings()):
        for folder in stack.clean(get_settings()):
            console.print(f"Removed {folder}.", soft_wrap=True)


@app.command()
def status() -> None:
    """Show each service; exit with 0 only when all are ready."""
    with command_session("stack", get_settings()):
        settings = get_settings()
        found = stack.status(settings)
        if found:
            print_status(found, settings)
        elif left := stack.left_over(settings):
            print_left_over(left)
        else:
            console.print("The stack is down. `make up` starts it.")
        if not found or not all(service.ready for service in found):
            raise typer.Exit(FAILED)


@app.command()
def logs(
    service: Annotated[str | None, typer.Argument(help="One service; all when left out.")] = None,
    follow: Annotated[bool, typer.Option(help="Go on as lines come in; Ctrl-C ends it.")] = True,
    lines: Annotated[int, typer.Option(min=1, help="Of each log, to begin with.")] = 20,
) -> None:
    """Show what services say."""
    with command_session("stack", get_settings()):
        folder, files = stack.log_folder(get_settings()), stack.log_files(get_settings())
        if service:
            names = ", ".join(file.stem for file in files) or "none"
            files = [file for file in files if file.stem == service]
            if not files:
                raise InputError(f"There is no log of {service!r} in {folder}; there are: {names}.")
        if not files:
            raise InputError(f"There are no logs in {folder} yet. `make up` starts the stack.")
        following = ["--follow=name", "--retry"] if follow else []
        os.execvp("tail", ["tail", f"--lines={lines}", *following, *map(str, files)])  # noqa: S606 — it does it all


def print_status(found: Sequence[ServiceStatus], settings: Settings) -> None:
    """A table of the services, and how to log in to Airflow."""
    table = whole_table("service", "state", "pid", "up for", "at", box=box.SIMPLE_HEAD)
    for service in found:
        state = Text(service.state, "green" if service.ready else "red")
        up_for = str(timedelta(seconds=service.uptime_seconds)) if service.pid else ""
        table.add_row(service.name, state, str(service.pid or ""), up_for, service.url)
    console.print(table)
    console.print(f"Logs: {os.path.relpath(stack.log_folder(settings))}/<service>.log")
    local = stack.local_airflow(settings)
    console.print(f"Airflow: {local.url}  user: {airflow.USER}  password: {local.password}")


def print_left_over(left: Sequence[LeftOver]) -> None:
    """What lives on of a stack whose supervisor was killed, and what to do."""
    table = whole_table("process", "pid", "listens on", box=box.SIMPLE_HEAD)
    for process in left:
        table.add_row(process.name, str(process.pid), ", ".join(map(str, process.ports)))
    console.print(table)
    console.print(
        f"The stack is not up: its supervisor does not answer. {len(left)} of its processes are still there; those of "
        "a killed supervisor end by themselves within a minute. `make down` ends them now, `make up` starts anew.",
        soft_wrap=True,
    )
