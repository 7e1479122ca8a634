"""What becomes of one row of a source: a document, left out by rule, or failed (`failures.RowFailure`).

Every row has exactly one of them, so that counts add up (SPEC section 2).
"""

from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from cdp_pipelines.domain.failures import RowFailure

INVALID_TIMESTAMP: Final = "invalid_timestamp"
WRITE_FAILED: Final = "write_failed"
GONE_FROM_SOURCE: Final = "gone_from_source"
"""A quarantined row that the CRM has no more; nothing can be migrated of it."""

DEGRADED_ACTOR: Final = "degraded_actor"
DEGRADED_OWNER: Final = "degraded_owner"
DEGRADED: Final = frozenset({DEGRADED_ACTOR, DEGRADED_OWNER})
"""Written without saying who it was, because the launchpad was away: to be mended once it answers."""
DEGRADED_MENDED: Final = "degraded_mended"


@dataclass(slots=True)
class Ready:
    """A finished document, and what is to be counted of it beside its outcome.

    `degraded`: what of it could not be looked up because of an outage, one of `DEGRADED`.
    """

    document: dict[str, Any]
    notes: tuple[str, ...] = ()
    degraded: str | None = None


@dataclass(frozen=True, slots=True)
class Skipped:
    """Left out by rule; no mistake."""

    reason: str


Outcome: TypeAlias = Ready | Skipped | RowFailure
