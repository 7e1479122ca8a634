"""The migration proper: read a page, transform it, insert it, count it; and the plan that says which pages."""

import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

from cdp_pipelines.domain.failures import RowFailure
from cdp_pipelines.domain.migrations import Counts, ShardRange, ranges_up_to, shard_ranges
from cdp_pipelines.domain.outcomes import WRITE_FAILED, Outcome, Ready, Skipped
from cdp_pipelines.pipelines.migrations.collecting import long_lived_set_aside
from cdp_pipelines.pipelines.migrations.degraded import degraded_rows
from cdp_pipelines.pipelines.migrations.hold import Hold
from cdp_pipelines.pipelines.migrations.patience import patiently
from cdp_pipelines.pipelines.migrations.source import MigrationSource, Overview, Parts, Quarantined
from cdp_pipelines.stores.migration_jobs import DEGRADED_ROWS, FAILED_PARTS, FAILED_ROWS

logger = logging.getLogger(__name__)

Document = dict[str, Any]

AUTOMATIC_SHARDS: Final = 8
PAGES_A_LOG_LINE: Final = 20


@dataclass(slots=True)
class PageResult:
    """One page: its counts, and its failed rows with the rows they came from."""

    counts: Counts
    failures: list[tuple[RowFailure, Any]] = field(default_factory=list)


