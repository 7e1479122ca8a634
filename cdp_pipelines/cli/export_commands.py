"""`cdp export …`: ask for exports, watch, fetch and remove them.

Belongs here: the commands. Not here: any rule about exports; these call what the sensor and the runs call.
"""

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from cdp_pipelines.cli import output
from cdp_pipelines.cli.exit_codes import OK, REFUSED, Refused
from cdp_pipelines.cli.export_document import AskedExport, queued_document, read_filter, read_ids
from cdp_pipelines.cli.options import JobArgument, JsonOption

app = typer.Typer(help="Ask for customer exports, watch, fetch and remove them.", no_args_is_help=True)

TimeoutOption = Annotated[float, typer.Option("--timeout", min=1, help="Seconds to wait at most.")]
DEFAULT_TIMEOUT_SECONDS = 900.0


@app.command()
def request(
    company: Annotated[str, typer.Option(help="The company's company_sso_id.")],
    user: Annotated[str, typer.Option(help="user_sso_id of who asks.")],
    email: Annotated[str, typer.Option(help="Where the file goes.")],
    file_format: Annotated[str, typer.Option("--format", help="xlsx or csv.")] = "xlsx",
    contact_id: Annotated[list[str] | None, typer.Option("--id", help="A contact's id; can be repeated.")] = None,
    ids_file: Annotated[str, typer.Option(help="File of ids, one a line or a JSON list; - is standard input.")] = "",
    mode: Annotated[str, typer.Option(help="contact_ids, first_10k_sorted or filter; not needed with ids.")] = "",
    order_by: Annotated[str, typer.Option(help="Field to sort by (created_at).")] = "",
    order_direction: Annotated[str, typer.Option(help="asc or desc (desc).")] = "",
    filter_text: Annotated[str, typer.Option("--filter", metavar="JSON|@FILE", help="Condition or group.")] = "",
    start_date: Annotated[str, typer.Option(help="updated_at from here; a date or an RFC 3339 instant.")] = "",
    end_date: Annotated[str, typer.Option(help="updated_at up to here; an instant is excluded, a date included.")] = "",
    source: Annotated[list[str] | None, typer.Option(help="Only of this source; can be repeated.")] = None,
    layout: Annotated[str, typer.Option(help="layout_id (the company's default one).")] = "",
    field: Annotated[list[str] | None, typer.Option(help="A column, in this order; can be repeated (all).")] = None,
    timezone: Annotated[str, typer.Option(help="IANA id, such as Asia/Jakarta.")] = "",
    locale: Annotated[str, typer.Option(help="Language of the email, such as id or en.")] = "",
    permission: Annotated[
        list[str] | None, typer.Option(help="A permission of the user (customers_customers_export).")
    ] = None,
    wait: Annotated[bool, typer.Option("--wait", help="Wait for the end, with a progress bar.")] = False,
    timeout: TimeoutOption = DEFAULT_TIMEOUT_SECONDS,
    as_json: JsonOption = False,
) -> None:
    """Put an export into the queue, after the same admission as everywhere.

    A refused request is not queued: its code and what to mend are shown, and the command ends with 2.
    """
    asked = AskedExport(
        company=company,
        user=user,
        email=email,
        file_format=file_format,
        mode=mode,
        contact_ids=[*(contact_id or []), *(read_ids(ids_file) if ids_file else [])],
        order_by=order_by,
        order_direction=order_direction,
        filter=read_filter(filter_text),
        start_date=start_date,
        end_date=end_date,
        sources=source or [],
        layout=layout,
        fields=field or [],
        timezone=timezone,
        locale=locale,
        permissions=permission or ["customers_customers_export"],
    )
    raise typer.Exit(_request(asked, wait_seconds=timeout if wait else None, as_json=as_json))


def _request(asked: AskedExport, *, wait_seconds: float | None, as_json: bool) -> int:
    from cdp_pipelines.cli.services import export_services
    from cdp_pipelines.domain.admission import Rejected
    from cdp_pipelines.pipelines.contact_export.intake import judge
    from cdp_pipelines.stores.migrations.runner import Migrator

    with export_services() as services:
        Migrator(services.database).require_current()
        now = services.now()
        document = queued_document(asked, now=now)
        answer = judge(services, document, now=now)
        if isinstance(answer, Rejected):
            return _show_refusal(answer, as_json=as_json)
        services.jobs.insert(document)
        if wait_seconds is not None:
            output.note(f"Queued as {document['job_id']}.")
            return _wait(services, document["job_id"], wait_seconds, as_json=as_json)
    if as_json:
        output.print_json({"job_id": document["job_id"], "status": "queued", "warnings": list(answer.warnings)})
        return OK
    output.print_line(f"Queued as {document['job_id']}.")
    for warning in answer.warnings:
        output.print_line(f"Note: {warning}")
    output.note(f"Watch it with: cdp export status {document['job_id']} --watch")
    return OK


def _show_refusal(rejected: Any, *, as_json: bool) -> int:
    if as_json:
        output.print_json({"error": rejected.as_document()})
    console = output.stderr()
    console.print(f"✘ {rejected.code} ({rejected.http_status}): {rejected.message}", style="bold red", soft_wrap=True)
    for name, value in rejected.details.items():
        if name == "problems":
            for problem in value:
                console.print(f"  {problem['field']} {problem['problem']}", soft_wrap=True)
        else:
            text = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
            console.print(f"  {name.replace('_', ' ')}: {text}", soft_wrap=True)
    return REFUSED


