"""`migration_failures`: the rows that failed, with what a developer needs to see why (quarantine), until replayed.

    {_id: "{job id}:{source id}", kind, job_id, company_sso_id, source_id, reason_code, details, evidence,
     at, expires_at, part?}

`part` is true for a part of a row, such as a note's file, whose row itself did not fail; `source_id` names both. What
an outage left unknown of a row, such as its author, is such a part too, under a reason of `domain.outcomes.DEGRADED`.
`evidence` is a bounded part of the source row and may hold personal data: it stays in this collection, is never logged,
and goes with the document after `KEPT_DAYS`, or when the row is replayed or the migration rolled back.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from pymongo import InsertOne, UpdateOne
from pymongo.database import Database
from pymongo.errors import BulkWriteError

from cdp_pipelines.domain.failures import RowFailure
from cdp_pipelines.domain.outcomes import DEGRADED
from cdp_pipelines.stores.errors import translating, waiting_out_outages

Document = dict[str, Any]

KEPT_DAYS: Final = 30
ADOPTED_ROWS: Final = 500
_DUPLICATE_KEY: Final = 11_000


class MigrationFailures:
    """The quarantine of one kind of migration."""

    def __init__(self, database: Database[Document], kind: str) -> None:
        self._failures = database["migration_failures"]
        self._kind = kind

    @waiting_out_outages
    def keep(
        self,
        job_id: str,
        company_sso_id: str,
        failures: Sequence[tuple[RowFailure, Mapping[str, Any]]],
        *,
        part: bool = False,
        now: datetime,
    ) -> None:
        """Keep failed rows, or parts of rows, with evidence, one round trip; keeping one again changes nothing."""
        if not failures:
            return
        expires = now + timedelta(days=KEPT_DAYS)
        documents = [
            {
                "_id": f"{job_id}:{failure.id}",
                "kind": self._kind,
                "job_id": job_id,
                "company_sso_id": company_sso_id,
                "source_id": failure.id,
                "reason_code": failure.reason_code,
                "details": failure.details,
                "evidence": dict(evidence),
                "at": now,
                "expires_at": expires,
                **({"part": True} if part else {}),
            }
            for failure, evidence in failures
        ]
        with translating("keeping failed rows"):
            self._insert(documents)

    def _insert(self, documents: Sequence[Document]) -> None:
        """Insert those that are not there."""
        try:
            self._failures.bulk_write([InsertOne(document) for document in documents], ordered=False)
        except BulkWriteError as exc:
            if any(error["code"] != _DUPLICATE_KEY for error in exc.details["writeErrors"]):
                raise

    @waiting_out_outages
    def batch(
        self, job_id: str, company_sso_id: str, *, after: str, size: int, degraded: bool = False
    ) -> list[Document]:
        """Up to `size` kept rows and parts with an `_id` after `after`, in its order, without their evidence.

        Either all that failed, or with `degraded` what an outage left unknown of rows that are there.
        """
        scope = {"job_id": job_id, "company_sso_id": company_sso_id, "_id": {"$gt": after}, **_degraded(degraded)}
        with translating("reading failed rows"):
            return list(self._failures.find(scope, {"evidence": 0}).sort([("_id", 1)]).limit(size))

    @waiting_out_outages
    def first(
        self, job_id: str, company_sso_id: str, *, part: bool, size: int, degraded: bool = False
    ) -> list[Document]:
        """The first `size` kept rows, or parts of rows, without their evidence."""
        which = {"part": True, **_degraded(degraded)} if part else {"part": {"$ne": True}}
        scope = {"job_id": job_id, "company_sso_id": company_sso_id, **which}
        with translating("reading failed rows"):
            return list(self._failures.find(scope, {"evidence": 0}).sort([("_id", 1)]).limit(size))

    @waiting_out_outages
    def failed_again(
        self,
        job_id: str,
        company_sso_id: str,
        failures: Sequence[tuple[RowFailure, Mapping[str, Any]]],
        *,
        replay_id: str,
        now: datetime,
    ) -> None:
        """Write why these rows failed in this replay, in place of why they failed before; one round trip."""
        if not failures:
            return
        updates = [
            UpdateOne(
                {"_id": f"{job_id}:{failure.id}", "company_sso_id": company_sso_id},
                {
                    "$set": {
                        "reason_code": failure.reason_code,
                        "details": failure.details,
                        "evidence": dict(evidence),
                        "at": now,
                        "expires_at": now + timedelta(days=KEPT_DAYS),
                        "replay_id": replay_id,
                    }
                },
            )
            for failure, evidence in failures
        ]
        with translating("keeping failed rows"):
            self._failures.bulk_write(updates, ordered=False)

    @waiting_out_outages
    def forget_settled(self, job_id: str, company_sso_id: str, *, up_to: str, replay_id: str) -> int:
        """Remove the rows up to this `_id` that did not fail again in this replay."""
        with translating("removing failed rows"):
            return self._failures.delete_many(
                {
                    "job_id": job_id,
                    "company_sso_id": company_sso_id,
                    "_id": {"$lte": up_to},
                    "replay_id": {"$ne": replay_id},
                    **_degraded(False),
                }
            ).deleted_count

    @waiting_out_outages
    def forget_these(self, company_sso_id: str, ids: Sequence[str]) -> int:
        """Remove the rows and parts with these `_id`s."""
        if not ids:
            return 0
        with translating("removing failed rows"):
            scope = {"_id": {"$in": list(ids)}, "company_sso_id": company_sso_id}
            return self._failures.delete_many(scope).deleted_count

    @waiting_out_outages
    def forget(self, job_id: str, company_sso_id: str) -> int:
        """Remove all rows of the job."""
        with translating("removing failed rows"):
            return self._failures.delete_many({"job_id": job_id, "company_sso_id": company_sso_id}).deleted_count

    @waiting_out_outages
    def count(self, job_id: str, company_sso_id: str) -> int:
        """How many are kept."""
        with translating("counting failed rows"):
            return self._failures.count_documents({"job_id": job_id, "company_sso_id": company_sso_id})

    @waiting_out_outages
    def count_rows(self, job_id: str, company_sso_id: str) -> int:
        """How many rows that failed as a whole are kept."""
        scope = {"job_id": job_id, "company_sso_id": company_sso_id, "part": {"$ne": True}}
        with translating("counting failed rows"):
            return self._failures.count_documents(scope)

    @waiting_out_outages
    def adopt_parts(self, job_id: str, company_sso_id: str) -> int:
        """Make the parts that earlier jobs of the company left the job's own, a batch at a time; how many there were.

        Their rows were written without them, so a later job does not meet them again; they must not be forgotten.
        """
        theirs = {"company_sso_id": company_sso_id, "part": True, "kind": self._kind, "job_id": {"$ne": job_id}}
        adopted = 0
        with translating("keeping failed files"):
            while found := list(self._failures.find(theirs).limit(ADOPTED_ROWS)):
                ours = [{**row, "_id": f"{job_id}:{row['source_id']}", "job_id": job_id} for row in found]
                # What the job has met itself is there already, and newer.
                self._insert(ours)
                self._failures.delete_many({"_id": {"$in": [row["_id"] for row in found]}})
                adopted += len(found)
        return adopted

    @waiting_out_outages
    def forget_parts(self, company_sso_id: str) -> int:
        """Remove the parts of all of the company's jobs, also of those that are gone."""
        scope = {"company_sso_id": company_sso_id, "part": True, "kind": self._kind}
        with translating("removing failed rows"):
            return self._failures.delete_many(scope).deleted_count

    @waiting_out_outages
    def count_parts(self, job_id: str, company_sso_id: str, *, degraded: bool = False) -> int:
        """How many parts of rows are kept."""
        scope = {"job_id": job_id, "company_sso_id": company_sso_id, "part": True, **_degraded(degraded)}
        with translating("counting failed rows"):
            return self._failures.count_documents(scope)


def _degraded(wanted: bool) -> Document:  # noqa: FBT001 - one of two halves
    return {"reason_code": {"$in" if wanted else "$nin": sorted(DEGRADED)}}
