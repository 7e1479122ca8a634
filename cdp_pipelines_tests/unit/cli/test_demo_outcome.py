from pathlib import Path
from typing import Any

import pytest

from cdp_pipelines.cli.demo.outcome import DemoOutcome
from cdp_pipelines.cli.demo.view import final_table, further_lines, link_lines, live_table
from cdp_pipelines.local.demo_requests import ExportRequestSpec

RESULT = {"key": "k", "url": "http://link", "file_name": "e.csv"}


def outcome(
    expected: str, document: dict[str, Any], *, code: str | None = None, rows: int | None = None, mails: int = 1
) -> DemoOutcome:
    spec = ExportRequestSpec("A title", {"job_id": "job-1"}, expected, expected_code=code, expected_rows=rows)
    return DemoOutcome(
        spec, document, subjects=["Your export"] * mails, path=Path("e.csv") if "result" in document else None
    )


@pytest.mark.parametrize(
    "good",
    [
        outcome("completed", {"status": "completed", "success_count": 3, "result": RESULT}, rows=3),
        outcome("partial", {"status": "partial", "success_count": 45, "failed_count": 5, "result": RESULT}),
        outcome("failed", {"status": "failed", "error": {"code": "NO_USABLE_FIELD"}}),
        outcome("rejected", {"status": "rejected", "error": {"code": "FORBIDDEN"}}, code="FORBIDDEN", mails=0),
    ],
    ids=lambda good: good.status,
)
def test_what_ended_as_it_must_has_no_differences(good: DemoOutcome) -> None:
    assert good.differences() == []
    assert good.ended


@pytest.mark.parametrize(
    ("bad", "difference"),
    [
        (outcome("completed", {"status": "failed"}), "failed instead of completed"),
        (outcome("completed", {"status": "completed", "success_count": 2}, rows=3), "2 rows instead of 3"),
        (outcome("completed", {"status": "completed"}, mails=2), "2 mails instead of 1"),
        (outcome("completed", {"status": "completed"}, mails=0), "0 mails instead of 1"),
        (outcome("rejected", {"status": "rejected", "error": {"code": "A"}}, code="B", mails=0), "code A instead of B"),
        (outcome("rejected", {"status": "rejected", "error": {"code": "A"}}, code="A"), "1 mails instead of 0"),
    ],
)
def test_every_difference_is_named(bad: DemoOutcome, difference: str) -> None:
    assert difference in bad.differences()


def test_a_file_that_could_not_be_fetched_is_a_difference() -> None:
    bad = outcome("completed", {"status": "completed", "result": RESULT})
    bad.path = None
    assert bad.differences() == ["its file was not fetched"]


def test_tables_have_a_row_for_each_and_links_are_in_full() -> None:
    outcomes = [
        outcome("completed", {"status": "completed", "success_count": 3, "result": RESULT}),
        outcome("completed", {"status": "processing", "success_count": 500, "total_records": 10_000}),
    ]
    assert live_table(outcomes).row_count == final_table(outcomes).row_count == 2
    assert list(live_table(outcomes).columns[2].cells) == ["3", "500 of 10,000"]
    assert link_lines(outcomes) == ["A title:", "  http://link"]


def test_the_way_on_depends_on_what_still_runs() -> None:
    root = Path("/r")
    running = "\n".join(further_lines(root, root / "demo", ui_url="http://127.0.0.1:3000", kept_running=True))
    stopped = "\n".join(further_lines(root, root / "demo", ui_url="", kept_running=False))
    assert "http://127.0.0.1:3000" in running
    assert "cdp local down" in running
    assert "cdp demo --ui" in stopped
    assert "cdp local up" in stopped
