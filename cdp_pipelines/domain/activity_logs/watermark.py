"""Whether the live feed has an audit that the migration left to it (SPEC 5.3, seam).

Belongs here: how an audit at or after its contact's watermark is recognised among the live feed's documents. Not here:
which audits those are (`transform.py`) and filling what the feed's documents lack (`enrichment.py`).
"""

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from cdp_pipelines.domain.crm_records import id_text, milliseconds


class FeedMark(NamedTuple):
    """What the live feed's document of an audit must say. `action` is None for one whose changes cannot be read, of
    which only customer and time are known; `entity_id` is empty where the audit names none.
    """

    audit_id: int
    customer_id: str
    timestamp: datetime
    category: str | None
    action: str | None
    entity_id: str


def feed_mark(audit_id: int, customer_id: str, created_at: datetime, document: Mapping[str, Any] | None) -> FeedMark:
    """The mark of an audit, from the document that the migration would have made of it."""
    at = milliseconds(created_at) or created_at
    if document is None:
        return FeedMark(audit_id, customer_id, at, None, None, "")
    entity_id = str(document["metadata"].get("entity_id") or "")
    return FeedMark(audit_id, customer_id, at, document["category"], document["action"], entity_id)


def not_recorded(
    marks: Iterable[FeedMark], feed: Mapping[str, Collection[Mapping[str, Any]]], *, tolerance_seconds: float
) -> set[int]:
    """The audits that no document of the live feed stands for; `feed` is by customer.

    A document that lacks the entity's id, as the feed's often do, is taken for any entity.
    """
    tolerance = timedelta(seconds=tolerance_seconds)
    return {
        mark.audit_id
        for mark in marks
        if not any(_stands_for(document, mark, tolerance) for document in feed.get(mark.customer_id, ()))
    }


def _stands_for(document: Mapping[str, Any], mark: FeedMark, tolerance: timedelta) -> bool:
    at = document.get("timestamp")
    if not isinstance(at, datetime) or abs(at - mark.timestamp) > tolerance:
        return False
    if mark.action is None:
        return True
    if (document.get("category"), document.get("action")) != (mark.category, mark.action):
        return False
    metadata = document.get("metadata")
    value = metadata.get("entity_id") if isinstance(metadata, Mapping) else None
    entity_id = value if isinstance(value, str) else id_text(value)
    return not entity_id or not mark.entity_id or entity_id == mark.entity_id
