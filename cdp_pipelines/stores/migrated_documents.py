"""The documents that a migration writes for one company, beside those that others write into the same collection.

A migrated document's `_id` is made from its company and its source row (`document_id`): 4 bytes of a hash of the
company and the row's id in 8. So a company's documents lie together, in the order of the source, and one range of
`_id` reads or deletes them without an index of its own. Uniqueness does not rest on it but on a unique index.

Belongs here: writing, reading and deleting what any migration wrote. Not here: what else a collection is asked for
(`activity_logs.py`, `contact_notes.py`).
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from bson import BSON, ObjectId
from bson.errors import BSONError
from pymongo import UpdateOne
from pymongo.database import Database
from pymongo.errors import BulkWriteError, DocumentTooLarge

from cdp_pipelines.stores.errors import translating, waiting_out_outages

Document = dict[str, Any]

_DUPLICATE_KEY: Final = 11_000
_COMPANY_BYTES: Final = 4
_ROW_BYTES: Final = 8
LARGEST_ID: Final = 2**63 - 1
_LARGEST_DOCUMENT_BYTES: Final = 16 * 1024 * 1024
DELETE_ROWS: Final = 1_000
LOOKUP_IDS: Final = 250
"""Ids in one query: the embedded server's cost of a list grows faster than the list."""


@dataclass(frozen=True, slots=True)
class DocumentKind:
    """One migration's documents.

    `name` is what people call them, `key` the field that names the source row, as `prefix` and the row's id. `marks`
    is the part of a query that no document of another writer fits. `instant` is the field that holds the row's time,
    `present_reason` the reason code of a row whose document is there already.
    """

    name: str
    collection: str
    key: str
    prefix: str
    marks: Mapping[str, Any]
    instant: str
    unique_index: str
    present_reason: str

    def row_id(self, document: Mapping[str, Any]) -> int | None:
        """The source row that a document names; None if it names none."""
        text = str(document.get(self.key, ""))
        digits = text.removeprefix(self.prefix)
        return int(digits) if text.startswith(self.prefix) and digits.isascii() and digits.isdigit() else None


@dataclass(frozen=True, slots=True)
class Mending:
    """Fields of one stored document that are to be set (None: taken off), as long as it stands as it was read.

    `document_id` is its `_id`, `seen` what must still be so: the fields' old values and when it was last changed.
    """

    document_id: Any
    fields: Mapping[str, Any]
    seen: Mapping[str, Any]


@dataclass(slots=True)
class Written:
    """What became of a page: indexes of the documents that were there already, and of those that failed, with why."""

    inserted: int = 0
    present: list[int] = field(default_factory=list)
    failed: dict[int, str] = field(default_factory=dict)


