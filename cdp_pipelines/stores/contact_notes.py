"""`contact_notes` of one company: what the migration wrote, beside the notes that people write."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from pymongo import UpdateOne
from pymongo.database import Database

from cdp_pipelines.domain.contact_notes.transform import ALREADY_PRESENT
from cdp_pipelines.stores.errors import translating, waiting_out_outages
from cdp_pipelines.stores.migrated_documents import DocumentKind, MigratedDocuments

Document = dict[str, Any]

CONTACT_NOTE_DOCUMENTS: Final = DocumentKind(
    name="contact notes",
    collection="contact_notes",
    key="legacy_crm_note_id",
    prefix="",
    # Migrated notes carry no tag that a reader sees (SPEC 6); the key of their source is what no other note has.
    marks={"legacy_crm_note_id": {"$exists": True}},
    instant="created_at",
    unique_index="uq_contact_notes_company_legacy_crm_note_id",
    present_reason=ALREADY_PRESENT,
)


class ContactNotes(MigratedDocuments):
    """The notes of one company; no method can reach another's, or a note that a person wrote."""

    def __init__(self, database: Database[Document], company_sso_id: str) -> None:
        super().__init__(database, company_sso_id, CONTACT_NOTE_DOCUMENTS)

    @waiting_out_outages
    def add_attachments(self, entries: Sequence[tuple[int, Mapping[str, Any]]]) -> None:
        """Add files to migrated notes by their CRM id, one round trip; a file that a note has already stays once."""
        updates = [
            UpdateOne(
                {
                    "_id": self.document_id(note_id),
                    "company_sso_id": self.company_sso_id,
                    **self.kind.marks,
                    "attachments.url": {"$ne": entry["url"]},
                },
                {"$push": {"attachments": dict(entry)}},
            )
            for note_id, entry in entries
        ]
        if updates:
            with translating("adding files to contact notes"):
                self._documents.bulk_write(updates, ordered=False)
