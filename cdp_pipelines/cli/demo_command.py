"""`cdp demo`: everything on this machine, from an empty folder to the mails with their files and the full timelines.

Belongs here: starting, stopping and the exit code. Not here: what happens in between (`demo/`).
"""

import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from cdp_pipelines.cli import output
from cdp_pipelines.cli.exit_codes import FAILED, OK
from cdp_pipelines.cli.options import DEFAULT_ROOT, JsonOption, RootOption

if TYPE_CHECKING:
    from cdp_pipelines.cli.demo.dagster_processes import DagsterProcesses
    from cdp_pipelines.cli.demo.entity_outcome import EntityOutcome
    from cdp_pipelines.cli.demo.migration_outcome import MigrationOutcome
    from cdp_pipelines.cli.demo.migration_view import Timeline
    from cdp_pipelines.cli.demo.note_view import ShownNote
    from cdp_pipelines.cli.demo.outcome import DemoOutcome
    from cdp_pipelines.local.stack import LocalStack
    from cdp_pipelines.pipelines.migrations.kinds import MigrationKind

DEFAULT_TIMEOUT_SECONDS: Final = 600.0


def demo(
    ui: Annotated[bool, typer.Option("--ui", help="Start the Dagster UI as well, and leave all running.")] = False,
    fresh: Annotated[bool, typer.Option("--fresh", help="Begin with empty servers.")] = False,
    scale: Annotated[float, typer.Option(min=0.001, max=10, help="Share of the demo's 35,550 contacts to make.")] = 1.0,
    keep_running: Annotated[bool, typer.Option("--keep-running", help="Leave servers and daemon running.")] = False,
    timeout: Annotated[
        float, typer.Option(min=1, help="Seconds for exports and migrations.")
    ] = DEFAULT_TIMEOUT_SECONDS,
    root: RootOption = DEFAULT_ROOT,
    as_json: JsonOption = False,
) -> None:
    """Show it all: local servers, demo data, a real Dagster daemon, requests in the queues, files, mails, timelines.

    Takes three to four minutes. Needs no settings and reaches nothing outside this machine. Ends with 1 if a request
    does not end as it must.
    """
    from cdp_pipelines.cli.demo.dagster_processes import DagsterProcesses
    from cdp_pipelines.local.interrupts import interrupts_wait
    from cdp_pipelines.local.stack import LocalStack

    stack, dagster = LocalStack(root), DagsterProcesses(root)
    begun = time.monotonic()
    stays = False
    try:
        played = _play(stack, dagster, ui=ui, fresh=fresh, scale=scale, timeout_seconds=timeout)
        stays = ui or keep_running
    finally:
        if not stays:
            with interrupts_wait():
                output.note("Stopping what the demo started …")
                dagster.stop()
                stack.down()
    raise typer.Exit(_conclude(played, stack.root, time.monotonic() - begun, stays=stays, as_json=as_json))


@dataclass(frozen=True, slots=True)
class Played:
    """All that the demo did."""

    exports: list["DemoOutcome"]
    entities: list["EntityOutcome"]
    migrations: list[tuple["MigrationKind", list["MigrationOutcome"]]]
    timeline: "Timeline | None"
    note: "ShownNote | None"
    ui_url: str

    @property
    def migrated(self) -> list["MigrationOutcome"]:
        """The migrations of all kinds."""
        return [outcome for _, found in self.migrations for outcome in found]

    def number(self) -> int:
        """How many requests there were."""
        return len(self.exports) + len(self.entities) + len(self.migrated)

    def wrong(self) -> int:
        """How many requests did not end as they must."""
        differences = [outcome.differences() for outcome in self.exports]
        differences += [outcome.differences() for outcome in self.entities]
        differences += [outcome.differences() for outcome in self.migrated]
        return sum(1 for found in differences if found)


