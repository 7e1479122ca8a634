"""One row of the CRM's `audits` table as this pipeline reads it, and the document it becomes.

Belongs here: the shapes that pass between reading, transforming and writing. Not here: any rule.
"""

from datetime import datetime
from typing import Any, Final, NamedTuple, TypeAlias

SOURCE: Final = "crm_migration"
"""`source` and `source_tag` of every migrated document; native documents have no `source_tag`."""
EXTERNAL_ID_PREFIX: Final = "crm_audit:"

Document: TypeAlias = dict[str, Any]


class Audit(NamedTuple):
    """One audit. `created_at` is UTC-aware, or None where the source holds no instant that a calendar knows."""

    id: int
    auditable_id: int | None
    auditable_type: str | None
    associated_id: int | None
    associated_type: str | None
    user_id: int | None
    user_type: str | None
    username: str | None
    action: str | None
    audited_changes: Any
    comment: str | None
    created_at: datetime | None


def external_id(audit_id: int) -> str:
    """`crm_audit:{id}`."""
    return f"{EXTERNAL_ID_PREFIX}{audit_id}"
