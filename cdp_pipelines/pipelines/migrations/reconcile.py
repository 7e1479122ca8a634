"""Proof that all of it arrived: every row of the job against what is in the CDP, by id and by content (SPEC 5.3).

Both sides are streamed in the order of the rows' ids and compared as they come; the tally is kept on the job every few
thousand ids, so a reconciliation that was interrupted goes on. Of the CDP's side all of the company's migrated
documents are looked at, whatever the job's range: one that the range says nothing about is extra unless its row exists.
"""

import logging
from collections.abc import Callable, Generator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any, Final

from cdp_pipelines.domain.errors import TransientFailure
from cdp_pipelines.domain.outcomes import DEGRADED_MENDED, Outcome, Ready, Skipped
from cdp_pipelines.domain.reconciliation import CHANGED_SINCE, Pair, Tally, merged
from cdp_pipelines.pipelines.migrations.collecting import long_lived_set_aside
from cdp_pipelines.pipelines.migrations.hold import Hold
from cdp_pipelines.pipelines.migrations.source import Comparing, MigrationSource
from cdp_pipelines.stores.migrated_documents import LARGEST_ID, Mending

logger = logging.getLogger(__name__)

Document = dict[str, Any]

PAGE_ROWS: Final = 1_000
CHECKPOINT_IDS: Final = 5_000
ATTEMPTS: Final = 5
MOST_OTHERS: Final = 10_000
AT_ONCE: Final = 500
"""Documents without a row in the job's range whose rows are looked up together, and documents mended together."""

DUPLICATES: Final = "duplicates"
OTHERS: Final = "written_by_others"
OTHERS_NOT_COMPARED: Final = "others_not_compared"
OUTSIDE_THE_RANGE: Final = "outside_the_range"
"""Documents of rows that are in the CRM but not in the job's range, such as those before its first date."""


@dataclass(slots=True)
class Progress:
    """How far it is: all ids up to `position` are in the tally. `kept` is what the migration itself remembered."""

    position: int = 0
    tally: Tally = field(default_factory=Tally)
    kept: Mapping[str, Any] | None = None

    @classmethod
    def from_document(cls, document: Document | None, cursor: str) -> "Progress":
        """Where an interrupted reconciliation stood."""
        if not document:
            return cls()
        return cls(int(document.get(cursor) or 0), Tally.from_document(document), document)


@long_lived_set_aside()
def reconcile(hold: Hold, source: MigrationSource, job: Document, *, mend: bool = False) -> Document:
    """Compare everything; the job then has `reconciliation`, `match_pct` and `accuracy_pct`.

    With `mend`, documents that are identical but for what an outage left unknown get those fields, and no other.

    Raises:
        TransientFailure: a side stayed away; what was compared is kept.
    """
    cursor = hold.services.kind.jobs.cursor
    state = job.get("reconciliation")
    if state and state.get("done") is True:
        return job

    def keep(found: Document) -> None:
        hold.beat(reconciliation=found)

    comparison = _Comparison(source, job, Progress.from_document(state, cursor), cursor, keep, mend=mend)
    for attempt in range(1, ATTEMPTS + 1):
        try:
            comparison.run()
            break
        except TransientFailure as exc:
            if attempt == ATTEMPTS:
                raise
            # Back to the last checkpoint: what came after it is in no tally that is kept.
            logger.warning("%s reconciling goes on from the last checkpoint: %s", hold.label, exc)
            kept = hold.beat().get("reconciliation")
            comparison = _Comparison(source, job, Progress.from_document(kept, cursor), cursor, keep, mend=mend)
    found, mended = comparison.finish(), comparison.mended
    if mended:
        before = int((job.get("notes") or {}).get(DEGRADED_MENDED, 0))
        found[f"notes.{DEGRADED_MENDED}"] = before + mended
    return hold.beat(**found)


@long_lived_set_aside()
def compare_again(source: MigrationSource, job: Document, cursor: str) -> Document:
    """The job as it would be after a comparison made now; nothing is written anywhere.

    Raises:
        TransientFailure: a side stayed away.
    """
    comparison = _Comparison(source, job, Progress(), cursor, lambda _: None, mend=False)
    comparison.run()
    return {**job, **comparison.finish()}


def has_nothing_to_compare(job: Mapping[str, Any]) -> bool:
    """Whether everything was compared and no row had to be in the CDP."""
    found = job.get("reconciliation") or {}
    return found.get("done") is True and int(found.get("eligible") or 0) == 0


