"""Who may start or roll back a migration: the table of admission, and reading a request."""

from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import pytest

from cdp_pipelines.domain.admission import Admitted, Rejected
from cdp_pipelines.domain.companies import Company
from cdp_pipelines.domain.migration_requests import (
    MigrationFacts,
    MigrationOptions,
    MigrationRequest,
    admit,
    read_request,
)

FLAG = "crm_activity_logs_migration_enabled"
KEY = "company-1"
COMPANY = Company(KEY, 7, "C", {FLAG: True})


def facts(**changes: Any) -> MigrationFacts:
    known: dict[str, Any] = {
        "company": COMPANY, "flag": FLAG, "completed_status": "completed", "completed_code": "ALREADY_COMPLETED",
        "coverage_pct": 100.0, **changes,
    }  # fmt: skip
    return MigrationFacts(**known)


def order(**changes: Any) -> dict[str, Any]:
    return {"action": "start", "company_sso_id": KEY, "requested_by": "ops-1", "options": {}, **changes}


ROLLBACK = order(action="rollback", confirm=KEY)
FORCE, DRY = order(options={"force": True}), order(options={"dry_run": True})
INTERRUPTED = {"last_status": "in_progress", "last_phase": "rollback"}

TABLE: list[tuple[str, dict[str, Any], dict[str, Any], str | None, int]] = [
    ("a start", order(), {}, None, 0),
    ("no coverage known yet", order(), {"coverage_pct": None}, None, 0),
    ("just enough coverage", order(), {"coverage_pct": 99.0}, None, 0),
    ("too little coverage", order(), {"coverage_pct": 98.99}, "contacts_not_migrated", 422),
    ("too little coverage, forced", FORCE, {"coverage_pct": 0.0}, "contacts_not_migrated", 422),
    ("too little coverage, dry", DRY, {"coverage_pct": 98.99}, "contacts_not_migrated", 422),
    ("no company", order(), {"company": None}, "CID_NOT_FOUND", 404),
    ("no key", order(company_sso_id=None), {}, "CID_NOT_FOUND", 404),
    ("a key that is an operator", order(company_sso_id={"$ne": 1}), {}, "CID_NOT_FOUND", 404),
    ("no cid", order(), {"company": Company(KEY, None, "C", {FLAG: True})}, "CID_NOT_FOUND", 404),
    ("a cid that the CRM does not know", order(), {"coverage_pct": None, "cid_is_known": False}, "CID_NOT_FOUND", 404),
    ("an unknown cid, forced", FORCE, {"coverage_pct": None, "cid_is_known": False}, "CID_NOT_FOUND", 404),
    ("an unknown cid, dry", DRY, {"coverage_pct": None, "cid_is_known": False}, "CID_NOT_FOUND", 404),
    ("a known cid without people", order(), {"coverage_pct": None, "cid_is_known": True}, None, 0),
    ("a rollback of an unknown cid", ROLLBACK, {"cid_is_known": False}, None, 0),
    ("flag missing", order(), {"company": Company(KEY, 7, "C", {})}, "FLAG_DISABLED", 403),
    ("flag not exactly true", order(), {"company": Company(KEY, 7, "C", {FLAG: "true"})}, "FLAG_DISABLED", 403),
    ("flag before a bad option", order(options=5), {"company": Company(KEY, 7, "C", {})}, "FLAG_DISABLED", 403),
    ("alive", order(), {"active": True, "last_status": "in_progress"}, "JOB_ALREADY_RUNNING", 409),
    ("alive, forced", FORCE, {"active": True}, "JOB_ALREADY_RUNNING", 409),
    ("alive before completed", order(), {"active": True, "last_status": "completed"}, "JOB_ALREADY_RUNNING", 409),
    ("a dead owner", order(), {"last_status": "in_progress", "last_phase": "migrate"}, None, 0),
    ("a rollback half done", order(), INTERRUPTED, "JOB_ALREADY_RUNNING", 409),
    ("a rollback half done, forced", FORCE, INTERRUPTED, "JOB_ALREADY_RUNNING", 409),
    ("completed", order(), {"last_status": "completed"}, "ALREADY_COMPLETED", 409),
    ("completed before coverage", order(), {"last_status": "completed", "coverage_pct": 1.0}, "ALREADY_COMPLETED", 409),
    ("completed, forced", FORCE, {"last_status": "completed"}, None, 0),
    ("completed, dry", DRY, {"last_status": "completed"}, None, 0),
    *[
        (status, order(), {"last_status": status}, None, 0)
        for status in ("completed_with_errors", "halted", "failed", "canceled", "rolled_back")
    ],
    ("a rollback", ROLLBACK, {"last_status": "completed"}, None, 0),
    ("a rollback without the flag", ROLLBACK, {"company": Company(KEY, None, "C", {})}, None, 0),
    ("a rollback whatever the coverage", ROLLBACK, {"coverage_pct": 0.0}, None, 0),
    ("a rollback goes on", ROLLBACK, INTERRUPTED, None, 0),
    ("a rollback unconfirmed", order(action="rollback"), {}, "CONFIRMATION_REQUIRED", 422),
    ("a rollback of another", {**ROLLBACK, "confirm": "company-2"}, {}, "CONFIRMATION_REQUIRED", 422),
    ("a rollback confirmed with true", {**ROLLBACK, "confirm": True}, {}, "CONFIRMATION_REQUIRED", 422),
    ("a rollback while alive", ROLLBACK, {"active": True}, "JOB_ALREADY_RUNNING", 409),
    ("a rollback of nobody", ROLLBACK, {"company": None}, "CID_NOT_FOUND", 404),
    ("no action", order(action=None), {}, "MIGRATION_REQUEST_INVALID", 422),
    ("an action that does not exist", order(action="Start"), {}, "MIGRATION_REQUEST_INVALID", 422),
]


