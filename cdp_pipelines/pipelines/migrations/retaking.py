"""The quarantine gone through again, after whatever failed its rows was mended: by a replay or a start that goes on.

Every row stays counted once, now under its new outcome. How far it is stands on the job (`replay`), so that one that
died is gone on with; what could be written has left the quarantine by then or leaves it first.
"""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from cdp_pipelines.domain.migrations import Counts
from cdp_pipelines.domain.outcomes import GONE_FROM_SOURCE
from cdp_pipelines.pipelines.migrations.degraded import Settled, degraded_rows, settle_degraded
from cdp_pipelines.pipelines.migrations.failed_lists import lists_anew
from cdp_pipelines.pipelines.migrations.hold import Hold, counts_of, outcomes_of
from cdp_pipelines.pipelines.migrations.paging import quarantined, write_page
from cdp_pipelines.pipelines.migrations.source import MigrationSource, Parts

Document = dict[str, Any]

BATCH_ROWS: Final = 500


@dataclass(frozen=True, slots=True)
class Retaken:
    """`looked_at` rows of the quarantine, by what became of them; `gone` are no longer in the CRM.

    `parts` are quarantined parts of rows, such as files; `parts_failed` of them failed again. Of `people_looked_at`
    rows that an outage left without their author, `people_mended` have theirs, and `people_unknown` are still listed.
    `job` is how the job stands after all.
    """

    looked_at: int = 0
    migrated: int = 0
    skipped: int = 0
    still_failed: int = 0
    gone: int = 0
    parts: int = 0
    parts_failed: int = 0
    people_looked_at: int = 0
    people_mended: int = 0
    people_unknown: int = 0
    job: Mapping[str, Any] | None = None

    @property
    def anything(self) -> bool:
        """Whether there was anything in the quarantine."""
        return self.looked_at + self.parts + self.people_looked_at > 0


@dataclass(frozen=True, slots=True)
class _Batch:
    """What became of one batch of the quarantine: `rows` failed rows of which `found` are in the CRM, and parts."""

    rows: int
    found: int
    counts: Counts
    moved: Counts
    parts: int
    parts_failed: int


def retake(hold: Hold, source: MigrationSource, *, compare_anew: bool = False) -> tuple[Document, Retaken]:
    """Go through the quarantine of the job; the job as it is then, and what became of the rows.

    What was compared and enriched before is done anew if there was anything, or with `compare_anew`.
    """
    services, owned = hold.services, hold.owned
    job = _with_replay(hold)
    replay_id, cursor = job["replay"]["id"], job["replay"]["cursor"]
    done: list[_Batch] = []
    while batch := services.failures.batch(owned.job_id, owned.company_sso_id, after=cursor, size=BATCH_ROWS):
        cursor = batch[-1]["_id"]
        ahead = _met_again(source, job, batch, services.kind.jobs.cursor)
        services.failures.forget_these(owned.company_sso_id, list(ahead))
        done.append(_run_again(hold, source, [row for row in batch if row["_id"] not in ahead], replay_id))
        job = hold.beat(**_recounted(job, done[-1]), replay={"id": replay_id, "cursor": cursor})
        services.failures.forget_settled(owned.job_id, owned.company_sso_id, up_to=cursor, replay_id=replay_id)
    retaken = _summed(done, settle_degraded(hold, source))
    changes: Document = {"replay": None, "retake": False, **lists_anew(hold, hold.beat())}
    if retaken.anything or compare_anew:
        changes |= {"enrichment": None, "reconciliation": None, "validation": None}
    job = hold.beat(**changes)
    # What failed again was looked into; what fails from now on is what the limit is about.
    return hold.beat(guard_base=outcomes_of(job)), retaken


def _met_again(source: MigrationSource, job: Mapping[str, Any], batch: Sequence[Document], cursor: str) -> set[str]:
    """The `_id`s of what was kept for a page that was cut off before it was counted: its shard meets its rows again.

    Not the parts of those rows of it that were written: their shard finds them there and does not look at their parts.
    """
    shards = (job.get("shards") or {}).values()
    ahead: dict[str, int] = {}
    for row in batch:
        number = int(str(row["source_id"]).partition("/")[0])
        if not any(int(shard["after"]) < number <= int(shard[cursor]) for shard in shards):
            ahead[row["_id"]] = number
    parts = {ahead[row["_id"]] for row in batch if row.get("part") and row["_id"] in ahead}
    written = source.documents.present(sorted(parts)) if parts else set()
    return {
        row["_id"] for row in batch if row["_id"] in ahead and not (row.get("part") and ahead[row["_id"]] in written)
    }


def _summed(done: Sequence[_Batch], people: Settled) -> Retaken:
    return Retaken(
        looked_at=sum(each.rows for each in done),
        migrated=sum(each.counts.migrated for each in done),
        skipped=sum(sum(each.counts.skipped.values()) for each in done),
        still_failed=sum(each.counts.failed for each in done),
        gone=sum(each.rows - each.found for each in done),
        parts=sum(each.parts for each in done),
        parts_failed=sum(each.parts_failed for each in done),
        people_looked_at=people.looked_at,
        people_mended=people.mended,
        people_unknown=people.unknown,
    )


def _run_again(hold: Hold, source: MigrationSource, batch: Sequence[Document], replay_id: str) -> _Batch:
    """Write the rows of a batch that can be written, fetch its parts, and keep why the others failed now."""
    failures, owned, now = hold.services.failures, hold.owned, hold.services.now()
    failed_rows = [row for row in batch if not row.get("part")]
    failed_parts = [row for row in batch if row.get("part")]
    rows = source.rows_by_id([int(row["source_id"]) for row in failed_rows]) if failed_rows else []
    outcomes = source.outcomes(rows)
    beside = source.before_write(hold, rows, outcomes, dry_run=False)
    people = degraded_rows(hold.services.kind, source, rows, outcomes)
    failures.keep(owned.job_id, owned.company_sso_id, [*beside.failed, *people], part=True, now=now)
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
