"""The queue and the state machine that every kind of export shares.

    queued -> working -> an end that the run found       queued -> refused | canceled

Every step is one conditional update, so it happens once however many sensors and runs try. Fields that this project
adds to the requester's document: `launch` (who asked Dagster for the run, and until when that stands), `attempt`,
`lease` (the run that works on it), `run_id`, the keys of its files, `warnings`, `started_at`, `ended_at`, `expires_at`,
`cleanup_pending` (files that could not be removed yet), `ended_by` (the call that ended it, so that one whose answer
was lost knows itself), `put_back` (how often its run died untaken, and after which attempt last).

Belongs here: what holds for any export. Not here: the names that one kind uses (`export_jobs`, `entity_exports`).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from pymongo import ReturnDocument
from pymongo.database import Database

from cdp_pipelines.domain.admission import Rejected
from cdp_pipelines.stores.errors import this_call, translating, waiting_out_outages

Document = dict[str, Any]

LAUNCH_SECONDS: Final = 120
"""How long a sensor's claim stands before another tick may look again whether the run really came."""
LEASE_SECONDS: Final = 900
"""Longer than any bounded retry inside one batch or step, so a lease that ran out means a dead owner."""
KEPT_DAYS: Final = 7
MOST_PUT_BACK: Final = 3
"""How often a request is launched again whose run died before it took the request."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueShape:
    """What one kind of export calls the parts of its queue.

    `scope` is what tells its documents from others in the same collection. `id_field` is the request's own id, unique
    across companies. `terminal` are all statuses but `queued` and `working`; `rejected` (refused), `failed` and
    `canceled` are those of them that leave no file, and may be one. `files_field` holds the key of its file, or a list
    of keys. `unwatched` are fields too large to read when watching many; `personal` are those that a purge removes.
    """

    collection: str
    scope: Mapping[str, Any] = field(default_factory=dict)
    id_field: str
    queued: str
    working: str
    terminal: tuple[str, ...]
    rejected: str
    failed: str
    canceled: str
    files_field: str
    unwatched: tuple[str, ...] = ()
    personal: tuple[str, ...]
    kept_days: int = KEPT_DAYS

    @property
    def open(self) -> tuple[str, str]:
        """The statuses of a request that has not ended."""
        return (self.queued, self.working)

    def files(self, document: Mapping[str, Any]) -> list[str]:
        """The object keys that a request's files have or may have; recorded before anything is uploaded."""
        found = document.get(self.files_field)
        return [key for key in (found if isinstance(found, list) else [found]) if isinstance(key, str) and key]


@dataclass(frozen=True, slots=True)
class Started:
    """The run owns the job and may work; `resumed` says that an earlier run had begun."""

    document: Document
    resumed: bool


@dataclass(frozen=True, slots=True)
class NotStarted:
    """The run must not work: the job is terminal, or `owner_run_id` holds it."""

    status: str
    owner_run_id: str | None


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """What a working run learns with every batch."""

    cancel_requested: bool
    owned: bool


def was_put_back(document: Mapping[str, Any]) -> bool:
    """Whether a queued request waits for its next launch, the last one having been in vain."""
    put_back = document.get("put_back")
    if not isinstance(put_back, Mapping):
        return False
    return document.get("attempt") is not None and put_back.get("at_attempt") == document["attempt"]


