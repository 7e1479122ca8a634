"""What a field of a CRM note holds, whichever source it comes from, and whether anybody can say.

Belongs here: ids, sizes, and the words for what is not understood. Not here: where fields lie (`crm_notes_json.py`,
`crm_notes_postgres.py`), what follows for the note (`cdp_pipelines.domain.contact_notes.transform`).
"""

import math
import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Final

from cdp_pipelines.domain.contact_notes.notes import CrmNote
from cdp_pipelines.domain.crm_records import id_text

LARGEST_NUMBER: Final = 2**63 - 1
"""What databases keep; no id, size or count is larger."""

JUDGED_BY: Final[Mapping[str, str]] = {"person_id": "crm_person_id", "type_id": "crm_note_type_id"}
"""The ids that decide what becomes of a note, and their names at the CRM."""

_NO_ID: Final = ("", "0", "null")
_LARGEST_EXACT_FLOAT: Final = 2**53
_WHOLE: Final = re.compile(r"([0-9]{1,19})\.0+")


def read_id(value: object) -> int | None:
    """An id; None for anything else.

    A whole number is one however it is kept: programs that know only one kind of number write 12 as `12.0`.
    """
    if isinstance(value, float):
        # Beyond that it has no last digit any more.
        value = int(value) if 0 < value < _LARGEST_EXACT_FLOAT and value.is_integer() else None
    elif isinstance(value, Decimal):
        value = int(value) if value.is_finite() and value == value.to_integral_value() else None
    elif isinstance(value, str) and (whole := _WHOLE.fullmatch(value.strip())):
        value = whole[1]
    text = id_text(value)
    return int(text) if text is not None and int(text) <= LARGEST_NUMBER else None


def is_nothing(value: object) -> bool:
    """Whether a field for an id says that there is none: null, an empty text, or zero."""
    if isinstance(value, str):
        return value.strip().lower() in _NO_ID
    return value is None or (value == 0 and not isinstance(value, bool))


def read_count(value: object) -> int | None:
    """A size or a number of rows; None for anything else."""
    if isinstance(value, float | Decimal):
        return read_count(int(value)) if math.isfinite(value) and value == int(value) else None
    if not isinstance(value, int) or isinstance(value, bool):
        return None
    return value if 0 <= value <= LARGEST_NUMBER else None


def not_an_id(name: str) -> str:
    """The words for a field that holds something, which is no id. The value may be anybody's name, so it stays out."""
    return f"its {name} is not an id"


def with_read_ids(note: CrmNote) -> CrmNote:
    """A note whose ids came as a database keeps them: as numerics, floats or texts where those are its columns."""
    unreadable = [
        not_an_id(name)
        for field, name in JUDGED_BY.items()
        if read_id(getattr(note, field)) is None and not is_nothing(getattr(note, field))
    ]
    content: object = note.content
    if content is not None and not isinstance(content, str):
        unreadable.append("its text is no text")
    return note._replace(
        id=read_id(note.id) or note.id,
        creator_id=read_id(note.creator_id),
        person_id=read_id(note.person_id),
        company_id=read_id(note.company_id),
        deal_id=read_id(note.deal_id),
        ticket_id=read_id(note.ticket_id),
        type_id=read_id(note.type_id),
        content=content if isinstance(content, str) else None,
        unreadable=tuple(unreadable),
    )
