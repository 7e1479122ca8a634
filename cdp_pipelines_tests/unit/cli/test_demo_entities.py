from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from rich.table import Table

from cdp_pipelines.cli.demo.entity_outcome import EntityOutcome
from cdp_pipelines.cli.demo.entity_view import count_line, final_table, live_table, notice_lines
from cdp_pipelines.local.api_records import ApiRequest
from cdp_pipelines.local.demo_export_specs import EntityExportSpec

BEGAN = datetime(2026, 1, 1, tzinfo=UTC)
RESULT = {"key": "k", "url": "u", "file_name": "orders.csv", "record_count": 3, "size_bytes": 1_234, "sha256": "s"}
DONE: dict[str, Any] = {
    "status": "DONE",
    "exported_object": "order",
    "parameters": {"format": "CSV", "compression": "gzip"},
    "result": RESULT,
    "started_at": BEGAN,
    "ended_at": BEGAN + timedelta(seconds=2),
}
ERROR: dict[str, Any] = {"status": "ERROR", "error": {"code": "invalid_export_format"}, "parameters": {"format": "PDF"}}


def notice(status: int) -> ApiRequest:
    return ApiRequest(
        at="2026-01-01T10:00:00.000+00:00", method="POST", path="/hooks/c", query="", status=status,
        headers={"webhook-id": "msg_1"}, body={"type": "export.done"},
    )  # fmt: skip


def outcome(
    document: dict[str, Any], *, expected: str = "DONE", code: str | None = None, rows: int | None = None,
    repeats: str | None = None, asked: dict[str, Any] | None = None, **found: Any,
) -> EntityOutcome:  # fmt: skip
    spec = EntityExportSpec("A title", {"id": "exp_1", **(asked or {})}, expected, code, rows, repeats)
    paths = found.pop("paths", [Path("01_orders.csv")] if document.get("result") else [])
    return EntityOutcome(spec, document, paths=paths, **found)


def drawn(table: Table) -> str:
    console = Console(width=250, markup=False)
    with console.capture() as capture:
        console.print(table)
    return capture.get()


def split() -> dict[str, Any]:
    """A document whose export has a manifest and two parts."""
    return {**DONE, "result": {**RESULT, "total_bytes": 5_000_000, "parts": [RESULT, RESULT]}}


GOOD = {
    "done": outcome(DONE, rows=3),
    "in parts": outcome(split(), rows=3, paths=[Path("m"), Path("a"), Path("b")]),
    "refused": outcome(ERROR, expected="ERROR", code="invalid_export_format"),
    "canceled": outcome({"status": "CANCELED"}, expected="CANCELED", asked={"email": "a@b.example"}),
    "cached": outcome({**DONE, "cached_from": "exp_0"}, rows=3, repeats="exp_0"),
    "with a mail": outcome(DONE, rows=3, asked={"email": "a@b.example"}, subjects=["Ready"]),
    "with a webhook": outcome(DONE, rows=3, asked={"webhook": {"url": "u"}}, webhooks=[notice(401), notice(204)]),
}


@pytest.mark.parametrize("name", GOOD)
def test_what_ended_as_it_must_has_no_differences(name: str) -> None:
    assert GOOD[name].differences() == []
    assert GOOD[name].ended


BAD = {
    "ERROR instead of DONE": outcome(ERROR),
    "code a instead of b": outcome({"status": "ERROR", "error": {"code": "a"}}, expected="ERROR", code="b"),
    "3 rows instead of 4 rows": outcome(DONE, rows=4),
    "no file instead of 0 rows": outcome({"status": "DONE"}, rows=0),
    "made anew": outcome(DONE, rows=3, repeats="exp_0"),
    "served by an earlier export": outcome({**DONE, "cached_from": "exp_0"}, rows=3),
    "0 of 1 files were fetched whole": outcome(DONE, rows=3, paths=[]),
    "1 of 3 files were fetched whole": outcome(split(), rows=3),
    "0 mails instead of 1": outcome(DONE, rows=3, asked={"email": "a@b.example"}),
    "2 mails instead of 1": outcome(DONE, rows=3, asked={"email": "a@b.example"}, subjects=["a", "b"]),
    "1 mails instead of 0": outcome(DONE, rows=3, subjects=["a"]),
    "no webhook with a signature that holds": outcome(
        DONE, rows=3, asked={"webhook": {"url": "u"}}, webhooks=[notice(401)]
    ),
    "a webhook that nobody asked for": outcome(DONE, rows=3, webhooks=[notice(204)]),
}


@pytest.mark.parametrize("difference", BAD)
def test_every_difference_is_named(difference: str) -> None:
    assert difference in BAD[difference].differences()


def test_one_is_settled_once_its_notices_are_sent_or_had_their_time() -> None:
    ended = DONE["ended_at"]
    unsent = outcome({**DONE, "notices_pending": True})
    assert (unsent.ended, unsent.settled(ended + timedelta(seconds=5))) == (True, False)
    assert unsent.settled(ended + timedelta(seconds=61))
    assert outcome(DONE).settled(ended)
    assert not outcome({"status": "SCHEDULED"}).settled(ended + timedelta(hours=1))


def test_the_final_table_says_all_of_it() -> None:
    text = drawn(final_table([*GOOD.values(), BAD["made anew"]]))
    for shown in (
        "CSV, gzip", "1.2 kB", "5.0 MB", "2.0", "ERROR invalid_export_format", "webhook ✔", "mail", "yes",
        "m and 2 parts", "✘ made anew",
    ):  # fmt: skip
        assert shown in text
    assert count_line([*GOOD.values(), BAD["made anew"]]) == "7 of 8 entity exports as expected"


def test_a_webhook_is_told_with_what_its_signature_is_worth() -> None:
    bad, good, mails = notice_lines([GOOD["with a webhook"], GOOD["with a mail"]])
    assert bad == "Webhook at 10:00:00 UTC with a signature that does NOT hold: export.done of exp_1 (msg_1)"
    assert good == "Webhook at 10:00:00 UTC with a valid signature: export.done of exp_1 (msg_1)"
    assert mails.startswith("1 mails")


def test_the_live_table_shows_what_is_worked_on_and_counts_the_others() -> None:
    working = outcome({"status": "IN_PROGRESS", "progress": 500, "total": 10_000})
    waiting = outcome({"status": "SCHEDULED"}, queued=False)
    table = live_table([GOOD["done"], GOOD["refused"], working, waiting, waiting])
    assert list(table.columns[2].cells) == ["500 of 10,000", ""]
    assert list(table.columns[1].cells)[-1] == "1 DONE, 1 ERROR, 2 waiting"
    assert (working.rows, waiting.rows, waiting.seconds) == (500, None, None)


def test_facts_for_json() -> None:
    facts = GOOD["with a webhook"].facts()
    assert (facts["rows"], facts["seconds"], facts["cached_from"]) == (3, 2.0, None)
    assert [each["verified"] for each in facts["webhooks"]] == [False, True]
    assert GOOD["refused"].facts()["rows"] is None
