"""How the migration of a demo company ended, beside how it must end.

Belongs here: what is expected of each company, and comparing. Not here: the companies (`local/demo_companies.py`),
showing (`migration_view.py`).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from cdp_pipelines.cli.migration_view import outcomes
from cdp_pipelines.cli.migration_watch import Watched
from cdp_pipelines.local.demo_companies import (
    BIG,
    EMPTY,
    FLAG_OFF,
    MEDIUM,
    NO_FEATURES,
    RHEINLAND,
    SMALL,
)


@dataclass(frozen=True, slots=True)
class Expected:
    """The ending that a company must come to: one of `statuses`, with this code of a refusal, with or without rows."""

    statuses: tuple[str, ...]
    code: str | None = None
    has_rows: bool = False


# Whether a few rows are unreadable depends on the scale.
_MIGRATED: Final = Expected(("completed", "completed_with_errors"), has_rows=True)
_OFF: Final = Expected(("rejected",), "FLAG_DISABLED")
# It has nothing in the CRM, so that its cid is one that the CRM does not know.
_UNKNOWN: Final = Expected(("rejected",), "CID_NOT_FOUND")
EXPECTED: Final[Mapping[str, Mapping[str, Expected]]] = {
    "activity_logs": {
        BIG.slug: _MIGRATED,
        MEDIUM.slug: _MIGRATED,
        RHEINLAND.slug: Expected(("rejected",), "contacts_not_migrated"),
        FLAG_OFF.slug: _OFF,
        NO_FEATURES.slug: _OFF,
        SMALL.slug: Expected(("completed",), has_rows=True),
        EMPTY.slug: _UNKNOWN,
    },
    "contact_notes": {
        BIG.slug: Expected(("completed",), has_rows=True),
        # More than one note in a hundred fails, which is for people to look into.
        MEDIUM.slug: Expected(("halted",), has_rows=True),
        RHEINLAND.slug: _OFF,
        FLAG_OFF.slug: Expected(("completed",), has_rows=True),
        NO_FEATURES.slug: _OFF,
        SMALL.slug: Expected(("completed",), has_rows=True),
        EMPTY.slug: _UNKNOWN,
    },
}
"""By the kind of migration and the company's slug."""


@dataclass(slots=True)
class MigrationOutcome:
    """One company: what is expected, its request and job as last seen, its failed rows by reason."""

    expected: Expected
    watched: Watched
    failed_reasons: Mapping[str, int] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The company's name."""
        return self.watched.company.name

    @property
    def status(self) -> str:
        """The request's status."""
        return self.watched.status

    @property
    def code(self) -> str | None:
        """The code of its refusal, else None."""
        error = (self.watched.request or {}).get("error")
        return str(error.get("code")) if isinstance(error, Mapping) and self.status == "rejected" else None

    @property
    def job(self) -> Mapping[str, Any]:
        """The job; empty where there is none."""
        return self.watched.job or {}

    @property
    def coverage_pct(self) -> float | None:
        """The coverage that was measured for it, also where it was too low."""
        error = (self.watched.request or {}).get("error")
        details = error.get("details") if isinstance(error, Mapping) else None
        share = self.job.get("coverage_pct") or (details or {}).get("coverage_pct")
        return float(share) if share is not None else None

    def rows(self) -> list[tuple[str, str, int]]:
        """`(outcome, reason, rows)`; empty without a job."""
        return outcomes(self.job, self.failed_reasons) if self.job else []

    def differences(self) -> list[str]:
        """What is not as it must be, in words; empty when all is."""
        expected, found = self.expected, []
        if self.status not in expected.statuses:
            found.append(f"{self.status} instead of {' or '.join(expected.statuses)}")
        if self.code != expected.code:
            found.append(f"code {self.code} instead of {expected.code}")
        processed = int(self.job.get("records_processed") or 0)
        if expected.has_rows != (processed > 0):
            found.append("no rows" if expected.has_rows else f"{processed:,} rows instead of none")
        if processed != sum(rows for _, _, rows in self.rows()):
            found.append("its rows do not add up")
        return found

    def facts(self) -> dict[str, Any]:
        """What `--json` prints."""
        job = self.job
        return {
            "kind": (self.watched.request or {}).get("kind"),
            "company_sso_id": self.watched.company.company_sso_id,
            "company_name": self.name,
            "request_id": str((self.watched.request or {}).get("_id")),
            "expected_statuses": list(self.expected.statuses),
            "status": self.status,
            "expected_code": self.expected.code,
            "code": self.code,
            "job_id": job.get("_id"),
            "records_total": job.get("records_total"),
            "records_processed": job.get("records_processed"),
            "outcomes": [{"outcome": o, "reason": reason, "rows": rows} for o, reason, rows in self.rows()],
            "match_pct": job.get("match_pct"),
            "coverage_pct": self.coverage_pct,
            "enrichment": (job.get("enrichment") or {}).get("counts"),
            "differences": self.differences(),
        }
