"""`activity_logs`: the migrated documents of one company, beside those that the live feed writes.

A migrated document's `_id` is made from its company and its audit (`document_id`): 4 bytes of a hash of the company and
the audit's id in 8. So a company's documents lie together, in the order of the source, and one range of `_id` reads or
deletes them without an index of its own. Uniqueness does not rest on it but on `uniq_company_external_id`.
"""

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from bson import BSON, ObjectId
from bson.errors import BSONError
from pymongo import UpdateOne
from pymongo.database import Database
from pymongo.errors import BulkWriteError, DocumentTooLarge

from cdp_pipelines.domain.activity_logs.audits import SOURCE
from cdp_pipelines.stores.errors import translating, waiting_out_outages

Document = dict[str, Any]

_DUPLICATE_KEY: Final = 11_000
_COMPANY_BYTES: Final = 4
_AUDIT_BYTES: Final = 8
_LARGEST_ID: Final = 2**63 - 1
_LARGEST_DOCUMENT_BYTES: Final = 16 * 1024 * 1024
DELETE_ROWS: Final = 1_000
LOOKUP_IDS: Final = 250
"""Ids in one query: the embedded server's cost of a list grows faster than the list."""


@dataclass(slots=True)
class Written:
    """What became of a page: indexes of the documents that were there already, and of those that failed, with why."""

    inserted: int = 0
    present: list[int] = field(default_factory=list)
    failed: dict[int, str] = field(default_factory=dict)


