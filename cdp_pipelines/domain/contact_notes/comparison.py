"""What of a migrated note must be as the source says, and what may differ for a reason (SPEC 6, validation).

The owner is judged apart: the launchpad may have been away when the note was written, or may be away now.
Files too: one that could not be fetched is recorded when that happens, and its note counts as arrived.

A note that people changed in the CDP since has arrived as well. That it was they is told by what the migration never
writes: a flag that says deleted, or an `updated_at` later than the CRM's, which the migration copies as it is.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from cdp_pipelines.domain.contact_notes.attachments import ATTACHMENT_TYPES
from cdp_pipelines.domain.contact_notes.transform import key_in
from cdp_pipelines.domain.reconciliation import CHANGED_SINCE, Verdict, content_digest, is_flagged_deleted

OWNER_DEGRADED: Final = "owner_degraded"
"""Written with a label because the launchpad did not know or say; it is known now. The note itself is right."""
OWNER_UNVERIFIED: Final = "owner_unverified"
"""Written with an owner that cannot be looked up now."""
ATTACHMENTS_MISSING: Final = "attachments_missing"
"""Notes that lack a file of their source's; each is listed as failed with its code."""

_APART: Final = frozenset({"_id", "owner_id", "legacy_owner_label", "attachments"})


def compare(expected: Mapping[str, Any], stored: Mapping[str, Any]) -> tuple[Verdict, tuple[str, ...]]:
    """Whether the stored note is the expected one, by digest, and what is to be noted of it."""
    if not _same_content(expected, stored):
        return _differing(expected, stored), ()
    owner = _owner_note(expected, stored)
    files = _files_note(expected, stored)
    if owner is None or files is None:
        return _differing(expected, stored), ()
    return "identical", tuple(note for note in (owner, files) if note)


def mending(expected: Mapping[str, Any], stored: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The owner's fields for a note that has a label for somebody who is known now (None: to be taken off).

    None for a note that differs in anything else, or whose owner is right or still unknown.
    """
    if not expected.get("owner_id") or stored.get("owner_id") or not stored.get("legacy_owner_label"):
        return None
    if compare(expected, stored)[0] != "identical":
        return None
    return {"owner_id": expected["owner_id"], "legacy_owner_label": expected.get("legacy_owner_label")}


def _same_content(expected: Mapping[str, Any], stored: Mapping[str, Any]) -> bool:
    ours, theirs = (
        {key: value for key, value in document.items() if key not in _APART} for document in (expected, stored)
    )
    # Nearly always equal as they are, which is told much sooner.
    return ours == theirs or content_digest(ours) == content_digest(theirs)


def _differing(expected: Mapping[str, Any], stored: Mapping[str, Any]) -> Verdict:
    at = stored.get("updated_at")
    later = isinstance(at, datetime) and at > expected["updated_at"]
    return CHANGED_SINCE if later or is_flagged_deleted(stored) else "different"


def _owner_note(expected: Mapping[str, Any], stored: Mapping[str, Any]) -> str | None:
    """Empty for the same owner, what is to be noted of another way of saying who it is, None for somebody else."""
    ours, theirs = ((document.get("owner_id"), document.get("legacy_owner_label")) for document in (expected, stored))
    if ours == theirs:
        return ""
    if not theirs[0] and theirs[1]:
        # By a label that has changed since, or that stands for a user who is known by now.
        return OWNER_DEGRADED
    return OWNER_UNVERIFIED if not ours[0] else None


def _files_note(expected: Mapping[str, Any], stored: Mapping[str, Any]) -> str | None:
    """Empty if all files are there, what is to be noted if some are missing, None if one is not what it must be."""
    ours = {key_in(entry): _declared(entry) for entry in expected["attachments"]}
    found = stored.get("attachments")
    theirs = {key_in(entry): _declared(entry) for entry in found} if isinstance(found, list) else {}
    if not all(key in ours and _is_the_file(ours[key], facts) for key, facts in theirs.items()):
        return None
    return ATTACHMENTS_MISSING if len(theirs) < len(ours) else ""


def _is_the_file(ours: tuple[Any, Any], theirs: tuple[Any, Any]) -> bool:
    # Without a declared type it has the one that its bytes gave it, which are not at hand here.
    types = ATTACHMENT_TYPES if ours[0] is None else (ours[0],)
    return theirs[0] in types and ours[1] == theirs[1]


def _declared(entry: Any) -> tuple[Any, Any]:
    return (entry.get("type"), entry.get("file_name")) if isinstance(entry, dict) else (None, None)
