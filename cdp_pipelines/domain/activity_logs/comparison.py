"""What of a migrated document must be as the source says, and what may have changed since (SPEC 5.3).

Enrichment adds keys of `metadata` that were missing, so a key that the source row does not give is not compared. The
actor is judged apart: the launchpad may have been away when the document was written, or may be away now.

A document that people changed in the CDP since has arrived as well. That it was they is told by what the migration
never writes: a flag that says deleted, or an `updated_at`, if it is later than the company's first migration.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from cdp_pipelines.domain.activity_logs.actors import DELETED_NAME
from cdp_pipelines.domain.activity_logs.enrichment import REFERENT_KEYS
from cdp_pipelines.domain.reconciliation import CHANGED_SINCE, Verdict, content_digest, is_flagged_deleted

ACTOR_DEGRADED: Final = "actor_degraded"
"""Written as deleted because the launchpad did not know or say; it is known now. The record itself is right."""
ACTOR_UNVERIFIED: Final = "actor_unverified"
"""Written with an actor that cannot be looked up now."""
_APART: Final = ("_id", "actor")


def compare(
    expected: Mapping[str, Any], stored: Mapping[str, Any], *, migrated_since: datetime | None = None
) -> tuple[Verdict, str | None]:
    """Whether the stored document is the expected one, by digest, and what is to be noted of its actor.

    `migrated_since` is when the company's first migration began; None: not known.
    """
    if _digest(expected, expected) != _digest(stored, expected):
        return _differing(stored, migrated_since), None
    ours, theirs = expected.get("actor"), stored.get("actor")
    if ours == theirs:
        return "identical", None
    if _is_fallback(theirs):
        return "identical", ACTOR_DEGRADED
    if _is_fallback(ours):
        return "identical", ACTOR_UNVERIFIED
    return _differing(stored, migrated_since), None


def mending(expected: Mapping[str, Any], stored: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The actor for a document that was written without one who is known now; None for any other document."""
    if not expected["actor"].get("id") or not _is_fallback(stored.get("actor")):
        return None
    return {"actor": expected["actor"]} if compare(expected, stored)[0] == "identical" else None


def _differing(stored: Mapping[str, Any], migrated_since: datetime | None) -> Verdict:
    at = stored.get("updated_at")
    later = isinstance(at, datetime) and migrated_since is not None and at > migrated_since
    return CHANGED_SINCE if later or is_flagged_deleted(stored) else "different"


def _digest(document: Mapping[str, Any], expected: Mapping[str, Any]) -> bytes:
    content = {key: value for key, value in document.items() if key not in _APART}
    given = expected["metadata"]
    metadata = document.get("metadata")
    if isinstance(metadata, Mapping):
        content["metadata"] = {
            key: value for key, value in metadata.items() if key in given or key not in REFERENT_KEYS
        }
    return content_digest(content)


def _is_fallback(actor: object) -> bool:
    return isinstance(actor, Mapping) and not actor.get("id") and actor.get("name") == DELETED_NAME
