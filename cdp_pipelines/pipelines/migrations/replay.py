"""Running the quarantined rows again, just those, after whatever failed them was mended (`cdp migrate replay`)."""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from cdp_pipelines.domain.errors import PermanentFailure
from cdp_pipelines.domain.migrations import (
    CANCELED,
    COMPLETED_WITH_ERRORS,
    FAILED,
    IN_PROGRESS,
    ROLLED_BACK,
    Counts,
)
from cdp_pipelines.domain.outcomes import GONE_FROM_SOURCE
from cdp_pipelines.pipelines.migrations.conclude import conclude
from cdp_pipelines.pipelines.migrations.failed_lists import lists_anew
from cdp_pipelines.pipelines.migrations.hold import Hold, counts_of
from cdp_pipelines.pipelines.migrations.paging import quarantined, write_page
from cdp_pipelines.pipelines.migrations.reconcile import reconcile
from cdp_pipelines.pipelines.migrations.services import MigrationServices
from cdp_pipelines.pipelines.migrations.source import MigrationSource, Parts
from cdp_pipelines.pipelines.migrations.steps import ended_well

Document = dict[str, Any]

BATCH_ROWS: Final = 500
PHASE: Final = "replay"
_INTERRUPTED: Final = frozenset({IN_PROGRESS, FAILED, CANCELED})
"""How a job may stand whose replay died: as it was, or as the sweeper ended it."""


@dataclass(frozen=True, slots=True)
class Replayed:
    """`looked_at` rows of the quarantine, by what became of them; `gone` are no longer in the CRM.

    `parts` are quarantined parts of rows, such as files; `parts_failed` of them failed again.
    """

    looked_at: int = 0
    migrated: int = 0
    skipped: int = 0
    still_failed: int = 0
    gone: int = 0
    parts: int = 0
    parts_failed: int = 0
    job: Mapping[str, Any] | None = None


def replay(services: MigrationServices, company_sso_id: str, run_id: str) -> Replayed:
    """Go through the failed rows of the company's last job, then compare everything anew.

    The job is taken as a run takes it, so no migration and no rollback can work on it meanwhile; it ends as a run's
    does. A replay that died is gone on with, once its lease ran out.

    Raises:
        PermanentFailure: `NOT_MIGRATED`, there is no such job; `JOB_ALREADY_RUNNING`; `NOT_FINISHED`, the job stopped
            half-way, start it again first.
    """
    job = services.jobs.latest(company_sso_id)
    if job is None or job["status"] == ROLLED_BACK:
        raise PermanentFailure("NOT_MIGRATED", f"This company has no {services.kind.title} to replay failures of.")
    interrupted = job.get("phase") == PHASE and job["status"] in _INTERRUPTED
    if job["status"] == IN_PROGRESS and not interrupted:
        raise PermanentFailure("JOB_ALREADY_RUNNING", "A run is working on this company's migration.")
    finished = job["status"] in {services.kind.completed_status, COMPLETED_WITH_ERRORS}
    if not finished and not interrupted:
        raise PermanentFailure(
            "NOT_FINISHED", f"The last migration of this company is {job['status']}; start it again, then replay."
        )
    owned = services.jobs.reopen(job, run_id, {"phase": PHASE}, now=services.now())
    if owned is None:
        raise PermanentFailure("JOB_ALREADY_RUNNING", "Another run is working on this company's migration.")
    hold = Hold(services, owned)
    source = services.kind.source(services, services.company(company_sso_id), None)
    try:
        return _go_through(hold, source)
    except BaseException:
        # Nothing that was done is lost: replayed rows have left the quarantine, the others are in it still.
        conclude(services, owned, COMPLETED_WITH_ERRORS if interrupted else job["status"])
        raise
    finally:
        source.close()


@dataclass(frozen=True, slots=True)
class _Batch:
    """What became of one batch of the quarantine: `rows` failed rows of which `found` are in the CRM, and parts."""

    rows: int
    found: int
    counts: Counts
    moved: Counts
    parts: int
    parts_failed: int


def _go_through(hold: Hold, source: MigrationSource) -> Replayed:
    services, owned = hold.services, hold.owned
    job = _with_replay(hold)
    replay_id, cursor = job["replay"]["id"], job["replay"]["cursor"]
    done: list[_Batch] = []
    while batch := services.failures.batch(owned.job_id, owned.company_sso_id, after=cursor, size=BATCH_ROWS):
        done.append(_run_again(hold, source, batch, replay_id))
        cursor = batch[-1]["_id"]
        job = hold.beat(**_recounted(job, done[-1]), replay={"id": replay_id, "cursor": cursor})
        services.failures.forget_settled(owned.job_id, owned.company_sso_id, up_to=cursor, replay_id=replay_id)
    job = hold.beat(**lists_anew(hold, job), enrichment=None, reconciliation=None, validation=None, replay=None)
    if services.kind.after_replay is not None:
        job = services.kind.after_replay(hold, source, job)
    job = reconcile(hold, source, job)
    conclude(services, owned, ended_well(services.kind, job), changes={"phase": "done"})
    return Replayed(
        looked_at=sum(each.rows for each in done),
        migrated=sum(each.counts.migrated for each in done),
        skipped=sum(sum(each.counts.skipped.values()) for each in done),
        still_failed=sum(each.counts.failed for each in done),
        gone=sum(each.rows - each.found for each in done),
        parts=sum(each.parts for each in done),
        parts_failed=sum(each.parts_failed for each in done),
        job=services.jobs.find(owned.job_id, owned.company_sso_id),
    )


def _run_again(hold: Hold, source: MigrationSource, batch: Sequence[Document], replay_id: str) -> _Batch:
    """Write the rows of a batch that can be written, fetch its parts, and keep why the others failed now."""
    failures, owned, now = hold.services.failures, hold.owned, hold.services.now()
    failed_rows = [row for row in batch if not row.get("part")]
    failed_parts = [row for row in batch if row.get("part")]
    rows = source.rows_by_id([int(row["source_id"]) for row in failed_rows]) if failed_rows else []
    outcomes = source.outcomes(rows)
    beside = source.before_write(hold, rows, outcomes, dry_run=False)
    failures.keep(owned.job_id, owned.company_sso_id, beside.failed, part=True, now=now)
    result = write_page(source, rows, outcomes, dry_run=False)
    again = source.replay_parts(hold, failed_parts) if failed_parts else Parts()
    failed = [*quarantined(source, result), *beside.failed, *again.failed]
    failures.failed_again(owned.job_id, owned.company_sso_id, failed, replay_id=replay_id, now=now)
    moved = Counts(notes=beside.counts) + Counts(notes=again.counts) + Counts(notes=source.noticed())
    return _Batch(len(failed_rows), len(rows), result.counts, moved, len(failed_parts), len(again.failed))


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


def _recounted(job: Mapping[str, Any], batch: _Batch) -> Document:
    """The job's counts after a batch: every row stays counted once, now under its new outcome."""
    gone = batch.rows - batch.found
    now_counted = batch.counts + batch.moved + Counts(skipped={GONE_FROM_SOURCE: gone} if gone else {})
    counts = counts_of(job) + now_counted - Counts(failed=batch.rows)
    return {
        "records_migrated": counts.migrated,
        "records_skipped": dict(counts.skipped),
        "records_failed": counts.failed,
        "notes": dict(counts.notes),
        "failure_rate": round(counts.failure_rate, 6),
    }
