"""What the live feed wrote to the CDP about the demo CRM: `activity_logs` documents of after the watermark.

Belongs here: making those documents, some with gaps for the enrichment to fill and some that nobody can tell apart.
Not here: migrated documents (the pipeline writes them) and writing to MongoDB (`demo_crm.py`).
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator
from datetime import timedelta
from typing import Any, Final

from bson.objectid import ObjectId

from cdp_pipelines.local.demo_crm_audits import LateAudit

FEED_SOURCE: Final = "crm"
ASSOCIATION_ACTIONS: Final = frozenset({"link", "unlink", "resolved"})
_MILLISECOND: Final = timedelta(milliseconds=1)
# Which keys an association log lacks, each choice as often as it is likely; the others always have all.
_GAPS: Final = (
    *[()] * 8,
    *[("entity_name",)] * 6,
    *[("crm_person_id", "entity_name")] * 4,
    ("crm_person_id",),
    ("entity_id", "entity_name"),
)
_TWINS: Final = 12
"""One association log in so many comes twice."""


def feed_documents(
    audits: Iterable[LateAudit],
    *,
    company_sso_id: str,
    share: float,
    contact_of: Callable[[int], str],
    name_of: Callable[[LateAudit], str],
    actor: dict[str, str],
) -> Iterator[dict[str, Any]]:
    """Native documents of about `share` of the audits, the same every time, `_id` included.

    The timestamp is up to 1.5 s off the audit's, in milliseconds. A twin comes within a second of its log and lacks
    names too, so that the two have one match key.
    """
    for audit in audits:
        digest = hashlib.blake2b(f"{company_sso_id}:{audit.audit_id}".encode(), digest_size=12).digest()
        if digest[0] >= share * 256:
            continue
        late = int.from_bytes(digest[1:3], "big") % 1_500
        document: dict[str, Any] = {
            "_id": ObjectId(digest),
            "company_sso_id": company_sso_id,
            "customer_id": contact_of(audit.person_id),
            "category": audit.category,
            "action": audit.cdp_action,
            "attributes": [],
            "actor": dict(actor),
            "timestamp": audit.at.replace(microsecond=audit.at.microsecond // 1_000 * 1_000) + late * _MILLISECOND,
            "source": FEED_SOURCE,
            "metadata": {
                "entity_type": audit.entity_type,
                "entity_id": str(audit.entity_id),
                "entity_name": name_of(audit),
                "crm_person_id": str(audit.person_id),
            },
        }
        if audit.cdp_action not in ASSOCIATION_ACTIONS:
            yield document
            continue
        twin = digest[3] % _TWINS == 0
        gaps = ("entity_name",) if twin else _GAPS[digest[4] % len(_GAPS)]
        lacking = _without(document, gaps)
        yield lacking
        if twin:
            earlier = late // 2 * _MILLISECOND
            yield {**lacking, "_id": ObjectId(digest[::-1]), "timestamp": document["timestamp"] - earlier}


def _without(document: dict[str, Any], gaps: tuple[str, ...]) -> dict[str, Any]:
    metadata = {key: value for key, value in document["metadata"].items() if key not in gaps}
    return {**document, "metadata": metadata}
