"""Sweeps up after dead runs: judged by what MongoDB and Dagster hold, not by events, so nothing is missed for good.

Every step is bounded and safe to repeat, and two sweepers at once end a job once.
"""

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final

from dagster import DagsterInstance, DagsterRunStatus

from cdp_pipelines.domain.errors import CdpError, TransientFailure
from cdp_pipelines.domain.migration_requests import STATUS_PROCESSING
from cdp_pipelines.domain.migrations import CANCELED, FAILED, IN_PROGRESS
from cdp_pipelines.pipelines.migrations.conclude import conclude, end_request, error_of
from cdp_pipelines.pipelines.migrations.runs import runs_of, will_go_on
from cdp_pipelines.pipelines.migrations.services import MigrationServices
from cdp_pipelines.pipelines.migrations.setting_aside import (
    refuse_never_taken_in,
    set_aside_harmful,
    set_aside_unreadable,
    tell_of_harmful,
)
from cdp_pipelines.stores.documents import Found, position_of, position_text

Document = dict[str, Any]

MOST_SWEEPS_A_TICK: Final = 50
UNHEARD_SECONDS: Final = 20
"""A job or request is left alone this long before anybody asks whether its run died."""
STALLED_QUEUE_SECONDS: Final = 600

_DIED = "The run died before it could end the migration. Its cursors are kept; starting again goes on."
_STOPPED = "The run was stopped by an operator. Its cursors are kept; starting again goes on."


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
        return f"{self.looked_at} open looked at, {self.ended} ended"


def sweep_migrations(services: MigrationServices, instance: DagsterInstance, *, after: str = "") -> SweepReport:
    """End abandoned jobs, then abandoned requests, and watch the queue. `after` continues an earlier sweep."""
    report = SweepReport()
    before = services.now() - timedelta(seconds=UNHEARD_SECONDS)
    of_jobs, _, of_requests = after.partition("|")
    jobs = services.jobs.unfinished(limit=MOST_SWEEPS_A_TICK, after=position_of(of_jobs))
    for job in jobs:
        try:
            if job["updated_at"] <= before:
                report.looked_at += 1
                _sweep_job(services, instance, job, report)
        except TransientFailure:
            raise
        except Exception as exc:  # noqa: BLE001 - whatever a job holds, its neighbours are swept
            report.lines.append(tell_of_harmful(services, services.kind.jobs.collection, job, exc))
    requests = services.requests.open_requests(
        launched_before=before, limit=MOST_SWEEPS_A_TICK, after=position_of(of_requests)
    )
    _sweep_requests(services, instance, requests, report)
    places = [
        position_text(found[-1]["_id"]) if found and len(found) == MOST_SWEEPS_A_TICK else ""
        for found in (jobs, requests)
    ]
    report.cursor = "|".join(places) if any(places) else ""
    _watch_queue(services)
    return report


def _sweep_requests(
    services: MigrationServices, instance: DagsterInstance, requests: Found, report: SweepReport
) -> None:
    """Look at open requests: those of this kind, and those that are nobody's."""
    for unreadable in requests.unreadable:
        set_aside_unreadable(services, unreadable)
    for found, request in zip(requests, services.requests.taken_in(requests), strict=True):
        try:
            if request is None:
                # One that still waits is the queue's.
                if found.get("status") == STATUS_PROCESSING:
                    report.looked_at += 1
                    report.ended += 1
                    report.lines.append(refuse_never_taken_in(services, found))
            elif request.get("kind") == services.kind.kind:
                report.looked_at += 1
                _sweep_request(services, instance, request, report)
        except TransientFailure:
            raise
        except Exception as exc:  # noqa: BLE001 - whatever a document holds, its neighbours are swept
            report.lines.append(set_aside_harmful(services, found, exc))


def _sweep_job(services: MigrationServices, instance: DagsterInstance, job: Document, report: SweepReport) -> None:
    status = _end_of_owner(services, instance, job)
    if status is None:
        return
    owner = (job.get("lease") or {}).get("owner_run_id")
    owned = services.jobs.reopen(job, f"sweeper:{owner}", {}, now=services.now(), take_over_from=owner)
    if owned is None:
        return
    error = TransientFailure("RUN_DIED", _DIED) if status == FAILED else TransientFailure("RUN_CANCELED", _STOPPED)
    if conclude(services, owned, status, request_id=job.get("request_id"), error=error):
        report.ended += 1
        report.lines.append(f"[{job.get('request_id') or job['_id']}] its run is over; ended as {status}")


def _end_of_owner(services: MigrationServices, instance: DagsterInstance, job: Document) -> str | None:
    """How a job without a living owner ends, or None while somebody works on it or is about to.

    A run that Dagster starts again by itself after a crash, or another of the company, goes on with the job; it is then
    not the sweeper's.
    """
    lease = job.get("lease") or {}
    run = instance.get_run_by_id(str(lease.get("owner_run_id")))
    expired = lease.get("expires_at", services.now()) <= services.now()
    if run is None or not run.is_finished:
        return FAILED if expired else None
    if will_go_on(instance, run) and not expired:
        return None
    return CANCELED if run.status == DagsterRunStatus.CANCELED else FAILED


def _sweep_request(
    services: MigrationServices, instance: DagsterInstance, request: Document, report: SweepReport
) -> None:
    request_id, company = request["_id"], str(request.get("company_sso_id"))
    runs = runs_of(instance, services.kind, str(request_id), company)
    if not runs or any(not run.is_finished for run in runs) or will_go_on(instance, runs[0]):
        # At work, waiting for a place, or never launched, which the queue's sensor looks after.
        return
    job = services.jobs.of_request(company, request_id)
    if job is not None and job["status"] == IN_PROGRESS:
        return
    canceled = runs[0].status == DagsterRunStatus.CANCELED
    status = job["status"] if job is not None else CANCELED if canceled else FAILED
    error: CdpError | None = error_of(job) if job is not None else None
    if job is None:
        error = TransientFailure("RUN_CANCELED", _STOPPED) if canceled else TransientFailure("RUN_DIED", _DIED)
    end_request(services, company, request_id, job or {}, status, error)
    report.ended += 1
    report.lines.append(f"[{request_id}] its run is over; ended as {status}")


def _watch_queue(services: MigrationServices) -> None:
    oldest = services.requests.oldest_queued(now=services.now())
    if oldest is None:
        return
    waited = services.now() - oldest["created_at"]
    if waited > timedelta(seconds=STALLED_QUEUE_SECONDS):
        services.alert_once(
            f"migration_queue_stalled:{oldest['_id']}",
            f"The oldest queued migration request has waited {int(waited.total_seconds() // 60)} minutes. Are the "
            "daemon and the sensor migration_requests running?",
        )
