"""A page of the CRM's notes as its HTTP API writes them, and the notes in it.

Belongs here: reading JSON that others wrote. What is not as the contract says is read as nothing, so that the note is
judged like any other with a gap; an error is only what makes a page useless, or would lose a file without a word. Not
here: asking (`crm_notes_api.py`).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any, Final

from cdp_pipelines.domain.contact_notes.attachments import AttachmentSource, CrmAttachment
from cdp_pipelines.domain.contact_notes.notes import CrmNote
from cdp_pipelines.domain.crm_records import id_text
from cdp_pipelines.domain.errors import PermanentFailure
from cdp_pipelines.resources.crm_api import EXTRACT_FAILED

LARGEST_NUMBER: Final = 2**63 - 1
"""What databases keep; no id, size or count is larger."""

_FILES: Final[Mapping[str, AttachmentSource]] = {
    "crm_note_images": "image",
    "crm_note_audios": "audio",
    "crm_note_attachments": "document",
}


@dataclass(frozen=True, slots=True)
class NotesPage:
    """One page; `total` notes on all of them, `per_page` on each but the last."""

    notes: tuple[CrmNote, ...]
    page: int
    per_page: int
    total: int

    @property
    def pages(self) -> int:
        """How many pages there are."""
        return max(1, -(-self.total // self.per_page))

    @property
    def last_id(self) -> int:
        """The id of its last note, 0 if it has none."""
        return self.notes[-1].id if self.notes else 0

    @property
    def is_whole(self) -> bool:
        """Whether as many notes are on it as its total says."""
        return len(self.notes) == min(self.per_page, max(0, self.total - (self.page - 1) * self.per_page))


def read_page(answer: Any, page: int, per_page: int) -> NotesPage:
    """Read `{data: [note], pagination: {page, per_page, total}}`, the answer to a question for this page.

    Raises:
        PermanentFailure: `CRM_EXTRACT_FAILED`, it is not such a page, or its notes are not in the order of their ids.
    """
    data = answer.get("data") if isinstance(answer, Mapping) else None
    pagination = answer.get("pagination") if isinstance(answer, Mapping) else None
    if not isinstance(data, list) or not isinstance(pagination, Mapping):
        raise unlike_a_page("has no data or no pagination")
    total, size, number = (_count(pagination.get(name)) for name in ("total", "per_page", "page"))
    if total is None or not size or number != page:
        raise unlike_a_page("has a pagination that does not say where it is")
    if len(data) > size or size > per_page:
        raise unlike_a_page("has more notes than were asked for")
    notes = tuple(_note(each) for each in data)
    if any(after.id <= before.id for before, after in pairwise(notes)):
        raise unlike_a_page("is not in the order of the notes' ids, without which nothing can be gone on from")
    return NotesPage(notes, page, size, total)


def _note(value: Any) -> CrmNote:
    if not isinstance(value, Mapping):
        raise unlike_a_page("holds something that is no note")
    note_id = _id(value.get("id"))
    if note_id is None:
        raise unlike_a_page("holds a note without an id")
    content = value.get("note")
    return CrmNote(
        id=note_id,
        content=content if isinstance(content, str) else None,
        creator_id=_id(value.get("creator_id")),
        person_id=_id(value.get("crm_person_id")),
        company_id=_id(value.get("crm_company_id")),
        deal_id=_id(value.get("crm_deal_id")),
        ticket_id=_id(value.get("ticket_id")),
        type_id=_id(value.get("crm_note_type_id")),
        created_at=_instant(value.get("created_at")),
        updated_at=_instant(value.get("updated_at")),
        deleted=bool(value.get("deleted_at")),
        attachments=tuple(
            file for key, source in _FILES.items() for file in sorted(_files(value.get(key), source), key=_by_id)
        ),
        has_checkin=bool(value.get("crm_checkin")),
    )


def _files(value: Any, source: AttachmentSource) -> list[CrmAttachment]:
    if value is None:
        return []
    if not isinstance(value, list):
        raise unlike_a_page("holds a note whose files are no list")
    return [_file(each, source) for each in value if each is not None]


def _by_id(file: CrmAttachment) -> int:
    return file.id


def _file(value: Any, source: AttachmentSource) -> CrmAttachment:
    file_id = _id(value.get("id")) if isinstance(value, Mapping) else None
    if file_id is None:
        raise unlike_a_page("holds a file without an id, which is what it is stored under")
    return CrmAttachment(
        id=file_id,
        source=source,
        url=_text(value.get("url")) or "",
        file_name=_text(value.get("file_name")),
        content_type=_text(value.get("content_type")),
        file_size=_count(value.get("file_size")),
    )


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _id(value: Any) -> int | None:
    text = id_text(value)
    return int(text) if text is not None and int(text) <= LARGEST_NUMBER else None


def _count(value: Any) -> int | None:
    return value if type(value) is int and 0 <= value <= LARGEST_NUMBER else None


def _instant(value: Any) -> datetime | None:
    """RFC 3339; one without an offset is UTC, as Rails stores it."""
    if not isinstance(value, str):
        return None
    try:
        found = datetime.fromisoformat(value.strip())
        return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def unlike_a_page(problem: str) -> PermanentFailure:
    """The error for a page that is not as the contract says, whose `problem` people are told."""
    return PermanentFailure(
        EXTRACT_FAILED, f"A page of the CRM's API {problem}. See docs/contact-notes.md for what it must be."
    )
