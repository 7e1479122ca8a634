"""`contact_export_requests`: queued requests in, one run each out. `export_run_failures`: what dead runs left."""

import uuid
from typing import Any

import dagster as dg

from cdp_pipelines.domain.admission import Admitted, Rejected
from cdp_pipelines.domain.contact_export.request import ExportRequest
from cdp_pipelines.domain.errors import TransientFailure
from cdp_pipelines.pipelines.contact_export import intake
from cdp_pipelines.pipelines.contact_export.conclude import cancel
from cdp_pipelines.pipelines.contact_export.config import (
    MOST_LAUNCHES_A_TICK,
    TAG_COMPANY,
    TAG_REQUEST,
    TAG_REQUESTED_BY,
    run_config,
    run_key,
)
from cdp_pipelines.pipelines.contact_export.jobs import contact_export_job
from cdp_pipelines.pipelines.contact_export.services import ContactExportResource, ExportServices
from cdp_pipelines.pipelines.contact_export.sweep import sweep_exports
from cdp_pipelines.pipelines.partitions import COMPANY_PARTITIONS
from cdp_pipelines.stores.migrations.runner import Migrator

Document = dict[str, Any]


@dg.sensor(
    name="contact_export_requests",
    job=contact_export_job,
    minimum_interval_seconds=5,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Claims queued export requests in bulk_upload_jobs, checks admission, launches one run for each "
    "admitted one and ends the others as rejected.",
)
def contact_export_requests(
    context: dg.SensorEvaluationContext, contact_export: ContactExportResource
) -> dg.SensorResult | dg.SkipReason:
    """One bounded read of the queue, one claim and one judgement a request."""
    services = contact_export.services()
    Migrator(services.database).require_current()
    requests: list[dg.RunRequest] = []
    rejected = 0
    for document in services.jobs.waiting(now=services.now(), limit=MOST_LAUNCHES_A_TICK):
        try:
            answer = _take_in(context, services, document)
        except TransientFailure as exc:
            # What was claimed so far must be launched; the rest stays in the queue for the next tick.
            context.log.warning("stopped after %d requests: %s", len(requests) + rejected, exc)
            break
        if isinstance(answer, dg.RunRequest):
            requests.append(answer)
        elif isinstance(answer, Rejected):
            rejected += 1
    if not requests:
        return dg.SkipReason(f"Nothing to launch; {rejected} rejected." if rejected else "The queue is empty.")
    return dg.SensorResult(run_requests=requests, dynamic_partitions_requests=_new_partitions(context, requests))


def _new_partitions(
    context: dg.SensorEvaluationContext, requests: list[dg.RunRequest]
) -> list[dg.AddDynamicPartitionsRequest | dg.DeleteDynamicPartitionsRequest]:
    """A company's first request may come before `company_partitions` has seen the company."""
    known = set(context.instance.get_dynamic_partitions("company"))
    missing = {request.partition_key for request in requests if request.partition_key} - known
    return [COMPANY_PARTITIONS.build_add_request(sorted(missing))] if missing else []


def _take_in(
    context: dg.SensorEvaluationContext, services: ExportServices, document: Document
) -> dg.RunRequest | Rejected | None:
    now = services.now()
    if not services.jobs.claim(document["_id"], uuid.uuid4().hex, now=now):
        return None
    answer = intake.judge(services, document, now=now)
    if isinstance(answer, Admitted) and document.get("status") != "queued":
        answer = Rejected(
            "EXPORT_REQUEST_INVALID",
            422,
            'The request cannot be read: status must be "queued" to put it into the queue.',
            {"problems": [{"field": "status", "problem": 'must be "queued"'}]},
        )
    if isinstance(answer, Rejected):
        return answer if intake.reject(services, document, answer, now=now) else None
    if document.get("cancel_requested") is True:
        cancel(services, document)
        return None
    return _launch(context, services, document, answer)


def _launch(
    context: dg.SensorEvaluationContext,
    services: ExportServices,
    document: Document,
    answer: Admitted[ExportRequest],
) -> dg.RunRequest | None:
    request = answer.request
    attempt = int(document.get("attempt") or 0)
    if "launch" in document and attempt:
        # An earlier claim ran out. If its run exists, it waits or works, or the sweeper ends it; if not, the tick died
        # between claiming and launching, and its run key may be spent, so the next attempt gets a key of its own.
        runs = context.instance.get_runs(dg.RunsFilter(tags={TAG_REQUEST: request.job_id}), limit=1)
        if runs:
            return None
    attempt += 1
    services.jobs.note_admission(document["_id"], warnings=answer.warnings, attempt=attempt)
    return dg.RunRequest(
        run_key=run_key(request.job_id, attempt),
        partition_key=request.company_sso_id,
        run_config=run_config(request.job_id),
        tags={
            TAG_COMPANY: request.company_sso_id,
            TAG_REQUEST: request.job_id,
            TAG_REQUESTED_BY: request.user_sso_id,
        },
    )


@dg.sensor(
    name="export_run_failures",
    minimum_interval_seconds=15,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Ends the export requests whose run failed, was canceled or died before it could: no file stays, one "
    "failure email goes out. Also repeats failure emails and file removals that an outage prevented, and alerts when "
    "the queue stands still.",
)
def export_run_failures(context: dg.SensorEvaluationContext, contact_export: ContactExportResource) -> dg.SkipReason:
    """One bounded look at what is open; see `sweep.py`."""
    report = sweep_exports(contact_export.services(), context.instance, after=context.cursor or None)
    for line in report.lines:
        context.log.info(line)
    if report.cursor != (context.cursor or ""):
        context.update_cursor(report.cursor)
    return dg.SkipReason(report.summary)
