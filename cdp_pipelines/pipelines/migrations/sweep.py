"""Sweeps up after dead runs: judged by what MongoDB and Dagster hold, not by events, so nothing is missed for good.

Every step is bounded and safe to repeat, and two sweepers at once end a job once.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final

from dagster import DagsterInstance, DagsterRunStatus

from cdp_pipelines.domain.errors import CdpError, TransientFailure
from cdp_pipelines.domain.migration_requests import STATUS_PROCESSING, STATUS_QUEUED
from cdp_pipelines.domain.migrations import CANCELED, FAILED, IN_PROGRESS
from cdp_pipelines.pipelines.budget import Budget
from cdp_pipelines.pipelines.migrations.conclude import conclude, end_request, error_of
from cdp_pipelines.pipelines.migrations.runs import runs_of
from cdp_pipelines.pipelines.migrations.services import MigrationServices
from cdp_pipelines.pipelines.migrations.setting_aside import (
    refuse_never_taken_in,
    set_aside_harmful,
    set_aside_unreadable,
    tell_of_harmful,
)
from cdp_pipelines.pipelines.runs import end_dead_run, will_go_on
from cdp_pipelines.stores.documents import Found, position_of, position_text
from cdp_pipelines.stores.migration_requests import UNTAKEN, was_put_back

Document = dict[str, Any]

MOST_SWEEPS_A_TICK: Final = 50
UNHEARD_SECONDS: Final = 20
"""A job or request is left alone this long before anybody asks whether its run died."""
STALLED_QUEUE_SECONDS: Final = 600

# Dagster's own tag on a run that failed, and its value for one that a step failed in order.
_FAILURE_REASON: Final = "dagster/failure_reason"
_STEP_FAILURE: Final = "STEP_FAILURE"

_DIED = "The run died before it could end the migration. Its cursors are kept; starting again goes on."
_CUT_OFF = "MongoDB stayed away until the run ended. Its cursors are kept; starting again goes on."
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


def sweep_migrations(
    services: MigrationServices, instance: DagsterInstance, *, after: str = "", budget: Budget | None = None
) -> SweepReport:
    """End abandoned jobs, then abandoned requests, and watch the queue. `after` continues an earlier sweep.

    What the budget leaves no time for waits for the next one.
    """
    report, budget = SweepReport(), budget or Budget()
    before = services.now() - timedelta(seconds=UNHEARD_SECONDS)
    of_jobs, _, of_requests = after.partition("|")
    jobs = services.jobs.unfinished(limit=MOST_SWEEPS_A_TICK, after=position_of(of_jobs))
    at_job = _sweep_jobs(services, instance, jobs, report, budget)
    requests = services.requests.open_requests(
        launched_before=before, limit=MOST_SWEEPS_A_TICK, after=position_of(of_requests)
    )
    at_request = _sweep_requests(services, instance, requests, report, budget)
    places = [_place(jobs, at_job, of_jobs), _place(requests, at_request, of_requests)]
    report.cursor = "|".join(places) if any(places) else ""
    _watch_queue(services)
    return report


def _place(found: Sequence[Document], looked_at: int, before: str) -> str:
    """Where the next sweep goes on: behind the last one looked at, or from the start when this was the last page."""
    if looked_at == len(found) < MOST_SWEEPS_A_TICK:
        return ""
    return position_text(found[looked_at - 1]["_id"]) if looked_at else before


def _sweep_jobs(
    services: MigrationServices,
    instance: DagsterInstance,
    jobs: Sequence[Document],
    report: SweepReport,
    budget: Budget,
) -> int:
    """Look at unfinished jobs; how many the budget had time for."""
    before = services.now() - timedelta(seconds=UNHEARD_SECONDS)
    for number, job in enumerate(jobs):
        if budget.spent():
            return number
        try:
            if job["updated_at"] <= before:
                report.looked_at += 1
                _sweep_job(services, instance, job, report)
        except TransientFailure:
            raise
        except Exception as exc:  # noqa: BLE001 - whatever a job holds, its neighbours are swept
            report.lines.append(tell_of_harmful(services, services.kind.jobs.collection, job, exc))
    return len(jobs)


def _sweep_requests(
    services: MigrationServices, instance: DagsterInstance, requests: Found, report: SweepReport, budget: Budget
) -> int:
    """Look at open requests: those of this kind, and those that are nobody's; how many the budget had time for."""
    for unreadable in requests.unreadable:
        set_aside_unreadable(services, unreadable)
    for number, (found, request) in enumerate(zip(requests, services.requests.taken_in(requests), strict=True)):
        if budget.spent():
            return number
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
    return len(requests)


