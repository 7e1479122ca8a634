"""`cdp migrate …`: start, watch, stop, mend and take back migrations into the CDP.

Belongs here: the commands. Not here: any rule about migrations; these call what the sensor and the runs call.
"""

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

from cdp_pipelines.cli import output
from cdp_pipelines.cli.exit_codes import Refused
from cdp_pipelines.cli.migration_kinds import NAMES, known_migration
from cdp_pipelines.cli.options import JsonOption

if TYPE_CHECKING:
    from cdp_pipelines.domain.companies import Company
    from cdp_pipelines.pipelines.migrations.services import MigrationServices

app = typer.Typer(
    help="Start migrations of CRM data into the CDP, watch, stop, mend and take them back.", no_args_is_help=True
)

WhatArgument: TypeAlias = Annotated[str, typer.Argument(metavar="MIGRATION", help=f"Which: {', '.join(NAMES)}.")]
CompanyOption: TypeAlias = Annotated[
    list[str] | None, typer.Option("--company", help="A company_sso_id; can be repeated.")
]
AllOption: TypeAlias = Annotated[bool, typer.Option("--all-companies", help="Every company there is.")]
RequestOption: TypeAlias = Annotated[str, typer.Option("--request", help="The id that start or rollback printed.")]
ByOption: TypeAlias = Annotated[str, typer.Option("--requested-by", help="Who asks, for the tags of the run.")]
TimeoutOption: TypeAlias = Annotated[
    float | None, typer.Option("--timeout", min=1, help="Stop watching after so many seconds (never).")
]
WatchOption: TypeAlias = Annotated[bool, typer.Option("--watch", help="Wait for the end, with progress bars.")]


@app.command()
def start(
    what: WhatArgument,
    company: CompanyOption = None,
    every: AllOption = False,
    force: Annotated[
        bool, typer.Option("--force", help="Also a completed company, and from the first row; what is there stays.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Everything but the writing, with a report.")] = False,
    since: Annotated[str, typer.Option(metavar="INSTANT", help="Only rows since then: a date or RFC 3339.")] = "",
    shards: Annotated[int | None, typer.Option(help="Ranges to work through side by side (by size).")] = None,
    page_rows: Annotated[int | None, typer.Option(help="Rows a page (500).")] = None,
    requested_by: ByOption = "",
    watch: WatchOption = False,
    timeout: TimeoutOption = None,
    as_json: JsonOption = False,
) -> None:
    """Put starts into the queue, after the same admission as everywhere. A halted or interrupted company goes on.

    A refused company is not queued: its code and what to mend are shown, and the command ends with 2; the others are.
    With --all-companies those whose switch is off, or that are migrated already, are left out instead.
    """
    from cdp_pipelines.cli.migration_answers import Wanted, conclude
    from cdp_pipelines.cli.migration_ask import AskedMigration, ask_start
    from cdp_pipelines.cli.services import migration_services
    from cdp_pipelines.stores.migrations.runner import Migrator

    migration = known_migration(what)
    _require_choice(company, every=every)
    asked = AskedMigration(force=force, dry_run=dry_run, since=since.strip(), shards=shards, page_rows=page_rows)
    by = _requested_by(requested_by)
    with migration_services(migration.kind) as services:
        companies = _chosen(services, company, every=every)
        Migrator(services.database).require_current()
        answers = [ask_start(services, one, asked, requested_by=by) for one in companies]
        left_out = ("FLAG_DISABLED", migration.kind.completed_code) if every else ()
        wanted = Wanted(left_out=left_out, watch=watch, timeout_seconds=timeout, as_json=as_json)
        raise typer.Exit(conclude(services, migration, answers, wanted))


@app.command()
def rollback(
    what: WhatArgument,
    company: CompanyOption = None,
    confirm: Annotated[
        list[str] | None, typer.Option("--confirm", metavar="COMPANY", help="The company's key once more.")
    ] = None,
    requested_by: ByOption = "",
    watch: WatchOption = False,
    timeout: TimeoutOption = None,
    as_json: JsonOption = False,
) -> None:
    """Put rollbacks into the queue: what the migration wrote for a company is deleted, and nothing else.

    Each company must be confirmed by its key, with --confirm or typed when asked.
    """
    from cdp_pipelines.cli.migration_answers import Wanted, conclude, confirmation
    from cdp_pipelines.cli.migration_ask import ask_rollback
    from cdp_pipelines.cli.services import migration_services
    from cdp_pipelines.stores.migrations.runner import Migrator

    migration = known_migration(what)
    _require_choice(company)
    by = _requested_by(requested_by)
    with migration_services(migration.kind) as services:
        companies = _chosen(services, company)
        Migrator(services.database).require_current()
        # All are confirmed before the first is asked for.
        confirmed = [(one, confirmation(migration, one, confirm or [])) for one in companies]
        answers = [ask_rollback(services, one, confirm=text, requested_by=by) for one, text in confirmed]
        wanted = Wanted(watch=watch, timeout_seconds=timeout, as_json=as_json)
        raise typer.Exit(conclude(services, migration, answers, wanted))


