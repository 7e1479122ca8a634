from datetime import UTC, datetime
from typing import Any

import pytest
from rich.console import Console
from rich.table import Table

from cdp_pipelines.cli.exit_codes import Refused
from cdp_pipelines.cli.migration_ask import AskedMigration, request_document
from cdp_pipelines.cli.migration_kinds import NAMES, known_migration
from cdp_pipelines.cli.migration_view import (
    CompanyState,
    outcomes,
    progress_text,
    request_facts,
    request_lines,
    shards_table,
    state_facts,
    state_lines,
    states_table,
)
from cdp_pipelines.cli.migration_watch import Watched, counts_text, exit_code_of, worked_share
from cdp_pipelines.domain.companies import Company

AT = datetime(2024, 5, 1, 10, tzinfo=UTC)
COMPANY = Company("company-a", 1, "A & Söhne", {})
JOB: dict[str, Any] = {
    "_id": "job-1", "company_sso_id": "company-a", "status": "completed_with_errors", "phase": "done", "dry_run": False,
    "records_total": 1_300, "records_processed": 1_300, "records_migrated": 1_200,
    "records_skipped": {"post_sync_live_feed": 60, "contact_not_found": 30}, "records_failed": 10,
    "progress_pct": 100.0, "failure_rate": 0.007692, "match_pct": 99.17, "coverage_pct": 99.5, "people": 200,
    "covered": 199, "notes": {"actor_deleted": 4}, "enrichment": {"counts": {"enriched": 7}}, "starts": 2,
    "started_at": AT, "ended_at": AT, "requested_by": "ops-1", "request_id": "r-1",
    "failed_rows": [{"id": "5", "reason_code": "unreadable_changes", "details": "secret text"}],
    "shards": {
        "shard_10": {"after": 600, "to": 1_300, "last_audit_id": 1_300, "processed": 700, "done": True},
        "shard_2": {"after": 0, "to": 600, "last_audit_id": 450, "processed": 600, "failed": 10, "done": False},
    },
}  # fmt: skip
REASONS = {"invalid_timestamp": 4, "unreadable_changes": 6}
STATE = CompanyState(COMPANY, JOB, REASONS)
REJECTED: dict[str, Any] = {
    "_id": "r-1", "action": "start", "status": "rejected", "options": {"force": True}, "created_at": AT,
    "error": {"code": "FLAG_DISABLED", "http_status": 403, "message": "It is off.", "details": {}},
}  # fmt: skip


def drawn(table: Table) -> str:
    console = Console(width=200, markup=False)
    with console.capture() as capture:
        console.print(table)
    return capture.get()


def test_facts_are_complete_and_hold_no_rows() -> None:
    facts = state_facts(STATE, shards=True)
    assert facts["status"] == "completed_with_errors"
    assert facts["failed_reasons"] == REASONS
    assert facts["enrichment"] == {"enriched": 7}
    assert set(facts["shards"]) == {"shard_2", "shard_10"}
    assert "failed_rows" not in facts
    assert "secret text" not in str(facts)
    assert "shards" not in state_facts(STATE)


def test_a_company_without_a_job_is_not_started() -> None:
    state = CompanyState(COMPANY)
    assert state_facts(state)["status"] == "not_started"
    assert state_facts(state)["match_pct"] is None
    assert state_lines(state) == ["company          company-a  A & Söhne", "status           not_started"]
    assert "not_started" in drawn(states_table([state]))


def test_outcomes_add_up_to_what_was_processed() -> None:
    found = outcomes(JOB, REASONS)
    assert sum(rows for _, _, rows in found) == JOB["records_processed"]
    assert found[1:3] == [("skipped", "contact_not_found", 30), ("skipped", "post_sync_live_feed", 60)]


def test_lines_show_what_there_is() -> None:
    lines = state_lines(STATE)
    for line in (
        "progress         100.00 % (1,300 of 1,300)",
        "failure rate     0.77 %",
        "match            99.17 %",
        "coverage         99.50 % (199 of 200 people)",
        "starts           2",
        "  migrated                                  1,200",
        "  skipped   contact_not_found                  30",
        "  failed    unreadable_changes                  6",
        "  = processed                               1,300",
        "  note      actor_deleted                       4",
        "  enrich    enriched                            7",
    ):
        assert line in lines, line
    assert not any(line.startswith(("error", "phase", "rolled back")) for line in lines)


def test_a_request_says_why_it_was_refused() -> None:
    assert request_facts(REJECTED)["error"]["code"] == "FLAG_DISABLED"
    lines = request_lines(REJECTED)
    assert "asked for        start (force True)" in lines
    assert "error            FLAG_DISABLED: It is off." in lines


def test_shards_come_in_their_order() -> None:
    text = drawn(shards_table(JOB, "last_audit_id"))
    assert text.index("shard_2") < text.index("shard_10")
    assert "450" in text
    assert text.count("done") == 1


def test_tables_take_any_document() -> None:
    odd: dict[str, Any] = {"_id": 1, "status": None, "records_skipped": None, "error": None, "shards": None}
    state = CompanyState(Company("[red]", None, "", {}), odd)
    assert "[red]" in drawn(states_table([STATE, state]))
    assert state_lines(state)
    assert progress_text({}) == "0 rows"


