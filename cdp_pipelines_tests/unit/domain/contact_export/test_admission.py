from datetime import UTC, datetime
from typing import Any

import pytest
from bson import ObjectId

from cdp_pipelines.domain.admission import Admitted, Rejected
from cdp_pipelines.domain.companies import Company
from cdp_pipelines.domain.contact_export.admission import admit
from cdp_pipelines.domain.contact_export.request import ExportRequest
from cdp_pipelines_tests.unit.domain.contact_export.requests import COMPANY, CONTACT, good_facts, good_request


def admitted(**changes: Any) -> ExportRequest:
    answer = admit(good_request(**changes), good_facts())
    assert isinstance(answer, Admitted), answer
    return answer.request


def rejected(facts: Any = None, **changes: Any) -> Rejected:
    answer = admit(good_request(**changes), facts or good_facts())
    assert isinstance(answer, Rejected), answer
    return answer


def too_many() -> list[str]:
    return [f"{i:024x}" for i in range(10_001)]


FLAG_OFF = good_facts(company=Company(COMPANY, 7, "Demo", {}))
FLAG_TRUTHY = good_facts(company=Company(COMPANY, 7, "Demo", {"cdp_export_customer_enabled": "yes"}))
NO_SLOT = good_facts(rate_slot_free=False, retry_after_seconds=17)

TABLE = [
    ("FLAG_DISABLED", 403, FLAG_OFF, {}),
    ("FLAG_DISABLED", 403, FLAG_TRUTHY, {}),
    ("FLAG_DISABLED", 403, good_facts(company=None), {}),
    ("FLAG_DISABLED", 403, good_facts(company=None), {"company_sso_id": ...}),
    ("FLAG_DISABLED", 403, good_facts(company=None), {"company_sso_id": {"$ne": ""}}),
    ("FORBIDDEN", 403, None, {"permissions": []}),
    ("FORBIDDEN", 403, None, {"permissions": None}),
    ("FORBIDDEN", 403, None, {"permissions": "customers_customers_export"}),
    ("FORBIDDEN", 403, None, {"permissions": {"customers_customers_export": True}}),
    ("EXPORT_REQUEST_INVALID", 422, None, {"contact_ids": ["nonsense"]}),
    ("EXPORT_REQUEST_INVALID", 422, None, {"contact_ids": [CONTACT, 5]}),
    ("EXPORT_REQUEST_INVALID", 422, None, {"contact_ids": {"$in": []}}),
    ("EXPORT_REQUEST_INVALID", 422, None, {"contact_ids": CONTACT}),
    ("EXPORT_REQUEST_INVALID", 422, None, {"selection_mode": "contact_ids", "contact_ids": []}),
    ("EXPORT_REQUEST_INVALID", 422, None, {"selection_mode": "first_10k_sorted"}),
    ("EXPORT_REQUEST_INVALID", 422, None, {"selection_mode": "filter"}),
    ("EXPORT_REQUEST_INVALID", 422, None, {"selected_fields": "name"}),
    ("EXPORT_REQUEST_INVALID", 422, None, {"selected_fields": [1]}),
    ("EXPORT_REQUEST_INVALID", 422, None, {"job_id": ...}),
    ("EXPORT_REQUEST_INVALID", 422, None, {"job_id": "42"}),
    ("EXPORT_REQUEST_INVALID", 422, None, {"email": ...}),
    ("EXPORT_REQUEST_INVALID", 422, None, {"email": "nobody"}),
    ("EXPORT_REQUEST_INVALID", 422, None, {"email": "a@b.example\r\nBcc: c@d.example"}),
    ("EXPORT_REQUEST_INVALID", 422, None, {"email": "a@b.example, c@d.example"}),
    ("EXPORT_REQUEST_INVALID", 422, None, {"user_sso_id": ...}),
    ("EXPORT_REQUEST_INVALID", 422, None, {"layout_id": {"$gt": ""}}),
    ("EXPORT_REQUEST_INVALID", 422, None, {"source": "web"}),
    ("EXPORT_REQUEST_INVALID", 422, None, {"source": [{"$ne": None}]}),
    ("EXPORT_REQUEST_INVALID", 422, None, {"period": "2024"}),
    ("EXPORT_REQUEST_INVALID", 422, None, {"period": {"start_date": "yesterday"}}),
    ("EXPORT_REQUEST_INVALID", 422, None, {"period": {"start_date": "2024-02-30"}}),
    ("EXPORT_REQUEST_INVALID", 422, None, {"period": {"from": "2024-01-01"}}),
    ("EXPORT_REQUEST_INVALID", 422, None, {"period": {"start_date": "2024-02-02", "end_date": "2024-01-01"}}),
    ("EXPORT_REQUEST_INVALID", 422, None, {"order_by": "unknown"}),
    ("EXPORT_REQUEST_INVALID", 422, None, {"order_by": {"$natural": 1}}),
    ("EXPORT_REQUEST_INVALID", 422, None, {"order_direction": "up"}),
    ("EXPORT_REQUEST_INVALID", 422, None, {"filter": {"$where": "1"}}),
    ("EXPORT_REQUEST_INVALID", 422, None, {"locale": 5}),
    ("EXPORT_SELECTION_MODE_INVALID", 422, None, {"selection_mode": "everything"}),
    ("EXPORT_SELECTION_MODE_INVALID", 422, None, {"selection_mode": 7}),
    ("EXPORT_SELECTION_MODE_INVALID", 422, None, {"selection_mode": ["filter"]}),
    ("EXPORT_SELECTION_MODE_INVALID", 422, None, {"contact_ids": ...}),
    ("EXPORT_SELECTION_MODE_INVALID", 422, None, {"contact_ids": []}),
    ("EXPORT_LIMIT_EXCEEDED", 422, None, {"contact_ids": too_many()}),
    ("EXPORT_FORMAT_INVALID", 422, None, {"format": "pdf"}),
    ("EXPORT_FORMAT_INVALID", 422, None, {"format": ...}),
    ("EXPORT_FORMAT_INVALID", 422, None, {"format": 3}),
    ("EXPORT_RATE_LIMIT_EXCEEDED", 429, NO_SLOT, {}),
]


