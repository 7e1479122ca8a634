"""Proof that all of it arrived: every row of the job against what is in the CDP, by id and by content (SPEC 5.3).

Both sides are streamed in the order of the rows' ids and compared as they come; the tally is kept on the job every few
thousand ids, so a reconciliation that was interrupted goes on.
"""

import logging
from collections.abc import Generator, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from cdp_pipelines.domain.errors import TransientFailure
from cdp_pipelines.domain.outcomes import Outcome, Ready, Skipped
from cdp_pipelines.domain.reconciliation import Pair, Tally, merged
from cdp_pipelines.pipelines.migrations.collecting import long_lived_set_aside
from cdp_pipelines.pipelines.migrations.hold import Hold
from cdp_pipelines.pipelines.migrations.source import Comparing, MigrationSource

logger = logging.getLogger(__name__)

Document = dict[str, Any]

PAGE_ROWS: Final = 1_000
CHECKPOINT_IDS: Final = 5_000
ATTEMPTS: Final = 5
MOST_OTHERS: Final = 10_000

DUPLICATES: Final = "duplicates"
OTHERS: Final = "written_by_others"
OTHERS_NOT_COMPARED: Final = "others_not_compared"


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
def reconcile(hold: Hold, source: MigrationSource, job: Document) -> Document:
    """Compare everything; the job then has `reconciliation`, `match_pct` and `accuracy_pct`.

    Raises:
        TransientFailure: a side stayed away; what was compared is kept.
    """
    cursor = hold.services.kind.jobs.cursor
    state = job.get("reconciliation")
    if state and state.get("done") is True:
        return job
    comparison = _Comparison(hold, source, job, Progress.from_document(state, cursor))
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
            comparison = _Comparison(hold, source, job, Progress.from_document(kept, cursor))
    return comparison.finish()


class _Comparison:
    def __init__(self, hold: Hold, source: MigrationSource, job: Document, progress: Progress) -> None:
        self._hold = hold
        self._source = source
        self._job = job
        self._cutoff: datetime | None = job["options"]["date_range_start"]
        self._last_id = max((int(shard["to"]) for shard in job["shards"].values()), default=0)
        self._tally, self._position = progress.tally, progress.position
        self._comparing: Comparing = source.comparing(progress.kept)
        self._others = self._read_others()

    def run(self) -> None:
        next_checkpoint = CHECKPOINT_IDS
        with closing(self._expected()) as expected:
            for number, pair in enumerate(merged(expected, self._stored()), start=1):
                self._judge(pair)
                self._position = pair.id
                if number >= next_checkpoint:
                    next_checkpoint = number + CHECKPOINT_IDS
                    self._hold.beat(reconciliation=self._as_document(done=False))

    def finish(self) -> Document:
        for row_id, document in self._others.items():
            # What is left stands for no row of the source that must be in the CDP.
            self._tally.count("extra", str(document.get(self._source.documents.kind.key, row_id)))
        self._position = self._last_id
        return self._hold.beat(
            reconciliation=self._as_document(done=True),
            match_pct=self._tally.match_pct,
            accuracy_pct=self._tally.accuracy_pct,
        )

    def _as_document(self, *, done: bool) -> Document:
        """As kept on the job."""
        cursor = self._hold.services.kind.jobs.cursor
        return {cursor: self._position, "done": done, **self._comparing.as_document(), **self._tally.as_document()}

    def _expected(self) -> Generator[tuple[int, tuple[Any, Outcome]], None, None]:
        source_pages = self._source.pages(self._job, after=self._position, to=self._last_id, page_rows=PAGE_ROWS)
        with closing(source_pages) as pages:
            for rows in pages:
                for row, outcome in zip(rows, self._source.outcomes(rows), strict=True):
                    yield row.id, (row, outcome)

    def _stored(self) -> Iterator[tuple[int, Document]]:
        instant = self._source.documents.kind.instant
        for row_id, document in self._source.documents.migrated(after=self._position):
            if row_id > self._last_id:
                return
            at = document.get(instant)
            # A job over a range of dates answers for that range; older documents are an earlier job's.
            if self._cutoff is None or not isinstance(at, datetime) or at >= self._cutoff:
                yield row_id, document

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
            tally.count("extra", str(pair.id))
            return
        tally.source += 1
        outcome: Outcome = pair.expected[1]
        if isinstance(outcome, Skipped):
            tally.skipped_by_rule += 1
            if stored is not None:
                tally.count("extra", str(pair.id))
                self._comparing.there_though_skipped(outcome, tally)
        elif not isinstance(outcome, Ready) or stored is None:
            tally.count("missing", str(pair.id))
        else:
            verdict, noted = self._comparing.compare(outcome.document, stored)
            tally.count(verdict, str(pair.id))
            for name in noted:
                tally.note(name)

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
            # Those that name no row go under numbers that no row has.
            number = -len(others) - 1 if number is None else number
            if self._position < number or number < 0:
                others[number] = document
        return others
