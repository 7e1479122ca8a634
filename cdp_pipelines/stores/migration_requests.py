"""`migration_requests`: the queue in which migrations are asked for (SPEC 1.1, 2).

    queued -> processing -> completed | completed_with_errors | halted | failed | canceled      queued -> rejected
       ^__________|

A request goes back into the queue, a bounded number of times, when its run died before it took it (`UNTAKEN`), or when
its job failed because of an outage (`OUTAGE`); `put_back` counts both, and says after which launch it was last.
Every step is one conditional update, so it happens once however many sensors and runs try.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from bson import ObjectId
from pymongo import ReturnDocument
from pymongo.database import Database

from cdp_pipelines.domain.admission import Rejected
from cdp_pipelines.domain.migration_requests import (
    OPEN_STATUSES,
    STATUS_PROCESSING,
    STATUS_QUEUED,
    STATUS_REJECTED,
    TERMINAL_STATUSES,
)
from cdp_pipelines.stores.errors import this_call, translating, waiting_out_outages

Document = dict[str, Any]

UNTAKEN: Final = "untaken"
OUTAGE: Final = "outage"
MOST_PUT_BACK: Final = 3
"""How often a request goes back into the queue for each of these reasons."""
LAUNCH_SECONDS: Final = 120
"""How long a sensor's claim stands before another tick may look again whether the run really came."""


def was_put_back(document: Mapping[str, Any]) -> bool:
    """Whether a queued request waits for its next launch, the last one having been in vain."""
    put_back = document.get("put_back")
    return isinstance(put_back, Mapping) and put_back.get("at_attempt") == (document.get("attempt") or 0)


class MigrationRequests:
    """The requests of all companies for the sensor; of one company for everything that names a request."""

    def __init__(self, database: Database[Document]) -> None:
        self._requests = database["migration_requests"]

    @waiting_out_outages
    def waiting(self, *, now: datetime, limit: int) -> list[Document]:
        """Requests nobody has launched, oldest first; also those whose status is none that exists, to be refused."""
        unclaimed = {"$or": [{"launch": {"$exists": False}}, {"launch.expires_at": {"$lte": now}}]}
        unknown = {"status": {"$nin": [*OPEN_STATUSES, *TERMINAL_STATUSES]}}
        with translating("reading the migration queue"):
            found = list(
                self._requests.find({"status": STATUS_QUEUED, **unclaimed})
                .sort([("created_at", 1), ("_id", 1)])
                .limit(limit)
            )
            return found + list(self._requests.find(unknown).sort([("_id", 1)]).limit(limit - len(found) or 1))

    @waiting_out_outages
    def claim(self, request_id: object, token: str, *, now: datetime) -> bool:
        """Take the right to launch one request for `LAUNCH_SECONDS`; True for exactly one of all who ask at once."""
        free = [
            {"launch": {"$exists": False}},
            {"launch.expires_at": {"$lte": now}},
            {"launch.token": token},
        ]
        launch = {"token": token, "at": now, "expires_at": now + timedelta(seconds=LAUNCH_SECONDS)}
        with translating("claiming a migration request"):
            claimed = self._requests.find_one_and_update(
                {"_id": request_id, "status": {"$nin": [STATUS_PROCESSING, *TERMINAL_STATUSES]}, "$or": free},
                {"$set": {"launch": launch}},
                projection={"_id": 1},
            )
        return claimed is not None

    @waiting_out_outages
    def note_attempt(self, request_id: object, attempt: int) -> None:
        """Keep the number of the launch; it is part of the run key."""
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
            update = [{"$set": changes}, {"$unset": "launch"}]
            if self._requests.update_one({**scope, **bounded, **fresh}, update).modified_count == 1:
                return True
            return self._requests.find_one({**scope, "put_back.by": token}, {"_id": 1}) is not None

    @waiting_out_outages
    def ask_again(self, document: Document) -> None:
        """Put a request into the queue that the pipeline itself makes; asking again changes nothing."""
        with translating("queueing a migration"):
            self._requests.update_one({"_id": document["_id"]}, {"$setOnInsert": document}, upsert=True)

    @waiting_out_outages
    def reject(self, request_id: object, rejected: Rejected, *, now: datetime) -> bool:
        """End a request that may not run; False when it had ended."""
        return self._end(
            {"_id": request_id, "status": {"$nin": list(TERMINAL_STATUSES)}},
            {"status": STATUS_REJECTED, "error": rejected.as_document()},
            now=now,
        )

    @waiting_out_outages
    def begin(self, request_id: object, company_sso_id: str, run_id: str, *, now: datetime) -> Document | None:
        """The request, now in processing by this run; None when it has ended, or the company has no such request."""
        with translating("starting on a migration request"):
            return self._requests.find_one_and_update(
                {"_id": request_id, "company_sso_id": company_sso_id, "status": {"$in": list(OPEN_STATUSES)}},
                {"$set": {"status": STATUS_PROCESSING, "run_id": run_id, "updated_at": now}},
                return_document=ReturnDocument.AFTER,
            )

    @waiting_out_outages
    def identifier(self, text: str, company_sso_id: str) -> object:
        """The `_id` of the company's request that reads as `text`: a text, or an ObjectId in hex; None for none."""
        wanted: list[object] = [text, ObjectId(text)] if ObjectId.is_valid(text) else [text]
        with translating("reading a migration request"):
            found = self._requests.find_one({"_id": {"$in": wanted}, "company_sso_id": company_sso_id}, {"_id": 1})
        return found["_id"] if found else None

    @waiting_out_outages
    def find(self, request_id: object, company_sso_id: str) -> Document | None:
        """One request of the company."""
        with translating("reading a migration request"):
            return self._requests.find_one({"_id": request_id, "company_sso_id": company_sso_id})

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
            if self._requests.update_one(scope, {"$set": ended}).modified_count == 1:
                return True
            # Or by an earlier try of this call, whose answer was lost.
            mine = {"_id": scope["_id"], "ended_by": ended["ended_by"]}
            return self._requests.find_one(mine, {"_id": 1}) is not None

    @waiting_out_outages
    def open_requests(self, *, kind: str, launched_before: datetime, limit: int) -> list[Document]:
        """Requests whose run may have died: launched some time ago and not terminal."""
        with translating("looking for dead migration requests"):
            return list(
                self._requests.find(
                    {"kind": kind, "status": {"$in": list(OPEN_STATUSES)}, "launch.at": {"$lte": launched_before}}
                )
                .sort([("_id", 1)])
                .limit(limit)
            )

    @waiting_out_outages
    def oldest_queued(self) -> Document | None:
        """The queued request that waits longest."""
        with translating("reading the migration queue"):
            return self._requests.find_one(
                {"status": STATUS_QUEUED, "created_at": {"$type": "date"}}, sort=[("created_at", 1)]
            )

    def insert(self, document: Document) -> None:
        """Put a request into the queue; not repeated, because the caller must know whether it was taken."""
        with translating("queueing a migration"):
            self._requests.insert_one(document)

    @waiting_out_outages
    def statuses(self, request_ids: Sequence[object]) -> list[Document]:
        """Several requests, for watching them."""
        with translating("reading migration requests"):
            return list(self._requests.find({"_id": {"$in": list(request_ids)}}))
