"""From a CRM note to its document in `contact_notes`, in the order of SPEC 6: scope, contact, times, content.

Pure and in two steps, so that everything outside is asked once a page: `in_scope` says which notes go on, `describe`
takes contact and owner. The same note and facts always give the same document.
"""

from collections.abc import Sequence
from typing import Any, Final
from urllib.parse import quote, unquote

from cdp_pipelines.domain.contact_notes.attachments import (
    AttachmentType,
    CrmAttachment,
    attachment_key,
    declared_type,
    file_name_of,
    is_attachment_key,
    note_folder,
)
from cdp_pipelines.domain.contact_notes.html import NoteRefused, clean_note
from cdp_pipelines.domain.contact_notes.notes import CrmNote
from cdp_pipelines.domain.contact_notes.owners import Owner
from cdp_pipelines.domain.crm_records import ContactRef, milliseconds
from cdp_pipelines.domain.failures import RowFailure
from cdp_pipelines.domain.outcomes import DEGRADED_OWNER, INVALID_TIMESTAMP, Outcome, Ready, Skipped

Document = dict[str, Any]

TYPES_IN_SCOPE: Final = frozenset({1, 6})
"""Notes and documents (seed, task 2.4)."""

OUT_OF_SCOPE_TYPE: Final = "out_of_scope_type"
NOT_A_PERSON_NOTE: Final = "not_a_person_note"
DELETED_IN_CRM: Final = "deleted_in_crm"
ALREADY_PRESENT: Final = "already_present"
OUT_OF_SCOPE_REASONS: Final = (OUT_OF_SCOPE_TYPE, NOT_A_PERSON_NOTE)
SKIP_REASONS: Final = (*OUT_OF_SCOPE_REASONS, DELETED_IN_CRM, ALREADY_PRESENT)

NOTE_UNREADABLE: Final = "NOTE_UNREADABLE"
CONTACT_NOT_MAPPED: Final = "CONTACT_NOT_MAPPED"

CHECKIN_DROPPED: Final = "checkin_dropped"


def in_scope(note: CrmNote, types: frozenset[int]) -> Skipped | None:
    """Why a note is left out; None for one that must arrive, or that nobody can say this of."""
    if note.deleted:
        return Skipped(DELETED_IN_CRM)
    if note.unreadable:
        return None
    if note.type_id not in types:
        return Skipped(OUT_OF_SCOPE_TYPE)
    # Of a deal, a company or a ticket alone: such a note has no place on a contact.
    return Skipped(NOT_A_PERSON_NOTE) if note.person_id is None else None


def describe(
    note: CrmNote, contact: ContactRef | None, owner: Owner, *, company_sso_id: str, files_root_url: str
) -> Outcome:
    """The document of a note that is in scope, with all its attachments as its source declares them.

    The type of one of which nothing is declared is null until its file is there.

    The person decides on the contact, whatever else the note hangs on. `files_root_url` counts only where there are
    attachments.
    """
    if note.unreadable:
        return RowFailure(str(note.id), NOTE_UNREADABLE, "; ".join(note.unreadable))
    if contact is None:
        return RowFailure(str(note.id), CONTACT_NOT_MAPPED, f"no contact has crm_data.id {note.person_id}")
    created_at = milliseconds(note.created_at)
    if created_at is None:
        return RowFailure(str(note.id), INVALID_TIMESTAMP, "created_at is missing, infinite or beyond the calendar")
    try:
        content = clean_note(note.content)
    except NoteRefused as exc:
        return RowFailure(str(note.id), exc.code, exc.message)
    document: Document = {
        "company_sso_id": company_sso_id,
        "contact_id": contact.customer_id,
        "owner_id": owner.id,
        "content": content.html,
        "attachments": [
            attachment_entry(company_sso_id, note.id, each, each.file_size or 0, files_root_url, declared_type(each))
            for each in note.attachments
        ],
        "created_at": created_at,
        "updated_at": milliseconds(note.updated_at) or created_at,
        "is_deleted": False,
        "legacy_crm_note_id": str(note.id),
    }
    if owner.label is not None:
        document["legacy_owner_label"] = owner.label
    notes = _notes_of(note, owner) + content.dropped
    return Ready(document, notes, DEGRADED_OWNER if owner.degraded else None)


def attachment_entry(
    company_sso_id: str,
    note_id: int,
    attachment: CrmAttachment,
    size_bytes: int,
    files_root_url: str,
    shown_as: AttachmentType | None,
) -> Document:
    """A file as it stands in a note: `{type, url, file_name, file_size_in_byte}`, the address being the CDP's own."""
    key = attachment_key(company_sso_id, str(note_id), attachment)
    return {
        "type": shown_as,
        "url": f"{files_root_url.rstrip('/')}/{quote(key, safe='/')}",
        "file_name": file_name_of(attachment),
        "file_size_in_byte": size_bytes,
    }


def stored_keys(company_sso_id: str, documents: Sequence[Any]) -> list[str]:
    """The keys of the files of some migrated documents, read from their addresses; none but each note's own.

    The address may begin with another root by now, so only its last three parts count. Whoever writes in the collection
    may have changed it, so a key is believed only where it has the form of one that was made for that very note.
    """
    keys = []
    for document in documents:
        note, entries = document.get("legacy_crm_note_id"), document.get("attachments")
        if not isinstance(note, str) or not note or not isinstance(entries, list):
            continue
        folder = note_folder(company_sso_id, note)
        keys += [
            key for key in map(key_in, entries) if key.startswith(folder) and is_attachment_key(company_sso_id, key)
        ]
    return keys


def key_in(entry: Any) -> str:
    """`{company}/{note}/{asset}` from the address of a file in a note; empty for anything else."""
    url = entry.get("url") if isinstance(entry, dict) else None
    return "/".join(unquote(part) for part in url.rsplit("/", 3)[1:]) if isinstance(url, str) else ""


def _notes_of(note: CrmNote, owner: Owner) -> tuple[str, ...]:
    noticed = () if owner.note is None else (owner.note,)
    if owner.degraded:
        noticed = (*noticed, DEGRADED_OWNER)
    return (*noticed, CHECKIN_DROPPED) if note.has_checkin else noticed
