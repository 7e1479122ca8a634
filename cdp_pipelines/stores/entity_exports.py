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
    company_prefix,
)
from cdp_pipelines.domain.object_keys import KeyOwner, request_mark
from cdp_pipelines.domain.request_fields import RequestFields
from cdp_pipelines.stores.documents import Found, read_each
from cdp_pipelines.stores.errors import translating, waiting_out_outages
from cdp_pipelines.stores.export_queue import ExportQueue
from cdp_pipelines.stores.queue_shape import KEPT_BY_EVERY_QUEUE, QueueShape

Document = dict[str, Any]

FIELDS: Final = RequestFields(
    asked=frozenset(
        {
            "id", "company_sso_id", "exported_object", "channel", "parameters", "template", "created_at", "user_sso_id",
            "email", "locale", "webhook", "schedule_id", "schedule_name", "scheduled_for", "schedule_fault",
        }
    ),
    ours={
        **KEPT_BY_EVERY_QUEUE,
        "object_keys": "texts", "cache": "mapping", "cached_from": "text", "files_expire_at": "instant",
        "notices_pending": "switch", "notices_at": "instant", "exported_as": "mapping", "progress": "count",
        "total": "count", "schedule_switched_off": "switch",
    },
    neutral={"progress": 0, "total": None, "result": None, "error": None},
    # From its template.
    filled=frozenset({"exported_object"}),
)  # fmt: skip
ENTITY_EXPORTS: Final = QueueShape(
    collection="exports",
    fields=FIELDS,
    folder=company_prefix,
    id_field="id",
    queued=SCHEDULED,
    working=IN_PROGRESS,
    terminal=TERMINAL_STATUSES,
    rejected=ERROR,
    failed=ERROR,
    canceled=CANCELED,
    files_field="object_keys",
    work_left=("cleanup_pending", "notices_pending", "files_expire_at", "cache"),
    # `cache` goes with the file that it leads to.
    personal=("email", "webhook", "result", "parameters.filters", "object_keys", "cache"),
)

MOST_LOOKED_AT: Final = 5
"""Of earlier exports that may serve again; more than one only where somebody has changed their documents."""


class EntityExports(ExportQueue):
    """The entity exports of all companies."""

    def __init__(self, database: Database[Document]) -> None:
        super().__init__(database, ENTITY_EXPORTS)

    @waiting_out_outages
    def find_result(
        self, company_sso_id: str, cache_key: str, fingerprint: str, *, files_until: datetime
    ) -> Document | None:
        """The newest export of the company that made the same file from the same data, and keeps it until then."""
        same = {"company_sso_id": company_sso_id, "cache.key": cache_key, "cache.fingerprint": fingerprint}
        kept = {"status": DONE, "files_expire_at": {"$gt": files_until}}
        with translating("looking for an earlier export"):
            found = self._raw.find({**same, **kept}, self._watched()).sort([("ended_at", -1)]).limit(MOST_LOOKED_AT)
            made = self.taken_in(read_each(found, self._options))
        # Only a result that a run wrote, and that leads to nothing but the files made for that export.
        return next((document for document in made if document is not None and self._is_own(document)), None)

    def _is_own(self, document: Document) -> bool:
        result = document.get("result")
        if not isinstance(result, dict) or not result.get("key") or document.get("cached_from"):
            return False
        owner = self.key_owner(document)
        return all(owner.owns(file.get("key")) for file in [result, *(result.get("parts") or [])])

    @waiting_out_outages
    def key_owners(self, document: Document) -> list[KeyOwner]:
        """For whom the files that an export leads to may have been made: for itself, or for the one that served it."""
        owners = [self.key_owner(document)]
        company, earlier = str(document["company_sso_id"]), document.get("cached_from")
        record = self.intake.of_id(earlier, company) if isinstance(earlier, str) else None
        if record is not None:
            owners.append(KeyOwner(self.shape.folder(company), request_mark(company, record["ref"])))
        return owners

    @waiting_out_outages
    def with_files_to_remove(self, *, now: datetime, limit: int) -> Found:
        """Ended exports whose files have had their time, those first that nobody has tried for longest.

        As they stand: see `taken_in`, and `own_files` for the keys.
        """
        due = {"files_expire_at": {"$lte": now}, "status": {"$in": list(self.shape.terminal)}}
        with translating("looking for old files"):
            found = self._raw.find(due, self._watched())
            return read_each(found.sort([("cleanup_tried_at", 1), ("files_expire_at", 1)]).limit(limit), self._options)

    @waiting_out_outages
    def files_removed(self, export_id: str, company_sso_id: str) -> None:
        """The files are gone: nothing leads to them any more. Counts and checksums stay."""
        dead = [
            "files_expire_at",
            "cleanup_tried_at",
            "object_keys",
            "cache",
            "result.url",
            "result.token",
            "result.parts",
        ]
        with translating("recording removed files"):
            self._jobs.update_one(self._one(export_id, company_sso_id), {"$unset": dict.fromkeys(dead, "")})

    @waiting_out_outages
    def with_notices_pending(self, *, ended_before: datetime, now: datetime, limit: int) -> Found:
        """Ended exports whose notices a dead run or an outage has prevented, and are to be tried again by now.

        Those that never had a run, as refused ones have not, have nobody else to send them.
        """
        due: Document = {"$or": [{"notices_at": {"$lte": now}}, {"notices_at": {"$not": {"$type": "date"}}}]}
        alone: Document = {"$or": [{"ended_at": {"$lte": ended_before}}, {"run_id": {"$exists": False}}]}
        ended = {"status": {"$in": list(self.shape.terminal)}, "ended_at": {"$type": "date"}}
        with translating("looking for unsent notices"):
            pending = self._raw.find({"notices_pending": True, **ended, "$and": [due, alone]}).sort([("notices_at", 1)])
            return read_each(pending.limit(limit), self._options)

    @waiting_out_outages
    def set_told(self, document_id: object, changes: Document) -> None:
        """What an ended request's document says of its notices."""
        with translating("recording an end"):
            self._jobs.update_one({"_id": document_id}, {"$set": changes})

    @waiting_out_outages
    def notices_later(self, document_id: object, *, at: datetime) -> None:
        """Not everybody could be told; the sweeper leaves it alone until then."""
        with translating("putting notices off"):
            self._jobs.update_one({"_id": document_id}, {"$set": {"notices_at": at}})

    @waiting_out_outages
    def notices_done(self, document_id: object) -> None:
        """Everybody has been told, or cannot be."""
        with translating("recording sent notices"):
            self._jobs.update_one({"_id": document_id}, {"$unset": {"notices_pending": "", "notices_at": ""}})

    @waiting_out_outages
    def forget_shared_files(self, company_sso_id: str, key: str) -> None:
        """No later request is served by the files that this key is one of."""
        dead = ["cache", "result.url", "result.token", "result.parts"]
        with translating("forgetting files"):
            self._jobs.update_many(
                {"company_sso_id": company_sso_id, "result.key": key}, {"$unset": dict.fromkeys(dead, "")}
            )
