"""`cdp migrate-indexes …`: the numbered, reversible changes of MongoDB's indexes."""

from typing import Annotated

import typer

from cdp_pipelines.cli import output
from cdp_pipelines.cli.exit_codes import FAILED, OK, Refused
from cdp_pipelines.cli.options import JsonOption

app = typer.Typer(help="Apply the index migrations of MongoDB, or take them back.", no_args_is_help=True)


@app.command()
def up(as_json: JsonOption = False) -> None:
    """Apply all that are missing, in order. Repeating it changes nothing."""
    from cdp_pipelines.cli.services import export_services
    from cdp_pipelines.stores.migrations.runner import Migrator

    with export_services() as services:
        done = Migrator(services.database).up(output.note)
    _report([migration.number for migration in done], "applied", as_json=as_json)


@app.command()
def down(
    to: Annotated[int, typer.Option("--to", min=0, metavar="N", help="Take back every migration above this number.")],
    as_json: JsonOption = False,
) -> None:
    """Take migrations back, newest first. Documents stay; sensors stop until the indexes are there again."""
    from cdp_pipelines.cli.services import export_services
    from cdp_pipelines.stores.migrations.catalogue import MIGRATIONS
    from cdp_pipelines.stores.migrations.runner import Migrator

    last = MIGRATIONS[-1].number
    if to > last:
        raise Refused("MIGRATION_UNKNOWN", f"There is no migration {to}; the last is {last}.")
    with export_services() as services:
        done = Migrator(services.database).down(to, output.note)
    _report([migration.number for migration in done], "taken back", as_json=as_json)


@app.command()
def status(as_json: JsonOption = False) -> None:
    """Show which are in force. Ends with 1 if some are missing."""
    from cdp_pipelines.cli.services import export_services
    from cdp_pipelines.stores.migrations.catalogue import MIGRATIONS
    from cdp_pipelines.stores.migrations.runner import Migrator

    with export_services() as services:
        applied = Migrator(services.database).applied()
    rows = [{"number": m.number, "name": m.name, "applied": m.number in applied} for m in MIGRATIONS]
    if as_json:
        output.print_json(rows)
    else:
        for row in rows:
            output.print_line(f"{row['number']:04d} {row['name']:<24} {'applied' if row['applied'] else 'missing'}")
    raise typer.Exit(OK if all(row["applied"] for row in rows) else FAILED)


def _report(numbers: list[int], verb: str, *, as_json: bool) -> None:
    if as_json:
        output.print_json({verb.replace(" ", "_"): numbers})
    else:
        listed = ", ".join(f"{number:04d}" for number in numbers)
        output.print_line(f"{verb.capitalize()}: {listed}." if numbers else "Nothing to do.")