def plan(hold: Hold, source: MigrationSource, job: Document) -> list[str]:
    """The names of the shards still to do. A job that has a plan keeps it; a new one looks over the source first."""
    if not job.get("planned") or lost_its_shards(job):
        kind, options = hold.services.kind, job["options"]
        overview = source.overview(job)
        wanted = options["shards"] or min(AUTOMATIC_SHARDS, -(-overview.total // kind.rows_a_shard))
        ranges = _ranges(source, job, overview, min(wanted, overview.total))
        hold.services.jobs.set_shards(
            hold.owned,
            {f"shard_{number}": part for number, part in enumerate(ranges)},
            total=overview.total,
            now=hold.services.now(),
        )
        job = hold.beat(planned=True, **overview.facts, phase="migrate")
        logger.info("%s %d %s in %d shards", hold.label, overview.total, kind.rows, len(ranges))
    elif job.get("extend"):
        job = _extend(hold, source, job)
    return [name for name, shard in sorted(job["shards"].items()) if not shard["done"]]


def _ranges(source: MigrationSource, job: Document, overview: Overview, wanted: int) -> list[ShardRange]:
    """Ranges of as many rows each, so that no shard has nothing to do while another has it all."""
    if not overview.total:
        return []
    uppers = source.edges(job, overview, wanted) if wanted > 1 else ()
    if uppers is None:
        return shard_ranges(overview.first_id, overview.last_id, wanted)
    return ranges_up_to(overview.first_id, uppers, overview.last_id)


def _extend(hold: Hold, source: MigrationSource, job: Document) -> Document:
    """Add what came to the source since the job ended to its plan, as one more shard."""
    last_id = max((int(shard["to"]) for shard in job["shards"].values()), default=0)
    overview = source.overview(job, after=last_id)
    changes: Document = {"extend": False, "phase": "migrate"}
    if overview.total:
        name, part = f"shard_{len(job['shards'])}", ShardRange(last_id, overview.last_id)
        hold.services.jobs.add_shard(hold.owned, name, part, rows=overview.total, now=hold.services.now())
        changes |= overview.facts
    told = {**(job.get("taken_up") or {}), "new": overview.total}
    logger.info("%s %d new %s", hold.label, overview.total, hold.services.kind.rows)
    return hold.beat(**changes, taken_up=told)


def lost_its_shards(job: Mapping[str, Any]) -> bool:
    """Whether a job that was planned has no plan any more, as after a MongoDB that forgot what it had confirmed."""
    return bool(job.get("planned")) and not job.get("shards") and int(job.get("records_total") or 0) > 0


def finish_shards(hold: Hold, source: MigrationSource, job: Document) -> None:
    """Work through what no step of this run was for: shards of a plan that had to be made again in its middle."""
    for name in plan(hold, source, job):
        patiently(hold, hold.beat(), partial(_migrate_named, hold, source, name))


def _migrate_named(hold: Hold, source: MigrationSource, shard: str, job: Document) -> None:
    migrate_shard(hold, source, job, shard)


@long_lived_set_aside()
def migrate_shard(hold: Hold, source: MigrationSource, job: Document, shard: str) -> None:
    """Work through one shard from its cursor to its end; each page is counted and moves the cursor in one step.

    While one page is being inserted and counted, the next is read and transformed; it is inserted after that.

    Raises:
        OwnershipLost, CancelRequested, Halted: see `Hold.advance`.
    """
    if shard not in job["shards"]:
        plan(hold, source, job)
        job = hold.beat()
    if shard not in job["shards"]:
        # The new plan has fewer; the last step sees to all of them.
        return
    place, dry_run = job["shards"][shard], job["dry_run"]
    shard_pages = _Pages(hold, source, shard, position=int(place[hold.services.kind.jobs.cursor]), dry_run=dry_run)
    source_pages = source.pages(
        job, after=shard_pages.position, to=int(place["to"]), page_rows=job["options"]["page_rows"]
    )
    with closing(source_pages) as pages, ThreadPoolExecutor(max_workers=1, thread_name_prefix=shard) as writer:
        writing: Future[None] | None = None
        for rows in pages:
            outcomes = source.outcomes(rows)
            parts = source.before_write(hold, rows, outcomes, dry_run=dry_run)
            if writing is not None:
                writing.result()
            writing = writer.submit(shard_pages.write, rows, outcomes, parts, source.noticed())
        if writing is not None:
            writing.result()
    shard_pages.done(int(place["to"]))


class _Pages:
    """Writes and counts the pages of one shard, in their order; `position` is the last id that is counted."""

    def __init__(self, hold: Hold, source: MigrationSource, shard: str, *, position: int, dry_run: bool) -> None:
        self._hold, self._source, self._shard, self._dry_run = hold, source, shard, dry_run
        self.position = position
        self._pages = 0

    def write(self, rows: Sequence[Any], outcomes: Sequence[Outcome], parts: Parts, noticed: Mapping[str, int]) -> None:
        """Insert a page, then count it and move the cursor."""
        if parts.failed and not self._dry_run:
            # Before their rows are written, after which nobody would look at their parts again.
            _quarantine(self._hold, parts.failed, part=True)
        degraded = [] if self._dry_run else degraded_rows(self._hold.services.kind, self._source, rows, outcomes)
        if degraded:
            _quarantine(self._hold, degraded, part=True)
        result = write_page(self._source, rows, outcomes, dry_run=self._dry_run)
        result.counts += Counts(notes={**parts.counts, **noticed})
        if not self._dry_run:
            _quarantine(self._hold, quarantined(self._source, result))
        listed = {
            FAILED_ROWS: [failure for failure, _ in result.failures],
            FAILED_PARTS: [failure for failure, _ in parts.failed],
            DEGRADED_ROWS: [failure for failure, _ in degraded],
        }
        last_id = rows[-1].id
        job = self._hold.advance(self._shard, result.counts, listed, from_id=self.position, to_id=last_id)
        self.position, self._pages = last_id, self._pages + 1
        if self._pages % PAGES_A_LOG_LINE == 0:
            _say_progress(self._hold, job, self._shard)

    def done(self, to_id: int) -> None:
        """Move the cursor to the shard's end."""
        job = self._hold.advance(self._shard, Counts(), {}, from_id=self.position, to_id=to_id, done=True)
        _say_progress(self._hold, job, self._shard)


def write_page(
    source: MigrationSource, rows: Sequence[Any], outcomes: Sequence[Outcome], *, dry_run: bool
) -> PageResult:
    """Insert what is ready, one round trip, and count every row under its outcome."""
    skipped: Counter[str] = Counter()
    notes: Counter[str] = Counter()
    failures: list[tuple[RowFailure, Any]] = []
    ready: list[tuple[int, Document]] = []
    by_index: list[tuple[Any, Ready]] = []
    for row, outcome in zip(rows, outcomes, strict=True):
        if isinstance(outcome, Ready):
            ready.append((row.id, outcome.document))
            by_index.append((row, outcome))
        elif isinstance(outcome, Skipped):
            skipped[outcome.reason] += 1
        else:
            failures.append((outcome, row))
    present, refused = _write(source, ready, dry_run=dry_run)
    migrated = 0
    for index, (row, outcome) in enumerate(by_index):
        if index in present:
            skipped[source.documents.kind.present_reason] += 1
        elif index in refused:
            failures.append((RowFailure(str(row.id), WRITE_FAILED, refused[index]), row))
        else:
            migrated += 1
            if outcome.notes:
                notes.update(outcome.notes)
    return PageResult(Counts(migrated, dict(skipped), len(failures), dict(notes)), failures)


def quarantined(source: MigrationSource, result: PageResult) -> list[Quarantined]:
    """The failed rows with their evidence."""
    return [(failure, source.evidence(row)) for failure, row in result.failures]


def _write(
    source: MigrationSource, ready: list[tuple[int, Document]], *, dry_run: bool
) -> tuple[set[int], dict[int, str]]:
    if dry_run:
        there = source.documents.present([row_id for row_id, _ in ready])
        return {index for index, (row_id, _) in enumerate(ready) if row_id in there}, {}
    written = source.documents.insert(ready)
    return set(written.present), written.failed


def _quarantine(hold: Hold, failures: Sequence[Quarantined], *, part: bool = False) -> None:
    # Before the page is counted: a row that is counted as failed must be findable.
    hold.services.failures.keep(
        hold.owned.job_id, hold.owned.company_sso_id, failures, part=part, now=hold.services.now()
    )


def _say_progress(hold: Hold, job: Document, shard: str) -> None:
    logger.info(
        "%s %s: %.2f %% of %d %s; %d migrated, %d skipped, %d failed",
        hold.label,
        shard,
        job["progress_pct"],
        job["records_total"],
        hold.services.kind.rows,
        job["records_migrated"],
        sum(job["records_skipped"].values()),
        job["records_failed"],
    )
