"""`cdp export …`: ask for exports, watch, fetch and remove them.

Belongs here: the commands that take an export of either kind. Not here: any rule about exports; these call what the
sensors and the runs call.
"""

import sys
from pathlib import Path
from typing import Annotated

import typer

from cdp_pipelines.cli import (
    entity_objects,
    entity_schedules,
    entity_templates,
    entity_webhook,
    export_request,
    output,
)
from cdp_pipelines.cli.exit_codes import Refused
from cdp_pipelines.cli.options import DEFAULT_TIMEOUT_SECONDS, JobArgument, JsonOption, TimeoutOption

app = typer.Typer(help="Ask for exports, watch, fetch and remove them.", no_args_is_help=True)
app.command()(export_request.request)


@app.command()
def status(
    job: JobArgument,
    watch: Annotated[bool, typer.Option("--watch", help="Wait for the end, with a progress bar.")] = False,
    timeout: TimeoutOption = DEFAULT_TIMEOUT_SECONDS,
    as_json: JsonOption = False,
) -> None:
    """Show one export. With --watch the command ends as the export did: 0, 1 failed or canceled, 2 refused."""
    from cdp_pipelines.cli.export_kinds import exports_of
    from cdp_pipelines.cli.export_status import show, show_end

    with exports_of(job) as exports:
        document = exports.require(job)
        if watch:
            raise typer.Exit(show_end(exports, exports.id_of(document), timeout, as_json=as_json))
        show(exports, document, as_json=as_json)


@app.command("list")
def list_exports(
    company: Annotated[str, typer.Option(help="Only of this company_sso_id.")] = "",
    status: Annotated[str, typer.Option(help="Only in this status.")] = "",
    exported_object: Annotated[str, typer.Option("--object", help="Only of this: contact, voucher, order, …")] = "",
    limit: Annotated[int, typer.Option(min=1, max=1_000, help="At most this many.")] = 20,
    as_json: JsonOption = False,
) -> None:
    """Show recent exports of contacts and of objects, newest first."""
    from cdp_pipelines.cli.entity_view import export_facts, export_row
    from cdp_pipelines.cli.export_queries import recent_exports
    from cdp_pipelines.cli.export_table import exports_table
    from cdp_pipelines.cli.export_view import job_facts, job_row
    from cdp_pipelines.cli.services import export_services

    with export_services() as services:
        found = recent_exports(
            services.database, company_sso_id=company, status=status, exported_object=exported_object, limit=limit
        )
    if as_json:
        output.print_json([(job_facts if e.kind == "contact" else export_facts)(e.document) for e in found])
    elif found:
        rows = [(job_row if each.kind == "contact" else export_row)(each.document) for each in found]
        output.stdout().print(exports_table(rows))
    else:
        output.note("No exports. Ask for one with: cdp export request --help")


@app.command()
def cancel(job: JobArgument, as_json: JsonOption = False) -> None:
    """Ask an export to stop; it does within one batch of rows, and no file stays."""
    from cdp_pipelines.cli.export_kinds import exports_of

    with exports_of(job) as exports:
        job_id = exports.id_of(exports.require(job))
        current = exports.queue.request_cancel(job_id)
        ended = exports.has_ended(current)
    if ended:
        raise Refused("EXPORT_ENDED", f"This export has ended ({current}); there is nothing to stop.")
    if as_json:
        output.print_json({"job_id": job_id, "status": current, "cancel_requested": True})
    else:
        output.print_line(f"Asked to stop; it is {current}. See: cdp export status {job_id} --watch")


@app.command()
def download(
    job: JobArgument,
    output_path: Annotated[Path | None, typer.Option("--output", "-o", help="File or folder (here).")] = None,
    link: Annotated[bool, typer.Option("--link", help="Through the link that the user got, not the store.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace a file that is there.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Fetch the file of an export and see that all of it arrived; of one in parts, all of them into a folder."""
    from cdp_pipelines.cli.export_kinds import Target, exports_of

    target = Target(output_path, via="link" if link else "store", overwrite=force)
    with exports_of(job) as exports:
        facts, lines = exports.download(exports.require(job), target)
    if as_json:
        output.print_json(facts)
        return
    for line in lines:
        output.print_line(line)


@app.command()
def purge(
    job: JobArgument,
    by: Annotated[str, typer.Option(help="Who removes it, for the audit trail.")],
    yes: Annotated[bool, typer.Option("--yes", help="Do it without asking.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Remove an export's files and personal data before their time (right to delete). The audit trail says so."""
    from cdp_pipelines.cli.export_kinds import exports_of

    if not by.strip():
        raise Refused("NAME_MISSING", "Say who removes it: --by NAME. It goes into the audit trail.")
    with exports_of(job) as exports:
        document = exports.require(job)
        job_id = exports.id_of(document)
        if not exports.has_ended(document.get("status")):
            raise Refused(
                "EXPORT_NOT_ENDED", f"This export is {document.get('status')}. First: cdp export cancel {job}"
            )
        _confirm(job_id, yes=yes)
        exports.purge(document, by=by.strip())
    if as_json:
        output.print_json({"job_id": job_id, "purged": True, "purged_by": by.strip()})
    else:
        output.print_line(f"The file and the personal data of {job_id} are gone.")


def _confirm(job_id: str, *, yes: bool) -> None:
    if yes:
        return
    if not sys.stdin.isatty():
        raise Refused("CONFIRMATION_MISSING", "This cannot be undone, and nobody is here to ask. Add --yes.")
    typer.confirm(f"Remove the file and the personal data of {job_id} for good?", abort=True, err=True)


@app.command()
def failures(job: JobArgument, as_json: JsonOption = False) -> None:
    """Show all failed rows of an export: the contact's id, the reason's code, details. Only contacts can fail alone."""
    from cdp_pipelines.cli.export_kinds import exports_of

    with exports_of(job) as exports:
        rows = exports.failures(exports.require(job))
    if as_json:
        output.print_json(rows)
        return
    for row in rows:
        output.print_line(f"{row['id']}\t{row['reason_code']}\t{row['details'] or ''}".rstrip())
    output.note(f"{len(rows)} failed rows." if rows else "No failed rows.")


app.command()(entity_objects.objects)
app.add_typer(entity_templates.app, name="template")
app.add_typer(entity_schedules.app, name="schedule")
app.command()(entity_webhook.webhook_secret)
