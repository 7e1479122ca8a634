"""`activity_logs` of one company: what the migration wrote, and what it asks of the live feed's documents beside it."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from pymongo import UpdateOne
from pymongo.database import Database

from cdp_pipelines.domain.activity_logs.audits import EXTERNAL_ID_PREFIX, SOURCE
from cdp_pipelines.domain.activity_logs.transform import DUPLICATE_EXTERNAL_ID
from cdp_pipelines.stores.errors import translating, waiting_out_outages
from cdp_pipelines.stores.migrated_documents import DocumentKind, MigratedDocuments

Document = dict[str, Any]

ACTIVITY_LOG_DOCUMENTS: Final = DocumentKind(
    name="activity logs",
    collection="activity_logs",
    key="external_id",
    prefix=EXTERNAL_ID_PREFIX,
    marks={"source_tag": SOURCE},
    instant="timestamp",
    unique_index="uniq_company_external_id",
    present_reason=DUPLICATE_EXTERNAL_ID,
)


class ActivityLogs(MigratedDocuments):
    """The activity logs of one company; no method can reach another's."""

    def __init__(self, database: Database[Document], company_sso_id: str) -> None:
        super().__init__(database, company_sso_id, ACTIVITY_LOG_DOCUMENTS)

    @waiting_out_outages
    def live_feed(
        self, customer_ids: Sequence[str], start: datetime, end: datetime, *, wanted: Callable[[Document], bool]
    ) -> list[Document]:
        """The `wanted` of the live feed's documents of these customers in a span of time, both ends included.

        A span may hold years of a timeline, so what is not wanted is dropped as it comes.
        """
        query: Document = {
            "company_sso_id": self.company_sso_id,
            "external_id": None,
            "timestamp": {"$gte": start, "$lte": end},
            # Last: a server without a better plan compares the long list with as few documents as possible.
            "customer_id": {"$in": list(customer_ids)},
        }
        keys = {"customer_id": 1, "category": 1, "action": 1, "timestamp": 1, "metadata": 1}
        with translating("reading the live feed's activity logs"):
            return [document for document in self._documents.find(query, keys) if wanted(document)]

    @waiting_out_outages
    def has_live_feed(self) -> bool:
        """Whether the live feed has written anything of this company."""
        with translating("reading the live feed's activity logs"):
            native: Document = {"company_sso_id": self.company_sso_id, "external_id": None}
            return self._documents.find_one(native, {"_id": 1}) is not None

    @waiting_out_outages
    def first_live(self, customer_ids: Sequence[str]) -> dict[str, datetime]:
        """The instant of each customer's first live-feed document."""
        query: Document = {
            "company_sso_id": self.company_sso_id,
            "external_id": None,
            "customer_id": {"$in": list(customer_ids)},
        }
        first: dict[str, datetime] = {}
        with translating("reading the live feed's activity logs"):
            for found in self._documents.find(query, {"customer_id": 1, "timestamp": 1}):
                at, customer = found.get("timestamp"), found["customer_id"]
                if isinstance(at, datetime) and (customer not in first or at < first[customer]):
                    first[customer] = at
        return first

    @waiting_out_outages
    def complete(self, additions: Sequence[tuple[Any, Mapping[str, str]]]) -> int:
        """Add missing keys of `metadata` to documents by `_id`, one round trip; how many were changed.

        A key is written only where it is absent or null at that moment, so nothing is ever overwritten.
        """
        updates = []
        for document_id, keys in additions:
            absent: Document = {f"metadata.{name}": None for name in keys}
            change = {f"metadata.{name}": value for name, value in keys.items()}
            updates.append(
                UpdateOne({"_id": document_id, "company_sso_id": self.company_sso_id, **absent}, {"$set": change})
            )
        if not updates:
            return 0
        with translating("completing activity logs"):
            return int(self._documents.bulk_write(updates, ordered=False).modified_count)
