"""`migration_requests`: the queue in which migrations are asked for (SPEC 1.1, 2).

    queued -> processing -> completed | completed_with_errors | halted | failed | canceled      queued -> rejected
       ^__________|

A request goes back into the queue, a bounded number of times, when its run died before it took it (`UNTAKEN`), or when
its job failed because of an outage (`OUTAGE`); `put_back` counts both, and says after which launch it was last.
Every step is one conditional update, so it happens once however many sensors and runs try. Others write here, so a
request is taken in first and worked from its snapshot, as every export is; see `export_queue.py`.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from bson import ObjectId
from pymongo.database import Database

from cdp_pipelines.domain.admission import Rejected
from cdp_pipelines.domain.migration_requests import (
    OPEN_STATUSES,
    STATUS_PROCESSING,
    STATUS_QUEUED,
    STATUS_REJECTED,
    TERMINAL_STATUSES,
)
from cdp_pipelines.domain.request_fields import RequestFields
from cdp_pipelines.stores.documents import (
    UNREADABLE,
    Found,
    Unreadable,
    as_bytes,
    behind,
    read_each,
    read_one,
    readable_options,
)
from cdp_pipelines.stores.errors import this_call, translating, waiting_out_outages
from cdp_pipelines.stores.queue_shape import LAUNCH_SECONDS, known_age, launched, not_one_of, unclaimed
from cdp_pipelines.stores.request_intake import LONGEST_REQUEST_ID, RequestIntake, request_ref

Document = dict[str, Any]

COLLECTION: Final = "migration_requests"
FIELDS: Final = RequestFields(
    asked=frozenset({"kind", "action", "company_sso_id", "requested_by", "options", "confirm", "created_at"}),
    ours={
        "launch": "mapping", "attempt": "count", "lease": "mapping", "run_id": "text", "result": "mapping",
        "error": "mapping", "updated_at": "instant", "started_at": "instant", "ended_at": "instant",
        "expires_at": "instant", "ended_by": "text", "put_back": "mapping",
    },
    neutral={"result": None, "error": None},
)  # fmt: skip
KEPT_DAYS: Final = 30
"""The records of ended requests; the requests themselves stay."""
UNTAKEN: Final = "untaken"
OUTAGE: Final = "outage"
MOST_PUT_BACK: Final = 3
"""How often a request goes back into the queue for each of these reasons."""


def was_put_back(document: Mapping[str, Any]) -> bool:
    """Whether a queued request waits for its next launch, the last one having been in vain."""
    put_back = document.get("put_back")
    return isinstance(put_back, Mapping) and put_back.get("at_attempt") == (document.get("attempt") or 0)


class MigrationRequests:
    """The requests of all companies for the sensor; of one company for everything that names a request."""

    def __init__(self, database: Database[Document]) -> None:
        self._requests = database[COLLECTION]
        self._raw = as_bytes(self._requests)
        self._options = readable_options(self._requests)
        self.intake = RequestIntake(database, COLLECTION, kept_days=KEPT_DAYS)

    @waiting_out_outages
    def waiting(self, *, now: datetime, limit: int) -> Found:
        """Requests nobody has launched, oldest first; also those whose status is none that exists, to be refused.

        As they stand, so nothing in them is to be believed; see `take_in`.
        """
        queued = {"status": STATUS_QUEUED, "status.0": {"$exists": False}, **unclaimed(now)}
        unknown = not_one_of([*OPEN_STATUSES, *TERMINAL_STATUSES])
        with translating("reading the migration queue"):
            found = list(self._raw.find(queued).sort([("created_at", 1), ("_id", 1)]).limit(limit))
            found += list(self._raw.find(unknown).sort([("_id", 1)]).limit(limit - len(found) or 1))
        return read_each(found, self._options)

    @waiting_out_outages
    def claim(self, request_id: object, token: str, *, now: datetime) -> bool:
        """Take the right to launch one request for `LAUNCH_SECONDS`; True for exactly one of all who ask at once."""
        free = [*unclaimed(now)["$or"], {"launch.token": token}]
        launch = {"token": token, "at": now, "expires_at": now + timedelta(seconds=LAUNCH_SECONDS)}
        with translating("claiming a migration request"):
            claimed = self._requests.find_one_and_update(
                {"_id": request_id, "$and": [_UNBEGUN], "$or": free},
                {"$set": {"launch": launch}},
                projection={"_id": 1},
            )
        return claimed is not None

    def take_in(self, request_id: object, *, now: datetime) -> Document | Rejected | None:
        """Take a claimed request in: wipe what it brought in fields of ours, and keep what it says as a snapshot.

        The request to work from. A request that was taken in before stands as it was then, whatever was edited since.
        None: it is gone. Refused: it cannot be read, its id is none, or was used before.
        """
        document = self._read({"_id": request_id})
        if document is None:
            return None
        if isinstance(document, Unreadable):
            return UNREADABLE
        name = text_of_id(request_id)
        if name is None:
            return _invalid_id("must be an ObjectId, or a text of at most 100 characters on one line")
        record = self.intake.of(document, name)
        if record is None:
            # First, so that a record means that it is done.
            self._wipe(document, now=now)
            record = self.intake.record(document, name, FIELDS.snapshot(document), now=now)
            document = {field: value for field, value in document.items() if field not in FIELDS.ours}
        if record["ref"] != self.intake.ref(document) or record.get("ended_at") is not None:
            return _invalid_id("was used before; ask again with a new document")
        return _joined(document, record)

    @waiting_out_outages
    def _wipe(self, document: Document, *, now: datetime) -> None:
        gone = [name for name in FIELDS.brought(document) if name not in FIELDS.neutral and name != "updated_at"]
        neutral = {name: value for name, value in FIELDS.neutral.items() if name in document}
        changes: Document = {"$set": {**neutral, "updated_at": now}}
        with translating("taking a request in"):
            self._requests.update_one(
                {"_id": document["_id"], "$and": [_UNBEGUN]},
                {**changes, **({"$unset": dict.fromkeys(gone, "")} if gone else {})},
            )

    @waiting_out_outages
    def _read(self, query: Mapping[str, Any]) -> Document | Unreadable | None:
        with translating("reading a migration request"):
            raw = self._raw.find_one(query)
        return read_one(raw, self._options) if raw is not None else None

    def _as_it_stands(self, query: Mapping[str, Any]) -> Document | None:
        read = self._read(query)
        return None if isinstance(read, Unreadable) else read

    def taken_in(self, documents: Sequence[Document]) -> list[Document | None]:
        """Each of these as it was taken in, with what the pipeline has written since; None for what never was."""
        named = [{**document, "name": text_of_id(document["_id"])} for document in documents]
        records = self.intake.of_each(named, "name")
        found = [records.get(self.intake.ref(document)) for document in documents]
        return [
            _joined(document, record) if record is not None else None
            for document, record in zip(documents, found, strict=True)
        ]

    @waiting_out_outages
    def set_aside(self, found: Unreadable, rejected: Rejected, *, now: datetime) -> bool:
        """End a request that cannot be read, by the bytes of its `_id`; False when it had ended."""
        changes = {"status": STATUS_REJECTED, "error": rejected.as_document(), "ended_at": now, "updated_at": now}
        with translating("setting a document aside"):
            ended = self._requests.update_one(
                {"$and": [found.identity, not_one_of(TERMINAL_STATUSES)]}, {"$set": changes}
            )
        return ended.modified_count == 1

    @waiting_out_outages
    def note_attempt(self, request_id: object, attempt: int) -> None:
        """Keep the number of the launch; it is part of the run key."""
        self.intake.note_attempt(request_ref(COLLECTION, request_id), attempt)
        with translating("recording a launch"):
            self._requests.update_one({"_id": request_id, "status": STATUS_QUEUED}, {"$set": {"attempt": attempt}})

    @waiting_out_outages
    def put_back(self, request_id: object, company_sso_id: str, why: str, *, now: datetime) -> bool:
        """Have an open request launched again; once for each launch.

        False: it was put back too often for this reason, or has ended.
        """
        token = this_call()
        scope: Document = {"_id": request_id, "company_sso_id": company_sso_id, "status": {"$in": list(OPEN_STATUSES)}}
        fresh = {"$or": [{"put_back": {"$exists": False}}, {"$expr": {"$ne": ["$put_back.at_attempt", "$attempt"]}}]}
        bounded = {f"put_back.{why}": {"$not": {"$gte": MOST_PUT_BACK}}}
        count = {"$add": [{"$ifNull": [f"$put_back.{why}", 0]}, 1]}
        changes: Document = {
            "status": STATUS_QUEUED,
            "updated_at": now,
            "put_back.by": token,
            "put_back.at_attempt": {"$ifNull": ["$attempt", 0]},
            f"put_back.{why}": count,
        }
        with translating("putting a migration request back into the queue"):
            update: list[Document] = [{"$set": changes}, {"$unset": "launch"}]
            if self._requests.update_one({**scope, **bounded, **fresh}, update).modified_count == 1:
                return True
            return self._requests.find_one({**scope, "put_back.by": token}, {"_id": 1}) is not None

    def ask_again(self, document: Document) -> None:
        """Put a request into the queue that the pipeline itself makes; asking again changes nothing.

        It is taken in here and now, so that what the pipeline says of it is not wiped as a stranger's word.
        """
        name = text_of_id(document["_id"])
        self.intake.record(document, name, FIELDS.snapshot(document), now=document["created_at"])
        self._insert_again(document)

    @waiting_out_outages
    def _insert_again(self, document: Document) -> None:
        with translating("queueing a migration"):
            self._requests.update_one({"_id": document["_id"]}, {"$setOnInsert": document}, upsert=True)

    @waiting_out_outages
    def reject(self, request_id: object, rejected: Rejected, *, now: datetime) -> bool:
        """End a request that may not run; False when it had ended."""
        return self._end(
            {"_id": request_id, "$and": [not_one_of(TERMINAL_STATUSES)]},
            {"status": STATUS_REJECTED, "error": rejected.as_document()},
            now=now,
        )

    def begin(self, request_id: object, company_sso_id: str, run_id: str, *, now: datetime) -> Document | None:
        """The request, now in processing by this run; None when it has ended, or the company has no such request.

        One that a person launched before the queue's sensor saw it is taken in first; one that says it is at work and
        was never taken in is refused.
        """
        scope = {"_id": request_id, "company_sso_id": company_sso_id, "status": {"$in": list(OPEN_STATUSES)}}
        document = self._as_it_stands(scope)
        if document is None:
            return None
        if self.taken_in([document]) == [None]:
            refused = self._taken_in_by_hand(document, run_id, now=now)
            if refused is not None:
                self.reject(request_id, refused, now=now)
                return None
        self._set_begun(scope, run_id, now=now)
        return self.find(request_id, company_sso_id, run_id=run_id)

    def _taken_in_by_hand(self, document: Document, run_id: str, *, now: datetime) -> Rejected | None:
        if document.get("status") != STATUS_QUEUED:
            return NEVER_TAKEN_IN
        self.claim(document["_id"], run_id, now=now)
        taken = self.take_in(document["_id"], now=now)
        return taken if isinstance(taken, Rejected) else None

    @waiting_out_outages
    def _set_begun(self, scope: Document, run_id: str, *, now: datetime) -> None:
        with translating("starting on a migration request"):
            self._requests.update_one(
                scope, {"$set": {"status": STATUS_PROCESSING, "run_id": run_id, "updated_at": now}}
            )

    @waiting_out_outages
    def identifier(self, text: str, company_sso_id: str) -> object:
        """The `_id` of the company's request that reads as `text`: a text, or an ObjectId in hex; None for none."""
        wanted: list[object] = [text, ObjectId(text)] if ObjectId.is_valid(text) else [text]
        with translating("reading a migration request"):
            found = self._requests.find_one({"_id": {"$in": wanted}, "company_sso_id": company_sso_id}, {"_id": 1})
        return found["_id"] if found else None

    def find(self, request_id: object, company_sso_id: str, *, run_id: str | None = None) -> Document | None:
        """One request of the company; with a run, only while it works on it.

        As it was taken in, with what the pipeline has written since; one that never was, as it stands.
        """
        working = {} if run_id is None else {"status": STATUS_PROCESSING, "run_id": run_id}
        document = self._as_it_stands({"_id": request_id, "company_sso_id": company_sso_id, **working})
        if document is None:
            return None
        (taken,) = self.taken_in([document])
        return taken if taken is not None else FIELDS.believed(document)

    @waiting_out_outages
    def cancel_requested(self, request_id: object, company_sso_id: str) -> bool:
        """Whether somebody asked for it to stop."""
        with translating("asking for a cancel"):
            found = self._requests.find_one(
                {"_id": request_id, "company_sso_id": company_sso_id}, {"cancel_requested": 1}
            )
        return found is not None and found.get("cancel_requested") is True

    @waiting_out_outages
    def end(
        self,
        request_id: object,
        company_sso_id: str,
        status: str,
        *,
        now: datetime,
        result: Mapping[str, Any] | None = None,
        error: Mapping[str, Any] | None = None,
    ) -> bool:
        """Turn an open request terminal, once."""
        changes: Document = {"status": status, "result": dict(result) if result is not None else None}
        changes["error"] = dict(error) if error is not None else None
        scope = {"_id": request_id, "company_sso_id": company_sso_id, "status": {"$in": list(OPEN_STATUSES)}}
        return self._end(scope, changes, now=now)

    def _end(self, scope: Document, changes: Document, *, now: datetime) -> bool:
        ended = {**changes, "updated_at": now, "ended_at": now, "ended_by": this_call()}
        with translating("ending a migration request"):
            done = self._requests.update_one(scope, {"$set": ended}).modified_count == 1
            if not done:
                # Or by an earlier try of this call, whose answer was lost.
                mine = {"_id": scope["_id"], "ended_by": ended["ended_by"]}
                done = self._requests.find_one(mine, {"_id": 1}) is not None
        if done:
            self.intake.note_end(request_ref(COLLECTION, scope["_id"]), str(changes["status"]), now=now)
        return done

    @waiting_out_outages
    def open_requests(self, *, launched_before: datetime, limit: int, after: object = None) -> Found:
        """Requests whose run may have died: launched some time ago and not terminal, in the order of `_id`.

        As they stand; see `taken_in`.
        """
        parts: list[Document] = [launched(launched_before, STATUS_PROCESSING)]
        if after is not None:
            parts.append(behind(after))
        query = {"status": {"$in": list(OPEN_STATUSES)}, "$and": parts}
        with translating("looking for dead migration requests"):
            return read_each(self._raw.find(query).sort([("_id", 1)]).limit(limit), self._options)

    @waiting_out_outages
    def oldest_queued(self, *, now: datetime | None = None) -> Document | None:
        """The queued request that waits longest, of those whose date can be one: no age is told of the others."""
        with translating("reading the migration queue"):
            found = self._raw.find_one(
                {"status": STATUS_QUEUED, "created_at": known_age(now)},
                {"_id": 1, "created_at": 1, "company_sso_id": 1},
                sort=[("created_at", 1)],
            )
        read = read_one(found, self._options) if found is not None else None
        return None if isinstance(read, Unreadable) else read

    def insert(self, document: Document) -> None:
        """Put a request into the queue; not repeated, because the caller must know whether it was taken."""
        with translating("queueing a migration"):
            self._requests.insert_one(document)

    @waiting_out_outages
    def statuses(self, request_ids: Sequence[object]) -> list[Document]:
        """Several requests as they stand, for watching them."""
        return self.looked_up({"_id": {"$in": list(request_ids)}})

    @waiting_out_outages
    def looked_up(self, query: Mapping[str, Any], *, newest_first: bool = False, limit: int = 0) -> Found:
        """Requests for operators to look at, as they stand; without a limit, all."""
        with translating("reading migration requests"):
            found = self._raw.find(query, limit=limit)
            read = read_each(found.sort([("created_at", -1), ("_id", -1)]) if newest_first else found, self._options)
        return Found([FIELDS.believed(document) for document in read], read.unreadable)


_UNBEGUN: Final = not_one_of([STATUS_PROCESSING, *TERMINAL_STATUSES])
NEVER_TAKEN_IN: Final = Rejected(
    "REQUEST_NEVER_TAKEN_IN",
    422,
    "The request says that it is at work, but it never came through the queue. Ask with a new document that is queued.",
)


def text_of_id(request_id: object) -> str | None:
    """A request's `_id` as tags and commands have it; None for one that cannot be told by a text."""
    if isinstance(request_id, ObjectId):
        return str(request_id)
    if isinstance(request_id, str) and 0 < len(request_id) <= LONGEST_REQUEST_ID and request_id.isprintable():
        return request_id
    return None


def _joined(document: Document, record: Mapping[str, Any]) -> Document:
    """What was asked, with what the pipeline has written since."""
    joined = FIELDS.joined(document, record["request"])
    joined.pop("attempt", None)
    return {**joined, **({"attempt": record["attempt"]} if record["attempt"] else {})}


def _invalid_id(problem: str) -> Rejected:
    return Rejected(
        "MIGRATION_REQUEST_INVALID",
        422,
        f"The request cannot be read: _id {problem}.",
        {"problems": [{"field": "_id", "problem": problem}]},
    )
