from datetime import UTC, datetime
from typing import Any

import pytest
from rich.console import Console
from rich.table import Table

from cdp_pipelines.cli.demo.migration_outcome import EXPECTED, Expected, MigrationOutcome
from cdp_pipelines.cli.demo.migration_view import (
    Timeline,
    cells,
    changes_text,
    final_table,
    live_table,
    outcome_table,
    timeline_table,
)
from cdp_pipelines.cli.migration_watch import Watched
from cdp_pipelines.domain.companies import Company
from cdp_pipelines.local.demo_companies import COMPANIES
from cdp_pipelines.pipelines.activity_logs.config import ACTIVITY_LOGS

MIGRATED = Expected(("completed",), has_rows=True)
REFUSED = Expected(("rejected",), "contacts_not_migrated")
JOB: dict[str, Any] = {
    "_id": "job-1", "status": "completed", "phase": "done", "records_total": 12, "records_processed": 12,
    "records_migrated": 10, "records_skipped": {"post_sync_live_feed": 2}, "records_failed": 0, "match_pct": 100.0,
    "coverage_pct": 99.5,
}  # fmt: skip
NATIVE: dict[str, Any] = {
    "category": "deal", "action": "update", "timestamp": datetime(2024, 5, 1, 10, tzinfo=UTC), "attributes": [],
    "actor": {"id": "u", "name": "Ann"}, "metadata": {"entity_type": "deal", "entity_id": "5"},
}  # fmt: skip


def outcome(
    expected: Expected, status: str, *, job: dict[str, Any] | None = None, error: dict[str, Any] | None = None
) -> MigrationOutcome:
    request = {"_id": "r-1", "status": status, "error": error}
    return MigrationOutcome(expected, Watched(Company("company-a", 1, "Toko [A]", {}), request, job))


def drawn(table: Table) -> str:
    console = Console(width=200, markup=False)
    with console.capture() as capture:
        console.print(table)
    return capture.get()


@pytest.mark.parametrize("kind", ["activity_logs", "contact_notes"])
def test_every_demo_company_has_an_expected_ending(kind: str) -> None:
    assert set(EXPECTED[kind]) == {company.slug for company in COMPANIES}


def test_what_ended_as_it_must_has_no_differences() -> None:
    low = {"code": "contacts_not_migrated", "details": {"coverage_pct": 91.99}}
    refused = outcome(REFUSED, "rejected", error=low)
    assert outcome(MIGRATED, "completed", job=JOB).differences() == refused.differences() == []
    assert refused.coverage_pct == 91.99
    assert "91.99 %" in drawn(final_table(ACTIVITY_LOGS, [refused]))


@pytest.mark.parametrize(
    ("bad", "difference"),
    [
        (outcome(MIGRATED, "failed", job=JOB), "failed instead of completed"),
        (outcome(MIGRATED, "completed", job={**JOB, "records_processed": 13}), "its rows do not add up"),
        (outcome(MIGRATED, "completed"), "no rows"),
        (outcome(Expected(("completed",)), "completed", job=JOB), "12 rows instead of none"),
        (outcome(REFUSED, "rejected", error={"code": "A"}), "code A instead of contacts_not_migrated"),
        (outcome(REFUSED, "completed", job=JOB), "completed instead of rejected"),
    ],
)
def test_every_difference_is_named(bad: MigrationOutcome, difference: str) -> None:
    assert difference in bad.differences()


def test_tables_show_each_company_and_every_reason() -> None:
    failed = {**JOB, "records_migrated": 9, "records_failed": 1}
    found = [outcome(MIGRATED, "completed", job=JOB), outcome(MIGRATED, "completed", job=failed)]
    found[1].failed_reasons = {"unreadable_changes": 1}
    found.append(outcome(REFUSED, "rejected", error={"code": "contacts_not_migrated", "details": None}))
    assert live_table("migration", found).row_count == final_table(ACTIVITY_LOGS, found).row_count == 3
    text = drawn(outcome_table(ACTIVITY_LOGS, found))
    assert [line for line in text.splitlines() if "unreadable_changes" in line]
    assert text.index("migrated") < text.index("post_sync_live_feed") < text.index("unreadable_changes")
    assert len(outcome_table(ACTIVITY_LOGS, found).columns) == 4
    assert [fact["rows"] for fact in found[1].facts()["outcomes"]] == [9, 2, 1]
    assert "Toko [A]" in text


def test_a_line_of_a_timeline_tells_who_did_what() -> None:
    assert cells(NATIVE) == ("2024-05-01 10:00:00", "live feed", "deal", "update", "deal 5", "Ann", "")
    named = {**NATIVE, "source_tag": "crm_migration", "metadata": {"entity_name": "Big\ndeal"}}
    assert (cells(named)[1], cells(named)[4]) == ("migration", "Big deal")
    assert cells({})[0] == ""
    text = drawn(timeline_table("Before", [NATIVE], 30))
    assert "and 29 older" in text


def test_changes_are_told_in_short() -> None:
    changes: list[dict[str, Any]] = [
        {"field": "Stage", "from": "Lead", "to": "Won"},
        {"field": "Amount", "from": None, "to": 5},
        {"field": "Owner", "from": "Ann", "to": None},
        {"field": "Note", "from": "a\n b", "to": "x" * 100},
    ]
    text = changes_text(changes[:3])
    assert text == "Stage: Lead → Won; Amount: 5; Owner: Ann → –"
    assert changes_text(changes[3:]) == f"Note: a b → {'x' * 23}…"
    assert len(changes_text(changes)) == 60


def test_a_timeline_has_both_sides_as_facts() -> None:
    facts = Timeline("A", "c-1", [NATIVE], 1, [NATIVE, NATIVE], 40).facts()
    assert (len(facts["before"]), len(facts["after"]), facts["total_after"]) == (1, 2, 40)