class ActivityLogs:
    """The activity logs of one company; no method can reach another's."""

    def __init__(self, database: Database[Document], company_sso_id: str) -> None:
        self._logs = database["activity_logs"]
        self._company = company_sso_id
        self._prefix = hashlib.blake2b(company_sso_id.encode(), digest_size=_COMPANY_BYTES).digest()

    def document_id(self, audit_id: int) -> ObjectId:
        """The `_id` of an audit's document."""
        return ObjectId(self._prefix + audit_id.to_bytes(_AUDIT_BYTES, "big"))

    def audit_id_of(self, document_id: ObjectId) -> int:
        """The audit of a document with such an `_id`."""
        return int.from_bytes(document_id.binary[_COMPANY_BYTES:], "big")

    @waiting_out_outages
    def insert(self, documents: Sequence[tuple[int, Document]]) -> Written:
        """Insert a page of `(audit id, document)` in one round trip; a duplicate key is a document that is there.

        The documents get their `_id`, as the driver's own `insert_many` gives it to them.
        """
        written = Written()
        rows: list[tuple[int, Document]] = []
        for index, (audit_id, document) in enumerate(documents):
            document["_id"] = self.document_id(audit_id)
            rows.append((index, document))
        if not rows:
            return written
        with translating("writing activity logs"):
            try:
                self._insert(rows, written)
            except (BSONError, DocumentTooLarge, OverflowError, UnicodeEncodeError):
                # One document that cannot be stored must not keep the others of its page from being stored.
                self._insert(self._storable(rows, written), written)
        return written

    def _insert(self, rows: Sequence[tuple[int, Document]], written: Written) -> None:
        if not rows:
            return
        try:
            self._logs.insert_many([document for _, document in rows], ordered=False)
            written.inserted = len(rows)
        except BulkWriteError as exc:
            written.inserted = int(exc.details.get("nInserted", 0))
            self._sort_out(rows, exc.details.get("writeErrors", []), written)

    def _storable(self, rows: Sequence[tuple[int, Document]], written: Written) -> list[tuple[int, Document]]:
        kept = []
        for index, document in rows:
            try:
                size = len(BSON.encode(document))
            except (BSONError, OverflowError, UnicodeEncodeError) as exc:
                written.failed[index] = f"the document cannot be stored ({type(exc).__name__})"
                continue
            if size > _LARGEST_DOCUMENT_BYTES:
                written.failed[index] = f"the document has {size:,} bytes, more than MongoDB stores in one"
                continue
            kept.append((index, document))
        return kept

    def _sort_out(
        self, rows: Sequence[tuple[int, Document]], errors: Sequence[Mapping[str, Any]], written: Written
    ) -> None:
        doubtful = []
        for error in errors:
            index, document = rows[error["index"]]
            if error.get("code") != _DUPLICATE_KEY:
                written.failed[index] = f"MongoDB refused the document (code {error.get('code')})"
            elif "external_id" in (error.get("keyPattern") or {}):
                written.present.append(index)
            else:
                doubtful.append((index, document))
        if doubtful:
            self._check_same(doubtful, written)

    def _check_same(self, doubtful: Sequence[tuple[int, Document]], written: Written) -> None:
        """A clash of `_id` is a duplicate only if the same audit of the same company stands there."""
        wanted: Document = {"_id": {"$in": [document["_id"] for _, document in doubtful]}}
        there = {
            found["_id"]: (found.get("company_sso_id"), found.get("external_id"))
            for found in self._logs.find(wanted, {"company_sso_id": 1, "external_id": 1})
        }
        for index, document in doubtful:
            if there.get(document["_id"]) == (self._company, document["external_id"]):
                written.present.append(index)
            else:
                written.failed[index] = "another document has this document's _id"

    @waiting_out_outages
    def present(self, audit_ids: Sequence[int]) -> set[int]:
        """Which of these audits have their document, as a dry run asks."""
        wanted = {"_id": {"$in": [self.document_id(audit_id) for audit_id in audit_ids]}}
        with translating("looking for migrated activity logs"):
            found = self._logs.find({**wanted, "company_sso_id": self._company}, {"_id": 1})
            return {self.audit_id_of(document["_id"]) for document in found}

    @waiting_out_outages
    def by_audit(self, audit_ids: Sequence[int]) -> dict[int, Document]:
        """The migrated documents of these audits."""
        documents: dict[int, Document] = {}
        with translating("reading migrated activity logs"):
            for start in range(0, len(audit_ids), LOOKUP_IDS):
                ids = [self.document_id(audit_id) for audit_id in audit_ids[start : start + LOOKUP_IDS]]
                found = self._logs.find({"_id": {"$in": ids}, "company_sso_id": self._company, "source_tag": SOURCE})
                documents |= {self.audit_id_of(document["_id"]): document for document in found}
        return documents

    def migrated(self, *, after: int, batch_size: int = 1_000) -> Iterator[tuple[int, Document]]:
        """All migrated documents of audits above `after`, as `(audit id, document)`, ascending, one cursor.

        Raises:
            TransientFailure: the cursor was lost; go on with a new one after the last id that came.
        """
        query: Document = {"_id": {"$gt": self.document_id(max(after, 0)), "$lte": self.document_id(_LARGEST_ID)}}
        query |= {"company_sso_id": self._company, "source_tag": SOURCE}
        with translating("reading migrated activity logs"):
            for document in self._logs.find(query).sort("_id", 1).batch_size(batch_size):
                yield self.audit_id_of(document["_id"]), document

    @waiting_out_outages
    def live_feed(
        self, customer_ids: Sequence[str], start: datetime, end: datetime, *, wanted: Callable[[Document], bool]
    ) -> list[Document]:
        """The `wanted` of the live feed's documents of these customers in a span of time, both ends included.

        A span may hold years of a timeline, so what is not wanted is dropped as it comes.
        """
        query: Document = {
            "company_sso_id": self._company,
            "external_id": None,
            "timestamp": {"$gte": start, "$lte": end},
            # Last: a server without a better plan compares the long list with as few documents as possible.
            "customer_id": {"$in": list(customer_ids)},
        }
        keys = {"customer_id": 1, "category": 1, "action": 1, "timestamp": 1, "metadata": 1}
        with translating("reading the live feed's activity logs"):
            return [document for document in self._logs.find(query, keys) if wanted(document)]

    @waiting_out_outages
    def has_live_feed(self) -> bool:
        """Whether the live feed has written anything of this company."""
        with translating("reading the live feed's activity logs"):
            return self._logs.find_one({"company_sso_id": self._company, "external_id": None}, {"_id": 1}) is not None

    @waiting_out_outages
    def first_live(self, customer_ids: Sequence[str]) -> dict[str, datetime]:
        """The instant of each customer's first live-feed document."""
        query: Document = {
            "company_sso_id": self._company,
            "external_id": None,
            "customer_id": {"$in": list(customer_ids)},
        }
        first: dict[str, datetime] = {}
        with translating("reading the live feed's activity logs"):
            for found in self._logs.find(query, {"customer_id": 1, "timestamp": 1}):
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
            updates.append(UpdateOne({"_id": document_id, "company_sso_id": self._company, **absent}, {"$set": change}))
        if not updates:
            return 0
        with translating("completing activity logs"):
            return int(self._logs.bulk_write(updates, ordered=False).modified_count)

    @waiting_out_outages
    def delete_some(self, *, after: int) -> tuple[int, int | None]:
        """Delete up to `DELETE_ROWS` migrated documents of audits above `after`.

        Returns how many went and the last audit id looked at; None when there are no more.
        """
        query = {"_id": {"$gt": self.document_id(max(after, 0)), "$lte": self.document_id(_LARGEST_ID)}}
        with translating("deleting migrated activity logs"):
            found = self._logs.find({**query, "company_sso_id": self._company, "source_tag": SOURCE}, {"_id": 1})
            ids = [document["_id"] for document in found.sort("_id", 1).limit(DELETE_ROWS)]
            return (self._delete(ids), self.audit_id_of(ids[-1])) if ids else (0, None)

    @waiting_out_outages
    def delete_others(self) -> int:
        """Delete up to `DELETE_ROWS` migrated documents that did not get their `_id` from this package."""
        with translating("deleting migrated activity logs"):
            ids = [document["_id"] for document in self._others({}, {"_id": 1}, limit=DELETE_ROWS)]
            return self._delete(ids) if ids else 0

    @waiting_out_outages
    def others(self, *, limit: int) -> list[Document]:
        """Migrated documents that did not get their `_id` from this package, such as those of another loader."""
        with translating("reading migrated activity logs"):
            return list(self._others({"external_id": {"$exists": True}}, None, limit=limit))

    def _others(self, more: Document, keys: Document | None, *, limit: int) -> Any:
        mine = {"_id": {"$gte": self.document_id(0), "$lte": self.document_id(_LARGEST_ID)}}
        query = {"company_sso_id": self._company, "source_tag": SOURCE, **more}
        return self._logs.find({**query, "$nor": [mine]}, keys).limit(limit)

    def _delete(self, ids: Sequence[ObjectId]) -> int:
        scope = {"_id": {"$in": list(ids)}, "company_sso_id": self._company, "source_tag": SOURCE}
        return self._logs.delete_many(scope).deleted_count

    @waiting_out_outages
    def uniqueness_is_enforced(self) -> bool:
        """Whether the unique index that idempotence rests on is there."""
        with translating("looking at indexes"):
            index = self._logs.index_information().get("uniq_company_external_id")
        return index is not None and index.get("unique") is True

    @waiting_out_outages
    def count_migrated(self) -> int:
        """How many migrated documents the company has."""
        with translating("counting migrated activity logs"):
            return self._logs.count_documents(
                {"company_sso_id": self._company, "source_tag": SOURCE, "external_id": {"$exists": True}}
            )