@pytest.mark.parametrize(
    ("statuses", "code"),
    [
        (["completed", "completed_with_errors", "rolled_back"], 0),
        (["completed", "rejected"], 2),
        (["rejected", "halted"], 1),
        (["canceled"], 1),
        (["failed"], 1),
        ([], 0),
    ],
)
def test_watching_ends_as_the_worst_of_them(statuses: list[str], code: int) -> None:
    assert exit_code_of(statuses) == code


def test_a_watched_request_says_what_its_job_is_at() -> None:
    request = {"_id": "r-1", "status": "processing"}
    waiting = Watched(COMPANY, {"_id": "r-1", "status": "queued"})
    working = Watched(COMPANY, request, {**JOB, "status": "in_progress", "phase": "enrich", "dry_run": True})
    ended = Watched(COMPANY, {"_id": "r-1", "status": "rejected"})
    from_ui = Watched(COMPANY, job={**JOB, "status": "in_progress", "phase": "migrate"})
    assert [one.doing for one in (waiting, working, ended, from_ui)] == [
        "queued", "enrich (dry run)", "rejected", "migrate",
    ]  # fmt: skip
    assert [one.ended for one in (waiting, working, ended, from_ui)] == [False, False, True, False]
    assert Watched(COMPANY, job=JOB).ended


def test_bars_know_how_far_each_phase_is() -> None:
    assert worked_share(None) is None
    assert worked_share({"phase": "plan"}) is None
    assert worked_share({"phase": "migrate", "progress_pct": 45.5}) == 45.5
    assert worked_share({"phase": "reconcile", "records_total": 200, "reconciliation": {"source": 50}}) == 25.0
    assert worked_share({"phase": "reconcile", "records_total": 0}) is None
    assert worked_share({"phase": "done"}) == 100.0
    assert counts_text(JOB) == "1,300 of 1,300 rows, 10 failed"
    assert counts_text({"phase": "rollback", "records_rolled_back": 4_000}) == "4,000 deleted"


def test_only_what_was_asked_is_in_the_request() -> None:
    assert AskedMigration().options() == {}
    assert AskedMigration(force=True, since="2024-01-01", page_rows=0).options() == {
        "force": True, "date_range_start": "2024-01-01", "page_rows": 0,
    }  # fmt: skip
    document = request_document("activity_logs", "rollback", "company-a", requested_by="ops", now=AT, confirm="x")
    assert (document["status"], document["options"], document["confirm"]) == ("queued", {}, "x")
    assert document["created_at"] == document["updated_at"] == AT


def test_migrations_are_known_by_name() -> None:
    for name in NAMES:
        assert known_migration(name).name == name
    assert known_migration(" Activity_Logs ").kind.kind == "activity_logs"
    with pytest.raises(Refused, match="activity-logs"):
        known_migration("everything")


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        (
            {"taken_up": {"from": "completed_with_errors", "failed": 4, "new": 2, "parts": 0, "people": 0}},
            "taken up         4 failed rows, 2 new ones; the others stayed as they were",
        ),
        (
            {"taken_up": {"from": "halted", "failed": 1_200, "parts": 3, "people": 5}},
            "taken up         1,200 failed rows, 3 failed files, 5 rows without author, then went on",
        ),
        ({"match_pct": None, "reconciliation": {"done": True, "eligible": 0}}, "match            nothing to compare"),
        ({"coverage_pct": None, "people": 0}, "coverage         nothing to compare: no people"),
        (
            {"notes": {"degraded_actor": 6}},
            "without author   6 (the launchpad was away; cdp migrate replay sets them right)",
        ),
        (
            {"reconciliation": {"degraded": 3}},
            "without author   3 (the launchpad was away; cdp migrate replay sets them right)",
        ),
        (
            {"reconciliation": {"changed_since": 2}},
            "changed since    2 (edited or deleted in the CDP since; they match)",
        ),
        ({"reconciliation": {"extra": 10}}, "extra            10"),
        (
            {"reconciliation": {"not_in_live_feed": 7}},
            "no live record   7 audits left to the live feed, which does not have them",
        ),
    ],
)
def test_what_a_person_should_know_is_said_in_plain_words(changes: dict[str, Any], line: str) -> None:
    assert line in state_lines(CompanyState(COMPANY, {**JOB, **changes}, REASONS))


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"taken_up": {"from": "halted"}},
        {"match_pct": None, "reconciliation": {"done": False, "eligible": 0}},
        {"reconciliation": {"extra": 0, "changed_since": 0, "degraded": 0, "not_in_live_feed": 0}},
        {"notes": {"degraded_actor": 0}},
    ],
)
def test_what_did_not_happen_is_not_said(changes: dict[str, Any]) -> None:
    names = {line.split("  ")[0] for line in state_lines(CompanyState(COMPANY, {**JOB, **changes}, REASONS))}
    assert not names & {"taken up", "without author", "changed since", "extra", "no live record"}
    assert "nothing to compare" not in str(state_lines(CompanyState(COMPANY, {**JOB, **changes}, REASONS)))


def test_the_figures_of_a_comparison_are_facts_and_its_ids_are_not() -> None:
    compared = {"eligible": 5, "changed_since": 1, "extra": 2, "ids": {"extra": ["9"]}, "seam": [1]}
    found = state_facts(CompanyState(COMPANY, {**JOB, "reconciliation": compared}))["reconciliation"]
    assert (found["changed_since"], found["extra"], "ids" in found, "seam" in found) == (1, 2, False, False)
    assert state_facts(STATE)["reconciliation"] is None