def _play(
    stack: "LocalStack", dagster: "DagsterProcesses", *, ui: bool, fresh: bool, scale: float, timeout_seconds: float
) -> Played:
    from cdp_pipelines.cli.demo import entity_queue, entity_run, migrations, run
    from cdp_pipelines.cli.demo.note_view import shown_note
    from cdp_pipelines.cli.demo.steps import step
    from cdp_pipelines.cli.demo.watching import watch
    from cdp_pipelines.cli.local_environment import only_local
    from cdp_pipelines.cli.local_setup import prepare
    from cdp_pipelines.cli.migration_kinds import known_migration
    from cdp_pipelines.cli.services import entity_services, export_services, migration_services

    with step("Starting the local servers"):
        dagster.stop()
        variables = stack.up(fresh).variables
    only_local(variables)
    prepare(output.note, local_crm=variables["CRM_AUDIT_DATABASE_URL"])
    logs, notes = known_migration("activity-logs").kind, known_migration("contact-notes").kind
    with (
        export_services() as services,
        entity_services() as entity,
        migration_services(logs) as crm,
        migration_services(notes) as crm_notes,
    ):
        run.clear_the_way(services)
        entity_queue.clear_the_way(entity)
        for migrating in (crm, crm_notes):
            migrations.clear_the_way(migrating)
        # Loading the code takes them some seconds, in which the demo data is written.
        dagster.start_daemon()
        ui_url = dagster.start_webserver() if ui else ""
        run.load_data(services, scale=scale)
        entity_run.load_data(entity, scale=scale)
        migrations.load_crm(crm, scale=scale)
        if ui_url:
            with step("Waiting for the Dagster UI"):
                dagster.await_webserver(ui_url)
        timeline = migrations.timeline_before(crm)
        # First, because the largest company takes longest, and no company gets more than two runs at once.
        migrated, migrated_notes = migrations.queue_starts(crm), migrations.queue_starts(crm_notes)
        exports = run.queue_requests(services, scale=scale)
        entities = entity_queue.queue_requests(entity, scale=scale)
        # The shorter one first: a low terminal shows the top.
        parts = (
            migrations.MigrationsPart(crm_notes, migrated_notes),
            migrations.MigrationsPart(crm, migrated),
            entity_run.EntityExportsPart(entity, entities),
            run.ExportsPart(services, exports),
        )
        watch(parts, dagster, timeout_seconds=timeout_seconds)
        with step("Fetching the files and reading the mails"):
            run.collect_files(services, exports, stack.root / "demo")
            run.collect_mails(exports, Path(variables["CDP_MAILDIR"]))
            entity_run.collect_files(entities, stack.root / "demo" / "entities")
            maildir = Path(variables["CDP_MAILDIR"])
            entity_run.collect_notices(entities, maildir=maildir, api_records=stack.api_records_path())
        migrations.count_failures(crm, migrated)
        migrations.count_failures(crm_notes, migrated_notes)
        timeline = migrations.timeline_after(crm, timeline)
        note = shown_note(crm_notes)
    return Played(exports, entities, [(logs, migrated), (notes, migrated_notes)], timeline, note, ui_url)


def _conclude(played: Played, root: Path, seconds: float, *, stays: bool, as_json: bool) -> int:
    from cdp_pipelines.cli.demo.entity_view import print_entity_exports
    from cdp_pipelines.cli.demo.migration_view import print_migrations, print_timeline
    from cdp_pipelines.cli.demo.note_view import print_note
    from cdp_pipelines.cli.demo.view import further_lines, print_final

    wrong, number = played.wrong(), played.number()
    if as_json:
        output.print_json(
            {
                "ok": not wrong,
                "seconds": round(seconds, 1),
                "ui_url": played.ui_url or None,
                "files": str(root / "demo"),
                "requests": [outcome.facts() for outcome in played.exports],
                "entity_exports": [outcome.facts() for outcome in played.entities],
                "migrations": [outcome.facts() for outcome in played.migrated],
                "timeline": played.timeline.facts() if played.timeline else None,
                "note": played.note.facts() if played.note else None,
            }
        )
        return FAILED if wrong else OK
    print_final(played.exports)
    output.print_line("")
    print_entity_exports(played.entities)
    output.print_line("")
    for kind, found in played.migrations:
        print_migrations(kind, found)
        output.print_line("")
    print_timeline(played.timeline)
    print_note(played.note)
    output.print_line("")
    verdict = f"{wrong} of {number} requests did NOT end" if wrong else f"All {number} requests ended"
    output.print_line(f"{verdict} as they must, in {seconds:.0f} seconds.")
    for line in further_lines(root, root / "demo", ui_url=played.ui_url, kept_running=stays):
        output.print_line(line)
    return FAILED if wrong else OK