class MigratedDocuments:
    """The migrated documents of one company; no method can reach another's."""

    def __init__(self, database: Database[Document], company_sso_id: str, kind: DocumentKind) -> None:
        self.kind = kind
        self._documents = database[kind.collection]
        self.company_sso_id = company_sso_id
        self._prefix = hashlib.blake2b(company_sso_id.encode(), digest_size=_COMPANY_BYTES).digest()

    def document_id(self, row_id: int) -> ObjectId:
        """The `_id` of a source row's document."""
        return ObjectId(self._prefix + row_id.to_bytes(_ROW_BYTES, "big"))

    def row_id_of(self, document_id: ObjectId) -> int:
        """The source row of a document with such an `_id`."""
        return int.from_bytes(document_id.binary[_COMPANY_BYTES:], "big")

    @waiting_out_outages
    def insert(self, documents: Sequence[tuple[int, Document]]) -> Written:
        """Insert a page of `(row id, document)` in one round trip; a duplicate key is a document that is there.

        The documents get their `_id`, as the driver's own `insert_many` gives it to them.
        """
        written = Written()
        for row_id, document in documents:
            document["_id"] = self.document_id(row_id)
        with translating(f"writing {self.kind.name}"):
            try:
                self._insert(list(enumerate(document for _, document in documents)), written)
            except (BSONError, DocumentTooLarge, OverflowError, UnicodeEncodeError):
                # One document that cannot be stored must not keep the others of its page from being stored.
                self._insert(self._storable(documents, written), written)
        return written

    def _insert(self, rows: Sequence[tuple[int, Document]], written: Written) -> None:
        """Insert `(index, document)`, the index being that of the page."""
        if not rows:
            return
        try:
            self._documents.insert_many([document for _, document in rows], ordered=False)
            written.inserted = len(rows)
        except BulkWriteError as exc:
            written.inserted = int(exc.details.get("nInserted", 0))
            self._sort_out(rows, exc.details.get("writeErrors", []), written)

    def _storable(self, documents: Sequence[tuple[int, Document]], written: Written) -> list[tuple[int, Document]]:
        kept = []
        for index, (_, document) in enumerate(documents):
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
            elif self.kind.key in (error.get("keyPattern") or {}):
                written.present.append(index)
            else:
                doubtful.append((index, document))
        if doubtful:
            self._check_same(doubtful, written)

    def _check_same(self, doubtful: Sequence[tuple[int, Document]], written: Written) -> None:
        """A clash of `_id` is a duplicate only if the same row of the same company stands there."""
        key = self.kind.key
        wanted: Document = {"_id": {"$in": [document["_id"] for _, document in doubtful]}}
        there = {
            found["_id"]: (found.get("company_sso_id"), found.get(key))
            for found in self._documents.find(wanted, {"company_sso_id": 1, key: 1})
        }
        for index, document in doubtful:
            if there.get(document["_id"]) == (self.company_sso_id, document[key]):
                written.present.append(index)
            else:
                written.failed[index] = "another document has this document's _id"

    @waiting_out_outages
    def present(self, row_ids: Sequence[int]) -> set[int]:
        """Which of these rows have their document."""
        found: set[int] = set()
        with translating(f"looking for migrated {self.kind.name}"):
            for ids in self._batches(row_ids):
                query = {"_id": {"$in": ids}, **self._mine()}
                found |= {self.row_id_of(document["_id"]) for document in self._documents.find(query, {"_id": 1})}
        return found

    @waiting_out_outages
    def by_row(self, row_ids: Sequence[int]) -> dict[int, Document]:
        """The migrated documents of these rows."""
        documents: dict[int, Document] = {}
        with translating(f"reading migrated {self.kind.name}"):
            for ids in self._batches(row_ids):
                found = self._documents.find({"_id": {"$in": ids}, **self._mine()})
                documents |= {self.row_id_of(document["_id"]): document for document in found}
        return documents

    @waiting_out_outages
    def mend(self, mendings: Sequence[Mending]) -> int:
        """Set these fields of migrated documents and no other, one round trip; how many documents were mended.

        A document that somebody changed since it was read is left as it is.
        """
        updates = []
        for each in mendings:
            change: Document = {}
            for name, value in each.fields.items():
                change.setdefault("$unset" if value is None else "$set", {})[name] = "" if value is None else value
            # `seen` last: it may not widen the scope.
            updates.append(UpdateOne({**each.seen, "_id": each.document_id, **self._mine()}, change))
        if not updates:
            return 0
        with translating(f"mending {self.kind.name}"):
            return int(self._documents.bulk_write(updates, ordered=False).modified_count)

    def _batches(self, row_ids: Sequence[int]) -> Iterator[list[ObjectId]]:
        for start in range(0, len(row_ids), LOOKUP_IDS):
            yield [self.document_id(row_id) for row_id in row_ids[start : start + LOOKUP_IDS]]

    def migrated(self, *, after: int, batch_size: int = 1_000) -> Iterator[tuple[int, Document]]:
        """All migrated documents of rows above `after`, as `(row id, document)`, ascending, one cursor.

        Raises:
            TransientFailure: the cursor was lost; go on with a new one after the last id that came.
        """
        with translating(f"reading migrated {self.kind.name}"):
            for document in self._documents.find(self._above(after)).sort("_id", 1).batch_size(batch_size):
                yield self.row_id_of(document["_id"]), document

    def doomed(self, *, after: int, fields: Sequence[str] = ()) -> list[Document]:
        """The next `DELETE_ROWS` migrated documents of rows above `after`, ascending: `_id` and these fields."""
        return self._some(self._above(after), fields)

    def doomed_others(self, *, fields: Sequence[str] = ()) -> list[Document]:
        """Up to `DELETE_ROWS` migrated documents that did not get their `_id` from this package."""
        return self._some(self._others({}), fields)

    @waiting_out_outages
    def _some(self, query: Document, fields: Sequence[str]) -> list[Document]:
        keys = {"_id": 1, **dict.fromkeys(fields, 1)}
        with translating(f"reading migrated {self.kind.name}"):
            return list(self._documents.find(query, keys).sort("_id", 1).limit(DELETE_ROWS))

    @waiting_out_outages
    def delete(self, documents: Sequence[Mapping[str, Any]]) -> int:
        """Delete these, as far as they are migrated documents of the company; how many went."""
        if not documents:
            return 0
        scope = {"_id": {"$in": [document["_id"] for document in documents]}, **self._mine()}
        with translating(f"deleting migrated {self.kind.name}"):
            return self._documents.delete_many(scope).deleted_count

    @waiting_out_outages
    def others(self, *, limit: int) -> list[Document]:
        """Migrated documents that did not get their `_id` from this package, such as those of another loader.

        Also those that do not say which row they are of.
        """
        with translating(f"reading migrated {self.kind.name}"):
            return list(self._documents.find(self._others({})).limit(limit))

    @waiting_out_outages
    def uniqueness_is_enforced(self) -> bool:
        """Whether the unique index that idempotence rests on is there."""
        with translating("looking at indexes"):
            index = self._documents.index_information().get(self.kind.unique_index)
        return index is not None and index.get("unique") is True

    @waiting_out_outages
    def count_migrated(self) -> int:
        """How many migrated documents the company has."""
        with translating(f"counting migrated {self.kind.name}"):
            return self._documents.count_documents({**self._mine(), self.kind.key: {"$exists": True}})

    @waiting_out_outages
    def count_all(self) -> int:
        """How many migrated documents the company has, whatever they say of their rows."""
        with translating(f"counting migrated {self.kind.name}"):
            return self._documents.count_documents(self._mine())

    def _mine(self) -> Document:
        return {"company_sso_id": self.company_sso_id, **self.kind.marks}

    def _above(self, after: int) -> Document:
        ids = {"$gt": self.document_id(max(after, 0)), "$lte": self.document_id(LARGEST_ID)}
        return {"_id": ids, **self._mine()}

    def _others(self, more: Document) -> Document:
        ours = {"_id": {"$gte": self.document_id(0), "$lte": self.document_id(LARGEST_ID)}}
        return {**self._mine(), **more, "$nor": [ours]}
