"""Which CRM person an audit is about (SPEC 5.2, contact), as the text that stands in a contact's `crm_data.id`."""

import json
from collections.abc import Callable, Mapping
from typing import Any, Final

from cdp_pipelines.domain.activity_logs.audits import Audit
from cdp_pipelines.domain.activity_logs.categories import AuditKind
from cdp_pipelines.domain.activity_logs.changes import latest_value
from cdp_pipelines.domain.crm_records import id_text

PERSON_ATTRIBUTE: Final = "crm_person_id"
_LONGEST_COMMENT: Final = 1_000_000
_JSON: Final = json.JSONDecoder()
_JSON_SPACE: Final = " \t\n\r"


def commented_person(comment: str | None) -> str | None:
    """`crm_person_id` of a comment that is a JSON object; other comments are people's words and say nothing."""
    if not comment or len(comment) > _LONGEST_COMMENT or PERSON_ATTRIBUTE not in comment:
        return None
    text = comment.strip(_JSON_SPACE)
    if text[:1] != "{":
        return None
    try:
        content, end = _JSON.raw_decode(text)
    except (ValueError, RecursionError):
        return None
    return id_text(content.get(PERSON_ATTRIBUTE)) if end == len(text) else None


def person_of(audit: Audit, kind: AuditKind, changes: Callable[[], Mapping[str, Any]]) -> str | None:
    """The person: named by the comment, else by the changes, else the auditable itself when it is a person.

    `changes` is called only when the comment names nobody and the auditable is no person.

    Raises:
        UnreadableChanges: from `changes`.
    """
    commented = commented_person(audit.comment)
    if commented is not None:
        return commented
    if kind.is_person:
        return id_text(audit.auditable_id)
    return id_text(latest_value(changes().get(PERSON_ATTRIBUTE), audit.action))
