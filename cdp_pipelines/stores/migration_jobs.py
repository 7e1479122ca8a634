"""The job collection of a migration: one document a job, its lease, its counts and its cursors (SPEC 5.3).

    in_progress -> halted | completed | completed_with_errors | failed | canceled | rolled_back, and back by a start

One job of a company is `in_progress` at most: a unique partial index says so, not a question asked before. Every step
is one conditional update that only the run holding the lease can make.
"""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from pymongo import ReturnDocument
from pymongo.database import Database
from pymongo.errors import DuplicateKeyError

from cdp_pipelines.domain.failures import LISTED_ON_JOB, RowFailure
from cdp_pipelines.domain.migrations import IN_PROGRESS, Counts, ShardRange
from cdp_pipelines.stores.documents import behind
from cdp_pipelines.stores.errors import this_call, translating, waiting_out_outages

Document = dict[str, Any]

FAILED_ROWS: Final = "failed_rows"
FAILED_PARTS: Final = "failed_parts"
DEGRADED_ROWS: Final = "degraded_rows"
"""Names of the lists on a job: rows that failed; parts of rows, such as files, whose row itself did not; and rows that
were written without their author, because of an outage.
"""
LEASE_SECONDS: Final = 900
"""Longer than any bounded retry inside one page, so a lease that ran out means a dead owner."""


