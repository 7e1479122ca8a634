"""Sweeps up after dead runs: judged by what MongoDB and Dagster hold, not by events, so nothing is missed for good.

Every step is bounded and safe to repeat, and two sweepers at once end a job once.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

from bson import ObjectId
from dagster import DagsterInstance, DagsterRunStatus, RunsFilter

from cdp_pipelines.domain.errors import CdpError, TransientFailure
from cdp_pipelines.pipelines.exports.config import (
    FAILURE_EMAIL_RETRY_SECONDS,
    FAILURE_EMAIL_TRIES,
    MOST_SWEEPS_A_TICK,
    STALLED_QUEUE_SECONDS,
    TAG_REQUEST,
    UNHEARD_SECONDS,
)
from cdp_pipelines.pipelines.exports.kinds import Document, ExportKind, ServicesT
from cdp_pipelines.pipelines.exports.notices import alert_once
from cdp_pipelines.pipelines.exports.services import SharedServices

_INTERRUPTED: Final = "The export was interrupted and could not be finished. Please ask for it again."
_STOPPED: Final = "The export was stopped by an operator. Please ask for it again."


_CODES: Final = {_INTERRUPTED: "RUN_DIED", _STOPPED: "RUN_CANCELED"}


@dataclass(slots=True)
class SweepReport:
    """What one sweep did, for the tick's log; no personal data. `cursor` is where the next one goes on."""

    looked_at: int = 0
    ended: int = 0
    lines: list[str] = field(default_factory=list)
    cursor: str = ""

    @property
    def summary(self) -> str:
        """One sentence for the UI."""
        return f"{self.looked_at} open exports looked at, {self.ended} ended."


def sweep_exports(
    kind: ExportKind[ServicesT], services: ServicesT, instance: DagsterInstance, *, after: str | None = None
) -> SweepReport:
    """End abandoned jobs, repeat what an outage prevented, watch the queue. `after` continues an earlier sweep."""
    report = SweepReport()
    before = services.now() - timedelta(seconds=UNHEARD_SECONDS)
    jobs = services.jobs.open_jobs(launched_before=before, limit=MOST_SWEEPS_A_TICK, after=_position(after))
    if len(jobs) == MOST_SWEEPS_A_TICK:
        last = jobs[-1]["_id"]
        report.cursor = str(last) if isinstance(last, ObjectId) else ""
    for document in jobs:
        report.looked_at += 1
        reason = _why_dead(services, instance, document)
        if reason is not None:
            _end(kind, services, document, reason, report)
    if kind.repeat is not None:
        kind.repeat(services, report)
    _remove_orphans(services, report)
    _watch_queue(kind, services)
    return report


def _position(after: str | None) -> ObjectId | None:
    """A cursor that cannot be read starts the round again instead of killing the tick."""
    return ObjectId(after) if after and ObjectId.is_valid(after) else None


def _end(
    kind: ExportKind[ServicesT], services: ServicesT, document: Document, reason: str, report: SweepReport
) -> None:
    request_id = document[services.jobs.shape.id_field]
    try:
        outcome = (
            kind.cancel(services, document)
            if document.get("cancel_requested") is True
            else kind.fail(services, document, TransientFailure(_CODES[reason], reason))
        )
    except CdpError as exc:
        report.lines.append(f"[{request_id}] not ended yet: {exc.code}")
        return
    report.ended += 1
    report.lines.append(f"[{request_id}] its run is over; ended as {outcome}")


def _why_dead(services: SharedServices, instance: DagsterInstance, document: Document) -> str | None:
    """Why nobody works on this job any more, in words for its user, or None while somebody does."""
    shape = services.jobs.shape
    working = document["status"] == shape.working
    runs = instance.get_runs(RunsFilter(tags={TAG_REQUEST: document[shape.id_field]}), limit=5)
    owner = document.get("run_id")
    if working and owner and all(run.run_id != owner for run in runs):
        found = instance.get_run_by_id(owner)
        runs = [*runs, found] if found else runs
    lease = document.get("lease") or {}
    if working and lease.get("expires_at", services.now()) <= services.now():
        # Not a sign for longer than any step can take: dead, also when Dagster counts its run as started, as it does
        # after the whole code server died, or knows no such run. Should it live after all, it finds its lease gone.
        return _INTERRUPTED
    if not runs or any(not run.is_finished for run in runs):
        # At work, waiting for a place, or never launched, which the queue's sensor looks after.
        return None
    return _STOPPED if runs[0].status == DagsterRunStatus.CANCELED else _INTERRUPTED


def repeat_failure_emails(
    services: ServicesT, report: SweepReport, send: Callable[[ServicesT, Document], bool]
) -> None:
    """Send the failure emails of failed jobs that the mail server surely did not take; for a kind's `repeat`.

    `send` sends a job's failure email; False when it was sent before, or may have been.
    """
    shape = services.jobs.shape
    before = services.now() - timedelta(seconds=FAILURE_EMAIL_RETRY_SECONDS)
    due = services.deliveries.unsent_failure_emails(
        before=before, most_tries=FAILURE_EMAIL_TRIES, limit=MOST_SWEEPS_A_TICK
    )
    for delivery in due:
        job_id = delivery["job_id"]
        document = services.jobs.find(job_id, company_sso_id=delivery["company_sso_id"])
        if document is None or document["status"] != shape.failed or not document.get("email"):
            continue
        try:
            if send(services, document):
                report.lines.append(f"[{job_id}] failure email sent at try {delivery['tries'] + 1}")
        except CdpError as exc:
            report.lines.append(f"[{job_id}] failure email still not sent: {exc.code}")


def _remove_orphans(services: SharedServices, report: SweepReport) -> None:
    shape = services.jobs.shape
    for document in services.jobs.with_cleanup_pending(limit=MOST_SWEEPS_A_TICK):
        request_id = document[shape.id_field]
        try:
            for key in shape.files(document):
                services.object_store().discard(key)
        except CdpError as exc:
            report.lines.append(f"[{request_id}] file still not removed: {exc.code}")
            return
        services.jobs.cleanup_done(request_id, document["company_sso_id"])
        report.lines.append(f"[{request_id}] left-over file removed")


def _watch_queue(kind: ExportKind[ServicesT], services: ServicesT) -> None:
    oldest = services.jobs.oldest_queued()
    if oldest is None:
        return
    waited = services.now() - oldest["created_at"]
    if waited > timedelta(seconds=STALLED_QUEUE_SECONDS):
        minutes = int(waited.total_seconds() // 60)
        alert_once(
            services,
            f"export_queue_stalled:{oldest['_id']}",
            f"The oldest queued {kind.title} has waited {minutes} minutes. Are the daemon and the sensor {kind.sensor} "
            "running?",
        )
