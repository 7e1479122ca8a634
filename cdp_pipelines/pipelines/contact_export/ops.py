"""The four steps of a contact export: load_request -> render_file -> deliver -> finish.

Nothing larger than an id or a path passes between them; each reads the job document anew.
"""

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg

from cdp_pipelines.domain.contact_export.delivery import Outcome, outcome_of, variant_of
from cdp_pipelines.domain.errors import CancelRequested, PermanentFailure
from cdp_pipelines.domain.people_words import all_in_language
from cdp_pipelines.pipelines.contact_export import conclude, intake
from cdp_pipelines.pipelines.contact_export.config import LoadRequestConfig
from cdp_pipelines.pipelines.contact_export.deliver import notify, send_email, store_file
from cdp_pipelines.pipelines.contact_export.kind import CONTACT_EXPORT
from cdp_pipelines.pipelines.contact_export.render import plan_export, render
from cdp_pipelines.pipelines.contact_export.services import ContactExportResource, ExportServices
from cdp_pipelines.pipelines.exports.config import PASSING
from cdp_pipelines.pipelines.exports.ending import ending_badly
from cdp_pipelines.pipelines.exports.heartbeat import beat_of, owned_document
from cdp_pipelines.pipelines.exports.taking import still_admitted, take
from cdp_pipelines.resources.work_directory import WorkDirectoryResource

logger = logging.getLogger(__name__)

Document = dict[str, Any]


@dg.op(
    out=dg.Out(
        str,
        is_required=False,
        io_manager_key=PASSING,
        description="The request's job_id; nothing when there is nothing to do.",
    )
)
def load_request(
    context: dg.OpExecutionContext, config: LoadRequestConfig, contact_export: ContactExportResource
) -> Iterator[dg.Output[str]]:
    """Take ownership of the request; one that ended, or that another run works on, is left alone."""
    services = contact_export.services()
    document = take(context, CONTACT_EXPORT, services, config.request_id)
    if document is None:
        return
    request_id = document["job_id"]
    with ending_badly(CONTACT_EXPORT, services, document, beat_of(context, services, request_id)):
        if _was_concluded(context, services, document):
            return
        services.limits.check()
        if not still_admitted(CONTACT_EXPORT, services, document):
            return
    yield dg.Output(request_id)


def _was_concluded(context: dg.OpExecutionContext, services: ExportServices, document: Document) -> bool:
    if document.get("cancel_requested") is True:
        raise CancelRequested
    settled = conclude.settle_by_email(services, document)
    if settled is not None:
        context.log.info("[%s] its email had gone out before; ended as %s", document["job_id"], settled)
    return settled is not None


@dg.op(
    out=dg.Out(
        dict,
        is_required=False,
        io_manager_key=PASSING,
        description="{job_id, path}: the request and its finished temporary file.",
    )
)
def render_file(
    context: dg.OpExecutionContext,
    request_id: str,
    contact_export: ContactExportResource,
    work_directory: WorkDirectoryResource,
) -> Iterator[dg.Output[dict[str, str]]]:
    """Stream the contacts into a file: batches of 500, only the fields asked, temporary and gone on every way out."""
    services = contact_export.services()
    beat = beat_of(context, services, request_id)
    document = owned_document(services, beat)
    with ending_badly(CONTACT_EXPORT, services, document, beat):
        plan = plan_export(services, intake.reread(services, document))
        as_read: dict[str, Any] = {
            "exported_fields": [column.field.name for column in plan.columns],
            "exported_layout_id": plan.layout_id,
        }
        services.jobs.keep(document, **as_read)
        warnings = all_in_language(plan.warnings, document.get("locale"))
        beat(matched_count=plan.matched_count, truncated=plan.truncated, warnings=warnings, **as_read)
        path, tally, file_warnings = render(services, plan, work_directory.path(), beat)
        beat(
            total_records=tally.total,
            success_count=tally.written,
            failed_count=tally.failed,
            list_failed_rows=tally.listed,
            warnings=all_in_language([*plan.warnings, *file_warnings], document.get("locale")),
        )
        if outcome_of(plan.request.selection.mode, written=tally.written, failed=tally.failed) == "failed":
            raise PermanentFailure(
                "NO_CONTACT_FOUND", f"None of the {tally.total:,} customers asked for could be exported."
            )
    yield dg.Output({"job_id": request_id, "path": str(path)})


@dg.op(
    out=dg.Out(
        str, is_required=False, io_manager_key=PASSING, description="The request's job_id, once everything was sent."
    )
)
def deliver(
    context: dg.OpExecutionContext, rendered: dict[str, str], contact_export: ContactExportResource
) -> Iterator[dg.Output[str]]:
    """Upload the file, make its link, send the one email, then the notification; each is recorded and done once."""
    services = contact_export.services()
    beat = beat_of(context, services, rendered["job_id"])
    path = Path(rendered["path"])
    document = owned_document(services, beat)
    with ending_badly(CONTACT_EXPORT, services, document, beat):
        result = store_file(services, document, path, beat)
        document = {**document, "object_key": result["key"], "result": result}
        beat(result=result)
        variant = variant_of(_outcome(document))
        send_email(services, document, variant, path)
        # From here on the user has the file: the job ends as the email said, so a late cancel is not heeded.
        notify(services, document, variant)
    yield dg.Output(rendered["job_id"])


@dg.op(out=dg.Out(dg.Nothing))
def finish(context: dg.OpExecutionContext, request_id: str, contact_export: ContactExportResource) -> dg.Output[None]:
    """Turn the request terminal, keep its history and audit trail, and show its figures in the UI."""
    services = contact_export.services()
    beat = beat_of(context, services, request_id)
    document = owned_document(services, beat, heed_cancel=False)
    outcome = _outcome(document)
    conclude.finish(services, document, outcome)
    started = document.get("started_at") or services.now()
    return dg.Output(
        None,
        metadata={
            "dagster/row_count": document.get("success_count", 0),
            "failed_rows": document.get("failed_count", 0),
            "matched": document.get("matched_count", 0),
            "truncated": document.get("truncated") is True,
            "columns": len(document.get("exported_fields") or []),
            "format": str(document.get("format", "")).lower(),
            "size_bytes": (document.get("result") or {}).get("size_bytes", 0),
            "seconds": round((services.now() - started).total_seconds(), 2),
            "status": outcome,
            "warnings": len(document.get("warnings") or []),
            "request_id": request_id,
        },
    )


def _outcome(document: Document) -> Outcome:
    mode = document.get("selection_mode") or "contact_ids"
    return outcome_of(mode, written=document.get("success_count", 0), failed=document.get("failed_count", 0))
