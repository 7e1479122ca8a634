"""What one kind of export calls the parts of its queue, and whose each field of its documents is.

Here too: the parts of queries that every queue has, migrations' included.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from cdp_pipelines.domain.request_fields import Kind, RequestFields

KEPT_DAYS: Final = 7
LAUNCH_SECONDS: Final = 120
"""How long a sensor's claim stands before another tick may look again whether the run really came."""
EARLIEST: Final = datetime(2000, 1, 1, tzinfo=UTC)
"""No request is older; a date before it was set by nobody's clock."""
CLOCKS_DIFFER_SECONDS: Final = 600
"""A claim that ends later than our own could is none of ours."""

THERE: Final = {"$exists": True}
NO_DATE: Final = {"$not": {"$type": "date"}}

KEPT_BY_EVERY_QUEUE: Final[Mapping[str, Kind]] = {
    "launch": "mapping", "attempt": "count", "lease": "mapping", "run_id": "text", "warnings": "texts",
    "started_at": "instant", "ended_at": "instant", "expires_at": "instant", "updated_at": "instant",
    "purged_at": "instant", "cleanup_pending": "switch", "cleanup_tried_at": "instant", "error": "mapping",
    "result": "mapping", "exported_fields": "texts", "ended_by": "text", "put_back": "mapping",
}  # fmt: skip
"""Fields of ours that every kind of export has; see `RequestFields.ours`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueShape:
    """What one kind of export calls the parts of its queue.

    `fields` says whose each field is, `folder` what all object keys of a company begin with.
    `scope` is what tells its documents from others in the same collection. `id_field` is the request's own id, unique
    across companies. `terminal` are all statuses but `queued` and `working`; `rejected` (refused), `failed` and
    `canceled` are those of them that leave no file, and may be one. `files_field` holds the key of its file, or a list
    of keys. `work_left` are fields of ours that have a sweep do something about a job that has ended. `unwatched` are
    fields too large to read when watching many; `personal` are those that a purge removes.
    """

    collection: str
    fields: RequestFields
    folder: Callable[[str], str]
    scope: Mapping[str, Any] = field(default_factory=dict)
    id_field: str
    queued: str
    working: str
    terminal: tuple[str, ...]
    rejected: str
    failed: str
    canceled: str
    files_field: str
    work_left: tuple[str, ...] = ("cleanup_pending",)
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


def not_one_of(statuses: Sequence[str]) -> dict[str, Any]:
    """Leads to documents whose status is none of these. A list is no status, though MongoDB finds it by each of its."""
    return {"$or": [{"status": {"$nin": list(statuses)}}, {"status.0": THERE}]}


def unclaimed(now: datetime) -> dict[str, Any]:
    """Leads to requests that no claim of ours stands on; what a requester put there is none."""
    latest = now + timedelta(seconds=LAUNCH_SECONDS + CLOCKS_DIFFER_SECONDS)
    end = "launch.expires_at"
    return {"$or": [{end: {"$exists": False}}, {end: {"$lte": now}}, {end: {"$gt": latest}}, {end: NO_DATE}]}


def launched(before: datetime, working: str) -> dict[str, Any]:
    """Leads to open requests that were launched some time ago.

    A run that people started by hand is known by its last sign. What says that it is at work without any sign of us is
    among them, since nobody else would end it.
    """
    by_hand = {"status": working, "launch.at": NO_DATE, "updated_at": {"$lte": before}}
    unsigned = {"status": working, "launch.at": NO_DATE, "updated_at": NO_DATE}
    return {"$or": [{"launch.at": {"$lte": before}}, by_hand, unsigned]}


def known_age(now: datetime | None) -> dict[str, Any]:
    """Of instants, those that somebody's clock can have shown."""
    return {"$type": "date", "$gte": EARLIEST, **({"$lte": now} if now is not None else {})}
