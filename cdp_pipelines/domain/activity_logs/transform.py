"""From an audit to its document, in the order of SPEC 5.2: scope, contact, watermark, changes.

Pure and in three steps, so that everything outside is asked once a page: `begin` finds the person, `settle` takes the
contact and reads the changes, `finish` takes the actor. The same row and facts always give the same document.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from cdp_pipelines.domain.activity_logs.actors import Actor, actor_of
from cdp_pipelines.domain.activity_logs.audited_yaml import UnreadableChanges, read_counted
from cdp_pipelines.domain.activity_logs.audits import SOURCE, Audit, Document, external_id
from cdp_pipelines.domain.activity_logs.categories import AUDITED_ACTIONS, AuditKind, CategoryTable, Classified
from cdp_pipelines.domain.activity_logs.changes import field_changes, latest_value
from cdp_pipelines.domain.activity_logs.people import PERSON_ATTRIBUTE, person_of
from cdp_pipelines.domain.crm_records import ContactRef, id_text, milliseconds
from cdp_pipelines.domain.failures import RowFailure
from cdp_pipelines.domain.outcomes import INVALID_TIMESTAMP, Skipped

UNMAPPED_ACTION_TYPE: Final = "unmapped_action_type"
CONTACT_NOT_FOUND: Final = "contact_not_found"
POST_SYNC_LIVE_FEED: Final = "post_sync_live_feed"
DUPLICATE_EXTERNAL_ID: Final = "duplicate_external_id"
SKIP_REASONS: Final = (UNMAPPED_ACTION_TYPE, CONTACT_NOT_FOUND, POST_SYNC_LIVE_FEED, DUPLICATE_EXTERNAL_ID)

UNREADABLE_CHANGES: Final = "unreadable_changes"

UNMAPPED_REFINEMENT: Final = "unmapped_refinement"
BINARY_AS_LATIN1: Final = "binary_as_latin1"
"""A binary text of the changes is no UTF-8, so it was read as Latin-1."""


class Draft:
    """An audit on its way: its kind, its person, and its changes, which are read once and only when needed."""

    __slots__ = ("_changes", "audit", "has_latin1", "kind", "person_id")

    def __init__(self, audit: Audit, kind: AuditKind) -> None:
        self.audit = audit
        self.kind = kind
        self.person_id: str | None = None
        self.has_latin1 = False
        self._changes: dict[str, Any] | None = None

    def changes(self) -> dict[str, Any]:
        """The changes.

        Raises:
            UnreadableChanges: they cannot be read.
        """
        if self._changes is None:
            self._changes, latin1 = read_counted(self.audit.audited_changes)
            self.has_latin1 = latin1 > 0
        return self._changes


@dataclass(slots=True)
class Settled:
    """An audit that becomes a document, all but its actor."""

    audit: Audit
    kind: AuditKind
    classified: Classified
    document: Document
    notes: tuple[str, ...] = ()
    """What is to be counted of it, beside its actor."""


def begin(audit: Audit, table: CategoryTable) -> Draft | Skipped | RowFailure:
    """Scope, and the person that the audit is about."""
    kind = table.kind_of(audit.auditable_type)
    if kind is None or audit.action not in AUDITED_ACTIONS:
        return Skipped(UNMAPPED_ACTION_TYPE)
    draft = Draft(audit, kind)
    try:
        draft.person_id = person_of(audit, kind, draft.changes)
    except UnreadableChanges as exc:
        # Whose timeline it belongs to is known only from the changes; that is a loss to report, not a rule to skip by.
        return _unreadable(audit, exc)
    return draft


def settle(
    draft: Draft, contact: ContactRef | None, table: CategoryTable, company_sso_id: str
) -> Settled | Skipped | RowFailure:
    """Contact, watermark and changes."""
    audit = draft.audit
    if contact is None:
        return Skipped(CONTACT_NOT_FOUND)
    if audit.created_at is None:
        return RowFailure(str(audit.id), INVALID_TIMESTAMP, "created_at is missing, infinite or beyond the calendar")
    if audit.created_at >= contact.created_at:
        return Skipped(POST_SYNC_LIVE_FEED)
    return describe(draft, contact, table, company_sso_id)


def describe(draft: Draft, contact: ContactRef, table: CategoryTable, company_sso_id: str) -> Settled | RowFailure:
    """What the audit says, whichever side of the watermark it is on. `created_at` must be there."""
    audit = draft.audit
    try:
        changes = draft.changes()
    except UnreadableChanges as exc:
        return _unreadable(audit, exc)
    classified = table.classify(draft.kind, audit.action or "", changes)
    document: Document = {
        "company_sso_id": company_sso_id,
        "customer_id": contact.customer_id,
        "category": classified.category,
        "action": classified.action,
        "attributes": field_changes(changes, audit.action, table.labels),
        "actor": {},
        "timestamp": milliseconds(audit.created_at),
        "source": SOURCE,
        "source_tag": SOURCE,
        "external_id": external_id(audit.id),
        "metadata": _metadata(draft, changes),
    }
    notes = (UNMAPPED_REFINEMENT,) if classified.unmapped_refinement else ()
    if draft.has_latin1:
        notes = (*notes, BINARY_AS_LATIN1)
    return Settled(audit, draft.kind, classified, document, notes)


def finish(settled: Settled, actors: Mapping[int, Actor]) -> tuple[Document, str]:
    """The whole document, and which of the four cases its actor was."""
    actor = actor_of(settled.audit, actors)
    settled.document["actor"] = actor.as_document()
    return settled.document, actor.case


def _metadata(draft: Draft, changes: Mapping[str, Any]) -> dict[str, Any]:
    """What the row itself says of person and entity; keys that it does not say are absent, for enrichment to fill."""
    audit, kind = draft.audit, draft.kind
    metadata: dict[str, Any] = {}
    if draft.person_id is not None:
        metadata[PERSON_ATTRIBUTE] = draft.person_id
    metadata["entity_type"] = kind.entity_type
    linked = kind.link_attribute
    entity_id = id_text(audit.auditable_id if linked is None else latest_value(changes.get(linked), audit.action))
    if entity_id is not None:
        metadata["entity_id"] = entity_id
    name = latest_value(changes["name"], audit.action) if linked is None and "name" in changes else None
    if name and isinstance(name, str):
        metadata["entity_name"] = name
    return metadata


def _unreadable(audit: Audit, error: UnreadableChanges) -> RowFailure:
    return RowFailure(str(audit.id), UNREADABLE_CHANGES, error.message)
