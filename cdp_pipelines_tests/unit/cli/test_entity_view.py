from datetime import UTC, datetime
from typing import Any

import pytest
from rich.console import Console

from cdp_pipelines.cli.entity_parameters import filter_texts, webhook_host
from cdp_pipelines.cli.entity_view import exit_code_of, export_facts, export_lines, export_row, outcome_text, rows_of
from cdp_pipelines.cli.export_table import exports_table
from cdp_pipelines.cli.refusals import show_refusal
from cdp_pipelines.cli.schedule_view import local_time, schedule_facts, schedule_lines, schedules_table
from cdp_pipelines.domain.admission import Rejected

AT = datetime(2024, 5, 1, 20, tzinfo=UTC)
PARAMETERS: dict[str, Any] = {
    "format": "CSV", "compression": "gzip", "fields": ["id", "status"], "order": "-id",
    "filters": {"junction": "or", "status": "s3cret", "metadata.tier": {"conditions": {"$in": ["s3cret"]}}},
}  # fmt: skip
DONE: dict[str, Any] = {
    "_id": 1, "id": "exp_1", "company_sso_id": "c", "exported_object": "order", "status": "DONE", "progress": 1_200,
    "total": 1_200, "parameters": PARAMETERS, "email": "ann@example.com", "created_at": AT, "error": None,
    "webhook": {"url": "https://hooks.example.com:443/s3cret?s3cret"},
    "result": {
        "key": "c/exports/k", "token": "s3cret", "url": "http://l", "file_name": "orders-1.manifest.json",
        "record_count": 1_200, "size_bytes": 400, "total_bytes": 2_500_000, "sha256": "ab", "expires_at": AT,
        "parts": [
            {"key": "k", "file_name": f"p{n}", "record_count": 600, "size_bytes": 9, "sha256": "x", "url": f"http://{n}"}
            for n in (1, 2)
        ],
    },
}  # fmt: skip
REFUSED: dict[str, Any] = {
    "id": "exp_2", "status": "ERROR", "error": {"code": "invalid_export_fields", "http_status": 422, "message": "No."},
}  # fmt: skip
SCHEDULE: dict[str, Any] = {
    "_id": "sch_1", "company_sso_id": "c", "name": "nightly", "exported_object": "order", "parameters": PARAMETERS,
    "cron": "0 3 * * *", "timezone": "Asia/Jakarta", "email": "ann@example.com", "enabled": True, "next_run_at": AT,
    "last_export_id": "exp_1", "missed": 2, "error": None, "webhook": DONE["webhook"],
}  # fmt: skip


def drawn(table: Any) -> str:
    console = Console(width=250, markup=False)
    with console.capture() as capture:
        console.print(table)
    return capture.get()


def test_facts_are_complete_and_hold_nothing_personal() -> None:
    facts = export_facts(DONE)
    assert facts["parameters"]["filters"] == ["status $in", "metadata.tier $in"]
    assert facts["webhook_host"] == "https://hooks.example.com"
    assert facts["result"]["parts"][1] == {
        "file_name": "p2", "record_count": 600, "size_bytes": 9, "sha256": "x", "url": "http://2",
    }  # fmt: skip
    shown = [str(facts), *export_lines(DONE), str(schedule_facts(SCHEDULE, "DONE")), *schedule_lines(SCHEDULE, "DONE")]
    assert not any(secret in "\n".join(shown) for secret in ("s3cret", "ann@example.com"))


def test_lines_leave_out_what_is_empty() -> None:
    lines = export_lines(DONE)
    for line in (
        "rows             1,200",
        "format           CSV gzip",
        "parts            2",
        "size             2.5 MB",
    ):
        assert line in lines
    assert "link of part 2   http://2" in lines
    assert not any(line.startswith(("error", "template", "campaigns")) for line in lines)
    assert "error            invalid_export_fields: No." in export_lines(REFUSED)
    assert "rows             5 of 9" in export_lines({"status": "IN_PROGRESS", "progress": 5, "total": 9})


def test_a_file_that_serves_again_says_since_when_it_is() -> None:
    again = {**DONE, "result": {**DONE["result"], "cached": True, "made_at": AT}}
    assert export_facts(again)["result"]["cached"] is True
    (line,) = [line for line in export_lines(again) if line.startswith("made at")]
    assert "nothing has changed since" in line
    assert not any(line.startswith("made at") for line in export_lines(DONE))