@pytest.mark.parametrize(("document", "known", "code", "status"), [row[1:] for row in TABLE], ids=[r[0] for r in TABLE])
def test_admission(document: dict[str, Any], known: dict[str, Any], code: str | None, status: int) -> None:
    answer = admit(document, facts(**known))
    if code is None:
        assert isinstance(answer, Admitted)
        assert answer.request.company_sso_id == KEY
    else:
        assert isinstance(answer, Rejected)
        assert (answer.code, answer.http_status) == (code, status)
        assert answer.message.endswith(".")


JAKARTA = timezone(timedelta(hours=7))
START = datetime(2024, 1, 31, tzinfo=UTC)


@pytest.mark.parametrize(
    "given",
    [
        "2024-01-31", "2024-01-31T00:00:00", "2024-01-31T00:00:00Z", "2024-01-31T07:00:00+07:00", " 2024-01-31 ",
        START, START.replace(tzinfo=None), START.astimezone(JAKARTA), date(2024, 1, 31),
    ],
)  # fmt: skip
def test_an_instant_in_every_form(given: Any) -> None:
    request = read_request(order(options={"date_range_start": given}))
    assert isinstance(request, MigrationRequest)
    assert request.options.date_range_start == START
    assert request.options.date_range_start.tzinfo is UTC


@pytest.mark.parametrize(
    ("given", "year"), [("0001-01-01T00:00:00+07:00", 1), ("9999-12-31T23:59:59-05:00", 9999), ("0001-01-01", 1)]
)
def test_a_start_at_an_end_of_the_calendar_is_taken(given: str, year: int) -> None:
    request = read_request(order(options={"date_range_start": given}))
    assert isinstance(request, MigrationRequest)
    assert request.options.date_range_start is not None
    assert request.options.date_range_start.year == year


@pytest.mark.parametrize("given", [None, ""])
def test_no_instant(given: Any) -> None:
    request = read_request(order(options={"date_range_start": given}))
    assert isinstance(request, MigrationRequest)
    assert request.options == MigrationOptions()


@pytest.mark.parametrize(
    "options",
    [
        {"dryrun": True}, {"dry_run": "true"}, {"dry_run": 1}, {"force": None}, {"page_rows": 0}, {"page_rows": 5_001},
        {"page_rows": "500"}, {"page_rows": True}, {"page_rows": 5.0}, {"shards": 65}, {"shards": -1}, {"shards": None},
        {"date_range_start": "yesterday"}, {"date_range_start": 0}, {"date_range_start": "2024-13-01"}, [], "x", 5,
        {"date_range_start": True},
    ],
)  # fmt: skip
def test_options_that_are_none_are_refused_with_their_name(options: Any) -> None:
    refused = read_request(order(options=options))
    assert isinstance(refused, Rejected)
    assert refused.code == "MIGRATION_REQUEST_INVALID"
    (problem,) = refused.details["problems"]
    assert problem["field"].startswith("options")


@pytest.mark.parametrize("given", [{"page_rows": 1, "shards": 0}, {"page_rows": 5_000, "shards": 64}])
def test_options_at_their_bounds(given: dict[str, int]) -> None:
    request = read_request(order(options={**given, "force": True, "dry_run": True}))
    assert isinstance(request, MigrationRequest)
    expected = MigrationOptions(force=True, dry_run=True, **given)  # type: ignore[arg-type]
    assert request.options == expected
    assert set(expected.as_document()) == {"force", "dry_run", "date_range_start", "page_rows", "shards"}


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("ops-1", "ops-1"), ("", "unknown"), (None, "unknown"), ("a" * 65, "unknown"), ("a\nb", "unknown"),
        (5, "unknown"),
    ],
)  # fmt: skip
def test_who_asked_is_a_short_text_or_unknown(given: Any, kept: str) -> None:
    request = read_request(order(requested_by=given))
    assert isinstance(request, MigrationRequest)
    assert request.requested_by == kept
