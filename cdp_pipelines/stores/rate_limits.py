"""The rolling-hour counter of exports a company, atomic under concurrency (SPEC 3.2).

One document a company: `{_id: "contact_export:{company}", slots: [{job_id, at}], expires_at}`. A slot is taken by one
conditional update, so two claims at once can never both take the last one. A job holds at most one slot, however often
its admission is repeated.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from pymongo.database import Database
from pymongo.errors import DuplicateKeyError

from cdp_pipelines.stores.errors import translating, waiting_out_outages


@dataclass(frozen=True, slots=True)
class RateSlot:
    """Whether the slot was had and, if not, after how many seconds one falls free."""

    taken: bool
    retry_after_seconds: int | None = None


class RateLimits:
    """Slots of one kind of request for any company."""

    def __init__(self, database: Database[dict[str, Any]], *, kind: str, limit: int, window_seconds: int) -> None:
        self._collection = database["rate_limits"]
        self._kind = kind
        self.limit = limit
        self.window_seconds = window_seconds

    @waiting_out_outages
    def take(self, company_sso_id: str, job_id: str, *, now: datetime) -> RateSlot:
        """Take a slot for this job at this instant, or say when to come back."""
        key = f"{self._kind}:{company_sso_id}"
        window = timedelta(seconds=self.window_seconds)
        if self.limit < 1:
            return RateSlot(taken=False)
        with translating("counting exports of the last hour"):
            self._collection.update_one({"_id": key}, {"$pull": {"slots": {"at": {"$lte": now - window}}}})
            try:
                self._collection.update_one(
                    {"_id": key, f"slots.{self.limit - 1}": {"$exists": False}, "slots.job_id": {"$ne": job_id}},
                    {"$push": {"slots": {"job_id": job_id, "at": now}}, "$set": {"expires_at": now + window}},
                    upsert=True,
                )
                return RateSlot(taken=True)
            except DuplicateKeyError:
                # The document exists but did not match: the slots are used up, or this job has one already.
                document = self._collection.find_one({"_id": key}) or {}
        slots: list[dict[str, Any]] = document.get("slots", [])
        if any(slot["job_id"] == job_id for slot in slots):
            return RateSlot(taken=True)
        oldest = min((slot["at"] for slot in slots), default=now)
        return RateSlot(taken=False, retry_after_seconds=max(1, round((oldest + window - now).total_seconds())))
