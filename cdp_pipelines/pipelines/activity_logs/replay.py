"""Running the quarantined rows again, just those, after whatever failed them was mended (`cdp migrate replay`)."""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from cdp_pipelines.domain.activity_logs.enrichment import TOLERANCE_SECONDS
from cdp_pipelines.domain.errors import PermanentFailure
from cdp_pipelines.domain.failures import LISTED_ON_JOB, RowFailure
from cdp_pipelines.domain.migrations import (
    CANCELED,
    COMPLETED,
    COMPLETED_WITH_ERRORS,
    FAILED,
    IN_PROGRESS,
    MATCH_PCT_AT_LEAST,
    ROLLED_BACK,
    Counts,
)
from cdp_pipelines.pipelines.activity_logs.enrich import enrich
from cdp_pipelines.pipelines.activity_logs.migrate import PageResult, write_page
from cdp_pipelines.pipelines.activity_logs.pages import Source, evidence
from cdp_pipelines.pipelines.activity_logs.reconcile import reconcile
from cdp_pipelines.pipelines.migrations.conclude import conclude
from cdp_pipelines.pipelines.migrations.hold import Hold, counts_of
from cdp_pipelines.pipelines.migrations.services import MigrationServices
from cdp_pipelines.stores.activity_logs import ActivityLogs

Document = dict[str, Any]

BATCH_ROWS: Final = 500
GONE_FROM_SOURCE: Final = "gone_from_source"
"""A quarantined audit that the CRM has no more; nothing can be migrated of it."""
PHASE: Final = "replay"
_FINISHED: Final = frozenset({COMPLETED, COMPLETED_WITH_ERRORS})
_INTERRUPTED: Final = frozenset({IN_PROGRESS, FAILED, CANCELED})
"""How a job may stand whose replay died: as it was, or as the sweeper ended it."""


@dataclass(frozen=True, slots=True)
class Replayed:
    """`looked_at` rows of the quarantine, by what became of them; `gone` are no longer in the CRM."""

    looked_at: int = 0
    migrated: int = 0
    skipped: int = 0
    still_failed: int = 0
    gone: int = 0
    job: Mapping[str, Any] | None = None


def replay(services: MigrationServices, company_sso_id: str, run_id: str) -> Replayed:
    """Go through the failed rows of the company's last job, then compare everything anew.

    The job is taken as a run takes it, so no migration and no rollback can work on it meanwhile; it ends `completed`
    if nothing is left failed. A replay that died is gone on with, once its lease ran out.

    Raises:
        PermanentFailure: `NOT_MIGRATED`, there is no such job; `JOB_ALREADY_RUNNING`; `NOT_FINISHED`, the job stopped
            half-way, start it again first.
    """
    job = services.jobs.latest(company_sso_id)
    if job is None or job["status"] == ROLLED_BACK:
        raise PermanentFailure("NOT_MIGRATED", "This company has no migrated activity logs to replay failures of.")
    interrupted = job.get("phase") == PHASE and job["status"] in _INTERRUPTED
    if job["status"] == IN_PROGRESS and not interrupted:
        raise PermanentFailure("JOB_ALREADY_RUNNING", "A run is working on this company's migration.")
    if job["status"] not in _FINISHED and not interrupted:
        raise PermanentFailure(
            "NOT_FINISHED", f"The last migration of this company is {job['status']}; start it again, then replay."
        )
    owned = services.jobs.reopen(job, run_id, {"phase": PHASE}, now=services.now())
    if owned is None:
        raise PermanentFailure("JOB_ALREADY_RUNNING", "Another run is working on this company's migration.")
    hold = Hold(services, owned)
    source = Source(services, services.company(company_sso_id), None)
    try:
        return _go_through(hold, source)
    except BaseException:
        # Nothing that was done is lost: replayed rows have left the quarantine, the others are in it still.
        conclude(services, owned, COMPLETED_WITH_ERRORS if interrupted else job["status"])
        raise
    finally:
        source.close()


def _go_through(hold: Hold, source: Source) -> Replayed:
    services, owned = hold.services, hold.owned
    logs = ActivityLogs(services.database, owned.company_sso_id)
    job = _with_replay(hold)
    replay_id, cursor = job["replay"]["id"], job["replay"]["cursor"]
    counts, looked_at, gone = Counts(), 0, 0
    while batch := services.failures.batch(owned.job_id, owned.company_sso_id, after=cursor, size=BATCH_ROWS):
        audits = source.crm.audits_by_id([int(row["source_id"]) for row in batch])
        result = write_page(logs, audits, source.outcomes(audits), dry_run=False)
        services.failures.failed_again(
            owned.job_id, owned.company_sso_id,
            [(failure, evidence(audit)) for failure, audit in result.failures],
            replay_id=replay_id, now=services.now(),
        )  # fmt: skip
        cursor = batch[-1]["_id"]
        job = hold.beat(**_recounted(job, batch, result), replay={"id": replay_id, "cursor": cursor})
        services.failures.forget_settled(owned.job_id, owned.company_sso_id, up_to=cursor, replay_id=replay_id)
        looked_at, gone = looked_at + len(batch), gone + len(batch) - len(audits)
        counts += result.counts
    listed = services.failures.batch(owned.job_id, owned.company_sso_id, after="", size=LISTED_ON_JOB)
    rows = [RowFailure(row["source_id"], row["reason_code"], row["details"]).as_document() for row in listed]
    job = hold.beat(failed_rows=rows, enrichment=None, reconciliation=None, replay=None)
    job = enrich(hold, source, job, tolerance_seconds=TOLERANCE_SECONDS)
    job = reconcile(hold, source, job)
    clean = job["records_failed"] == 0 and job["match_pct"] >= MATCH_PCT_AT_LEAST
    conclude(services, owned, COMPLETED if clean else COMPLETED_WITH_ERRORS, changes={"phase": "done"})
    return Replayed(
        looked_at=looked_at,
        migrated=counts.migrated,
        skipped=sum(counts.skipped.values()),
        still_failed=counts.failed,
        gone=gone,
        job=services.jobs.find(owned.job_id, owned.company_sso_id),
    )


def _with_replay(hold: Hold) -> Document:
    """The job with its replay: a new one, or an interrupted one, whose settled rows leave the quarantine first."""
    job = hold.beat()
    replay = job.get("replay")
    if not replay:
        return hold.beat(replay={"id": uuid.uuid4().hex, "cursor": ""})
    hold.services.failures.forget_settled(
        hold.owned.job_id, hold.owned.company_sso_id, up_to=replay["cursor"], replay_id=replay["id"]
    )
    return job


def _recounted(job: Mapping[str, Any], batch: Sequence[Mapping[str, Any]], result: PageResult) -> Document:
    """The job's counts after a batch: every row stays counted once, now under its new outcome."""
    gone = len(batch) - result.counts.processed
    replayed = result.counts + Counts(skipped={GONE_FROM_SOURCE: gone} if gone else {})
    counts = counts_of(job) + replayed - Counts(failed=len(batch))
    return {
        "records_migrated": counts.migrated,
        "records_skipped": dict(counts.skipped),
        "records_failed": counts.failed,
        "notes": dict(counts.notes),
        "failure_rate": round(counts.failure_rate, 6),
    }