class ExportQueue:
    """The requests of all companies for the sensors; of one company for everything that names a request."""

    def __init__(self, database: Database[Document], shape: QueueShape) -> None:
        self.shape = shape
        self._jobs = database[shape.collection]

    @waiting_out_outages
    def waiting(self, *, now: datetime, limit: int) -> list[Document]:
        """Requests nobody has launched, oldest first; also those whose status is none that exists, to be refused."""
        unclaimed = {"$or": [{"launch": {"$exists": False}}, {"launch.expires_at": {"$lte": now}}]}
        queued = {**self.shape.scope, "status": self.shape.queued, **unclaimed}
        unknown = {**self.shape.scope, "status": {"$nin": [*self.shape.open, *self.shape.terminal]}}
        with translating("reading the export queue"):
            found = list(self._jobs.find(queued).sort([("created_at", 1), ("_id", 1)]).limit(limit))
            return found + list(self._jobs.find(unknown).sort([("_id", 1)]).limit(limit - len(found) or 1))

    @waiting_out_outages
    def claim(self, document_id: object, token: str, *, now: datetime) -> bool:
        """Take the right to launch one request for `LAUNCH_SECONDS`; True for exactly one of all who ask at once."""
        with translating("claiming a request"):
            claimed = self._jobs.find_one_and_update(
                {
                    **self._unbegun(document_id),
                    "$or": [
                        {"launch": {"$exists": False}},
                        {"launch.expires_at": {"$lte": now}},
                        {"launch.token": token},
                    ],
                },
                {
                    "$set": {
                        "launch": {"token": token, "at": now, "expires_at": now + timedelta(seconds=LAUNCH_SECONDS)}
                    }
                },
                projection={"_id": 1},
            )
        return claimed is not None

    @waiting_out_outages
    def reject(self, document_id: object, rejected: Rejected, *, now: datetime) -> bool:
        """End a request that may not run; False when it had moved on."""
        return self._end(
            self._unbegun(document_id),
            {"status": self.shape.rejected, "error": rejected.as_document()},
            now=now,
        )

    @waiting_out_outages
    def note_admission(self, document_id: object, *, warnings: Sequence[str], attempt: int) -> None:
        """Keep what admission found out, for the run and the user."""
        with translating("recording an admission"):
            self._jobs.update_one(
                {"_id": document_id, "status": self.shape.queued},
                {"$set": {"warnings": list(warnings), "attempt": attempt}},
            )

    @waiting_out_outages
    def put_back(self, document: Mapping[str, Any], *, now: datetime) -> bool:
        """Have a request launched again whose run died before it took it; once for each launch.

        False: it was put back too often, or has moved on.
        """
        attempt, token = document.get("attempt"), this_call()
        waiting = {"_id": document["_id"], **self.shape.scope, "status": self.shape.queued}
        with translating("putting a request back into the queue"):
            done = self._jobs.update_one(
                {
                    **waiting,
                    "put_back.at_attempt": {"$ne": attempt},
                    "put_back.untaken": {"$not": {"$gte": MOST_PUT_BACK}},
                },
                {
                    "$set": {
                        "put_back.at_attempt": attempt,
                        "put_back.by": token,
                        "updated_at": now,
                    },
                    "$unset": {"launch": ""},
                    "$inc": {"put_back.untaken": 1},
                },
            )
            if done.modified_count == 1:
                return True
            return self._jobs.find_one({**waiting, "put_back.by": token}, {"_id": 1}) is not None

    @waiting_out_outages
    def find(self, job_id: str, *, company_sso_id: str | None = None) -> Document | None:
        """The job; with a company, only if it is that company's. Without one: for operators' commands alone."""
        with translating("reading an export job"):
            return self._jobs.find_one(self._whosever(job_id, company_sso_id))

    @waiting_out_outages
    def start(
        self, job_id: str, company_sso_id: str, run_id: str, *, now: datetime, take_over_from: str | None = None
    ) -> Started | NotStarted | None:
        """Make the run the job's owner; None when the company has no such job.

        A job at work is taken over only from an owner whose lease ran out, or whose run the caller knows to be
        finished (`take_over_from`).
        """
        scope, working = self._one(job_id, company_sso_id), self.shape.working
        free: list[Document] = [
            {"status": self.shape.queued},
            {"status": working, "lease.owner_run_id": run_id},
            {"status": working, "lease.expires_at": {"$lte": now}},
            {"status": working, "lease": {"$exists": False}},
        ]
        if take_over_from is not None:
            free.append({"status": working, "lease.owner_run_id": take_over_from})
        with translating("starting an export job"):
            before = self._jobs.find_one_and_update(
                {**scope, "$or": free},
                {"$set": {"status": working, "run_id": run_id, "lease": _lease(run_id, now), "updated_at": now}},
                return_document=ReturnDocument.BEFORE,
            )
            if before is not None:
                if "started_at" not in before:
                    self._jobs.update_one(scope, {"$set": {"started_at": now}})
                document = self._jobs.find_one(scope)
                return Started(document or before, resumed=before["status"] == working)
            current = self._jobs.find_one(scope, {"status": 1, "lease": 1})
        if current is None:
            return None
        return NotStarted(current["status"], (current.get("lease") or {}).get("owner_run_id"))

    @waiting_out_outages
    def beat(self, job_id: str, company_sso_id: str, run_id: str, *, now: datetime, **progress: object) -> Heartbeat:
        """Renew the lease with each batch, write progress with it, and learn whether to stop."""
        with translating("renewing an export's lease"):
            document = self._jobs.find_one_and_update(
                {
                    **self._one(job_id, company_sso_id),
                    "status": self.shape.working,
                    "lease.owner_run_id": run_id,
                },
                {"$set": {"lease": _lease(run_id, now), "updated_at": now, **progress}},
                projection={"cancel_requested": 1},
            )
        if document is None:
            return Heartbeat(cancel_requested=False, owned=False)
        return Heartbeat(cancel_requested=document.get("cancel_requested") is True, owned=True)

    @waiting_out_outages
    def end(
        self,
        job_id: str,
        company_sso_id: str,
        status: str,
        *,
        now: datetime,
        run_id: str | None = None,
        changes: Mapping[str, object] | None = None,
    ) -> bool:
        """Turn an open job terminal, once; with `run_id` only if that run owns it. False when it had ended before."""
        scope = self._one(job_id, company_sso_id)
        if run_id is not None:
            scope["lease.owner_run_id"] = run_id
        return self._end(
            {**scope, "status": {"$in": list(self.shape.open)}}, {"status": status, **(changes or {})}, now=now
        )

    def _end(self, scope: Document, changes: Mapping[str, object], *, now: datetime) -> bool:
        end: Document = {"ended_at": now, "updated_at": now, "ended_by": this_call()}
        end["expires_at"] = now + timedelta(days=self.shape.kept_days)
        which = {key: value for key, value in scope.items() if key not in _MOVES_ON}
        with translating("ending an export job"):
            done = self._jobs.update_one(scope, {"$set": {**changes, **end}, "$unset": {"lease": ""}})
            if done.modified_count == 1:
                return True
            # Or by an earlier try of this call, whose answer was lost: then the end is told of by this one.
            return self._jobs.find_one({**which, "ended_by": end["ended_by"]}, {"_id": 1}) is not None

    @waiting_out_outages
    def request_cancel(self, job_id: str, *, company_sso_id: str | None = None) -> str | None:
        """Ask an open job to stop; returns the status it had, or None when there is no such job.

        Without a company: for operators' commands alone.
        """
        one = self._whosever(job_id, company_sso_id)
        with translating("asking for a cancel"):
            self._jobs.update_one(
                {**one, "status": {"$in": list(self.shape.open)}}, {"$set": {"cancel_requested": True}}
            )
            document = self._jobs.find_one(one, {"status": 1})
        return str(document["status"]) if document else None

    @waiting_out_outages
    def open_jobs(self, *, launched_before: datetime, limit: int, after: object = None) -> list[Document]:
        """Jobs whose run may have died: launched some time ago and not terminal, in the order of `_id`.

        A run that people started by hand before the sensor's claim is known by its last sign.
        """
        by_hand = {"status": self.shape.working, "launch": {"$exists": False}, "updated_at": {"$lte": launched_before}}
        query: Document = {
            **self.shape.scope,
            "status": {"$in": list(self.shape.open)},
            "$or": [{"launch.at": {"$lte": launched_before}}, by_hand],
        }
        if after is not None:
            query["_id"] = {"$gt": after}
        with translating("looking for dead runs"):
            return list(self._jobs.find(query, self._watched()).sort([("_id", 1)]).limit(limit))

    @waiting_out_outages
    def oldest_queued(self) -> Document | None:
        """The queued request that waits longest."""
        with translating("reading the export queue"):
            return self._jobs.find_one(
                {**self.shape.scope, "status": self.shape.queued, "created_at": {"$type": "date"}},
                {self.shape.id_field: 1, "created_at": 1, "company_sso_id": 1},
                sort=[("created_at", 1)],
            )

    @waiting_out_outages
    def purge(self, job_id: str, company_sso_id: str, *, now: datetime) -> bool:
        """Remove the personal data from a terminal job; its counts and codes stay until its time."""
        with translating("purging an export job"):
            purged = self._jobs.update_one(
                {**self._one(job_id, company_sso_id), "status": {"$in": list(self.shape.terminal)}},
                {"$unset": dict.fromkeys(self.shape.personal, ""), "$set": {"purged_at": now, "updated_at": now}},
            )
        return purged.matched_count == 1

    @waiting_out_outages
    def with_cleanup_pending(self, *, limit: int) -> list[Document]:
        """Ended jobs whose files could not be removed; `shape.files` has their keys."""
        with translating("looking for left-over files"):
            return list(
                self._jobs.find(
                    {"cleanup_pending": True, self.shape.files_field: {"$type": "string"}},
                    {self.shape.id_field: 1, "company_sso_id": 1, self.shape.files_field: 1},
                ).limit(limit)
            )

    @waiting_out_outages
    def cleanup_done(self, job_id: str, company_sso_id: str) -> None:
        """The files are gone."""
        with translating("recording a removed file"):
            self._jobs.update_one(self._one(job_id, company_sso_id), {"$unset": {"cleanup_pending": ""}})

    def insert(self, document: Document) -> None:
        """Put a request into the queue; not repeated, because the caller must know whether it was taken."""
        with translating("queueing an export"):
            self._jobs.insert_one(document)

    def statuses(self, job_ids: Sequence[str]) -> Iterator[Document]:
        """The documents of several jobs, without what was asked, for watching them."""
        with translating("reading export jobs"):
            yield from self._jobs.find(
                {**self.shape.scope, self.shape.id_field: {"$in": list(job_ids)}}, self._watched()
            )

    def _one(self, job_id: str, company_sso_id: str) -> Document:
        """Leads to one company's job."""
        return {**self.shape.scope, self.shape.id_field: job_id, "company_sso_id": company_sso_id}

    def _whosever(self, job_id: str, company_sso_id: str | None) -> Document:
        """Leads to one job, for commands that may act without naming its company."""
        if company_sso_id is not None:
            return self._one(job_id, company_sso_id)
        return {**self.shape.scope, self.shape.id_field: job_id}

    def _unbegun(self, document_id: object) -> Document:
        """Leads to a request that no run works on and that has not ended, also one whose status is none that exists."""
        begun = [*self.shape.terminal, self.shape.working]
        return {"_id": document_id, **self.shape.scope, "status": {"$nin": begun}}

    def _watched(self) -> Document | None:
        # None, because an empty projection is `_id` alone to the driver.
        return dict.fromkeys(self.shape.unwatched, 0) or None


_MOVES_ON: Final = frozenset({"status", "lease.owner_run_id", "$and"})
"""The parts of a query for an open job that no longer hold once it has ended."""


def _lease(run_id: str, now: datetime) -> Document:
    return {"owner_run_id": run_id, "expires_at": now + timedelta(seconds=LEASE_SECONDS)}
