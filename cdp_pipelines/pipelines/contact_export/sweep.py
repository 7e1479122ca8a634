"""Sweeps up after dead runs: judged by what MongoDB and Dagster hold, not by events, so nothing is missed for good.

Every step is bounded and safe to repeat, and two sweepers at once end a job once.
"""

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final

from bson import ObjectId
from dagster import DagsterInstance, DagsterRunStatus, RunsFilter

from cdp_pipelines.domain.errors import CdpError, TransientFailure
from cdp_pipelines.pipelines.contact_export.conclude import cancel, fail
from cdp_pipelines.pipelines.contact_export.config import (
    FAILURE_EMAIL_RETRY_SECONDS,
    FAILURE_EMAIL_TRIES,
    MOST_SWEEPS_A_TICK,
    STALLED_QUEUE_SECONDS,
    TAG_REQUEST,
    UNHEARD_SECONDS,
)
from cdp_pipelines.pipelines.contact_export.deliver import alert_once, send_email
from cdp_pipelines.pipelines.contact_export.services import ExportServices

Document = dict[str, Any]

_INTERRUPTED: Final = "The export was interrupted and could not be finished. Please ask for it again."
_STOPPED: Final = "The export was stopped by an operator. Please ask for it again."


@dataclass(slots=True)
class SweepReport:
    """What one sweep did, for the tick's log; no personal data."""

    looked_at: int = 0
    ended: int = 0
    lines: list[str] = field(default_factory=list)
    cursor: str = ""

    @property
    def summary(self) -> str:
        """One sentence for the UI."""
        return f"{self.looked_at} open exports looked at, {self.ended} ended."


def sweep_exports(services: ExportServices, instance: DagsterInstance, *, after: str | None = None) -> SweepReport:
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
        if reason is None:
            continue
        try:
            outcome = (
                cancel(services, document)
                if document.get("cancel_requested") is True
                else fail(services, document, TransientFailure("RUN_DIED", reason))
            )
        except CdpError as exc:
            report.lines.append(f"[{document['job_id']}] not ended yet: {exc.code}")
            continue
        report.ended += 1
        report.lines.append(f"[{document['job_id']}] its run is over; ended as {outcome}")
    _repeat_failure_emails(services, report)
    _remove_orphans(services, report)
    _watch_queue(services)
    return report


def _position(after: str | None) -> ObjectId | None:
    """A cursor that cannot be read starts the round again instead of killing the tick."""
    return ObjectId(after) if after and ObjectId.is_valid(after) else None


def _why_dead(services: ExportServices, instance: DagsterInstance, document: Document) -> str | None:
    """Why nobody works on this job any more, in words for its user, or None while somebody does."""
    runs = instance.get_runs(RunsFilter(tags={TAG_REQUEST: document["job_id"]}), limit=5)
    owner = document.get("run_id")
    if document["status"] == "processing" and owner and all(run.run_id != owner for run in runs):
        found = instance.get_run_by_id(owner)
        runs = [*runs, found] if found else runs
    lease = document.get("lease") or {}
    if document["status"] == "processing" and lease.get("expires_at", services.now()) <= services.now():
        # Not a sign for longer than any step can take: dead, also when Dagster counts its run as started, as it does
        # after the whole code server died, or knows no such run. Should it live after all, it finds its lease gone.
        return _INTERRUPTED
    if not runs or any(not run.is_finished for run in runs):
        # At work, waiting for a place, or never launched, which the queue's sensor looks after.
        return None
    return _STOPPED if runs[0].status == DagsterRunStatus.CANCELED else _INTERRUPTED


def _repeat_failure_emails(services: ExportServices, report: SweepReport) -> None:
    before = services.now() - timedelta(seconds=FAILURE_EMAIL_RETRY_SECONDS)
    due = services.deliveries.unsent_failure_emails(
        before=before, most_tries=FAILURE_EMAIL_TRIES, limit=MOST_SWEEPS_A_TICK
    )
    for delivery in due:
        job_id = delivery["job_id"]
        document = services.jobs.find(job_id, company_sso_id=delivery["company_sso_id"])
        if document is None or document["status"] != "failed" or not document.get("email"):
            continue
        try:
            if send_email(services, document, "failed"):
                report.lines.append(f"[{job_id}] failure email sent at try {delivery['tries'] + 1}")
        except CdpError as exc:
            report.lines.append(f"[{job_id}] failure email still not sent: {exc.code}")


def _remove_orphans(services: ExportServices, report: SweepReport) -> None:
    for document in services.jobs.with_cleanup_pending(limit=MOST_SWEEPS_A_TICK):
        try:
            services.object_store().delete(document["object_key"])
        except CdpError as exc:
            report.lines.append(f"[{document['job_id']}] file still not removed: {exc.code}")
            return
        services.jobs.cleanup_done(document["job_id"], document["company_sso_id"])
        report.lines.append(f"[{document['job_id']}] left-over file removed")


def _watch_queue(services: ExportServices) -> None:
    oldest = services.jobs.oldest_queued()
    if oldest is None:
        return
    waited = services.now() - oldest["created_at"]
    if waited > timedelta(seconds=STALLED_QUEUE_SECONDS):
        minutes = int(waited.total_seconds() // 60)
        alert_once(
            services,
            f"export_queue_stalled:{oldest['_id']}",
            f"The oldest queued contact export has waited {minutes} minutes. Are the daemon and the sensor "
            "contact_export_requests running?",
        )
