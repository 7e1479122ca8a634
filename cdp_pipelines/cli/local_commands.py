"""`cdp local …`: the embedded servers for development, tests and the demo."""

import shutil
from collections.abc import Sequence
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from cdp_pipelines.cli import output
from cdp_pipelines.cli.exit_codes import FAILED, OK
from cdp_pipelines.cli.options import DEFAULT_ROOT, JsonOption, RootOption

if TYPE_CHECKING:
    from rich.table import Table

    from cdp_pipelines.local.runner import ServerStatus

app = typer.Typer(
    help="MongoDB, PostgreSQL, S3, mail and the neighbours' APIs, embedded on this machine.", no_args_is_help=True
)


class EnvFormat(StrEnum):
    """How `cdp local env` prints."""

    SHELL = "shell"
    JSON = "json"


@app.command()
def up(
    fresh: Annotated[bool, typer.Option("--fresh", help="Throw the old data away first.")] = False,
    root: RootOption = DEFAULT_ROOT,
    as_json: JsonOption = False,
) -> None:
    """Start the servers, apply the index migrations, set the bucket's rule. What runs already stays as it is."""
    from cdp_pipelines.cli.demo.dagster_processes import DagsterProcesses
    from cdp_pipelines.cli.local_environment import only_local
    from cdp_pipelines.cli.local_setup import prepare
    from cdp_pipelines.local.stack import LocalStack

    stack = LocalStack(root)
    with output.stderr().status("Starting the local servers …"):
        if fresh:
            DagsterProcesses(root).stop()
        result = stack.up(fresh)
    only_local(result.variables)
    prepare(output.note, local_crm=result.variables["CRM_AUDIT_DATABASE_URL"])
    if as_json:
        output.print_json(
            {"started": list(result.started), "env_file": str(result.file), "seconds": round(result.seconds, 1)}
        )
        return
    started = f"Started {', '.join(result.started)}" if result.started else "Everything was running already"
    output.print_line(f"{started} ({result.seconds:.1f} s).")
    output.print_line(f"In this folder `cdp` finds them by itself. For other programs: source {result.file}")
    output.print_line("A daemon that takes requests: dagster-daemon run -m cdp_pipelines.definitions (after that).")


@app.command()
def down(
    delete_data: Annotated[bool, typer.Option("--delete-data", help="Throw their data and logs away as well.")] = False,
    root: RootOption = DEFAULT_ROOT,
    as_json: JsonOption = False,
) -> None:
    """Stop the servers, and the daemon and UI of the demo. The data stays, unless asked otherwise."""
    from cdp_pipelines.cli.demo.dagster_processes import DagsterProcesses
    from cdp_pipelines.local.stack import LocalStack

    with output.stderr().status("Stopping the local servers …"):
        DagsterProcesses(root).stop()
        LocalStack(root).down(delete_data)
        if delete_data:
            # The demo's downloads are data too.
            shutil.rmtree(root / "demo", ignore_errors=True)
    if as_json:
        output.print_json({"stopped": True, "data_deleted": delete_data})
    else:
        output.print_line("Stopped, and the data is gone." if delete_data else "Stopped. The data stays.")


@app.command()
def status(root: RootOption = DEFAULT_ROOT, as_json: JsonOption = False) -> None:
    """Show each server as it is now. Ends with 1 unless all are running."""
    from cdp_pipelines.cli.demo.dagster_processes import DagsterProcesses
    from cdp_pipelines.local.stack import LocalStack

    servers, dagster = LocalStack(root).status(), DagsterProcesses(root).running()
    if as_json:
        output.print_json({"servers": [_facts(server) for server in servers], "dagster": dagster})
    else:
        output.stdout().print(status_table(servers))
        for name, url in dagster.items():
            output.print_line(f"dagster {name} running {url}".rstrip())
    raise typer.Exit(OK if all(server.condition == "running" for server in servers) else FAILED)


def status_table(servers: Sequence["ServerStatus"]) -> "Table":
    """Servers in rows."""
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False)
    for name in ("server", "condition", "address", "pid", "since", "note"):
        table.add_column(name, overflow="fold")
    for server in servers:
        table.add_row(
            server.name,
            Text(server.condition, style="green" if server.condition == "running" else "bold red"),
            server.address,
            str(server.pid or ""),
            output.instant_text(server.since),
            server.note,
        )
    return table


def _facts(server: "ServerStatus") -> dict[str, object]:
    return {
        "name": server.name,
        "condition": server.condition,
        "address": server.address,
        "pid": server.pid,
        "since": server.since,
        "log": str(server.log_path),
        "note": server.note,
    }


@app.command()
def env(
    env_format: Annotated[EnvFormat, typer.Option("--format", help="shell (to be sourced) or json.")] = EnvFormat.SHELL,
    root: RootOption = DEFAULT_ROOT,
    as_json: JsonOption = False,
) -> None:
    """Print the settings that lead to the servers. They hold the local servers' passwords."""
    from cdp_pipelines.local.stack import LocalStack
    from cdp_pipelines.local.stack_environment import shell_file

    variables = LocalStack(root).env()
    if as_json or env_format is EnvFormat.JSON:
        output.print_json(variables)
    else:
        output.print_line(shell_file(variables).rstrip())
