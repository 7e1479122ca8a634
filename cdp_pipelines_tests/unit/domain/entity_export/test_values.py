"""Cells of rows by kind and format; where values are found; nothing lost or rounded."""

import base64
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any, get_args
from zoneinfo import ZoneInfo

import pytest

from cdp_pipelines.domain.cells import StyledCell
from cdp_pipelines.domain.entity_export.catalogue import ENTITIES
from cdp_pipelines.domain.entity_export.delivery import FileFormat
from cdp_pipelines.domain.entity_export.entities import Field, FieldKind
from cdp_pipelines.domain.entity_export.values import EntityRenderer, brought_names, sheet_columns, stored_paths
from cdp_pipelines.domain.formula_guard import guard_text
from cdp_pipelines_tests.unit.corpora import load_corpus

UTC_ZONE, JAKARTA = ZoneInfo("UTC"), ZoneInfo("Asia/Jakarta")
AT = datetime(2024, 5, 1, 3)  # noqa: DTZ001 - as the driver gives it, naive in UTC


def cells(document: dict[str, Any], *fields: Field, file_format: FileFormat = "CSV", zone: ZoneInfo = JAKARTA) -> list:
    return [column[0] for column in EntityRenderer(fields, file_format, zone).columns([document])]


def named(entity: str, *names: str) -> list[Field]:
    found = [ENTITIES[entity].field_named(name) for name in names]
    assert None not in found
    return [field for field in found if field is not None]


VOUCHER = {
    "id": "v_1",
    "code": "=BLACK",
    "type": "DISCOUNT_VOUCHER",
    "discount": {"type": "AMOUNT", "amount_off": 1050, "amount_limit": 5, "effect": "APPLY_TO_ORDER", "unit_type": "p"},
    "redemption": {"quantity": 5, "redeemed_quantity": 2},
    "validity_timeframe": {"interval": "P2D", "duration": "P1D"},
    "validity_day_of_week": [0, 5],
    "assets": {"qr": {"url": "https://q"}, "bar": {"url": "https://b"}},
    "active": True,
    "is_referral_code": False,
    "start_date": AT,
    "holder_id": "cust_1",
    "metadata": {"tier": "gold", "deep": {"a": 1}, "a.b": "dotted", "n": 0, "list": [1, None]},
}


def test_every_field_of_a_voucher_finds_its_place() -> None:
    expected = {
        "id": "v_1", "code": "'=BLACK", "voucher_type": "DISCOUNT_VOUCHER", "value": "1050", "discount_type": "AMOUNT",
        "discount_amount_limit": "5", "discount_effect": "APPLY_TO_ORDER", "discount_unit_type": "p",
        "discount_unit_effect": "APPLY_TO_ORDER", "redemption_quantity": "5", "redemption_count": "2",
        "validity_timeframe_interval": "P2D", "validity_timeframe_duration": "P1D", "validity_day_of_week": "[0,5]",
        "qr_code": "https://q", "bar_code": "https://b", "active": "true", "is_referral_code": "false",
        "start_date": "2024-05-01T10:00:00+07:00", "customer_id": "cust_1", "expiration_date": "",
        "metadata.tier": "gold", "metadata.deep": '{"a":1}', "metadata.deep.a": "1", "metadata.a.b": "dotted",
        "metadata.n": "0", "metadata.none": "", "gift_balance": "", "campaign": "",
    }  # fmt: skip
    assert dict(zip(expected, cells(VOUCHER, *named("voucher", *expected)), strict=True)) == expected


@pytest.mark.parametrize(
    ("part", "value"),
    [
        ({"discount": {"type": "PERCENT", "percent_off": 12.5}}, "12.5"),
        ({"discount": {"type": "UNIT", "unit_off": 3}}, "3"),
        ({"discount": {"type": "FIXED", "fixed_amount": 0}}, "0"),
        ({"gift": {"amount": 10_000, "balance": 1}}, "10000"),
        ({"loyalty_card": {"points": 77}}, "77"),
        ({"value": 1, "gift": {"amount": 2}}, "1"),
        ({"discount": None}, ""),
        ({"discount": "text"}, ""),
    ],
)
def test_what_a_voucher_is_worth(part: dict[str, Any], value: str) -> None:
    assert cells(part, *named("voucher", "value")) == [value]


def test_what_joins_and_aggregates_brought() -> None:
    row = {"customer_id": "c", "@": {"customer": {"source_id": "s-1", "name": "Ani"}}}
    fields = named("redemption", "customer_source_id", "customer_name")
    assert cells(row, *fields) == ["s-1", "Ani"]
    assert cells({**row, "customer_name": "own"}, *fields) == ["s-1", "own"]
    assert brought_names(fields) == {"customer"}
    assert "@" not in "".join(stored_paths(fields))