class _Comparison:
    def __init__(
        self,
        source: MigrationSource,
        job: Document,
        progress: Progress,
        cursor: str,
        keep: Callable[[Document], None],
        *,
        mend: bool,
    ) -> None:
        self._source, self._job, self._cursor, self._keep, self._mend = source, job, cursor, keep, mend
        self._last_id = max((int(shard["to"]) for shard in job["shards"].values()), default=0)
        self._tally, self._position = progress.tally, progress.position
        self._comparing: Comparing = source.comparing(progress.kept)
        self._rowless: dict[int, Document] = {}
        self._mendings: list[Mending] = []
        self._others = self._read_others()

    @property
    def mended(self) -> int:
        """How many documents were set right."""
        return self._tally.mended

    def run(self) -> None:
        next_checkpoint = CHECKPOINT_IDS
        stored = self._source.documents.migrated(after=self._position)
        with closing(self._expected()) as expected:
            for number, pair in enumerate(merged(expected, stored), start=1):
                self._judge(pair)
                self._position = pair.id
                if number >= next_checkpoint:
                    next_checkpoint = number + CHECKPOINT_IDS
                    self._settle()
                    self._keep(self._as_document(done=False))
        self._settle()

    def finish(self) -> Document:
        """What the job is to hold of it."""
        for row_id, document in self._others.items():
            # What is left stands for no row that was met: for none at all, or for one outside the range.
            if row_id < 0:
                self._extra(document)
            else:
                self._rowless[row_id] = document
                self._settle_if_many()
        self._others = {}
        self._settle()
        self._position = max(self._position, self._last_id)
        return {
            "reconciliation": self._as_document(done=True),
            "match_pct": self._tally.match_pct,
            "accuracy_pct": self._tally.accuracy_pct,
        }

    def _as_document(self, *, done: bool) -> Document:
        """As kept on the job."""
        return {
            self._cursor: self._position, "done": done, **self._comparing.as_document(), **self._tally.as_document(),
        }  # fmt: skip

    def _expected(self) -> Generator[tuple[int, tuple[Outcome, bool]], None, None]:
        """Each row's outcome, and whether it was left to a live feed that does not have it."""
        source_pages = self._source.pages(self._job, after=self._position, to=self._last_id, page_rows=PAGE_ROWS)
        with closing(source_pages) as pages:
            for rows in pages:
                outcomes = self._source.outcomes(rows)
                unfed = self._source.unfed(rows, outcomes)
                for row, outcome in zip(rows, outcomes, strict=True):
                    yield row.id, (outcome, row.id in unfed)

    def _judge(self, pair: Pair) -> None:
        tally = self._tally
        stored: Document | None = pair.stored
        other = self._others.pop(pair.id, None)
        if other is not None:
            tally.note(OTHERS)
            if stored is not None:
                tally.note(DUPLICATES)
            stored = stored or other
        if pair.expected is None:
            self._rowless[pair.id] = stored or {}
            self._settle_if_many()
            return
        tally.source += 1
        outcome, unfed = pair.expected
        if isinstance(outcome, Skipped):
            tally.skipped_by_rule += 1
            if stored is not None:
                tally.count("extra", str(pair.id))
                self._comparing.there_though_skipped(outcome, tally)
            elif unfed:
                self._comparing.missed_by_the_feed(pair.id)
        elif not isinstance(outcome, Ready) or stored is None:
            tally.count("missing", str(pair.id))
        else:
            self._compare(pair.id, outcome.document, stored, ours=pair.stored is not None)

    def _compare(self, row_id: int, expected: Document, stored: Document, *, ours: bool) -> None:
        tally = self._tally
        verdict, noted = self._comparing.compare(expected, stored)
        if verdict == CHANGED_SINCE and not ours:
            # What another loader wrote may never have been as the CRM says; that proves nothing about people.
            verdict = "different"
        tally.count(verdict, str(row_id))
        fields = self._comparing.mending(expected, stored) if noted else None
        if fields is not None and self._mend:
            seen = {name: stored.get(name) for name in (*fields, "updated_at")}
            self._mendings.append(Mending(stored["_id"], fields, seen))
            self._settle_if_many()
            return
        tally.degraded += fields is not None
        for name in noted:
            tally.note(name)

    def _extra(self, document: Document, row_id: int | None = None) -> None:
        named = document.get(self._source.documents.kind.key) or document.get("_id")
        self._tally.count("extra", str(named if row_id is None else row_id))

    def _settle_if_many(self) -> None:
        if len(self._rowless) >= AT_ONCE or len(self._mendings) >= AT_ONCE:
            self._settle()

    def _settle(self) -> None:
        """Look up the rows of documents that had none, and mend what is to be mended."""
        if self._rowless:
            self._look_up()
        if self._mendings:
            mended = self._source.documents.mend(self._mendings)
            self._tally.mended += mended
            self._tally.degraded += len(self._mendings) - mended
            self._mendings = []

    def _look_up(self) -> None:
        waiting, self._rowless = self._rowless, {}
        rows = self._source.rows_by_id(sorted(waiting))
        outcomes = dict(zip((row.id for row in rows), self._source.outcomes(rows), strict=True))
        for row_id, document in waiting.items():
            outcome = outcomes.get(row_id)
            if outcome is None or isinstance(outcome, Skipped):
                self._extra(document, row_id)
                if isinstance(outcome, Skipped):
                    self._comparing.there_though_skipped(outcome, self._tally)
            else:
                self._tally.note(OUTSIDE_THE_RANGE)

    def _read_others(self) -> dict[int, Document]:
        """Documents that another loader wrote, such as the gateway's batch route, by their row."""
        documents = self._source.documents
        found = documents.others(limit=MOST_OTHERS + 1)
        if len(found) > MOST_OTHERS:
            self._tally.notes[OTHERS_NOT_COMPARED] = 1
            return {}
        others: dict[int, Document] = {}
        for document in found:
            number = documents.kind.row_id(document)
            if number is None or not 0 < number <= LARGEST_ID or number in others:
                # Those that name no row go under numbers that no row has.
                number = -len(others) - 1
            if self._position < number or number < 0:
                others[number] = document
        return others
