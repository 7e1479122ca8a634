"""The four steps of a contact export: load_request -> render_file -> deliver -> finish.

Nothing larger than an id or a path passes between them; each reads the job document anew.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import dagster as dg

from cdp_pipelines.domain.admission import Rejected
from cdp_pipelines.domain.contact_export.delivery import Outcome, outcome_of, variant_of
from cdp_pipelines.domain.errors import CancelRequested, CdpError, PermanentFailure
from cdp_pipelines.domain.events import event_line
from cdp_pipelines.pipelines.contact_export import conclude, intake
from cdp_pipelines.pipelines.contact_export.config import PASSING, TAG_REQUEST, LoadRequestConfig
from cdp_pipelines.pipelines.contact_export.deliver import notify, send_email, store_file
from cdp_pipelines.pipelines.contact_export.heartbeat import Beat, OwnershipLost
from cdp_pipelines.pipelines.contact_export.render import Plan, plan_export, render
from cdp_pipelines.pipelines.contact_export.services import ContactExportResource, ExportServices
from cdp_pipelines.resources.work_directory import WorkDirectoryResource
from cdp_pipelines.stores.export_queue import NotStarted, Started
from cdp_pipelines.stores.migrations.runner import Migrator

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
    Migrator(services.database).require_current()
    request_id = config.request_id or context.run.tags.get(TAG_REQUEST, "")
    if not request_id:
        raise dg.Failure(
            "No request: set request_id to the job_id of a document in bulk_upload_jobs. Exports are launched by the "
            "sensor contact_export_requests when such a document is queued.",
            allow_retries=False,
        )
    document = _take(context, services, request_id)
    if document is None:
        return
    with _ending_badly(services, document, _beat(context, services, request_id)):
        if _was_concluded(context, services, document):
            return
        answer = intake.judge(services, document, now=services.now())
        if isinstance(answer, Rejected):
            if "attempt" not in document:
                # Launched by hand before the queue's sensor judged it: the answer is the sensor's.
                conclude.reject_launched(services, document, answer)
                return
            # Admitted once, but its company changed meanwhile: the user waits for an email, so this is a failure.
            raise PermanentFailure(answer.code, answer.message, details=answer.details)
    yield dg.Output(request_id)


def _take(context: dg.OpExecutionContext, services: ExportServices, request_id: str) -> Document | None:
    """The job document, now this run's, or None when there is nothing to do."""
    company, run_id = context.partition_key, context.run_id
    started = services.jobs.start(request_id, company, run_id, now=services.now())
    if isinstance(started, NotStarted) and started.owner_run_id and _run_is_over(context, started.owner_run_id):
        owner = started.owner_run_id
        started = services.jobs.start(request_id, company, run_id, now=services.now(), take_over_from=owner)
    if isinstance(started, Started):
        if started.resumed:
            context.log.info("[%s] going on with a request that an earlier run had begun", request_id)
        return started.document
    if started is None:
        raise dg.Failure(
            f"The company of this partition has no export request {request_id}. Check the id and the partition.",
            allow_retries=False,
        )
    context.log.info("[%s] nothing to do: the request is %s", request_id, started.status)
    return None


def _run_is_over(context: dg.OpExecutionContext, run_id: str) -> bool:
    run = context.instance.get_run_by_id(run_id)
    return run is None or run.is_finished


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
    beat = _beat(context, services, request_id)
    document = _owned_document(services, beat)
    with _ending_badly(services, document, beat):
        plan = plan_export(services, intake.reread(services, document))
        _announce(plan, beat)
        path, tally, file_warnings = render(services, plan, work_directory.path(), beat)
        beat(
            total_records=tally.total,
            success_count=tally.written,
            failed_count=tally.failed,
            list_failed_rows=tally.listed,
            warnings=[*plan.warnings, *file_warnings],
        )
        if outcome_of(plan.request.selection.mode, written=tally.written, failed=tally.failed) == "failed":
            raise PermanentFailure(
                "NO_CONTACT_FOUND", f"None of the {tally.total:,} customers asked for could be exported."
            )
    yield dg.Output({"job_id": request_id, "path": str(path)})


