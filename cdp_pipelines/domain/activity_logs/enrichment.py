"""Completing association logs: what is missing, and which live-feed document an audit stands for (SPEC 5.3).

Belongs here: the rules. Additive only: keys of `metadata` that are missing, nothing else, on documents that exist.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

from cdp_pipelines.domain.activity_logs.categories import ASSOCIATION_ACTIONS
from cdp_pipelines.domain.activity_logs.people import PERSON_ATTRIBUTE
from cdp_pipelines.domain.crm_records import id_text

REFERENT_KEYS: Final = (PERSON_ATTRIBUTE, "entity_id", "entity_name")
DELETED_REFERENCE: Final = "[Deleted reference]"
TOLERANCE_SECONDS: Final = 2.0

ENRICH_AMBIGUOUS: Final = "enrich_ambiguous"
ENRICH_UNMATCHED: Final = "enrich_unmatched"
ENRICHED: Final = "enriched"
ENRICH_COMPLETE: Final = "enrich_complete"
"""Nothing was missing, or nothing more is known."""


class MatchKey(NamedTuple):
    """What an audit and its live-feed document have in common, beside the company and the time."""

    customer_id: str
    category: str
    action: str
    entity_id: str


@dataclass(frozen=True, slots=True)
class Referents:
    """What is known of an association: the person, the linked entity and its kind, and when."""

    key: MatchKey
    entity_type: str
    crm_person_id: str | None
    timestamp: datetime


def referents_of(document: Mapping[str, Any], associated_id: int | None = None) -> Referents | None:
    """Read them from an audit's document; None when it is no association log.

    `associated_id` is the audit's own `associated_id`, for a join row whose changes do not name the linked entity.
    """
    if document["action"] not in ASSOCIATION_ACTIONS:
        return None
    metadata = document["metadata"]
    entity_id = metadata.get("entity_id") or id_text(associated_id) or ""
    key = MatchKey(document["customer_id"], document["category"], document["action"], entity_id)
    return Referents(key, metadata["entity_type"], metadata.get(PERSON_ATTRIBUTE), document["timestamp"])


def missing_keys(metadata: object, known: Referents, entity_name: str | None) -> dict[str, str]:
    """What to add to a document's `metadata`: keys that are absent or null there, and known here."""
    present = metadata if isinstance(metadata, Mapping) else {}
    values = {
        PERSON_ATTRIBUTE: known.crm_person_id,
        "entity_id": known.key.entity_id or None,
        "entity_name": entity_name,
    }
    return {name: value for name, value in values.items() if value is not None and present.get(name) is None}


def key_of(document: Mapping[str, Any]) -> MatchKey | None:
    """The key of a live-feed document; None when it lacks a part, so that nothing is guessed."""
    metadata = document.get("metadata")
    entity_id = metadata.get("entity_id") if isinstance(metadata, Mapping) else None
    parts = (document.get("customer_id"), document.get("category"), document.get("action"))
    text = entity_id if isinstance(entity_id, str) else id_text(entity_id)
    if not text or not all(isinstance(part, str) for part in parts):
        return None
    return MatchKey(str(parts[0]), str(parts[1]), str(parts[2]), text)


def candidates(
    known: Referents, documents: Iterable[Mapping[str, Any]], *, tolerance_seconds: float
) -> Sequence[Mapping[str, Any]]:
    """The live-feed documents that this audit may be; patch only if there is exactly one."""
    tolerance = timedelta(seconds=tolerance_seconds)
    found = []
    for document in documents:
        at = document.get("timestamp")
        if isinstance(at, datetime) and abs(at - known.timestamp) <= tolerance and key_of(document) == known.key:
            found.append(document)
    return found
