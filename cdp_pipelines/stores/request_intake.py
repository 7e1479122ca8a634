"""`request_intake`: what requests said when they were taken in (SPEC 2). Nobody but the pipelines writes it.

{_id: "{collection}:{request id}", collection, request_id, ref, company_sso_id, request: {...}, read_as?: {...},
 attempt, taken_at, accepted_at?, ended_at?, ended_as?, expires_at}

`read_as` is what the request came to once it was read, such as the columns of its file; the audit trail is from it.
`ref` is a digest of collection and document's `_id`: it tells the document from all others, also from a copy with the
same fields. A request's id is used once while its record is kept, so a copy under the same id is known for one.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

import bson
from pymongo.database import Database
from pymongo.errors import DuplicateKeyError

from cdp_pipelines.stores.errors import this_call, translating, waiting_out_outages

Document = dict[str, Any]

COLLECTION: Final = "request_intake"
KEPT_LONGER_DAYS: Final = 1
"""Behind its request, so that it is never missing while that is there."""
LONGEST_OPEN_DAYS: Final = 30
LONGEST_REQUEST_ID: Final = 100


def request_ref(collection: str, document_id: object) -> str:
    """A digest that tells a document of a queue from all others; see `domain.object_keys.request_mark`."""
    return hashlib.sha256(collection.encode() + b"\0" + bson.encode({"_id": document_id})).hexdigest()


class RequestIntake:
    """The records of one queue."""

    def __init__(self, database: Database[Document], collection: str, *, kept_days: int) -> None:
        self._records = database[COLLECTION]
        self._collection = collection
        self._kept = timedelta(days=kept_days + KEPT_LONGER_DAYS)

    def ref(self, document: Mapping[str, Any]) -> str:
        """What tells this document from all others."""
        return request_ref(self._collection, document["_id"])

    def key(self, document: Mapping[str, Any], request_id: object) -> str:
        """The `_id` of the document's record; one whose request id is none is known by itself alone."""
        if isinstance(request_id, str) and 0 < len(request_id) <= LONGEST_REQUEST_ID:
            return f"{self._collection}:{request_id}"
        return f"{self._collection}:ref:{self.ref(document)}"

    def record(
        self, document: Mapping[str, Any], request_id: object, request: Mapping[str, Any], *, now: datetime
    ) -> Document:
        """Keep what a document says; the record as it stands then, which is an earlier one's if there is one.

        The caller looks whether its `ref` is the document's.
        """
        record: Document = {
            "_id": self.key(document, request_id),
            "collection": self._collection,
            "request_id": request_id if isinstance(request_id, str) else None,
            "ref": self.ref(document),
            "company_sso_id": request.get("company_sso_id"),
            "request": dict(request),
            "attempt": 0,
            "taken_at": now,
            "expires_at": now + timedelta(days=LONGEST_OPEN_DAYS),
        }
        return self._recorded(record)

    @waiting_out_outages
    def _recorded(self, record: Document) -> Document:
        with translating("recording a request"):
            try:
                self._records.insert_one(record)
            except DuplicateKeyError:
                # Ours, after a lost answer, or another document of the same id.
                return self._records.find_one({"_id": record["_id"]}) or record
        return record

    @waiting_out_outages
    def of(self, document: Mapping[str, Any], request_id: object) -> Document | None:
        """The document's own record."""
        with translating("reading what was asked"):
            found = self._records.find_one({"_id": self.key(document, request_id)})
        return found if found is not None and found["ref"] == self.ref(document) else None

    @waiting_out_outages
    def of_id(self, request_id: str, company_sso_id: str) -> Document | None:
        """The record of the company's request of this id, whatever became of its document."""
        with translating("reading what was asked"):
            return self._records.find_one({"_id": f"{self._collection}:{request_id}", "company_sso_id": company_sso_id})

    @waiting_out_outages
    def of_each(
        self, documents: Iterable[Mapping[str, Any]], id_field: str, *, without: Sequence[str] = ()
    ) -> dict[str, Document]:
        """The records of some documents, by `ref`; those that were never taken in are not there. One round trip.

        `without` are fields of the request that are not read.
        """
        keys = [self.key(document, document.get(id_field)) for document in documents]
        if not keys:
            return {}
        with translating("reading what was asked"):
            projection = {f"request.{name}": 0 for name in without} or None
            return {found["ref"]: found for found in self._records.find({"_id": {"$in": keys}}, projection)}

    @waiting_out_outages
    def note_attempt(self, ref: str, attempt: int) -> None:
        """Keep the number of the launch; it is part of the run key."""
        with translating("recording a launch"):
            self._records.update_one({"ref": ref}, {"$set": {"attempt": attempt}})

    @waiting_out_outages
    def note_accepted(self, ref: str, *, now: datetime) -> bool:
        """The request is admitted; True once, for whoever tells of it."""
        accepted = {"accepted_at": now, "accepted_by": this_call()}
        with translating("recording an admission"):
            noted = self._records.update_one({"ref": ref, "accepted_at": {"$exists": False}}, {"$set": accepted})
            if noted.modified_count == 1:
                return True
            # Or by an earlier try of this call, whose answer was lost.
            mine = {"ref": ref, "accepted_by": accepted["accepted_by"]}
            return self._records.find_one(mine, {"_id": 1}) is not None

    @waiting_out_outages
    def keep(self, ref: str, facts: Mapping[str, Any]) -> None:
        """Keep what the request came to once it was read, out of reach of those who write in the queue."""
        with translating("recording what was asked"):
            self._records.update_one(
                {"ref": ref}, {"$set": {f"read_as.{name}": value for name, value in facts.items()}}
            )

    @waiting_out_outages
    def note_end(self, ref: str, status: str, *, now: datetime) -> None:
        """The request has ended; it is not taken in again."""
        with translating("recording an end"):
            self._records.update_one(
                {"ref": ref, "ended_at": {"$exists": False}},
                {"$set": {"ended_at": now, "ended_as": status, "expires_at": now + self._kept}},
            )

    def still_answers(self) -> None:
        """Write and read something of ours; fails where MongoDB refuses everybody, and not one document alone."""
        with translating("asking whether MongoDB takes anything"):
            self._records.update_one({"_id": "still-answers"}, {"$set": {"collection": self._collection}}, upsert=True)
            self._records.find_one({"_id": "still-answers"})

    @waiting_out_outages
    def purge(self, ref: str) -> None:
        """Forget what was asked, but not that it was."""
        with translating("purging a request"):
            self._records.update_one({"ref": ref}, {"$set": {"request": {}}})