def _announce(plan: Plan, beat: Beat) -> None:
    beat(
        matched_count=plan.matched_count,
        truncated=plan.truncated,
        warnings=list(plan.warnings),
        exported_fields=[column.field.name for column in plan.columns],
        exported_layout_id=plan.layout_id,
    )
    logger.info(
        event_line(
            "cdp_export_customer_triggered",
            request_id=beat.job_id,
            company_sso_id=beat.company_sso_id,
            contact_count=plan.matched_count,
            field_count=len(plan.columns),
            layout_id=plan.layout_id,
            format=plan.request.file_format,
        )
    )


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
    beat = _beat(context, services, rendered["job_id"])
    path = Path(rendered["path"])
    document = _owned_document(services, beat)
    with _ending_badly(services, document, beat):
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
    beat = _beat(context, services, request_id)
    document = _owned_document(services, beat, heed_cancel=False)
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


def _beat(context: dg.OpExecutionContext, services: ExportServices, request_id: str) -> Beat:
    return Beat(services, request_id, context.partition_key, context.run_id)


def _owned_document(services: ExportServices, beat: Beat, *, heed_cancel: bool = False) -> Document:
    """The job document as it stands, with the lease renewed."""
    beat(heed_cancel=heed_cancel)
    document = services.jobs.find(beat.job_id, company_sso_id=beat.company_sso_id)
    if document is None:
        raise OwnershipLost
    return document


@contextmanager
def _ending_badly(services: ExportServices, document: Document, beat: Beat) -> Iterator[None]:
    """End the job in the way that fits what went wrong inside, here and now: notices are sent inside the run.

    A cancel ends the run as a plain failure of its step; a lost job leaves the run without side effects.
    """
    try:
        yield
    except CancelRequested as exc:
        outcome = conclude.cancel(services, _latest(services, document))
        raise dg.Failure(f"[{beat.job_id}] canceled on request; ended as {outcome}.", allow_retries=False) from exc
    except OwnershipLost as exc:
        _forget_file(services, document)
        raise dg.Failure(f"[{beat.job_id}] {exc.message}", allow_retries=False) from exc
    except intake.RejectedMeanwhile as exc:
        refused = PermanentFailure(exc.rejected.code, exc.rejected.message, details=exc.rejected.details)
        conclude.fail(services, _latest(services, document), refused)
        raise dg.Failure(f"[{beat.job_id}] {refused}", allow_retries=False) from exc
    except CdpError as exc:
        conclude.fail(services, _latest(services, document), exc)
        raise dg.Failure(f"[{beat.job_id}] {exc}", allow_retries=False) from exc
    except dg.Failure:
        raise
    except Exception as exc:
        # A mistake in the program: the user is told in plain words, the developer by the run's stack trace.
        error = CdpError("INTERNAL_ERROR", "The export stopped because of an error in the program; we were told of it.")
        conclude.fail(services, _latest(services, document), error)
        raise dg.Failure(f"[{beat.job_id}] {type(exc).__name__} in the program.", allow_retries=False) from exc


def _latest(services: ExportServices, document: Document) -> Document:
    """The document as it stands, or as it was when MongoDB does not answer any more."""
    try:
        found = services.jobs.find(document["job_id"], company_sso_id=document["company_sso_id"])
    except CdpError:
        return document
    return found or document


def _forget_file(services: ExportServices, document: Document) -> None:
    """Remove a file uploaded for a job that was failed or canceled under this run's hands."""
    latest = _latest(services, document)
    if latest["status"] in {"failed", "canceled"} and latest.get("object_key"):
        try:
            services.object_store().delete(latest["object_key"])
        except CdpError as exc:
            logger.warning("[%s] the file could not be removed (%s)", latest["job_id"], exc.code)
