"""The `cdp` command: one module a group of commands, joined here.

Belongs here: the root command. Modules import heavy things inside their commands, so that `cdp --help` starts at once.
"""

from typing import Annotated

import typer

from cdp_pipelines.cli import (
    demo_command,
    doctor_command,
    export_commands,
    local_commands,
    mail_commands,
    metrics_command,
    migrate_commands,
    migration_commands,
)
from cdp_pipelines.cli.exit_codes import HELP
from cdp_pipelines.cli.group import CdpGroup

app = typer.Typer(
    name="cdp",
    cls=CdpGroup,
    help="Customer exports and migrations of the customer-data platform.",
    epilog=HELP,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.add_typer(export_commands.app, name="export")
app.add_typer(local_commands.app, name="local")
app.add_typer(migration_commands.app, name="migrate")
app.add_typer(migrate_commands.app, name="migrate-indexes")
app.add_typer(mail_commands.app, name="mail")
app.command("doctor")(doctor_command.doctor)
app.command()(metrics_command.metrics)
app.command("demo")(demo_command.demo)


def _show_version(value: bool) -> None:  # noqa: FBT001 - Typer's signature
    if value:
        from importlib.metadata import version

        typer.echo(f"cdp {version('cdp-pipelines')}")
        raise typer.Exit


@app.callback()
def root(
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks and log lines.")] = False,
    version: Annotated[  # noqa: ARG001 - its callback acts
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and leave.")
    ] = False,
) -> None:
    """Customer exports and migrations of the customer-data platform."""
    import logging

    logging.basicConfig(level=logging.DEBUG if debug else logging.ERROR, format="%(levelname)s %(name)s: %(message)s")


def main() -> None:
    """The entry point of the `cdp` script."""
    app()