@dataclass(frozen=True, slots=True)
class JobKind:
    """Which migration: its collection and what the cursor of a shard is called there.

    A job is kept for `kept_days` after it ended; None: for ever. `outward` are more names for the counts of a job, each
    the sum of the fields it names; they are written in the same step as those.
    """

    kind: str
    collection: str
    cursor: str
    kept_days: int | None = None
    outward: Mapping[str, Sequence[str]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Owned:
    """The right to change a job: its id, its company, and the run that holds its lease."""

    job_id: str
    company_sso_id: str
    run_id: str


class MigrationJobs:
    """The jobs of one kind of migration."""

    def __init__(self, database: Database[Document], kind: JobKind, *, lease_seconds: int = LEASE_SECONDS) -> None:
        self._jobs = database[kind.collection]
        self.kind = kind
        self._lease_seconds = lease_seconds

    @waiting_out_outages
    def latest(self, company_sso_id: str, *, dry_runs: bool = False) -> Document | None:
        """The company's newest job; without `dry_runs`, the newest that really wrote."""
        query: Document = {"company_sso_id": company_sso_id}
        if not dry_runs:
            query["dry_run"] = {"$ne": True}
        with translating("reading a migration job"):
            return self._jobs.find_one(query, sort=[("created_at", -1), ("_id", -1)])

    @waiting_out_outages
    def latest_finished(self, company_sso_id: str) -> Document | None:
        """The company's newest job that really wrote and is not in progress."""
        query: Document = {"company_sso_id": company_sso_id, "dry_run": {"$ne": True}, "status": {"$ne": IN_PROGRESS}}
        with translating("reading a migration job"):
            return self._jobs.find_one(query, sort=[("created_at", -1), ("_id", -1)])

    @waiting_out_outages
    def active(self, company_sso_id: str) -> Document | None:
        """The company's job in progress, whether its owner lives or not."""
        with translating("reading a migration job"):
            return self._jobs.find_one({"company_sso_id": company_sso_id, "status": IN_PROGRESS})

    @waiting_out_outages
    def of_request(self, company_sso_id: str, request_id: object) -> Document | None:
        """The newest job that a request began or went on with."""
        with translating("reading a migration job"):
            return self._jobs.find_one(
                {"company_sso_id": company_sso_id, "request_id": request_id},
                {"failed_rows": 0},
                sort=[("created_at", -1)],
            )

    @waiting_out_outages
    def find(self, job_id: str, company_sso_id: str) -> Document | None:
        """One job of the company."""
        with translating("reading a migration job"):
            return self._jobs.find_one({"_id": job_id, "company_sso_id": company_sso_id})

    @waiting_out_outages
    def first_began(self, company_sso_id: str) -> datetime | None:
        """When the company's oldest job began of those that are kept and really wrote."""
        query: Document = {"company_sso_id": company_sso_id, "dry_run": {"$ne": True}}
        with translating("reading a migration job"):
            job = self._jobs.find_one(query, {"created_at": 1}, sort=[("created_at", 1)])
        return job["created_at"] if job else None

    @waiting_out_outages
    def ids(self, company_sso_id: str) -> list[str]:
        """The ids of all of the company's jobs."""
        with translating("reading migration jobs"):
            return [job["_id"] for job in self._jobs.find({"company_sso_id": company_sso_id}, {"_id": 1})]

    @waiting_out_outages
    def unfinished(self, *, limit: int, after: object = None) -> list[Document]:
        """Jobs in progress of all companies, for the sweeper, in the order of `_id`."""
        query: Document = {"status": IN_PROGRESS, **({} if after is None else behind(after))}
        with translating("looking for dead migrations"):
            return list(self._jobs.find(query, _WITHOUT_LISTS).sort("_id", 1).limit(limit))

    @waiting_out_outages
    def statuses(self, company_sso_ids: Sequence[str]) -> list[Document]:
        """The jobs of several companies, newest first, without their failed rows."""
        with translating("reading migration jobs"):
            return list(
                self._jobs.find({"company_sso_id": {"$in": list(company_sso_ids)}}, _WITHOUT_LISTS).sort(
                    [("created_at", -1)]
                )
            )

    @waiting_out_outages
    def open_new(self, company_sso_id: str, run_id: str, facts: Mapping[str, Any], *, now: datetime) -> Owned | None:
        """Insert a job in progress that the run owns; None when the company has one in progress already."""
        # The same at every try, so that one whose answer was lost is not taken for another's job.
        job_id = str(uuid.UUID(this_call()))
        document: Document = {
            "_id": job_id,
            "kind": self.kind.kind,
            "company_sso_id": company_sso_id,
            "status": IN_PROGRESS,
            "records_total": 0,
            "records_processed": 0,
            "records_migrated": 0,
            "records_skipped": {},
            "records_failed": 0,
            FAILED_ROWS: [],
            FAILED_PARTS: [],
            DEGRADED_ROWS: [],
            "notes": {},
            "progress_pct": 0.0,
            "failure_rate": 0.0,
            "accuracy_pct": None,
            "match_pct": None,
            "shards": {},
            **dict.fromkeys(self.kind.outward, 0),
            **facts,
            "lease": self._lease(run_id, now),
            "created_at": now,
            "started_at": now,
            "updated_at": now,
        }
        with translating("opening a migration job"):
            try:
                self._jobs.insert_one(document)
            except DuplicateKeyError:
                if self._jobs.find_one({"_id": job_id}, {"_id": 1}) is None:
                    return None
        return Owned(job_id, company_sso_id, run_id)

    @waiting_out_outages
    def reopen(
        self,
        document: Mapping[str, Any],
        run_id: str,
        changes: Mapping[str, Any],
        *,
        now: datetime,
        take_over_from: str | None = None,
    ) -> Owned | None:
        """Make the run the owner of a job that stands as `document` says; None when it moved on, or another is active.

        A job in progress is taken over only from an owner whose lease ran out, or whose run the caller knows to be over
        (`take_over_from`).
        """
        scope: Document = {"_id": document["_id"], "company_sso_id": document["company_sso_id"]}
        free: list[Document] = [
            # The stop that was seen, and not a later one of a run that has gone on with it since.
            {"status": {"$ne": IN_PROGRESS}, "run_id": document.get("run_id")},
            {"lease.expires_at": {"$lte": now}},
            {"lease.owner_run_id": run_id},
        ]
        if take_over_from is not None:
            free.append({"lease.owner_run_id": take_over_from})
        lease = {**self._lease(run_id, now), "taken_by": this_call()}
        update = {"status": IN_PROGRESS, "lease": lease, "updated_at": now, **changes}
        with translating("taking over a migration job"):
            try:
                taken = self._jobs.find_one_and_update(
                    {**scope, "status": document["status"], "$or": free},
                    # An earlier owner was asked to stop, not this one.
                    {"$set": update, "$unset": {"ended_at": "", "expires_at": "", "error": "", "cancel_requested": ""}},
                    projection={"_id": 1},
                )
                if taken is None:
                    # Or it was taken by an earlier try of this call, whose answer was lost.
                    mine = {"status": IN_PROGRESS, "lease.taken_by": lease["taken_by"]}
                    taken = self._jobs.find_one({**scope, **mine}, {"_id": 1})
            except DuplicateKeyError:
                return None
        return Owned(document["_id"], document["company_sso_id"], run_id) if taken is not None else None

    @waiting_out_outages
    def beat(self, owned: Owned, changes: Mapping[str, Any] | None = None, *, now: datetime) -> Document | None:
        """Renew the lease and write `changes`; the job as it is then, or None when it is no longer the run's."""
        with translating("renewing a migration's lease"):
            return self._jobs.find_one_and_update(
                _scope(owned),
                self._changed({"lease": self._lease(owned.run_id, now), "updated_at": now, **(changes or {})}),
                projection=_WITHOUT_LISTS,
                return_document=ReturnDocument.AFTER,
            )

    @waiting_out_outages
    def set_shards(self, owned: Owned, ranges: Mapping[str, ShardRange], *, total: int, now: datetime) -> bool:
        """Write the plan: the shards' ranges with their cursors at the beginning, and how many rows there are."""
        shards = {
            name: {"after": part.after, "to": part.to, self.kind.cursor: part.after, "done": False}
            for name, part in ranges.items()
        }
        return self.beat(owned, {"shards": shards, "records_total": total}, now=now) is not None

    @waiting_out_outages
    def add_shard(self, owned: Owned, name: str, part: ShardRange, *, rows: int, now: datetime) -> bool:
        """Add a shard to the plan, its cursor at the beginning, and its rows to the total; once, whoever asks again."""
        place = f"shards.{name}"
        shard = {"after": part.after, "to": part.to, self.kind.cursor: part.after, "done": False}
        update = [
            {
                "$set": {
                    place: {"$literal": shard},
                    "records_total": {"$add": ["$records_total", rows]},
                    "updated_at": {"$literal": now},
                }
            },
            {"$set": {"progress_pct": _progress(), **_outward(self.kind)}},
        ]
        with translating("planning a migration"):
            found = self._jobs.update_one({**_scope(owned), place: {"$exists": False}}, update)
            return found.matched_count == 1

    @waiting_out_outages
    def advance(
        self,
        owned: Owned,
        shard: str,
        page: Counts,
        listed: Mapping[str, Sequence[RowFailure]],
        *,
        from_id: int,
        to_id: int,
        done: bool,
        now: datetime,
    ) -> Document | None:
        """Count one page and move its shard's cursor, in one step; the job as it is then.

        None: the job is no longer the run's, or the cursor is not at `from_id`. A repeated call for a page that was
        counted already, as after a lost answer, counts nothing and returns the job.
        """
        cursor = f"shards.{shard}.{self.kind.cursor}"
        update = _page_update(shard, self.kind, page, listed, to_id=to_id, done=done)
        update[0]["$set"] |= {
            "updated_at": {"$literal": now},
            "lease": {"$literal": self._lease(owned.run_id, now)},
        }
        with translating("counting a page"):
            job = self._jobs.find_one_and_update(
                {**_scope(owned), cursor: from_id},
                update,
                projection=_WITHOUT_LISTS,
                return_document=ReturnDocument.AFTER,
            )
            if job is not None or from_id == to_id:
                return job
            return self._jobs.find_one({**_scope(owned), cursor: to_id}, _WITHOUT_LISTS)

    @waiting_out_outages
    def end(self, owned: Owned, status: str, changes: Mapping[str, Any] | None = None, *, now: datetime) -> bool:
        """Let the job go in this status; False when it is no longer the run's."""
        ended: Document = {"status": status, "updated_at": now, "ended_at": now, "ended_by": this_call()}
        if self.kind.kept_days is not None:
            ended["expires_at"] = now + timedelta(days=self.kind.kept_days)
        with translating("ending a migration job"):
            update = {"$set": {**ended, **(changes or {})}, "$unset": {"lease": ""}}
            if self._jobs.update_one(_scope(owned), update).modified_count == 1:
                return True
            # Or by an earlier try of this call, whose answer was lost: then the end is told of by this one.
            mine = {"_id": owned.job_id, "company_sso_id": owned.company_sso_id, "ended_by": ended["ended_by"]}
            return self._jobs.find_one(mine, {"_id": 1}) is not None

    def _changed(self, changes: Mapping[str, Any]) -> Document | list[Document]:
        """An update that sets `changes`, and with them the counts' other names, where the kind has such."""
        if not self.kind.outward:
            return {"$set": dict(changes)}
        literal = {name: {"$literal": value} for name, value in changes.items()}
        return [{"$set": literal}, {"$set": _outward(self.kind)}]

    def _lease(self, run_id: str, now: datetime) -> Document:
        return {"owner_run_id": run_id, "expires_at": now + timedelta(seconds=self._lease_seconds)}


_WITHOUT_LISTS: Final = {FAILED_ROWS: 0, FAILED_PARTS: 0, DEGRADED_ROWS: 0}


def _scope(owned: Owned) -> Document:
    return {
        "_id": owned.job_id,
        "company_sso_id": owned.company_sso_id,
        "status": IN_PROGRESS,
        "lease.owner_run_id": owned.run_id,
    }


def _page_update(
    shard: str, kind: JobKind, page: Counts, listed: Mapping[str, Sequence[RowFailure]], *, to_id: int, done: bool
) -> list[Document]:
    """An update that computes from the document itself, because shards that run side by side share its totals."""
    place = f"shards.{shard}"
    added: Document = {"records_processed": page.processed, "records_migrated": page.migrated}
    added["records_failed"] = page.failed
    added |= {f"records_skipped.{reason}": number for reason, number in page.skipped.items()}
    added |= {f"notes.{name}": number for name, number in page.notes.items()}
    own = {"processed": page.processed, "migrated": page.migrated, "failed": page.failed}
    own["skipped"] = sum(page.skipped.values())
    added |= {f"{place}.{name}": number for name, number in own.items()}
    step: Document = {name: {"$add": [{"$ifNull": [f"${name}", 0]}, number]} for name, number in added.items()}
    step[f"{place}.{kind.cursor}"] = {"$literal": to_id}
    step[f"{place}.done"] = {"$literal": done}
    for name, failures in listed.items():
        if failures:
            rows = {"$literal": [failure.as_document() for failure in failures[:LISTED_ON_JOB]]}
            together = {"$concatArrays": [{"$ifNull": [f"${name}", []]}, rows]}
            step[name] = {"$slice": [together, LISTED_ON_JOB]}
    return [
        {"$set": step},
        {
            "$set": {
                "failure_rate": _share("$records_failed", "$records_processed", 1),
                "progress_pct": _progress(),
                **_outward(kind),
            }
        },
    ]


def _outward(kind: JobKind) -> Document:
    """The counts under their other names, as expressions over the document."""
    return {
        name: {"$add": [{"$ifNull": [f"${field}", 0]} for field in fields]} for name, fields in kind.outward.items()
    }


def _progress() -> Document:
    return {"$min": [_share("$records_processed", "$records_total", 100), 100.0]}


def _share(part: str, whole: str, scale: int) -> Document:
    share = {"$divide": [{"$multiply": [part, scale]}, {"$max": [whole, 1]}]}
    return {"$round": [share, 2 if scale > 1 else 6]}
