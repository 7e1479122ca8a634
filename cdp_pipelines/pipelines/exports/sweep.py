"""Sweeps up after dead runs: judged by what MongoDB and Dagster hold, not by events, so nothing is missed for good.

Every step is bounded and safe to repeat, and two sweepers at once end a job once.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

from dagster import DagsterInstance, DagsterRunStatus

from cdp_pipelines.domain.errors import CdpError, TransientFailure
from cdp_pipelines.pipelines.alerting import alert_once
from cdp_pipelines.pipelines.budget import Budget
from cdp_pipelines.pipelines.exports.config import (
    FAILURE_EMAIL_RETRY_SECONDS,
    FAILURE_EMAIL_TRIES,
    MOST_SWEEPS_A_TICK,
    STALLED_QUEUE_SECONDS,
    UNHEARD_SECONDS,
)
from cdp_pipelines.pipelines.exports.kinds import Document, ExportKind, ServicesT
from cdp_pipelines.pipelines.exports.runs import runs_of
from cdp_pipelines.pipelines.exports.services import SharedServices
from cdp_pipelines.pipelines.exports.setting_aside import (
    refuse_never_taken_in,
    set_aside_harmful,
    set_aside_unreadable,
    tell_of_foreign_files,
)
from cdp_pipelines.pipelines.runs import end_dead_run, will_go_on
from cdp_pipelines.stores.documents import Found, position_of, position_text
from cdp_pipelines.stores.export_queue import was_put_back

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
    kind: ExportKind[ServicesT],
    services: ServicesT,
    instance: DagsterInstance,
    *,
    after: str | None = None,
    budget: Budget | None = None,
) -> SweepReport:
    """End abandoned jobs, repeat what an outage prevented, watch the queue. `after` continues an earlier sweep.

    What the budget leaves no time for waits for the next one.
    """
    report, budget = SweepReport(), budget or Budget()
    before = services.now() - timedelta(seconds=UNHEARD_SECONDS)
    jobs = services.jobs.open_jobs(launched_before=before, limit=MOST_SWEEPS_A_TICK, after=position_of(after))
    for unreadable in jobs.unreadable:
        set_aside_unreadable(services, unreadable)
    if jobs and len(jobs) + len(jobs.unreadable) == MOST_SWEEPS_A_TICK:
        report.cursor = position_text(jobs[-1]["_id"])
    for found, document in zip(jobs, services.jobs.taken_in(jobs), strict=True):
        if budget.spent():
            looked_at = report.looked_at
            report.cursor = position_text(jobs[looked_at - 1]["_id"]) if looked_at else (after or "")
            break
        report.looked_at += 1
        try:
            _sweep_one(kind, services, instance, found, document, report)
        except TransientFailure:
            raise
        except Exception as exc:  # noqa: BLE001 - whatever a document holds, its neighbours are swept
            report.lines.append(set_aside_harmful(services, found, exc))
    if kind.repeat is not None and not budget.spent():
        kind.repeat(services, report)
    if not budget.spent():
        _remove_orphans(services, report)
    _watch_queue(kind, services)
    return report


def _sweep_one(
    kind: ExportKind[ServicesT],
    services: ServicesT,
    instance: DagsterInstance,
    found: Document,
    document: Document | None,
    report: SweepReport,
) -> None:
    """Look at one open job: `found` as it stands, `document` as it was taken in."""
    if document is None:
        # One that still waits is the queue's.
        if found.get("status") == services.jobs.shape.working:
            report.ended += 1
            report.lines.append(refuse_never_taken_in(services, found))
        return
    reason = _why_dead(kind.name, services, instance, document)
    if reason is not None and not _launch_again(services, document, reason, report):
        _end(kind, services, instance, document, reason, report)


def _launch_again(services: SharedServices, document: Document, reason: str, report: SweepReport) -> bool:
    """Put a request back into the queue whose run died before it took it: nothing was sent, so nobody is told.

    False: its run had taken it, an operator stopped it, or it was launched too often.
    """
    shape = services.jobs.shape
    if reason != _INTERRUPTED or document["status"] != shape.queued or document.get("cancel_requested") is True:
        return False
    if not services.jobs.put_back(document, now=services.now()):
        return False
    report.lines.append(f"[{document[shape.id_field]}] its run ended before it took it; it is launched again")
    return True


def _end(
    kind: ExportKind[ServicesT],
    services: ServicesT,
    instance: DagsterInstance,
    document: Document,
    reason: str,
    report: SweepReport,
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
    if outcome is not None and document["status"] == services.jobs.shape.working:
        end_dead_run(instance, document.get("run_id"), canceled=document.get("cancel_requested") is True)


def _why_dead(job_name: str, services: SharedServices, instance: DagsterInstance, document: Document) -> str | None:
    """Why nobody works on this job any more, in words for its user, or None while somebody does."""
    shape = services.jobs.shape
    working = document["status"] == shape.working
    runs = runs_of(instance, job_name, document[shape.id_field], document["company_sso_id"])
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
    if will_go_on(instance, runs[0], now=services.now()):
        return None
    if not working and was_put_back(document):
        # It waits for the queue's sensor.
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
        document = services.jobs.find_taken_in(job_id, delivery["company_sso_id"])
        if document is None or document["status"] != shape.failed or not document.get("email"):
            continue
        try:
            if send(services, document):
                report.lines.append(f"[{job_id}] failure email sent at try {delivery['tries'] + 1}")
        except CdpError as exc:
            report.lines.append(f"[{job_id}] failure email still not sent: {exc.code}")


def _remove_orphans(services: SharedServices, report: SweepReport) -> None:
    pending = services.jobs.with_cleanup_pending(limit=MOST_SWEEPS_A_TICK)
    remove_files_of(services, pending, report, done=services.jobs.cleanup_done, what="left-over file")


def remove_files_of(
    services: SharedServices, found: Found, report: SweepReport, *, done: Callable[[str, str], None], what: str
) -> None:
    """Delete the files of some ended jobs, each in its turn, and say so by `done`.

    One whose files cannot be removed is put behind the others. When the store does not answer, the next sweep goes on.
    """
    for unreadable in found.unreadable:
        set_aside_unreadable(services, unreadable)
    for raw, document in zip(found, services.jobs.taken_in(found), strict=True):
        if document is None:
            report.lines.append(refuse_never_taken_in(services, raw))
            continue
        request_id, company = document[services.jobs.shape.id_field], document["company_sso_id"]
        tell_of_foreign_files(services, document)
        try:
            for key in services.jobs.own_files(document):
                services.object_store().discard(key)
        except CdpError as exc:
            report.lines.append(f"[{request_id}] {what} still not removed: {exc.code}")
            services.jobs.cleanup_later(request_id, company, now=services.now())
            if isinstance(exc, TransientFailure):
                return
            continue
        done(request_id, company)
        report.lines.append(f"[{request_id}] {what} removed")


def _watch_queue(kind: ExportKind[ServicesT], services: ServicesT) -> None:
    oldest = services.jobs.oldest_queued(now=services.now())
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