def _sweep_job(services: MigrationServices, instance: DagsterInstance, job: Document, report: SweepReport) -> None:
    status = _end_of_owner(services, instance, job)
    if status is None:
        return
    owner = (job.get("lease") or {}).get("owner_run_id")
    owned = services.jobs.reopen(job, f"sweeper:{owner}", {}, now=services.now(), take_over_from=owner)
    if owned is None:
        return
    error = _why_ended(instance, owner, status)
    if conclude(services, owned, status, request_id=job.get("request_id"), error=error):
        report.ended += 1
        report.lines.append(f"[{job.get('request_id') or job['_id']}] its run is over; ended as {status}")
        end_dead_run(instance, owner, canceled=status == CANCELED)


def _why_ended(instance: DagsterInstance, owner: object, status: str) -> TransientFailure:
    """What a job ends with whose run could not say so itself."""
    if status != FAILED:
        return TransientFailure("RUN_CANCELED", _STOPPED)
    run = instance.get_run_by_id(str(owner))
    if run is not None and run.tags.get(_FAILURE_REASON) == _STEP_FAILURE:
        # Its step failed, and had it reached MongoDB it would have ended the job.
        return TransientFailure("MONGO_UNAVAILABLE", _CUT_OFF)
    return TransientFailure("RUN_DIED", _DIED)


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
    if will_go_on(instance, run, now=services.now()) and not expired:
        return None
    return CANCELED if run.status == DagsterRunStatus.CANCELED else FAILED


def _sweep_request(
    services: MigrationServices, instance: DagsterInstance, request: Document, report: SweepReport
) -> None:
    request_id, company = request["_id"], str(request.get("company_sso_id"))
    runs = runs_of(instance, services.kind, str(request_id), company)
    if not runs or any(not run.is_finished for run in runs) or will_go_on(instance, runs[0], now=services.now()):
        # At work, waiting for a place, or never launched, which the queue's sensor looks after.
        return
    if request["status"] == STATUS_QUEUED and was_put_back(request):
        # It waits for the queue's sensor.
        return
    job = services.jobs.of_request(company, request_id)
    if job is not None and job["status"] == IN_PROGRESS:
        return
    canceled = runs[0].status == DagsterRunStatus.CANCELED
    if job is None and not canceled and _launch_again(services, request, report):
        return
    status = job["status"] if job is not None else CANCELED if canceled else FAILED
    error: CdpError | None = error_of(job) if job is not None else None
    if job is None:
        error = TransientFailure("RUN_CANCELED", _STOPPED) if canceled else TransientFailure("RUN_DIED", _DIED)
    end_request(services, company, request_id, job or {}, status, error)
    report.ended += 1
    report.lines.append(f"[{request_id}] its run is over; ended as {status}")


def _launch_again(services: MigrationServices, request: Document, report: SweepReport) -> bool:
    """Put a request back into the queue whose run died before it took it, and nothing was done."""
    if request["status"] != STATUS_QUEUED or request.get("cancel_requested") is True:
        return False
    if not services.requests.put_back(request["_id"], request["company_sso_id"], UNTAKEN, now=services.now()):
        return False
    report.lines.append(f"[{request['_id']}] its run ended before it took it; it is launched again")
    return True


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