@app.command()
def status(
    what: WhatArgument,
    company: CompanyOption = None,
    every: AllOption = False,
    request: RequestOption = "",
    shards: Annotated[bool, typer.Option("--shards", help="Also how far each range of ids is.")] = False,
    dry_runs: Annotated[bool, typer.Option("--dry-runs", help="The latest job even if it was a dry run.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Show the latest job of each company, or the request of this id with its job; not_started where there is none."""
    from cdp_pipelines.cli.migration_status import print_shards, print_states, state_of_request, states_of
    from cdp_pipelines.cli.migration_view import state_facts
    from cdp_pipelines.cli.services import migration_services

    migration = known_migration(what)
    _require_choice(company, every=every, request=request)
    with migration_services(migration.kind) as services:
        if request:
            states = [state_of_request(services, request)]
        else:
            states = states_of(services, _chosen(services, company, every=every), dry_runs=dry_runs)
    if as_json:
        output.print_json([state_facts(state, shards=shards) for state in states])
        return
    print_states(states)
    if shards:
        print_shards(states, migration.kind.jobs.cursor)


@app.command()
def watch(
    what: WhatArgument,
    company: CompanyOption = None,
    request: RequestOption = "",
    timeout: TimeoutOption = None,
    as_json: JsonOption = False,
) -> None:
    """Follow a company's open request, else its latest job, to the end. Ctrl-C stops the watching only.

    Ends with 0 (completed, also with errors in some rows; rolled back), 1 (halted, failed, canceled), 2 (rejected).
    """
    from cdp_pipelines.cli.migration_queries import require_request
    from cdp_pipelines.cli.migration_status import company_of, print_states, state_of_watched, what_to_watch
    from cdp_pipelines.cli.migration_view import state_facts
    from cdp_pipelines.cli.migration_watch import Watched, exit_code_of, watch_to_end
    from cdp_pipelines.cli.services import migration_services

    migration = known_migration(what)
    _require_choice(company, request=request)
    with migration_services(migration.kind) as services:
        if request:
            document = require_request(services, request)
            watched = [Watched(company_of(services, document["company_sso_id"]), document)]
        else:
            watched = [what_to_watch(services, migration.name, one) for one in _chosen(services, company)]
        watch_to_end(services, watched, timeout_seconds=timeout)
        states = [state_of_watched(services, one) for one in watched]
    if as_json:
        output.print_json([state_facts(state) for state in states])
    else:
        print_states(states)
    raise typer.Exit(exit_code_of([one.status for one in watched]))


@app.command()
def cancel(
    what: WhatArgument,
    company: CompanyOption = None,
    request: RequestOption = "",
    as_json: JsonOption = False,
) -> None:
    """Ask migrations to stop, by company or request; they do within one page. Starting again goes on from there."""
    from cdp_pipelines.cli.migration_stop import stop_company, stop_request
    from cdp_pipelines.cli.services import migration_services

    migration = known_migration(what)
    _require_choice(company, request=request)
    with migration_services(migration.kind) as services:
        if request:
            stopped = stop_request(services, request)
        else:
            stopped = [found for one in _chosen(services, company) for found in stop_company(services, one)]
    if as_json:
        output.print_json(stopped)
        return
    for found in stopped:
        output.print_line(f"Asked to stop: {found['company_sso_id']}, which is {found['status']}.")
    output.note(f"See: cdp migrate watch {migration.name} --company {stopped[0]['company_sso_id']}")


@app.command()
def replay(
    what: WhatArgument,
    company: CompanyOption = None,
    show: Annotated[bool, typer.Option("--list", help="Only show the quarantined rows.")] = False,
    evidence: Annotated[
        bool, typer.Option("--evidence", help="With --list: parts of the rows too; they may hold personal data.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Run the quarantined rows of a company again, here and now, after what failed them was mended."""
    from cdp_pipelines.cli.migration_replay import list_quarantine, replay_companies
    from cdp_pipelines.cli.services import migration_services

    if evidence and not show:
        raise Refused("LIST_MISSING", "--evidence belongs to --list.")
    migration = known_migration(what)
    _require_choice(company)
    with migration_services(migration.kind) as services:
        companies = _chosen(services, company)
        if show:
            list_quarantine(services, companies, evidence=evidence, as_json=as_json)
            return
        raise typer.Exit(replay_companies(services, migration, companies, as_json=as_json))


def _require_choice(keys: Sequence[str] | None, *, every: bool = False, request: str = "") -> None:
    """See that the person said what to work on, and said it once.

    Raises:
        Refused: `COMPANY_MISSING` or `COMPANY_AMBIGUOUS`.
    """
    given = sum((bool(keys), every, bool(request)))
    if given > 1:
        raise Refused("COMPANY_AMBIGUOUS", "Name companies, or all of them, or a request: one of these.")
    if not given:
        raise Refused("COMPANY_MISSING", "Say which company: --company KEY (can be repeated).")


def _chosen(services: "MigrationServices", keys: Sequence[str] | None, *, every: bool = False) -> list["Company"]:
    from cdp_pipelines.cli.migration_queries import all_companies, require_companies

    return all_companies(services) if every else require_companies(services, keys or [])


def _requested_by(given: str) -> str:
    return given.strip() or os.environ.get("USER", "") or "cdp-cli"
