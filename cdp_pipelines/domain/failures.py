"""Rows that could not be exported or migrated, under a reason code; nothing is silent (SPEC section 2)."""

from dataclasses import dataclass
from typing import Any, Final

CONTACT_NOT_FOUND: Final = "contact_not_found"
ROW_UNREADABLE: Final = "row_unreadable"

LISTED_ON_JOB: Final = 1_000
"""How many failed rows the job document lists; `migration_failures` has all of them."""
EVIDENCE_CHARACTERS: Final = 2_000


@dataclass(frozen=True, slots=True)
class RowFailure:
    """A failed row: the source's own id, why, and details that hold no personal data."""

    id: str
    reason_code: str
    details: str = ""

    def as_document(self) -> dict[str, Any]:
        """`{id, reason_code, details}`, as listed on the job document."""
        return {"id": self.id, "reason_code": self.reason_code, "details": self.details}


def excerpt(value: Any) -> str | None:
    """The beginning of a value as text that can be stored; evidence of why a row failed."""
    if value is None:
        return None
    text = value if isinstance(value, str) else str(value)
    return text[:EVIDENCE_CHARACTERS].encode("utf-8", "replace").decode("utf-8")