def test_a_computed_figure_is_never_taken_from_the_document() -> None:
    (field,) = named("customer", "orders_total_amount")
    assert cells({"orders_total_amount": 5, "@": {"orders": {"total_amount": 7}}}, field) == ["7"]
    assert stored_paths([field]) == ()


NUMBERS = [
    (0, "0", 0),
    (-5, "-5", -5),
    (198, "198", 198),
    (2**53 + 1, str(2**53 + 1), 2**53 + 1),
    (2**63 - 1, str(2**63 - 1), 2**63 - 1),
    (12.5, "12.5", 12.5),
    (1e21, "1000000000000000000000", 1e21),
    (float("nan"), "NaN", "NaN"),
    ("12", "12", "12"),
    (Decimal("1.10"), "1.1", 1.1),
    (Decimal("0.1000000000000000000001"), "0.1000000000000000000001", "0.1000000000000000000001"),
    (True, "true", True),
]


@pytest.mark.parametrize(("stored", "csv", "native"), NUMBERS, ids=[str(i) for i in range(len(NUMBERS))])
def test_numbers_are_never_rounded(stored: Any, csv: str, native: Any) -> None:
    field = Field("n", "number")
    assert [text.lower() for text in cells({"n": stored}, field)] == [csv.lower()]
    assert cells({"n": stored}, field, file_format="JSON") == [native]


def test_instants_and_days() -> None:
    row = {"at": AT, "ms": AT + timedelta(milliseconds=5), "day": "1990-05-01", "born": datetime(1990, 5, 1)}  # noqa: DTZ001
    fields = [Field("at", "instant"), Field("ms", "instant"), Field("day", "day"), Field("born", "day")]
    texts = ["2024-05-01T10:00:00+07:00", "2024-05-01T10:00:00.005+07:00", "1990-05-01", "1990-05-01"]
    assert cells(row, *fields) == texts
    assert cells(row, *fields, file_format="NDJSON") == texts
    assert cells(row, fields[0], zone=UTC_ZONE) == ["2024-05-01T03:00:00+00:00"]
    sheet = cells(row, *fields, file_format="XLSX")
    local = AT + timedelta(hours=7)
    day = date(1990, 5, 1)
    assert [cell.value for cell in sheet] == [local, local + timedelta(milliseconds=5), day, day]


def test_json_keeps_kinds() -> None:
    row = {"b": True, "t": "=1+1", "l": [1, "a", None], "o": {"at": AT, "d": Decimal("2"), "x": b"\xff"}, "n": None}
    fields = [Field("b", "boolean"), Field("t"), Field("l", "json"), Field("o", "json"), Field("n"), Field("gone")]
    assert cells(row, *fields, file_format="JSON") == [
        True,
        "=1+1",
        [1, "a", None],
        {"at": "2024-05-01T10:00:00+07:00", "d": 2, "x": base64.b64encode(b"\xff").decode()},
        None,
        None,
    ]


def test_numbers_in_metadata_are_numeric_cells_of_a_sheet_and_texts_stay_texts() -> None:
    row = {"metadata": {"n": 5, "t": "5", "b": True, "f": "=1"}}
    fields = named("order", "metadata.n", "metadata.t", "metadata.b", "metadata.f")
    got = [cell.value if isinstance(cell, StyledCell) else cell for cell in cells(row, *fields, file_format="XLSX")]
    assert got == [5, "5", "true", "'=1"]


def test_nesting_without_end_is_cut_to_text() -> None:
    deep: Any = "bottom"
    for _ in range(500):
        deep = [deep]
    (cell,) = cells({"x": deep}, Field("x", "json"), file_format="JSON")
    assert isinstance(cell, list)


@pytest.mark.parametrize("row", load_corpus("formula.json"))
def test_the_formula_corpus_in_every_kind_of_field(row: dict[str, Any]) -> None:
    fields = [Field("x", kind) for kind in get_args(FieldKind)]
    for file_format, guarded in (("CSV", "csv"), ("XLSX", "xlsx")):
        for cell in cells({"x": row["value"]}, *fields, file_format=file_format):  # type: ignore[arg-type]
            content = cell.value if isinstance(cell, StyledCell) else cell
            if isinstance(content, str):
                # What is still text must be what the guard makes of it, or be harmless to it.
                assert content == guard_text(row["value"], guarded) or content == guard_text(content, guarded)


def test_headers_are_guarded() -> None:
    (column,) = sheet_columns([Field("metadata.=cmd|calc", "any")], "CSV")
    assert column.header == "metadata.=cmd|calc"
    (column,) = sheet_columns([Field("=x")], "XLSX")
    assert column.header == "'=x"


def test_aware_datetimes_are_the_same_instant() -> None:
    assert cells({"at": AT.replace(tzinfo=UTC)}, Field("at", "instant")) == ["2024-05-01T10:00:00+07:00"]
