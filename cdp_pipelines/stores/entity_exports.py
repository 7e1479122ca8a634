"""`exports`: the queue of entity exports.

    SCHEDULED -> IN_PROGRESS -> DONE | ERROR | CANCELED       SCHEDULED -> ERROR | CANCELED

A refused request ends as ERROR, with the code of its refusal. Further fields that this project adds here:
`object_keys` (a large export has several files), `cache: {key, fingerprint}`, `cached_from`, `files_expire_at`,
`notices_pending`, `notices_at` (when they are tried again), `exported_as: {format, compression, timezone}`.
"""

from datetime import datetime
from typing import Any, Final

from pymongo.database import Database

from cdp_pipelines.domain.entity_export.delivery import (
    CANCELED,
    DONE,
    ERROR,
    IN_PROGRESS,
    SCHEDULED,
    TERMINAL_STATUSES,
)
from cdp_pipelines.stores.errors import translating, waiting_out_outages
from cdp_pipelines.stores.export_queue import ExportQueue, QueueShape

Document = dict[str, Any]

ENTITY_EXPORTS: Final = QueueShape(
    collection="exports",
    id_field="id",
    queued=SCHEDULED,
    working=IN_PROGRESS,
    terminal=TERMINAL_STATUSES,
    rejected=ERROR,
    failed=ERROR,
    canceled=CANCELED,
    files_field="object_keys",
    # `cache` goes with the file that it leads to.
    personal=("email", "webhook", "result", "parameters.filters", "object_keys", "cache"),
)


class EntityExports(ExportQueue):
    """The entity exports of all companies."""

    def __init__(self, database: Database[Document]) -> None:
        super().__init__(database, ENTITY_EXPORTS)

    @waiting_out_outages
    def find_result(
        self, company_sso_id: str, cache_key: str, fingerprint: str, *, files_until: datetime
    ) -> Document | None:
        """The newest export of the company that made the same file from the same data, and keeps it until then."""
        with translating("looking for an earlier export"):
            return self._jobs.find_one(
                {
                    "company_sso_id": company_sso_id,
                    "cache.key": cache_key,
                    "cache.fingerprint": fingerprint,
                    "status": DONE,
                    "files_expire_at": {"$gt": files_until},
                },
                {"id": 1, "result": 1, "ended_at": 1},
                sort=[("ended_at", -1)],
            )

    @waiting_out_outages
    def with_files_to_remove(self, *, now: datetime, limit: int) -> list[Document]:
        """Ended exports whose files have had their time."""
        with translating("looking for old files"):
            due = self._jobs.find({"files_expire_at": {"$lte": now}}, {"id": 1, "company_sso_id": 1, "object_keys": 1})
            return list(due.sort([("files_expire_at", 1)]).limit(limit))

    @waiting_out_outages
    def files_removed(self, export_id: str, company_sso_id: str) -> None:
        """The files are gone: nothing leads to them any more. Counts and checksums stay."""
        dead = ["files_expire_at", "object_keys", "cache", "result.url", "result.token", "result.parts"]
        with translating("recording removed files"):
            self._jobs.update_one(self._one(export_id, company_sso_id), {"$unset": dict.fromkeys(dead, "")})

    @waiting_out_outages
    def with_notices_pending(self, *, ended_before: datetime, now: datetime, limit: int) -> list[Document]:
        """Ended exports whose notices a dead run or an outage has prevented, and are to be tried again by now."""
        due: Document = {"$or": [{"notices_at": {"$exists": False}}, {"notices_at": {"$lte": now}}]}
        with translating("looking for unsent notices"):
            pending = self._jobs.find({"notices_pending": True, "ended_at": {"$lte": ended_before}, **due})
            return list(pending.limit(limit))

    @waiting_out_outages
    def notices_later(self, export_id: str, company_sso_id: str, *, at: datetime) -> None:
        """Not everybody could be told; the sweeper leaves it alone until then."""
        with translating("putting notices off"):
            self._jobs.update_one(self._one(export_id, company_sso_id), {"$set": {"notices_at": at}})

    @waiting_out_outages
    def notices_done(self, export_id: str, company_sso_id: str) -> None:
        """Everybody has been told, or cannot be."""
        with translating("recording sent notices"):
            self._jobs.update_one(
                self._one(export_id, company_sso_id), {"$unset": {"notices_pending": "", "notices_at": ""}}
            )

    @waiting_out_outages
    def forget_shared_files(self, company_sso_id: str, key: str) -> None:
        """No later request is served by the files that this key is one of."""
        dead = ["cache", "result.url", "result.token", "result.parts"]
        with translating("forgetting files"):
            self._jobs.update_many(
                {"company_sso_id": company_sso_id, "result.key": key}, {"$unset": dict.fromkeys(dead, "")}
            )
