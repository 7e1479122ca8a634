"""`export_metrics`: how many exports ended how, with their rows, bytes and durations, for all companies together.

{_id: "{pipeline}:{object}:{status}", pipeline, object, status, count, rows, bytes, seconds, buckets: {bound: n},
 updated_at}

Counted at the end of an export, so the numbers outlive its document, the run and the process.
"""

from datetime import datetime
from typing import Any

from pymongo.database import Database
from pymongo.errors import DuplicateKeyError

from cdp_pipelines.domain.entity_export.delivery import OPEN_STATUSES
from cdp_pipelines.domain.entity_export.metrics import (
    ExportCount,
    ExportGauges,
    bucket_of,
    object_label,
)
from cdp_pipelines.stores.errors import translating, waiting_out_outages
from cdp_pipelines.stores.queue_shape import known_age

Document = dict[str, Any]


class ExportMetrics:
    """Counts ended exports, and looks at those that are open."""

    def __init__(self, database: Database[Document]) -> None:
        self._metrics = database["export_metrics"]
        self._exports = database["exports"]

    def count(
        self,
        pipeline: str,
        exported_object: str,
        status: str,
        *,
        rows: int,
        size_bytes: int,
        seconds: float,
        now: datetime,
    ) -> None:
        """Count one export that ended (`DONE`, `ERROR`, `CANCELED`); call it once, by whoever turned it terminal.

        Not repeated over an outage, since nobody knows whether the first try was counted: the caller logs a failure and
        goes on.

        Raises:
            TransientFailure: MongoDB did not answer.
        """
        name = object_label(exported_object)
        seconds = max(0.0, seconds)
        added = {
            "count": 1,
            "rows": rows,
            "bytes": size_bytes,
            "seconds": seconds,
            f"buckets.{bucket_of(seconds)}": 1,
        }
        labels = {"pipeline": pipeline, "object": name, "status": status}
        with translating("counting an export"):
            try:
                self._add(labels, added, now)
            except DuplicateKeyError:
                # Another counted the first of these in between, so now there is a document to add to.
                self._add(labels, added, now)

    def _add(self, labels: Document, added: Document, now: datetime) -> None:
        self._metrics.update_one(
            {"_id": ":".join(labels.values())},
            {"$inc": added, "$set": {"updated_at": now}, "$setOnInsert": labels},
            upsert=True,
        )

    @waiting_out_outages
    def counters(self) -> list[ExportCount]:
        """All that was counted."""
        with translating("reading the counts of exports"):
            return [
                ExportCount(
                    exported_object=document["object"],
                    status=document["status"],
                    count=document["count"],
                    rows=document["rows"],
                    size_bytes=document["bytes"],
                    seconds=document["seconds"],
                    buckets=document["buckets"],
                )
                for document in self._metrics.find({}).sort([("_id", 1)])
            ]

    @waiting_out_outages
    def gauges(self, *, now: datetime) -> ExportGauges:
        """What stands open in `exports` at this instant, for all companies."""
        with translating("counting open exports"):
            open_by_status = {status: self._exports.count_documents({"status": status}) for status in OPEN_STATUSES}
            oldest = self._exports.find_one(
                {"status": "SCHEDULED", "created_at": known_age(now)}, {"created_at": 1}, sort=[("created_at", 1)]
            )
        waiting = (now - oldest["created_at"]).total_seconds() if oldest else 0.0
        return ExportGauges(open_by_status=open_by_status, oldest_queued_seconds=max(0.0, waiting))
