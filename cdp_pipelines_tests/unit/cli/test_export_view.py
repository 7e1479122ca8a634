from datetime import UTC, datetime
from typing import Any

from rich.console import Console
from rich.table import Table

from cdp_pipelines.cli.export_table import exports_table
from cdp_pipelines.cli.export_view import job_facts, job_lines, job_row, outcome_text
from cdp_pipelines.cli.export_watch import exit_code_of_status

AT = datetime(2024, 5, 1, 10, tzinfo=UTC)
FINISHED: dict[str, Any] = {
    "_id": 1, "job_id": "job-1", "company_sso_id": "c", "status": "partial", "email": "ann@example.com",
    "contact_ids": ["x"], "filter": {"field": "secret"}, "total_records": 50, "success_count": 45, "failed_count": 5,
    "warnings": ["one", "two"], "truncated": True, "matched_count": 25_000, "created_at": AT, "error": None,
    "result": {"key": "private/…", "file_name": "export.xlsx", "size_bytes": 1_500, "expires_at": AT, "url": "http://l"},
}  # fmt: skip
REFUSED: dict[str, Any] = {
    "job_id": "job-2", "status": "rejected", "error": {"code": "FORBIDDEN", "http_status": 403, "message": "No."},
}  # fmt: skip


def drawn(table: Table) -> str:
    console = Console(width=200, markup=False)
    with console.capture() as capture:
        console.print(table)
    return capture.get()


def test_facts_are_complete_and_hold_nothing_personal() -> None:
    facts = job_facts(FINISHED)
    assert facts["result"] == {"file_name": "export.xlsx", "size_bytes": 1_500, "expires_at": AT, "url": "http://l"}
    assert facts["failure_reason"] is None
    assert not {"email", "contact_ids", "filter"} & facts.keys()
    assert job_facts(REFUSED)["result"] is None


def test_lines_leave_out_what_is_empty() -> None:
    lines = job_lines(FINISHED)
    assert "truncated        yes" in lines
    assert "warnings         one; two" in lines
    assert "size             1.5 kB" in lines
    assert "link             http://l" in lines
    assert not any(line.startswith(("error", "failure reason")) for line in lines)
    assert "ann@example.com" not in "\n".join(lines)
    assert "error            FORBIDDEN: No." in job_lines(REFUSED)


def test_the_table_shows_the_file_or_the_reason() -> None:
    text = drawn(exports_table([job_row(FINISHED), job_row(REFUSED)]))
    assert "export.xlsx" in text
    assert "FORBIDDEN: No." in text
    assert outcome_text({"status": "failed", "failure_reason": "Because."}) == "Because."
    assert outcome_text({"status": "queued"}) == ""


def test_a_document_of_any_shape_can_be_shown() -> None:
    odd: dict[str, Any] = {
        "job_id": 5,
        "status": None,
        "result": "text",
        "error": "text",
        "warnings": "text",
        "success_count": [],
    }
    assert job_facts(odd)["result"] is None
    assert job_lines(odd)
    assert "text" not in outcome_text(odd)
    assert "[red]" in drawn(exports_table([job_row({"job_id": "[red]", "status": "queued"})]))


def test_waiting_ends_as_the_export_did() -> None:
    codes = {
        status: exit_code_of_status(status) for status in ("completed", "partial", "failed", "canceled", "rejected")
    }
    assert codes == {"completed": 0, "partial": 0, "failed": 1, "canceled": 1, "rejected": 2}