def test_a_row_shows_the_file_or_the_reason() -> None:
    text = drawn(exports_table([export_row(DONE), export_row(REFUSED)]))
    for part in ("exp_1", "order", "1200", "orders-1.manifest.json", "invalid_export_fields: No."):
        assert part in text
    assert outcome_text({"status": "SCHEDULED"}) == ""


@pytest.mark.parametrize(
    "odd",
    [
        {},
        {"id": 5, "parameters": "all", "result": "text", "error": "text", "webhook": 5, "progress": "x"},
        {"parameters": {"filters": [1], "fields": "x", "format": 5, "campaign_ids": "x"}, "webhook": {"url": "x"}},
        {"parameters": {"filters": {5: {"conditions": 5}, "metadata": {"$is": 1}}}, "result": {"parts": ["x"]}},
    ],
    ids=["empty", "texts", "lists", "nested"],
)
def test_a_document_of_any_shape_can_be_shown(odd: dict[str, Any]) -> None:
    export_facts(odd)
    export_lines(odd)
    assert drawn(exports_table([export_row(odd)]))
    schedule_lines(odd, None)
    assert drawn(schedules_table([odd], {}))


def test_filters_are_shown_by_name_and_only_by_names_that_exist() -> None:
    assert list(filter_texts({"created_at": {"$after": "x", "$ann": 1}}, "order")) == ["created_at $after"]
    assert list(filter_texts({"metadata": {"tier": "gold"}}, "order")) == ["metadata.tier $in"]
    assert list(filter_texts({"ann@example.com": 1}, "order")) == ["(an unknown name) $in"]
    assert list(filter_texts({"status": 1}, "nothing")) == ["(an unknown name) $in"]


def test_of_a_webhook_only_the_host_is_shown() -> None:
    assert webhook_host({"webhook": "http://127.0.0.1:8080/a?b"}) == "http://127.0.0.1:8080"
    assert webhook_host({"webhook": {"url": "https://user:s3cret@h/"}}) == "(not an address)"
    assert webhook_host({}) is None


def test_waiting_ends_as_the_export_did() -> None:
    failed = {"status": "ERROR", "error": {"code": "RUN_DIED", "message": "…"}}
    codes = [exit_code_of(each) for each in (DONE, REFUSED, failed, {"status": "CANCELED"})]
    assert codes == [0, 2, 1, 1]
    assert rows_of({"progress": 5, "total": 9}) == (5, 9)
    assert rows_of({"progress": None, "total": "x"}) == (0, None)


def test_a_schedule_is_shown_on_its_own_clock() -> None:
    assert local_time(AT, "Asia/Jakarta") == "2024-05-02 03:00 +07:00"
    assert local_time(AT.replace(tzinfo=None), "America/St_Johns") == "2024-05-01 17:30 -02:30"
    assert local_time("soon", "UTC") == ""
    text = drawn(schedules_table([SCHEDULE], {"exp_1": "DONE"}))
    for part in ("nightly", "0 3 * * * Asia/Jakarta", "2024-05-02 03:00 +07:00", "exp_1", "DONE"):
        assert part in text
    assert "gone" in drawn(schedules_table([SCHEDULE], {}))
    off = {**SCHEDULE, "enabled": False, "error": {"code": "invalid_export_schedule", "message": "Wrong."}}
    assert "switched off" in drawn(schedules_table([off], {}))
    assert "paused" in "\n".join(schedule_lines({**SCHEDULE, "enabled": False}, None))


def test_a_refusal_says_what_is_allowed_once(capsys: pytest.CaptureFixture[str]) -> None:
    details = {"allowed_fields": ["id", "status"], "allowed_order": ["id", "-id"], "where": "x"}
    code = show_refusal(Rejected("invalid_export_fields", 422, "Its fields are: id, status.", details), as_json=False)
    assert code == 2
    shown = capsys.readouterr().err
    assert shown.splitlines() == [
        "✘ invalid_export_fields (422): Its fields are: id, status.",
        "  allowed order: id, -id",
        "  where: x",
    ]


def test_a_refusal_that_lists_all_that_is_allowed_is_cut_in_the_list_and_whole_with_its_export() -> None:
    message = "order has no field 'nope'. Its fields are: " + ", ".join(f"field_{n}" for n in range(40)) + "."
    document = {**REFUSED, "error": {**REFUSED["error"], "message": message}}
    console = Console(width=400)
    with console.capture() as captured:
        console.print(exports_table([export_row(document)]))
    shown = captured.get()
    assert "invalid_export_fields: order has no field 'nope'." in shown
    assert "field_39" not in shown
    assert "field_39" in "\n".join(export_lines(document))
