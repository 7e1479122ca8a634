"""Rows that could not be exported or migrated, under a reason code; nothing is silent (SPEC section 2)."""

from dataclasses import dataclass
from typing import Any, Final

CONTACT_NOT_FOUND: Final = "contact_not_found"
ROW_UNREADABLE: Final = "row_unreadable"

LISTED_ON_JOB: Final = 1_000
"""How many failed rows the job document lists; `migration_failures` has all of them."""


@dataclass(frozen=True, slots=True)
class RowFailure:
    """A failed row: the source's own id, why, and details that hold no personal data."""

    id: str
    reason_code: str
    details: str = ""

    def as_document(self) -> dict[str, Any]:
        """`{id, reason_code, details}`, as listed on the job document."""
        return {"id": self.id, "reason_code": self.reason_code, "details": self.details}
