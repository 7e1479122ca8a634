"""Proof that all of it arrived: every audit of the job against what is in the CDP, by id and by content (SPEC 5.3).

Both sides are streamed in the order of the audits' ids and compared as they come; the tally is kept on the job every
few thousand ids, so a reconciliation that was interrupted goes on.
"""

import logging
from collections.abc import Generator, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from cdp_pipelines.domain.activity_logs.audits import EXTERNAL_ID_PREFIX, Audit, Document
from cdp_pipelines.domain.activity_logs.comparison import compare
from cdp_pipelines.domain.activity_logs.transform import POST_SYNC_LIVE_FEED, Skipped
from cdp_pipelines.domain.errors import TransientFailure
from cdp_pipelines.domain.reconciliation import Pair, Tally, merged
from cdp_pipelines.pipelines.activity_logs.pages import Outcome, Ready, Source
from cdp_pipelines.pipelines.migrations.collecting import long_lived_set_aside
from cdp_pipelines.pipelines.migrations.hold import Hold
from cdp_pipelines.stores.activity_logs import ActivityLogs

logger = logging.getLogger(__name__)

PAGE_ROWS: Final = 1_000
CHECKPOINT_IDS: Final = 5_000
ATTEMPTS: Final = 5
MOST_OTHERS: Final = 10_000
SEAM_CUSTOMERS: Final = 100
"""Customers whose seam is looked at closely, for the table that stewards see."""

SEAM_VIOLATIONS: Final = "seam_violations"
DUPLICATES: Final = "duplicates"
OTHERS: Final = "written_by_others"
OTHERS_NOT_COMPARED: Final = "others_not_compared"


@dataclass(slots=True)
class Progress:
    """How far it is: all ids up to `position` are in the tally. `seam` has each sampled customer's last instant."""

    position: int = 0
    tally: Tally = field(default_factory=Tally)
    seam: dict[str, datetime] = field(default_factory=dict)

    def as_document(self, *, done: bool) -> Document:
        """As kept on the job."""
        seam = [{"customer_id": customer, "last_migrated": at} for customer, at in self.seam.items()]
        return {"last_audit_id": self.position, "done": done, "seam": seam, **self.tally.as_document()}

    @classmethod
    def from_document(cls, document: Document | None) -> "Progress":
        """Where an interrupted reconciliation stood."""
        if not document:
            return cls()
        seam = {entry["customer_id"]: entry["last_migrated"] for entry in document.get("seam") or []}
        return cls(int(document.get("last_audit_id") or 0), Tally.from_document(document), seam)


@long_lived_set_aside()
def reconcile(hold: Hold, source: Source, job: Document) -> Document:
    """Compare everything; the job then has `reconciliation`, `match_pct` and `accuracy_pct`.

    Raises:
        TransientFailure: a side stayed away; what was compared is kept.
    """
    state = job.get("reconciliation")
    if state and state.get("done") is True:
        return job
    comparison = _Comparison(hold, source, job, Progress.from_document(state))
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
            comparison = _Comparison(hold, source, job, Progress.from_document(kept))
    return comparison.finish()


class _Comparison:
    def __init__(self, hold: Hold, source: Source, job: Document, progress: Progress) -> None:
        self._hold = hold
        self._source = source
        self._job = job
        self._cutoff: datetime | None = job["options"]["date_range_start"]
        self._last_id = max((int(shard["to"]) for shard in job["shards"].values()), default=0)
        self._logs = ActivityLogs(hold.services.database, source.company_sso_id)
        self.progress = progress
        self._others = self._read_others()

    def run(self) -> None:
        next_checkpoint = CHECKPOINT_IDS
        with closing(self._expected()) as expected:
            for number, pair in enumerate(merged(expected, self._stored()), start=1):
                self._judge(pair)
                self.progress.position = pair.id
                if number >= next_checkpoint:
                    next_checkpoint = number + CHECKPOINT_IDS
                    self._hold.beat(reconciliation=self.progress.as_document(done=False))

    def finish(self) -> Document:
        tally = self.progress.tally
        for audit_id, document in self._others.items():
            # What is left stands for no audit of the source that must be in the CDP.
            tally.count("extra", str(document.get("external_id", audit_id)))
        self.progress.position = self._last_id
        return self._hold.beat(
            reconciliation=self.progress.as_document(done=True),
            match_pct=tally.match_pct,
            accuracy_pct=tally.accuracy_pct,
        )

    def _expected(self) -> Generator[tuple[int, tuple[Audit, Outcome]], None, None]:
        source_pages = self._source.crm.audits(
            after=self.progress.position,
            to=self._last_id,
            scope=self._job["scope"],
            cutoff=self._cutoff,
            page_rows=PAGE_ROWS,
        )
        with closing(source_pages) as pages:
            for audits in pages:
                for audit, outcome in zip(audits, self._source.outcomes(audits), strict=True):
                    yield audit.id, (audit, outcome)

    def _stored(self) -> Iterator[tuple[int, Document]]:
        for audit_id, document in self._logs.migrated(after=self.progress.position):
            if audit_id > self._last_id:
                return
            at = document.get("timestamp")
            # A job over a range of dates answers for that range; older documents are an earlier job's.
            if self._cutoff is None or not isinstance(at, datetime) or at >= self._cutoff:
                yield audit_id, document

    def _judge(self, pair: Pair) -> None:
        tally = self.progress.tally
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
                if outcome.reason == POST_SYNC_LIVE_FEED:
                    tally.note(SEAM_VIOLATIONS)
        elif not isinstance(outcome, Ready) or stored is None:
            tally.count("missing", str(pair.id))
        else:
            verdict, note = compare(outcome.document, stored)
            tally.count(verdict, str(pair.id))
            if note is not None:
                tally.note(note)
            self._sample(outcome.document)

    def _sample(self, document: Document) -> None:
        customer, at = document["customer_id"], document["timestamp"]
        seam = self.progress.seam
        if customer in seam or len(seam) < SEAM_CUSTOMERS:
            seam[customer] = max(at, seam.get(customer, at))

    def _read_others(self) -> dict[int, Document]:
        """Documents that another loader wrote, such as the gateway's batch route, by their audit."""
        found = self._logs.others(limit=MOST_OTHERS + 1)
        if len(found) > MOST_OTHERS:
            self.progress.tally.notes[OTHERS_NOT_COMPARED] = 1
            return {}
        others: dict[int, Document] = {}
        for document in found:
            identifier = str(document.get("external_id", ""))
            digits = identifier.removeprefix(EXTERNAL_ID_PREFIX)
            number = int(digits) if identifier.startswith(EXTERNAL_ID_PREFIX) and digits.isdigit() else -len(others) - 1
            if self.progress.position < number or number < 0:
                others[number] = document
        return others


def seam_rows(source: ActivityLogs, seam: list[Any]) -> list[Document]:
    """For the sampled customers: last migrated and first live-feed instant, and the gap in seconds between them."""
    first = source.first_live([entry["customer_id"] for entry in seam])
    rows = []
    for entry in seam:
        live = first.get(entry["customer_id"])
        gap = None if live is None else round((live - entry["last_migrated"]).total_seconds(), 3)
        rows.append({**entry, "first_live": live, "gap_seconds": gap})
    return rows
