"""A page of the CRM's notes as its HTTP API writes them, and the notes in it.

Belongs here: reading JSON that others wrote. What stands in a note and is not understood makes that note fail with a
reason; an error is only what makes a page useless. Ids and sizes: `crm_note_fields.py`. Not here: asking
(`crm_notes_api.py`).
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any, Final

from cdp_pipelines.domain.contact_notes.attachments import AttachmentSource, CrmAttachment
from cdp_pipelines.domain.contact_notes.notes import CrmNote
from cdp_pipelines.domain.errors import PermanentFailure
from cdp_pipelines.resources.crm_api import EXTRACT_FAILED
from cdp_pipelines.resources.crm_note_fields import (
    JUDGED_BY,
    LARGEST_NUMBER,
    is_nothing,
    not_an_id,
    read_count,
    read_id,
)

__all__ = ["LARGEST_NUMBER", "NotesPage", "read_page", "unlike_a_page"]

_FILES: Final[Mapping[AttachmentSource, tuple[str, str]]] = {
    "image": ("crm_note_images", "images"),
    "audio": ("crm_note_audios", "audios"),
    "document": ("crm_note_attachments", "attachments"),
}
"""Both names of each list are in use (SPEC 6); a note that has both has the files of both."""

_KNOWN_LISTS: Final = frozenset(name for names in _FILES.values() for name in names)
_SOUNDS_LIKE_FILES: Final = re.compile(
    r"image|photo|picture|audio|voice|sound|video|media|attachment|document|file", re.I
)
_LONGEST_NAME: Final = 60
_DELETED_AT: Final = re.compile(r"-?infinity|[+-]?\d{4,}-\d\d-\d\d.*", re.I | re.DOTALL)


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
    total, size, number = (read_count(pagination.get(name)) for name in ("total", "per_page", "page"))
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
    note_id = read_id(value.get("id"))
    if note_id is None:
        raise unlike_a_page("holds a note without an id")
    content, deleted_at = value.get("note"), value.get("deleted_at")
    attachments = [file for source in _FILES for file in _files(value, source)]
    is_deleted = isinstance(deleted_at, str) and _DELETED_AT.fullmatch(deleted_at.strip()) is not None
    unreadable = [
        not_an_id(name)
        for name in JUDGED_BY.values()
        if read_id(value.get(name)) is None and not is_nothing(value.get(name))
    ]
    if content is not None and not isinstance(content, str):
        unreadable.append("its text is no text")
    if deleted_at and not is_deleted:
        unreadable.append("its deleted_at is not an instant")
    return CrmNote(
        id=note_id,
        content=content if isinstance(content, str) else None,
        creator_id=read_id(value.get("creator_id")),
        person_id=read_id(value.get("crm_person_id")),
        company_id=read_id(value.get("crm_company_id")),
        deal_id=read_id(value.get("crm_deal_id")),
        ticket_id=read_id(value.get("ticket_id")),
        type_id=read_id(value.get("crm_note_type_id")),
        created_at=_instant(value.get("created_at")),
        updated_at=_instant(value.get("updated_at")),
        deleted=bool(deleted_at)
        and isinstance(deleted_at, str)
        and _DELETED_AT.fullmatch(deleted_at.strip()) is not None,
        attachments=tuple(attachments),
        has_checkin=bool(value.get("crm_checkin")),
        unreadable=(*unreadable, *_unreadable_files(value, attachments)),
    )


def _unreadable_files(note: Mapping[str, Any], attachments: list[CrmAttachment]) -> Iterator[str]:
    """Files that would be lost without a word."""
    for name, held in note.items():
        if isinstance(held, list) and held and name not in _KNOWN_LISTS and _SOUNDS_LIKE_FILES.search(name):
            yield f"it has files under {name[:_LONGEST_NAME]}, which is not known"
    if len({(file.source, file.id) for file in attachments}) < len(attachments):
        yield "it has two files under one id"


def _files(note: Mapping[str, Any], source: AttachmentSource) -> list[CrmAttachment]:
    """One kind of a note's files, in the order of their ids; one that stands under both names is one."""
    found: list[CrmAttachment] = []
    for name in _FILES[source]:
        listed = note.get(name)
        if listed is None:
            continue
        if not isinstance(listed, list):
            raise unlike_a_page("holds a note whose files are no list")
        files = [_file(each, source) for each in listed if each is not None]
        found += [file for file in files if file not in found]
    return sorted(found, key=_by_id)


def _by_id(file: CrmAttachment) -> int:
    return file.id


def _file(value: Any, source: AttachmentSource) -> CrmAttachment:
    file_id = read_id(value.get("id")) if isinstance(value, Mapping) else None
    if file_id is None:
        raise unlike_a_page("holds a file without an id, which is what it is stored under")
    return CrmAttachment(
        id=file_id,
        source=source,
        url=_text(value.get("url")) or "",
        file_name=_text(value.get("file_name")),
        content_type=_text(value.get("content_type")),
        file_size=read_count(value.get("file_size")),
    )


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None


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
