"""What activity logs add to the comparison of everything: actors judged apart, and the seam to the live feed."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from cdp_pipelines.domain.activity_logs.comparison import compare, mending
from cdp_pipelines.domain.activity_logs.enrichment import TOLERANCE_SECONDS
from cdp_pipelines.domain.activity_logs.transform import POST_SYNC_LIVE_FEED
from cdp_pipelines.domain.activity_logs.watermark import FeedMark, not_recorded
from cdp_pipelines.domain.outcomes import Skipped
from cdp_pipelines.domain.reconciliation import LISTED_IDS, Tally, Verdict
from cdp_pipelines.stores.activity_logs import ActivityLogs

Document = dict[str, Any]

_NEAR: Final = range(-int(TOLERANCE_SECONDS) - 1, int(TOLERANCE_SECONDS) + 2)
SEAM_CUSTOMERS: Final = 100
"""Customers whose seam is looked at closely, for the table that stewards see."""
SEAM_VIOLATIONS: Final = "seam_violations"
NOT_IN_LIVE_FEED: Final = "not_in_live_feed"
"""Audits at or after their contact's watermark, so left to the live feed, of which it has no record."""


class SeamComparing:
    """See `migrations.source.Comparing`. Remembers each sampled customer's last migrated instant."""

    def __init__(self, kept: Mapping[str, Any] | None, migrated_since: Callable[[], datetime | None]) -> None:
        self._migrated_since = migrated_since
        self._unfed = int((kept or {}).get(NOT_IN_LIVE_FEED) or 0)
        self._unfed_ids: list[str] = list((kept or {}).get(f"{NOT_IN_LIVE_FEED}_ids") or [])
        entries = (kept or {}).get("seam") or []
        self._seam: dict[str, datetime] = {entry["customer_id"]: entry["last_migrated"] for entry in entries}

    def compare(self, expected: Mapping[str, Any], stored: Mapping[str, Any]) -> tuple[Verdict, Sequence[str]]:
        """By digest, the actor apart."""
        customer, at = expected["customer_id"], expected["timestamp"]
        if customer in self._seam or len(self._seam) < SEAM_CUSTOMERS:
            self._seam[customer] = max(at, self._seam.get(customer, at))
        verdict, note = compare(expected, stored)
        if verdict == "different" and isinstance(stored.get("updated_at"), datetime):
            verdict, note = compare(expected, stored, migrated_since=self._migrated_since())
        return verdict, () if note is None else (note,)

    def mending(self, expected: Mapping[str, Any], stored: Mapping[str, Any]) -> Mapping[str, Any] | None:
        """The actor, where an outage left it unknown."""
        return mending(expected, stored)

    def there_though_skipped(self, outcome: Skipped, tally: Tally) -> None:
        """At or after the watermark the live feed writes, and the migration must not have."""
        if outcome.reason == POST_SYNC_LIVE_FEED:
            tally.note(SEAM_VIOLATIONS)

    def missed_by_the_feed(self, row_id: int) -> None:
        """An audit that neither the migration nor the live feed has put on a timeline."""
        self._unfed += 1
        if len(self._unfed_ids) < LISTED_IDS:
            self._unfed_ids.append(str(row_id))

    def as_document(self) -> Document:
        """The sample, and what the live feed lacks."""
        return {
            "seam": [{"customer_id": customer, "last_migrated": at} for customer, at in self._seam.items()],
            NOT_IN_LIVE_FEED: self._unfed,
            f"{NOT_IN_LIVE_FEED}_ids": list(self._unfed_ids),
        }


def unrecorded(logs: ActivityLogs, marks: Sequence[FeedMark]) -> set[int]:
    """The audits among these that the live feed has no document of; one query."""
    if not marks:
        return set()
    margin = timedelta(seconds=TOLERANCE_SECONDS)
    times = [mark.timestamp for mark in marks]
    customers = sorted({mark.customer_id for mark in marks})
    feed: dict[str, list[Document]] = {}
    # By the second, so that of years of a timeline only what may be meant is kept.
    wanted = {(mark.customer_id, int(mark.timestamp.timestamp()) + near) for mark in marks for near in _NEAR}

    def is_near(document: Document) -> bool:
        at = document.get("timestamp")
        return isinstance(at, datetime) and (document["customer_id"], int(at.timestamp())) in wanted

    for document in logs.live_feed(customers, min(times) - margin, max(times) + margin, wanted=is_near):
        feed.setdefault(document["customer_id"], []).append(document)
    return not_recorded(marks, feed, tolerance_seconds=TOLERANCE_SECONDS)


def seam_rows(logs: ActivityLogs, seam: Sequence[Mapping[str, Any]]) -> list[Document]:
    """For the sampled customers: last migrated and first live-feed instant, and the gap in seconds between them."""
    first = logs.first_live([entry["customer_id"] for entry in seam])
    rows = []
    for entry in seam:
        live = first.get(entry["customer_id"])
        gap = None if live is None else round((live - entry["last_migrated"]).total_seconds(), 3)
        rows.append({**entry, "first_live": live, "gap_seconds": gap})
    return rows
