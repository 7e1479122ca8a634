"""How a migration ends: its job, its request, its event and its alerts, in that order, each once."""

import logging
from collections.abc import Mapping
from typing import Any, Final

from cdp_pipelines.domain.admission import Rejected
from cdp_pipelines.domain.errors import OUTAGES, CdpError
from cdp_pipelines.domain.events import event_line
from cdp_pipelines.domain.migration_requests import ROLLBACK_PHASE, STATUS_QUEUED
from cdp_pipelines.domain.migrations import (
    CANCELED,
    COMPLETED,
    FAILED,
    HALTED,
    MATCH_PCT_AT_LEAST,
    ROLLED_BACK,
)
from cdp_pipelines.pipelines.migrations.services import MigrationServices, SharedServices
from cdp_pipelines.stores.migration_jobs import Owned
from cdp_pipelines.stores.migration_requests import OUTAGE

logger = logging.getLogger(__name__)

Document = dict[str, Any]

_BY_HAND: Final = frozenset({ROLLBACK_PHASE, "replay"})
"""What was begun without a request goes on without one only where it moves rows, and deletes nothing."""


def conclude(
    services: MigrationServices,
    owned: Owned,
    status: str,
    *,
    request_id: object = None,
    error: CdpError | None = None,
    changes: Mapping[str, Any] | None = None,
) -> bool:
    """End the job in `status` and tell of it; False, and nothing told, when it was no longer the run's."""
    told = {} if error is None else {"error": {"code": error.code, "message": error.message, "details": error.details}}
    try:
        ended = services.jobs.end(owned, status, {**(changes or {}), **told}, now=services.now())
    except CdpError as exc:
        # MongoDB is away; the sweeper ends the job once it is back.
        logger.warning("[%s] the job could not be ended as %s (%s)", owned.job_id, status, exc.code)
        return False
    if not ended:
        return False
    job = services.jobs.find(owned.job_id, owned.company_sso_id) or {}
    end_request(services, owned.company_sso_id, request_id, job, status, error)
    _tell(services, job, status)
    return True


def end_request(
    services: MigrationServices,
    company_sso_id: str,
    request_id: object,
    job: Mapping[str, Any],
    status: str,
    error: CdpError | None,
) -> None:
    """Turn the request terminal with the job's figures; without a request, as from the UI, nothing.

    What an outage broke off is taken up again by itself, a bounded number of times: its request goes back into the
    queue, and where there was none, one is made.
    """
    broken_off = status == FAILED and error is not None and error.code in OUTAGES
    if broken_off and take_up_again(services, company_sso_id, request_id, job):
        return
    if request_id is None:
        return
    # A request has one status for all that was done as asked.
    request_status = COMPLETED if status in {ROLLED_BACK, services.kind.completed_status} else status
    write_end(services, company_sso_id, request_id, request_status, result=summary_of(job), error=error)


def take_up_again(
    services: SharedServices, company_sso_id: str, request_id: object, job: Mapping[str, Any] | None = None
) -> bool:
    """Have the queue's sensor go on with what an outage broke off; False when that was done too often."""
    if request_id is not None:
        return services.requests.put_back(request_id, company_sso_id, OUTAGE, now=services.now())
    if not job or job.get("dry_run") is True or job.get("phase") in _BY_HAND:
        return False
    now, again_id = services.now(), f"{job['_id']}-{job.get('starts', 1)}"
    services.requests.ask_again(
        {
            "_id": again_id,
            "kind": job["kind"],
            "action": "start",
            "company_sso_id": company_sso_id,
            "status": STATUS_QUEUED,
            "requested_by": job.get("requested_by"),
            # Going on is not starting anew, and only that would have to be forced.
            "options": {**(job.get("options") or {}), "force": False},
            "put_back": {OUTAGE: 1, "at_attempt": 0},
            "created_at": now,
            "updated_at": now,
        }
    )
    logger.info("[%s] the queue goes on with this job as request %s", job["_id"], again_id)
    return True


def write_end(
    services: SharedServices,
    company_sso_id: str,
    request_id: object,
    status: str,
    *,
    result: Mapping[str, Any] | None = None,
    error: CdpError | None = None,
) -> None:
    """Turn the request terminal in one of its own statuses."""
    plain = None
    if error is not None:
        plain = {"code": error.code, "http_status": None, "message": error.message, "details": error.details}
    services.requests.end(request_id, company_sso_id, status, now=services.now(), result=result, error=plain)


def error_of(job: Mapping[str, Any]) -> CdpError | None:
    """The error that a job ended with, as it was kept."""
    error = job.get("error")
    if not isinstance(error, Mapping):
        return None
    return CdpError(str(error.get("code")), str(error.get("message")), details=error.get("details"))


def reject(services: MigrationServices, document: Mapping[str, Any], rejected: Rejected) -> bool:
    """End a request that may not run; False when it had ended."""
    if not services.requests.reject(document["_id"], rejected, now=services.now()):
        return False
    logger.info("[%s] rejected: %s", document["_id"], rejected.code)
    return True


def summary_of(job: Mapping[str, Any]) -> Document:
    """The figures of a job that people ask for; numbers and codes only."""
    names = (
        "status", "phase", "dry_run", "records_total", "records_processed", "records_migrated", "records_failed",
        "progress_pct", "failure_rate", "coverage_pct", "match_pct", "accuracy_pct", "validation",
        "records_rolled_back",
    )  # fmt: skip
    found: Document = {"job_id": job.get("_id")}
    found |= {name: job[name] for name in names if job.get(name) is not None}
    compared = job.get("reconciliation") or {}
    found |= {name: compared[name] for name in ("changed_since", "extra", "not_in_live_feed") if compared.get(name)}
    found |= {f"taken_up_{name}": told for name, told in (job.get("taken_up") or {}).items() if told}
    found |= {f"skipped_{reason}": number for reason, number in sorted((job.get("records_skipped") or {}).items())}
    return found


def _tell(services: MigrationServices, job: Mapping[str, Any], status: str) -> None:
    """The event and the alerts; what cannot be told must not undo what is done."""
    company, job_id = str(job.get("company_sso_id")), str(job.get("_id"))
    request_id = str(job.get("request_id") or job_id)
    title = services.kind.title
    if status == HALTED:
        logger.warning(
            event_line(
                services.kind.halted_event,
                request_id=request_id,
                company_sso_id=company,
                job_id=job_id,
                cid=job.get("cid"),
                failure_rate=job.get("failure_rate"),
            )
        )
    try:
        if status in {HALTED, FAILED}:
            code = (job.get("error") or {}).get("code", "")
            rate = f"{job.get('failure_rate') or 0:.2%}"
            services.alert_once(
                f"{services.kind.kind}_{status}:{job_id}:{job.get('starts', 1)}",
                f"The {title} of company {company} {status} ({code}); failure rate {rate}, job {job_id}.",
                request_id=request_id,
            )
        match_pct = job.get("match_pct")
        if status not in {CANCELED, ROLLED_BACK} and match_pct is not None and match_pct < MATCH_PCT_AT_LEAST:
            services.alert_once(
                f"{services.kind.kind}_match_pct:{job_id}",
                f"The {title} of company {company} matches only {match_pct:.2f} %, job {job_id}.",
                request_id=request_id,
            )
    except CdpError as exc:
        logger.warning("[%s] alert not sent (%s)", job_id, exc.code)
