"""The queue and the state machine that every kind of export shares.

    queued -> working -> an end that the run found       queued -> refused | canceled

Every step is one conditional update, so it happens once however many sensors and runs try. Fields that this project
adds to the requester's document: `launch` (who asked Dagster for the run, and until when that stands), `attempt`,
`lease` (the run that works on it), `run_id`, the keys of its files, `warnings`, `started_at`, `ended_at`, `expires_at`,
`cleanup_pending` (files that could not be removed yet), `ended_by` (the call that ended it, so that one whose answer
was lost knows itself), `put_back` (how often its run died untaken, and after which attempt last).

Others write in these collections, so none of these fields is believed from a new request: it is taken in first
(`take_in`), which wipes them and keeps what the requester said as a snapshot; every read that work rests on joins that
snapshot with what the pipeline has written since. A document that says it is at work or has ended, and was never taken
in, is nobody's work (`never_taken_in`).

Belongs here: what holds for any export. Not here: the names that one kind uses (`export_jobs`, `entity_exports`).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from pymongo import ReturnDocument

from cdp_pipelines.domain.admission import Rejected
from cdp_pipelines.stores.documents import (
    Found,
    Unreadable,
    behind,
    read_each,
    read_one,
)
from cdp_pipelines.stores.errors import this_call, translating, waiting_out_outages
from cdp_pipelines.stores.queue_shape import LAUNCH_SECONDS, known_age, launched, not_one_of, unclaimed
from cdp_pipelines.stores.request_intake import request_ref
from cdp_pipelines.stores.taken_requests import TakenRequests

Document = dict[str, Any]

LEASE_SECONDS: Final = 900
"""Longer than any bounded retry inside one batch or step, so a lease that ran out means a dead owner."""
MOST_PUT_BACK: Final = 3
"""How often a request is launched again whose run died before it took the request."""


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


class ExportQueue(TakenRequests):
    """The requests of all companies for the sensors; of one company for everything that names a request."""

    @waiting_out_outages
    def waiting(self, *, now: datetime, limit: int) -> Found:
        """Requests nobody has launched, oldest first; also those whose status is none that exists, to be refused.

        As they stand, so nothing in them is to be believed; see `take_in`.
        """
        # A list of statuses is none, though MongoDB finds it by each of them.
        queued = {**self.shape.scope, "status": self.shape.queued, "status.0": {"$exists": False}, **unclaimed(now)}
        unknown = {**self.shape.scope, **self._no_status()}
        projection = self._watched()
        with translating("reading the export queue"):
            found = list(self._raw.find(queued, projection).sort([("created_at", 1), ("_id", 1)]).limit(limit))
            found += list(self._raw.find(unknown, projection).sort([("_id", 1)]).limit(limit - len(found) or 1))
        return read_each(found, self._options)

    @waiting_out_outages
    def claim(self, document_id: object, token: str, *, now: datetime) -> bool:
        """Take the right to launch one request for `LAUNCH_SECONDS`; True for exactly one of all who ask at once."""
        launch = {"token": token, "at": now, "expires_at": now + timedelta(seconds=LAUNCH_SECONDS)}
        with translating("claiming a request"):
            claimed = self._jobs.find_one_and_update(
                {**self._unbegun(document_id), "$or": [*unclaimed(now)["$or"], {"launch.token": token}]},
                {"$set": {"launch": launch}},
                projection={"_id": 1},
            )
        return claimed is not None

    @waiting_out_outages
    def reject(
        self, document_id: object, rejected: Rejected, *, now: datetime, changes: Mapping[str, object] | None = None
    ) -> bool:
        """End a request that may not run, with further `changes`; False when it had moved on."""
        ended = self._end(
            self._unbegun(document_id),
            {**(changes or {}), "status": self.shape.rejected, "error": rejected.as_document()},
            now=now,
        )
        if ended:
            self.intake.note_end(request_ref(self.shape.collection, document_id), self.shape.rejected, now=now)
        return ended

    @waiting_out_outages
    def end_whatever(self, document_id: object, rejected: Rejected, *, now: datetime) -> bool:
        """End a document that cannot be worked on, whatever its fields hold; False when it had ended."""
        scope = {"_id": document_id, **self.shape.scope, "$and": [not_one_of(self.shape.terminal)]}
        ended = self._end(scope, {"status": self.shape.rejected, "error": rejected.as_document()}, now=now)
        self.intake.note_end(request_ref(self.shape.collection, document_id), self.shape.rejected, now=now)
        return ended

    @waiting_out_outages
    def note_admission(self, document_id: object, *, warnings: Sequence[str], attempt: int) -> None:
        """Keep what admission found out, for the run and the user."""
        self.intake.note_attempt(request_ref(self.shape.collection, document_id), attempt)
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
        """The job; with a company, only if it is that company's. Without one: for operators' commands alone.

        As it was taken in, with what the pipeline has written since; one that never was, as it stands.
        """
        document = self._as_it_stands(self._whosever(job_id, company_sso_id))
        return None if document is None else self._known(document)

    def find_taken_in(self, job_id: str, company_sso_id: str) -> Document | None:
        """The company's job as it was taken in, with what the pipeline has written since; what never was is none."""
        # What was asked comes from the snapshot, so what stands there by now need not even be readable.
        fields = dict.fromkeys([*self.shape.fields.written, self.shape.id_field], 1)
        document = self._as_it_stands(self._one(job_id, company_sso_id), fields)
        return None if document is None else self.taken_in([document], whole=True)[0]

    def as_it_stands(self, job_id: str, company_sso_id: str) -> Document | None:
        """The document of the company's job, of which nothing is to be believed."""
        return self._as_it_stands(self._one(job_id, company_sso_id))

    def _known(self, document: Document) -> Document:
        (taken,) = self.taken_in([document], whole=True)
        return taken if taken is not None else self.shape.fields.believed(document)

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
                # No text of another's: a document that cannot be decoded must not be taken.
                projection={"_id": 1, "status": 1, "started_at": 1},
                return_document=ReturnDocument.BEFORE,
            )
            if before is not None and not isinstance(before.get("started_at"), datetime):
                self._jobs.update_one(scope, {"$set": {"started_at": now}})
        current = self.find(job_id, company_sso_id=company_sso_id)
        if before is not None and current is not None:
            return Started(current, resumed=before["status"] == working)
        if current is None:
            return None
        return NotStarted(str(current.get("status")), (current.get("lease") or {}).get("owner_run_id"))

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
        ended = self._end(
            {**scope, "status": {"$in": list(self.shape.open)}}, {"status": status, **(changes or {})}, now=now
        )
        if ended:
            record = self.intake.of_id(job_id, company_sso_id)
            if record is not None:
                self.intake.note_end(record["ref"], status, now=now)
        return ended

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
    def open_jobs(self, *, launched_before: datetime, limit: int, after: object = None) -> Found:
        """Jobs whose run may have died: launched some time ago and not terminal, in the order of `_id`.

        As they stand; see `taken_in`.
        """
        parts: list[Document] = [launched(launched_before, self.shape.working)]
        if after is not None:
            parts.append(behind(after))
        query = {**self.shape.scope, "status": {"$in": list(self.shape.open)}, "$and": parts}
        with translating("looking for dead runs"):
            return read_each(self._raw.find(query, self._watched()).sort([("_id", 1)]).limit(limit), self._options)

    @waiting_out_outages
    def oldest_queued(self, *, now: datetime | None = None) -> Document | None:
        """The queued request that waits longest, of those whose date can be one: no age is told of the others."""
        with translating("reading the export queue"):
            found = self._raw.find_one(
                {**self.shape.scope, "status": self.shape.queued, "created_at": known_age(now)},
                {"_id": 1, "created_at": 1, self.shape.id_field: 1, "company_sso_id": 1},
                sort=[("created_at", 1)],
            )
        read = read_one(found, self._options) if found is not None else None
        return None if isinstance(read, Unreadable) else read

    @waiting_out_outages
    def purge(self, job_id: str, company_sso_id: str, *, now: datetime) -> bool:
        """Remove the personal data from a terminal job; its counts and codes stay until its time."""
        with translating("purging an export job"):
            purged = self._jobs.update_one(
                {**self._one(job_id, company_sso_id), "status": {"$in": list(self.shape.terminal)}},
                {"$unset": dict.fromkeys(self.shape.personal, ""), "$set": {"purged_at": now, "updated_at": now}},
            )
        if purged.matched_count == 1:
            record = self.intake.of_id(job_id, company_sso_id)
            if record is not None:
                self.intake.purge(record["ref"])
        return purged.matched_count == 1

    @waiting_out_outages
    def with_cleanup_pending(self, *, limit: int) -> Found:
        """Ended jobs whose files could not be removed, those first that nobody has tried for longest.

        As they stand: see `taken_in`, and `own_files` for the keys.
        """
        pending = {**self.shape.scope, "cleanup_pending": True, self.shape.files_field: {"$type": "string"}}
        with translating("looking for left-over files"):
            found = self._raw.find({**pending, "status": {"$in": list(self.shape.terminal)}}, self._watched())
            return read_each(found.sort([("cleanup_tried_at", 1)]).limit(limit), self._options)

    @waiting_out_outages
    def cleanup_later(self, job_id: str, company_sso_id: str, *, now: datetime) -> None:
        """The files could not be removed now; others have their turn first."""
        with translating("putting off the removal of a file"):
            self._jobs.update_one(self._one(job_id, company_sso_id), {"$set": {"cleanup_tried_at": now}})

    @waiting_out_outages
    def cleanup_done(self, job_id: str, company_sso_id: str) -> None:
        """The files are gone."""
        with translating("recording a removed file"):
            self._jobs.update_one(
                self._one(job_id, company_sso_id), {"$unset": {"cleanup_pending": "", "cleanup_tried_at": ""}}
            )

    def insert(self, document: Document) -> None:
        """Put a request into the queue; not repeated, because the caller must know whether it was taken."""
        with translating("queueing an export"):
            self._jobs.insert_one(document)

    def statuses(self, job_ids: Sequence[str]) -> Iterator[Document]:
        """The documents of several jobs as they stand, without what was asked, for watching them."""
        query = {**self.shape.scope, self.shape.id_field: {"$in": list(job_ids)}}
        with translating("reading export jobs"):
            for document in read_each(self._raw.find(query, self._watched()), self._options):
                yield self.shape.fields.believed(document)

    def recent(self, query: Mapping[str, Any], *, limit: int) -> list[Document]:
        """Jobs for operators to look at, newest first, as they stand; one that cannot be read has only its `_id`."""
        large = {**dict.fromkeys(self.shape.unwatched, 0), "list_failed_rows": 0, "result.parts": 0}
        with translating("reading export jobs"):
            found = self._raw.find({**self.shape.scope, **query}, large)
            read = read_each(found.sort([("created_at", -1), ("_id", -1)]).limit(limit), self._options)
        unreadable = [{self.shape.id_field: each.shown, "status": "unreadable"} for each in read.unreadable]
        return [*(self.shape.fields.believed(document) for document in read), *unreadable]

    def _no_status(self) -> Document:
        """Leads to documents whose status is none that exists."""
        return not_one_of([*self.shape.open, *self.shape.terminal])

    def _watched(self) -> Document | None:
        # None, because an empty projection is `_id` alone to the driver.
        return dict.fromkeys(self.shape.unwatched, 0) or None


_MOVES_ON: Final = frozenset({"status", "lease.owner_run_id", "$and"})
"""The parts of a query for an open job that no longer hold once it has ended."""


def _lease(run_id: str, now: datetime) -> Document:
    return {"owner_run_id": run_id, "expires_at": now + timedelta(seconds=LEASE_SECONDS)}
