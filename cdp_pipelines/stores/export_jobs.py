"""`bulk_upload_jobs` of `job_type: "export"`: the queue and the state machine of contact exports.

    queued -> processing -> completed | partial | failed | canceled       queued -> rejected | canceled

Every step is one conditional update, so it happens once however many sensors and runs try. Fields that this project
adds to the requester's document: `launch` (who asked Dagster for the run, and until when that stands), `lease` (the run
that works on it), `object_key`, `warnings`, `matched_count`, `truncated`, `started_at`, `ended_at`.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from pymongo import ReturnDocument
from pymongo.database import Database

from cdp_pipelines.domain.admission import Rejected
from cdp_pipelines.domain.contact_export.delivery import OPEN_STATUSES, TERMINAL_STATUSES
from cdp_pipelines.stores.errors import translating, waiting_out_outages

Document = dict[str, Any]

JOB_TYPE: Final = "export"
LAUNCH_SECONDS: Final = 120
"""How long a sensor's claim stands before another tick may look again whether the run really came."""
LEASE_SECONDS: Final = 900
"""Longer than any bounded retry inside one batch or step, so a lease that ran out means a dead owner."""
KEPT_DAYS: Final = 7


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


class ExportJobs:
    """The jobs of all companies for the sensors; of one company for everything that names a job."""

    def __init__(self, database: Database[Document]) -> None:
        self._jobs = database["bulk_upload_jobs"]

    @waiting_out_outages
    def waiting(self, *, now: datetime, limit: int) -> list[Document]:
        """Requests nobody has launched, oldest first; also those whose status is none that exists, to be refused."""
        unclaimed = {"$or": [{"launch": {"$exists": False}}, {"launch.expires_at": {"$lte": now}}]}
        queued = {"job_type": JOB_TYPE, "status": "queued", **unclaimed}
        unknown = {"job_type": JOB_TYPE, "status": {"$nin": [*OPEN_STATUSES, *TERMINAL_STATUSES]}}
        with translating("reading the export queue"):
            found = list(self._jobs.find(queued).sort([("created_at", 1), ("_id", 1)]).limit(limit))
            return found + list(self._jobs.find(unknown).sort([("_id", 1)]).limit(limit - len(found) or 1))

    @waiting_out_outages
    def claim(self, document_id: object, token: str, *, now: datetime) -> bool:
        """Take the right to launch one request for `LAUNCH_SECONDS`; True for exactly one of all who ask at once."""
        with translating("claiming a request"):
            claimed = self._jobs.find_one_and_update(
                {
                    "_id": document_id,
                    "job_type": JOB_TYPE,
                    "status": {"$nin": [*TERMINAL_STATUSES, "processing"]},
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
            {"_id": document_id, "status": {"$nin": [*TERMINAL_STATUSES, "processing"]}},
            {"status": "rejected", "error": rejected.as_document()},
            now=now,
        )

    @waiting_out_outages
    def note_admission(self, document_id: object, *, warnings: Sequence[str], attempt: int) -> None:
        """Keep what admission found out, for the run and the user."""
        with translating("recording an admission"):
            self._jobs.update_one(
                {"_id": document_id, "status": "queued"}, {"$set": {"warnings": list(warnings), "attempt": attempt}}
            )

    @waiting_out_outages
    def find(self, job_id: str, *, company_sso_id: str | None = None) -> Document | None:
        """The job; with a company, only if it is that company's. Without one: for operators' commands alone."""
        scope = {} if company_sso_id is None else {"company_sso_id": company_sso_id}
        with translating("reading an export job"):
            return self._jobs.find_one({"job_type": JOB_TYPE, "job_id": job_id, **scope})

    @waiting_out_outages
    def start(
        self, job_id: str, company_sso_id: str, run_id: str, *, now: datetime, take_over_from: str | None = None
    ) -> Started | NotStarted | None:
        """Make the run the job's owner; None when the company has no such job.

        A job in `processing` is taken over only from an owner whose lease ran out, or whose run the caller knows to be
        finished (`take_over_from`).
        """
        scope = {"job_type": JOB_TYPE, "job_id": job_id, "company_sso_id": company_sso_id}
        free: list[Document] = [
            {"status": "queued"},
            {"status": "processing", "lease.owner_run_id": run_id},
            {"status": "processing", "lease.expires_at": {"$lte": now}},
            {"status": "processing", "lease": {"$exists": False}},
        ]
        if take_over_from is not None:
            free.append({"status": "processing", "lease.owner_run_id": take_over_from})
        with translating("starting an export job"):
            before = self._jobs.find_one_and_update(
                {**scope, "$or": free},
                {"$set": {"status": "processing", "run_id": run_id, "lease": _lease(run_id, now), "updated_at": now}},
                return_document=ReturnDocument.BEFORE,
            )
            if before is not None:
                if "started_at" not in before:
                    self._jobs.update_one(scope, {"$set": {"started_at": now}})
                document = self._jobs.find_one(scope)
                return Started(document or before, resumed=before["status"] == "processing")
            current = self._jobs.find_one(scope, {"status": 1, "lease": 1})
        if current is None:
            return None
        return NotStarted(current["status"], (current.get("lease") or {}).get("owner_run_id"))

    @waiting_out_outages
    def beat(self, job_id: str, company_sso_id: str, run_id: str, *, now: datetime, **progress: object) -> Heartbeat:
        """Renew the lease with each batch, write progress with it, and learn whether to stop."""
        with translating("renewing an export's lease"):
            document = self._jobs.find_one_and_update(
                _owned(job_id, company_sso_id, run_id),
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
        scope: Document = {"job_type": JOB_TYPE, "job_id": job_id, "company_sso_id": company_sso_id}
        if run_id is not None:
            scope["lease.owner_run_id"] = run_id
        return self._end(
            {**scope, "status": {"$in": list(OPEN_STATUSES)}}, {"status": status, **(changes or {})}, now=now
        )

    def _end(self, scope: Document, changes: Mapping[str, object], *, now: datetime) -> bool:
        end = {"ended_at": now, "updated_at": now, "expires_at": now + timedelta(days=KEPT_DAYS)}
        with translating("ending an export job"):
            return (
                self._jobs.update_one(scope, {"$set": {**changes, **end}, "$unset": {"lease": ""}}).modified_count == 1
            )

    @waiting_out_outages
    def request_cancel(self, job_id: str) -> str | None:
        """Ask an open job to stop; returns the status it had, or None when there is no such job."""
        with translating("asking for a cancel"):
            self._jobs.update_one(
                {"job_type": JOB_TYPE, "job_id": job_id, "status": {"$in": list(OPEN_STATUSES)}},
                {"$set": {"cancel_requested": True}},
            )
            document = self._jobs.find_one({"job_type": JOB_TYPE, "job_id": job_id}, {"status": 1})
        return str(document["status"]) if document else None

    @waiting_out_outages
    def open_jobs(self, *, launched_before: datetime, limit: int, after: object = None) -> list[Document]:
        """Jobs whose run may have died: launched some time ago and not terminal, in the order of `_id`."""
        query: Document = {
            "job_type": JOB_TYPE,
            "status": {"$in": list(OPEN_STATUSES)},
            "launch.at": {"$lte": launched_before},
        }
        if after is not None:
            query["_id"] = {"$gt": after}
        with translating("looking for dead runs"):
            return list(self._jobs.find(query, {"contact_ids": 0, "filter": 0}).sort([("_id", 1)]).limit(limit))

    @waiting_out_outages
    def oldest_queued(self) -> Document | None:
        """The queued request that waits longest."""
        with translating("reading the export queue"):
            return self._jobs.find_one(
                {"job_type": JOB_TYPE, "status": "queued", "created_at": {"$type": "date"}},
                {"job_id": 1, "created_at": 1, "company_sso_id": 1},
                sort=[("created_at", 1)],
            )

    @waiting_out_outages
    def purge(self, job_id: str, company_sso_id: str, *, now: datetime) -> bool:
        """Remove the personal data from a terminal job; its counts and codes stay until its time."""
        personal = ["email", "contact_ids", "filter", "list_failed_rows", "result", "object_key", "source", "period"]
        with translating("purging an export job"):
            return (
                self._jobs.update_one(
                    {
                        "job_type": JOB_TYPE,
                        "job_id": job_id,
                        "company_sso_id": company_sso_id,
                        "status": {"$in": list(TERMINAL_STATUSES)},
                    },
                    {"$unset": dict.fromkeys(personal, ""), "$set": {"purged_at": now, "updated_at": now}},
                ).matched_count
                == 1
            )

    @waiting_out_outages
    def with_cleanup_pending(self, *, limit: int) -> list[Document]:
        """Ended jobs whose file could not be removed."""
        with translating("looking for left-over files"):
            return list(
                self._jobs.find(
                    {"cleanup_pending": True, "object_key": {"$type": "string"}},
                    {"job_id": 1, "company_sso_id": 1, "object_key": 1},
                ).limit(limit)
            )

    @waiting_out_outages
    def cleanup_done(self, job_id: str, company_sso_id: str) -> None:
        """The file is gone."""
        with translating("recording a removed file"):
            self._jobs.update_one(
                {"job_type": JOB_TYPE, "job_id": job_id, "company_sso_id": company_sso_id},
                {"$unset": {"cleanup_pending": ""}},
            )

    def insert(self, document: Document) -> None:
        """Put a request into the queue; not repeated, because the caller must know whether it was taken."""
        with translating("queueing an export"):
            self._jobs.insert_one(document)

    def statuses(self, job_ids: Sequence[str]) -> Iterator[Document]:
        """The documents of several jobs, without what was asked, for watching them."""
        with translating("reading export jobs"):
            yield from self._jobs.find(
                {"job_type": JOB_TYPE, "job_id": {"$in": list(job_ids)}}, {"contact_ids": 0, "filter": 0}
            )


def _lease(run_id: str, now: datetime) -> Document:
    return {"owner_run_id": run_id, "expires_at": now + timedelta(seconds=LEASE_SECONDS)}


def _owned(job_id: str, company_sso_id: str, run_id: str) -> Document:
    return {
        "job_type": JOB_TYPE,
        "job_id": job_id,
        "company_sso_id": company_sso_id,
        "status": "processing",
        "lease.owner_run_id": run_id,
    }
