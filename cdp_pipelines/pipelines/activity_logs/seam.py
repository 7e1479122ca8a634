"""What activity logs add to the comparison of everything: actors judged apart, and the seam to the live feed."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from cdp_pipelines.domain.activity_logs.comparison import compare
from cdp_pipelines.domain.activity_logs.transform import POST_SYNC_LIVE_FEED
from cdp_pipelines.domain.outcomes import Skipped
from cdp_pipelines.domain.reconciliation import Tally, Verdict
from cdp_pipelines.stores.activity_logs import ActivityLogs

Document = dict[str, Any]

SEAM_CUSTOMERS: Final = 100
"""Customers whose seam is looked at closely, for the table that stewards see."""
SEAM_VIOLATIONS: Final = "seam_violations"


class SeamComparing:
    """See `migrations.source.Comparing`. Remembers each sampled customer's last migrated instant."""

    def __init__(self, kept: Mapping[str, Any] | None) -> None:
        entries = (kept or {}).get("seam") or []
        self._seam: dict[str, datetime] = {entry["customer_id"]: entry["last_migrated"] for entry in entries}

    def compare(self, expected: Mapping[str, Any], stored: Mapping[str, Any]) -> tuple[Verdict, Sequence[str]]:
        """By digest, the actor apart."""
        customer, at = expected["customer_id"], expected["timestamp"]
        if customer in self._seam or len(self._seam) < SEAM_CUSTOMERS:
            self._seam[customer] = max(at, self._seam.get(customer, at))
        verdict, note = compare(expected, stored)
        return verdict, () if note is None else (note,)

    def there_though_skipped(self, outcome: Skipped, tally: Tally) -> None:
        """At or after the watermark the live feed writes, and the migration must not have."""
        if outcome.reason == POST_SYNC_LIVE_FEED:
            tally.note(SEAM_VIOLATIONS)

    def as_document(self) -> Document:
        """The sample."""
        return {
            "seam": [{"customer_id": customer, "last_migrated": at} for customer, at in self._seam.items()],
        }


def seam_rows(logs: ActivityLogs, seam: Sequence[Mapping[str, Any]]) -> list[Document]:
    """For the sampled customers: last migrated and first live-feed instant, and the gap in seconds between them."""
    first = logs.first_live([entry["customer_id"] for entry in seam])
    rows = []
    for entry in seam:
        live = first.get(entry["customer_id"])
        gap = None if live is None else round((live - entry["last_migrated"]).total_seconds(), 3)
        rows.append({**entry, "first_live": live, "gap_seconds": gap})
    return rows