@pytest.mark.parametrize(("code", "status", "facts", "changes"), TABLE)
def test_every_row_of_the_admission_table(code: str, status: int, facts: Any, changes: dict[str, Any]) -> None:
    answer = rejected(facts, **changes)
    assert (answer.code, answer.http_status) == (code, status)
    assert answer.message.endswith(".")
    assert "@" not in answer.message


def test_the_first_failing_check_decides() -> None:
    everything_wrong = {
        "permissions": [],
        "contact_ids": ["x"],
        "selection_mode": "everything",
        "format": "pdf",
    }
    mended: dict[str, Any] = {}
    codes = [rejected(FLAG_OFF, **everything_wrong).code]
    for name in ("permissions", "contact_ids", "selection_mode", "format"):
        facts = good_facts(rate_slot_free=False)
        codes.append(rejected(facts, **{**everything_wrong, **mended}).code)
        mended[name] = {"permissions": ["customers_customers_export"], "format": "csv"}.get(name, ...)
        if name == "contact_ids":
            mended[name] = too_many()
        if name == "selection_mode":
            mended[name] = "contact_ids"
            codes.append(rejected(facts, **{**everything_wrong, **mended}).code)
            mended["contact_ids"] = [CONTACT]
    codes.append(rejected(good_facts(rate_slot_free=False), **{**everything_wrong, **mended}).code)
    assert codes == [
        "FLAG_DISABLED",
        "FORBIDDEN",
        "EXPORT_REQUEST_INVALID",
        "EXPORT_SELECTION_MODE_INVALID",
        "EXPORT_LIMIT_EXCEEDED",
        "EXPORT_FORMAT_INVALID",
        "EXPORT_RATE_LIMIT_EXCEEDED",
    ]


def test_all_mistakes_are_named_at_once() -> None:
    answer = rejected(email="x", job_id="y", order_direction="z", selected_fields=7)
    named = {problem["field"] for problem in answer.details["problems"]}
    assert named == {"email", "job_id", "order_direction", "selected_fields"}
    assert "and 1 more" in answer.message


def test_ids_are_distinct_in_the_order_asked_and_counted_once() -> None:
    ids = [f"{i:024X}" for i in range(10_000)]
    request = admitted(contact_ids=[*ids, *ids[:5]])
    assert request.selection.contact_ids == tuple(value.lower() for value in ids)


def test_an_object_id_is_an_id_too() -> None:
    assert admitted(contact_ids=[ObjectId(CONTACT)]).selection.contact_ids == (CONTACT,)


def test_rate_refusal_says_when_to_come_back() -> None:
    assert rejected(NO_SLOT).details == {"limit": 5, "window_seconds": 3600, "retry_after_seconds": 17}


def test_limit_refusal_counts_what_was_attempted() -> None:
    assert rejected(contact_ids=too_many()).details["attempted_count"] == 10_001


@pytest.mark.parametrize(("raw", "read"), [("xlsx", "xlsx"), ("XLSX", "xlsx"), ("Csv", "csv")])
def test_format_in_any_case(raw: str, read: str) -> None:
    assert admitted(format=raw).file_format == read


def test_defaults_of_a_criterion() -> None:
    request = admitted(contact_ids=..., selection_mode="first_10k_sorted", layout_id="", selected_fields=...)
    assert (request.selection.order_by, request.selection.descending) == ("created_at", True)
    assert request.layout_id is None
    assert request.selected_fields == ()


@pytest.mark.parametrize("zone", ["Asia/Jakarta", "America/New_York", "UTC"])
def test_a_period_may_reach_to_both_ends_of_the_calendar(zone: str) -> None:
    ends = {"start_date": "0001-01-01", "end_date": "9999-12-31"}
    panel = admitted(selection_mode="filter", contact_ids=..., timezone=zone, period=ends).selection

    assert panel.period is not None
    assert panel.period.start is not None
    assert panel.period.end is not None
    assert (panel.period.start.year, panel.period.end.year) == (1, 9999)


def test_period_and_source_belong_to_the_filter_mode() -> None:
    criterion: dict[str, Any] = {
        "contact_ids": ...,
        "period": {"start_date": "2024-05-01", "end_date": "2024-05-31"},
        "source": ["web", "email"],
    }
    panel = admitted(selection_mode="filter", **criterion).selection
    assert panel.period is not None
    assert panel.period.start == datetime(2024, 4, 30, 17, tzinfo=UTC)
    assert panel.period.end == datetime(2024, 5, 31, 17, tzinfo=UTC)
    assert panel.sources == ("web", "email")
    assert admitted(selection_mode="first_10k_sorted", **criterion).selection.period is None


def test_unknown_zone_is_a_warning_not_an_error() -> None:
    answer = admit(good_request(timezone="Mars/Olympus"), good_facts())
    assert isinstance(answer, Admitted)
    assert answer.request.zone.name == "Asia/Jakarta"
    assert len(answer.warnings) == 1
