"""`cdp doctor`: looks at every outside system and says what is wrong and what to do. Changes nothing, sends nothing.

Belongs here: which checks there are, and showing them. Not here: the checks (`doctor/`).
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Final

import typer

from cdp_pipelines.cli import output
from cdp_pipelines.cli.exit_codes import FAILED, OK, Refused
from cdp_pipelines.cli.options import JsonOption

if TYPE_CHECKING:
    from rich.table import Table

    from cdp_pipelines.cli.doctor.findings import Check, Finding

SYSTEMS: Final = (
    "mongodb", "dagster", "s3", "mail", "notifications", "export-history", "crm", "notes", "launchpad", "alerts",
    "entity-exports", "temp", "limits",
)  # fmt: skip

OnlyOption = Annotated[list[str] | None, typer.Option("--only", help=f"Just this: {', '.join(SYSTEMS)}.")]
SkipOption = Annotated[list[str] | None, typer.Option("--skip", help="Not this; can be repeated.")]


def doctor(
    only: OnlyOption = None,
    skip: SkipOption = None,
    fix_expiry_rule: Annotated[
        bool, typer.Option("--fix-expiry-rule", help="Set the bucket's rule that removes exported files after 2 days.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Check every outside system; say what is wrong and what to do. Ends with 1 if something needed is broken."""
    from cdp_pipelines.cli.local_environment import adopt_local_environment

    systems = chosen_systems(only or SYSTEMS, skip or ())
    adopt_local_environment()
    if fix_expiry_rule:
        _set_expiry_rule()
    found = _examine(systems)
    if as_json:
        output.print_json({"ok": exit_code_of(found) == OK, "findings": [finding.facts() for finding in found]})
    else:
        output.stdout().print(findings_table(found))
        output.print_line(verdict(found))
    raise typer.Exit(exit_code_of(found))


def chosen_systems(only: Sequence[str], skip: Sequence[str]) -> list[str]:
    """The systems to look at, in their order.

    Raises:
        Refused: `SYSTEM_UNKNOWN`.
    """
    unknown = sorted({*only, *skip} - set(SYSTEMS))
    if unknown:
        raise Refused("SYSTEM_UNKNOWN", f"There is no system {unknown[0]}; there are {', '.join(SYSTEMS)}.")
    return [system for system in SYSTEMS if system in only and system not in skip]


def exit_code_of(findings: Sequence["Finding"]) -> int:
    """1 if anything that is needed is broken."""
    return FAILED if any(finding.state == "broken" for finding in findings) else OK


def verdict(findings: Sequence["Finding"]) -> str:
    """One sentence about all of it."""
    broken = [finding for finding in findings if finding.state == "broken"]
    if not broken:
        return "All that is needed works."
    first = broken[0]
    return f"{len(broken)} broken. First: {first.system}, {first.check}: {first.advice or first.detail}"


def findings_table(findings: Sequence["Finding"]) -> "Table":
    """Findings in rows; a system is named once."""
    from rich.table import Table
    from rich.text import Text

    from cdp_pipelines.cli.doctor.findings import STYLES, SYMBOLS

    table = Table(box=None, pad_edge=False)
    for name in ("system", "", "check", "what was found", "what to do"):
        table.add_column(name, overflow="fold")
    before = ""
    for finding in findings:
        system = "" if finding.system == before else finding.system
        before = finding.system
        symbol = Text(SYMBOLS[finding.state], style=STYLES[finding.state])
        table.add_row(system, symbol, finding.check, finding.detail, finding.advice)
    return table


def _examine(systems: Sequence[str]) -> list["Finding"]:
    from cdp_pipelines.cli.doctor.findings import run_check

    checks = _checks()
    found: list[Finding] = []
    with output.stderr().status("") as spinner:
        for system in systems:
            spinner.update(f"Looking at {system} …")
            found += run_check(system, checks[system])
    return found


def _checks() -> dict[str, "Check"]:
    from cdp_pipelines.cli.doctor import crm, dagster, entity_exports, machine, mongo, neighbours, notes, object_store

    return {
        "mongodb": mongo.check_mongo,
        "dagster": dagster.check_dagster,
        "s3": object_store.check_object_store,
        "mail": neighbours.check_mail,
        "notifications": neighbours.check_notifications,
        "export-history": neighbours.check_export_history,
        "crm": crm.check_crm,
        "notes": notes.check_notes,
        "launchpad": neighbours.check_launchpad,
        "alerts": neighbours.check_alerts,
        "entity-exports": entity_exports.check_entity_exports,
        "temp": machine.check_temporary_files,
        "limits": machine.check_limits,
    }


def _set_expiry_rule() -> None:
    from cdp_pipelines.cli.local_setup import set_expiry_rule

    output.note(set_expiry_rule())
