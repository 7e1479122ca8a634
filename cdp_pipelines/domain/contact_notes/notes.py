"""One note of the CRM as this pipeline reads it, from whichever source.

Belongs here: the shape that passes between reading, transforming and writing. Not here: any rule.
"""

from datetime import datetime
from typing import NamedTuple

from cdp_pipelines.domain.contact_notes.attachments import CrmAttachment


class CrmNote(NamedTuple):
    """One note. `content` is HTML. Instants are UTC-aware, or None where the source holds none that a calendar knows.

    Ids are the CRM's. `attachments` are in the order of their table and id; `has_checkin` says that a check-in hangs on
    the note, which the CDP has no place for. `unreadable` names what its source holds there and nobody understands: its
    field is None as if nothing were there, so whoever judges the note must look here first.
    """

    id: int
    content: str | None
    creator_id: int | None
    person_id: int | None
    company_id: int | None
    deal_id: int | None
    ticket_id: int | None
    type_id: int | None
    created_at: datetime | None
    updated_at: datetime | None
    deleted: bool
    attachments: tuple[CrmAttachment, ...] = ()
    has_checkin: bool = False
    unreadable: tuple[str, ...] = ()