def _wait(services: Any, job_id: str, seconds: float, *, as_json: bool) -> int:
    from cdp_pipelines.cli.export_watch import exit_code_of_status, wait_for_end

    document = wait_for_end(services, job_id, timeout_seconds=seconds)
    _show(document, as_json=as_json)
    return exit_code_of_status(document["status"])


def _show(document: dict[str, Any], *, as_json: bool) -> None:
    from cdp_pipelines.cli.export_view import job_facts, job_lines

    if as_json:
        output.print_json(job_facts(document))
        return
    for line in job_lines(document):
        output.print_line(line)


@app.command()
def status(
    job: JobArgument,
    watch: Annotated[bool, typer.Option("--watch", help="Wait for the end, with a progress bar.")] = False,
    timeout: TimeoutOption = DEFAULT_TIMEOUT_SECONDS,
    as_json: JsonOption = False,
) -> None:
    """Show one export. With --watch the command ends as the export did: 0, 1 failed or canceled, 2 rejected."""
    from cdp_pipelines.cli.export_queries import require_job
    from cdp_pipelines.cli.services import export_services

    with export_services() as services:
        if watch:
            raise typer.Exit(_wait(services, require_job(services, job)["job_id"], timeout, as_json=as_json))
        _show(require_job(services, job), as_json=as_json)


@app.command("list")
def list_exports(
    company: Annotated[str, typer.Option(help="Only of this company_sso_id.")] = "",
    status: Annotated[str, typer.Option(help="Only in this status.")] = "",
    limit: Annotated[int, typer.Option(min=1, max=1_000, help="At most this many.")] = 20,
    as_json: JsonOption = False,
) -> None:
    """Show recent exports, newest first."""
    from cdp_pipelines.cli.export_queries import recent_jobs
    from cdp_pipelines.cli.export_view import job_facts, jobs_table
    from cdp_pipelines.cli.services import export_services

    with export_services() as services:
        found = recent_jobs(services, company_sso_id=company, status=status, limit=limit)
    if as_json:
        output.print_json([job_facts(document) for document in found])
    elif found:
        output.stdout().print(jobs_table(found))
    else:
        output.note("No exports. Ask for one with: cdp export request --help")


@app.command()
def cancel(job: JobArgument, as_json: JsonOption = False) -> None:
    """Ask an export to stop; it does within one batch of 500 contacts, and no file stays."""
    from cdp_pipelines.cli.export_queries import require_job
    from cdp_pipelines.cli.services import export_services
    from cdp_pipelines.domain.contact_export.delivery import TERMINAL_STATUSES

    with export_services() as services:
        job_id = require_job(services, job)["job_id"]
        current = services.jobs.request_cancel(job_id)
    if current in TERMINAL_STATUSES:
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
    """Fetch the file of an export and see that all of it arrived."""
    from cdp_pipelines.cli.export_download import download as fetch
    from cdp_pipelines.cli.export_download import result_of, target_path
    from cdp_pipelines.cli.export_queries import require_job
    from cdp_pipelines.cli.services import export_services

    with export_services() as services:
        document = require_job(services, job)
        path = target_path(result_of(document), output_path, overwrite=force)
        size = fetch(services, document, path, via="link" if link else "store")
    if as_json:
        output.print_json({"job_id": document["job_id"], "path": str(path), "size_bytes": size})
    else:
        output.print_line(f"{path} ({output.size_text(size)})")


@app.command()
def purge(
    job: JobArgument,
    by: Annotated[str, typer.Option(help="Who removes it, for the audit trail.")],
    yes: Annotated[bool, typer.Option("--yes", help="Do it without asking.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Remove an export's file and personal data before their time (right to delete). The audit trail says so."""
    from cdp_pipelines.cli.export_queries import require_job
    from cdp_pipelines.cli.services import export_services
    from cdp_pipelines.domain.contact_export.delivery import TERMINAL_STATUSES
    from cdp_pipelines.pipelines.contact_export.conclude import purge as purge_export

    if not by.strip():
        raise Refused("NAME_MISSING", "Say who removes it: --by NAME. It goes into the audit trail.")
    with export_services() as services:
        document = require_job(services, job)
        if document.get("status") not in TERMINAL_STATUSES:
            raise Refused(
                "EXPORT_NOT_ENDED", f"This export is {document.get('status')}. First: cdp export cancel {job}"
            )
        _confirm(document["job_id"], yes=yes)
        purge_export(services, document, by=by.strip())
    if as_json:
        output.print_json({"job_id": document["job_id"], "purged": True, "purged_by": by.strip()})
    else:
        output.print_line(f"The file and the personal data of {document['job_id']} are gone.")


def _confirm(job_id: str, *, yes: bool) -> None:
    if yes:
        return
    if not sys.stdin.isatty():
        raise Refused("CONFIRMATION_MISSING", "This cannot be undone, and nobody is here to ask. Add --yes.")
    typer.confirm(f"Remove the file and the personal data of {job_id} for good?", abort=True, err=True)


@app.command()
def failures(job: JobArgument, as_json: JsonOption = False) -> None:
    """Show all failed rows of an export: the contact's id, the reason's code, details."""
    from cdp_pipelines.cli.export_queries import require_job
    from cdp_pipelines.cli.services import export_services

    with export_services() as services:
        document = require_job(services, job)
        rows = [
            {"id": row.get("source_id"), "reason_code": row.get("reason_code"), "details": row.get("details")}
            for row in services.records.failures(document["job_id"], document["company_sso_id"])
        ]
    if as_json:
        output.print_json(rows)
        return
    for row in rows:
        output.print_line(f"{row['id']}\t{row['reason_code']}\t{row['details'] or ''}".rstrip())
    output.note(f"{len(rows)} failed rows." if rows else "No failed rows.")
