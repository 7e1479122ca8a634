"""Requests to start or roll back a migration, and who may (SPEC 2, 5.3): one pure `admit` for every way in.

Belongs here: reading a request document and the guards that every migration has. Not here: gathering the facts
(`pipelines/migrations/intake.py`) and what a migration does.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final, Literal, TypeAlias

from cdp_pipelines.domain.admission import Admitted, Rejected
from cdp_pipelines.domain.companies import Company, is_partition_key
from cdp_pipelines.domain.migrations import COVERAGE_PCT_AT_LEAST, IN_PROGRESS
from cdp_pipelines.domain.values.instants import to_utc

Action: TypeAlias = Literal["start", "rollback"]
ACTIONS: Final[tuple[Action, ...]] = ("start", "rollback")

ROLLBACK_PHASE: Final = "rollback"
MOST_SHARDS: Final = 64
PAGE_ROWS: Final = range(1, 5_001)
DEFAULT_PAGE_ROWS: Final = 500

STATUS_QUEUED: Final = "queued"
STATUS_PROCESSING: Final = "processing"
STATUS_REJECTED: Final = "rejected"
OPEN_STATUSES: Final = (STATUS_QUEUED, STATUS_PROCESSING)
TERMINAL_STATUSES: Final = ("completed", "completed_with_errors", "halted", "failed", "canceled", "rejected")


@dataclass(frozen=True, slots=True)
class MigrationOptions:
    """How to migrate. `date_range_start` is an instant in UTC; `shards` 0: as many as the number of rows asks for."""

    force: bool = False
    dry_run: bool = False
    date_range_start: datetime | None = None
    page_rows: int = DEFAULT_PAGE_ROWS
    shards: int = 0

    def as_document(self) -> dict[str, Any]:
        """As kept on the job."""
        return {
            "force": self.force,
            "dry_run": self.dry_run,
            "date_range_start": self.date_range_start,
            "page_rows": self.page_rows,
            "shards": self.shards,
        }


@dataclass(frozen=True, slots=True)
class MigrationRequest:
    """A request in its parsed, safe form."""

    action: Action
    company_sso_id: str
    requested_by: str
    options: MigrationOptions
    confirm: str = ""


@dataclass(frozen=True, slots=True)
class MigrationFacts:
    """What admission must know beside the request.

    `company` is None when there is none. `active`: a run that is alive works on the company's job now. `last_status`
    and `last_phase` are those of its latest job that was no dry run. `coverage_pct` is None while it is not known, as
    is `cid_is_known`, whether the CRM has anything of the company's organization; the run then asks again with them.
    `completed_status` and `completed_code` are how this migration calls a finished job.
    """

    company: Company | None
    flag: str
    completed_status: str
    completed_code: str
    active: bool = False
    last_status: str | None = None
    last_phase: str | None = None
    coverage_pct: float | None = None
    cid_is_known: bool | None = None


def admit(document: Mapping[str, Any], facts: MigrationFacts) -> Admitted[MigrationRequest] | Rejected:
    """Judge one request document `{action, company_sso_id, requested_by, options, confirm?}`; the first failing check
    decides the code.
    """
    refusal = _check_company(document, facts)
    if refusal is not None:
        return refusal
    request = read_request(document)
    if isinstance(request, Rejected):
        return request
    check = _check_rollback if request.action == "rollback" else _check_start
    return check(request, facts) or Admitted(request)


def _check_company(document: Mapping[str, Any], facts: MigrationFacts) -> Rejected | None:
    if not is_partition_key(document.get("company_sso_id")):
        return Rejected("CID_NOT_FOUND", 404, "company_sso_id is missing or is not a company's id.")
    if facts.company is None:
        return Rejected("CID_NOT_FOUND", 404, "There is no company with this company_sso_id.")
    rollback = document.get("action") == "rollback"
    if not rollback and not facts.company.has(facts.flag):
        return Rejected("FLAG_DISABLED", 403, f"The switch {facts.flag} of this company is off.", {"flag": facts.flag})
    if not rollback and facts.company.cid is None:
        return Rejected("CID_NOT_FOUND", 404, "This company has no cid, so its CRM organization is not known.")
    return None


def _check_start(request: MigrationRequest, facts: MigrationFacts) -> Rejected | None:
    if facts.active:
        return _running()
    if facts.last_status == IN_PROGRESS and facts.last_phase == ROLLBACK_PHASE:
        return Rejected(
            "JOB_ALREADY_RUNNING", 409, "A rollback of this company was interrupted. Finish it first: roll back again."
        )
    if facts.last_status == facts.completed_status and not request.options.force and not request.options.dry_run:
        return Rejected(facts.completed_code, 409, "This company is migrated. Set force to go over everything again.")
    if facts.cid_is_known is False:
        return Rejected(
            "CID_NOT_FOUND",
            404,
            "The CRM knows no organization with this company's cid: it has neither users nor people of it. "
            "Correct the cid of the company.",
        )
    if facts.coverage_pct is not None and facts.coverage_pct < COVERAGE_PCT_AT_LEAST:
        return Rejected(
            "contacts_not_migrated",
            422,
            f"Only {facts.coverage_pct:.2f} % of the company's CRM people have a contact in the CDP; "
            f"{COVERAGE_PCT_AT_LEAST:.0f} % must. Have their contacts synced first.",
            {"coverage_pct": facts.coverage_pct, "threshold_pct": COVERAGE_PCT_AT_LEAST},
        )
    return None


def _check_rollback(request: MigrationRequest, facts: MigrationFacts) -> Rejected | None:
    if request.confirm != request.company_sso_id:
        return Rejected(
            "CONFIRMATION_REQUIRED",
            422,
            "A rollback deletes this company's migrated documents. To confirm, set confirm to its company_sso_id.",
        )
    return _running() if facts.active else None


def _running() -> Rejected:
    return Rejected("JOB_ALREADY_RUNNING", 409, "Another run is working on this company's migration.")


def read_request(document: Mapping[str, Any]) -> MigrationRequest | Rejected:
    """Parse a request; unknown options are refused, because a misspelt `dry_run` must not write."""
    problems: list[dict[str, str]] = []
    action = document.get("action")
    if action not in ACTIONS:
        problems.append({"field": "action", "problem": "must be start or rollback"})
    options = _read_options(document.get("options"), problems)
    confirm = document.get("confirm")
    if problems:
        named = ", ".join(f"{problem['field']} {problem['problem']}" for problem in problems)
        return Rejected(
            "MIGRATION_REQUEST_INVALID", 422, f"The request cannot be read: {named}.", {"problems": problems}
        )
    return MigrationRequest(
        action="rollback" if action == "rollback" else "start",
        company_sso_id=str(document["company_sso_id"]),
        requested_by=_short_text(document.get("requested_by")),
        options=options,
        confirm=confirm if isinstance(confirm, str) else "",
    )


def _read_options(value: object, problems: list[dict[str, str]]) -> MigrationOptions:
    if value is None:
        return MigrationOptions()
    if not isinstance(value, Mapping):
        problems.append({"field": "options", "problem": "must be an object"})
        return MigrationOptions()
    known = {"force", "dry_run", "date_range_start", "page_rows", "shards"}
    problems.extend({"field": f"options.{name}", "problem": "is not known"} for name in value if name not in known)

    def whole(name: str, allowed: range, default: int) -> int:
        given = value.get(name, default)
        if isinstance(given, bool) or not isinstance(given, int) or given not in allowed:
            problems.append(
                {"field": f"options.{name}", "problem": f"must be a whole number, {allowed[0]} to {allowed[-1]}"}
            )
            return default
        return int(given)

    def switch(name: str) -> bool:
        given = value.get(name, False)
        if not isinstance(given, bool):
            problems.append({"field": f"options.{name}", "problem": "must be true or false"})
        return given is True

    return MigrationOptions(
        force=switch("force"),
        dry_run=switch("dry_run"),
        date_range_start=_instant(value.get("date_range_start"), problems),
        page_rows=whole("page_rows", PAGE_ROWS, DEFAULT_PAGE_ROWS),
        shards=whole("shards", range(MOST_SHARDS + 1), 0),
    )


def _instant(value: object, problems: list[dict[str, str]]) -> datetime | None:
    """An instant; a plain date is its midnight in UTC, as is a text without an offset."""
    if value is None or value == "":
        return None
    found: datetime | None = None
    if isinstance(value, datetime):
        found = value
    elif isinstance(value, date):
        found = datetime(value.year, value.month, value.day)  # noqa: DTZ001 - becomes UTC below
    elif isinstance(value, str):
        try:
            found = datetime.fromisoformat(value.strip())
        except ValueError:
            found = None
    if found is None:
        problems.append(
            {"field": "options.date_range_start", "problem": "must be an instant such as 2024-01-31T00:00:00Z"}
        )
        return None
    return to_utc(found)


def _short_text(value: object) -> str:
    """Who asked, for tags and logs: what is not a short printable text is not put there."""
    return value if isinstance(value, str) and 0 < len(value) <= 64 and value.isprintable() else "unknown"
