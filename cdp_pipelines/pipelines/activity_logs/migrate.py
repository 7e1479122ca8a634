"""The migration proper: read a page, transform it, insert it, count it; and the plan that says which pages."""

import logging
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any, Final

from cdp_pipelines.domain.activity_logs.audits import Audit, Document
from cdp_pipelines.domain.activity_logs.transform import DUPLICATE_EXTERNAL_ID, WRITE_FAILED, Skipped
from cdp_pipelines.domain.failures import RowFailure
from cdp_pipelines.domain.migrations import Counts, shard_ranges
from cdp_pipelines.pipelines.activity_logs.config import AUTOMATIC_SHARDS, CURSOR, ROWS_A_SHARD
from cdp_pipelines.pipelines.activity_logs.pages import Outcome, Ready, Source, evidence
from cdp_pipelines.pipelines.migrations.collecting import long_lived_set_aside
from cdp_pipelines.pipelines.migrations.hold import Hold
from cdp_pipelines.stores.activity_logs import ActivityLogs

logger = logging.getLogger(__name__)

LAUNCHPAD_OUTAGES: Final = "launchpad_outages"
PAGES_A_LOG_LINE: Final = 20


@dataclass(slots=True)
class PageResult:
    """One page: its counts, and its failed rows with the audits they came from."""

    counts: Counts
    failures: list[tuple[RowFailure, Audit]] = field(default_factory=list)


def plan(hold: Hold, source: Source, job: Document) -> list[str]:
    """The names of the shards still to do. A job that has a plan keeps it; a new one looks over the source first."""
    if not job.get("planned"):
        options = job["options"]
        overview = source.crm.audit_overview(options["date_range_start"])
        wanted = options["shards"] or min(AUTOMATIC_SHARDS, -(-overview.total // ROWS_A_SHARD))
        ranges = shard_ranges(overview.first_id, overview.last_id, wanted) if overview.total else []
        hold.services.jobs.set_shards(
            hold.owned,
            {f"shard_{number}": part for number, part in enumerate(ranges)},
            total=overview.total,
            now=hold.services.now(),
        )
        job = hold.beat(
            planned=True,
            scope=list(overview.auditable_types),
            cutoff=options["date_range_start"] or overview.first_created_at,
            phase="migrate",
        )
        logger.info("%s %d audits in %d shards", hold.label, overview.total, len(ranges))
    return [name for name, shard in sorted(job["shards"].items()) if not shard["done"]]


@long_lived_set_aside()
def migrate_shard(hold: Hold, source: Source, job: Document, shard: str) -> None:
    """Work through one shard from its cursor to its end; each page is counted and moves the cursor in one step.

    While one page is being inserted and counted, the next is read and transformed; it is inserted after that.

    Raises:
        OwnershipLost, CancelRequested, Halted: see `Hold.advance`.
    """
    place, options = job["shards"][shard], job["options"]
    shard_pages = _Pages(hold, source, shard, position=int(place[CURSOR]), dry_run=job["dry_run"])
    source_pages = source.crm.audits(
        after=shard_pages.position,
        to=int(place["to"]),
        scope=job["scope"],
        cutoff=options["date_range_start"],
        page_rows=options["page_rows"],
    )
    with closing(source_pages) as pages, ThreadPoolExecutor(max_workers=1, thread_name_prefix=shard) as writer:
        writing: Future[None] | None = None
        for audits in pages:
            outcomes = source.outcomes(audits)
            if writing is not None:
                writing.result()
            writing = writer.submit(shard_pages.write, audits, outcomes)
        if writing is not None:
            writing.result()
    shard_pages.done(int(place["to"]))


class _Pages:
    """Writes and counts the pages of one shard, in their order; `position` is the last id that is counted."""

    def __init__(self, hold: Hold, source: Source, shard: str, *, position: int, dry_run: bool) -> None:
        self._hold, self._source, self._shard, self._dry_run = hold, source, shard, dry_run
        self._logs = ActivityLogs(hold.services.database, source.company_sso_id)
        self.position = position
        self._pages = self._outages = 0

    def write(self, audits: Sequence[Audit], outcomes: Sequence[Outcome]) -> None:
        """Insert a page, then count it and move the cursor."""
        result = write_page(self._logs, audits, outcomes, dry_run=self._dry_run)
        outages = self._source.lookups.actors.outages
        if outages > self._outages:
            result.counts += Counts(notes={LAUNCHPAD_OUTAGES: outages - self._outages})
            self._outages = outages
        if not self._dry_run:
            _quarantine(self._hold, result)
        failures = [failure for failure, _ in result.failures]
        last_id = audits[-1].id
        job = self._hold.advance(self._shard, result.counts, failures, from_id=self.position, to_id=last_id)
        self.position, self._pages = last_id, self._pages + 1
        if self._pages % PAGES_A_LOG_LINE == 0:
            _say_progress(self._hold, job, self._shard)

    def done(self, to_id: int) -> None:
        """Move the cursor to the shard's end."""
        job = self._hold.advance(self._shard, Counts(), [], from_id=self.position, to_id=to_id, done=True)
        _say_progress(self._hold, job, self._shard)


def write_page(
    logs: ActivityLogs, audits: Sequence[Audit], outcomes: Sequence[Outcome], *, dry_run: bool
) -> PageResult:
    """Insert what is ready, one round trip, and count every row under its outcome."""
    skipped: Counter[str] = Counter()
    notes: Counter[str] = Counter()
    failures: list[tuple[RowFailure, Audit]] = []
    ready: list[tuple[int, Document]] = []
    by_index: list[tuple[Audit, Ready]] = []
    for audit, outcome in zip(audits, outcomes, strict=True):
        if isinstance(outcome, Ready):
            ready.append((audit.id, outcome.document))
            by_index.append((audit, outcome))
        elif isinstance(outcome, Skipped):
            skipped[outcome.reason] += 1
        else:
            failures.append((outcome, audit))
    present, refused = _write(logs, ready, dry_run=dry_run)
    migrated = 0
    for index, (audit, outcome) in enumerate(by_index):
        if index in present:
            skipped[DUPLICATE_EXTERNAL_ID] += 1
        elif index in refused:
            failures.append((RowFailure(str(audit.id), WRITE_FAILED, refused[index]), audit))
        else:
            migrated += 1
            if outcome.notes:
                notes.update(outcome.notes)
    return PageResult(Counts(migrated, dict(skipped), len(failures), dict(notes)), failures)


def _write(logs: ActivityLogs, ready: list[tuple[int, Document]], *, dry_run: bool) -> tuple[set[int], dict[int, str]]:
    if dry_run:
        there = logs.present([audit_id for audit_id, _ in ready])
        return {index for index, (audit_id, _) in enumerate(ready) if audit_id in there}, {}
    written = logs.insert(ready)
    return set(written.present), written.failed


def _quarantine(hold: Hold, result: PageResult) -> None:
    # Before the page is counted: a row that is counted as failed must be findable.
    kept: list[tuple[RowFailure, Any]] = [(failure, evidence(audit)) for failure, audit in result.failures]
    hold.services.failures.keep(hold.owned.job_id, hold.owned.company_sso_id, kept, now=hold.services.now())


def _say_progress(hold: Hold, job: Document, shard: str) -> None:
    logger.info(
        "%s %s: %.2f %% of %d audits; %d migrated, %d skipped, %d failed",
        hold.label,
        shard,
        job["progress_pct"],
        job["records_total"],
        job["records_migrated"],
        sum(job["records_skipped"].values()),
        job["records_failed"],
    )
