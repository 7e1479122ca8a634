"""What a filter finds is what the file shows: for every kind of field and every way in which a value may be stored."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from bson import Decimal128, Int64, ObjectId
from pymongo.database import Database

from cdp_pipelines.domain.contact_export.fields import Column, FieldProperty
from cdp_pipelines.domain.contact_export.filter_fields import filter_fields
from cdp_pipelines.domain.contact_export.filters import parse_filter
from cdp_pipelines.domain.contact_export.request import Selection
from cdp_pipelines.domain.contact_export.values import csv_renderer
from cdp_pipelines.domain.values.instants import read_instant
from cdp_pipelines.stores.contacts import ContactReader

Db = Database[dict[str, Any]]
MINE = "company-a"
JAKARTA = ZoneInfo("Asia/Jakarta")
MIDNIGHT = datetime(1990, 1, 15, tzinfo=UTC)
NOON = datetime(2024, 5, 1, 3, 0, 0, 500_000, tzinfo=UTC)

# Field type, number type, and values as they may be stored, no two of which read alike in a file.
STORED: list[tuple[str, str, list[Any]]] = [
    ("date", "", [MIDNIGHT, "1990-01-16", "1990-01-17T23:30:00+07:00", "1990-01-18 10:00", "unknown", "1990-02-30"]),
    ("datetime", "", [NOON, "2024-05-02T10:00:00+07:00", "2024-05-03 10:00:00Z", "2024-05-04T10:00:00", "soon"]),
    ("number", "number", [5, 6.5, Int64(7), Decimal128("8.10"), "9.50", 0.1, -3, "1,000", float("nan"), 2**53]),
    ("number", "percentage", [12.5, 7, Decimal128("8.25"), "9.75", "n/a"]),
    ("number", "currency", [1_000_000, 2500.75, Decimal128("3000.10"), "4000", "free"]),
    ("single_line_text", "", ["Ann", 5, 2.5, True, NOON, ObjectId("65f0c0ffee0000000000abcd"), "1990-01-15", "x;y"]),
    ("text_area", "", ["one\ntwo", 7]),
    ("phone", "", ["0812", 62812, Int64(628123456789)]),
    ("bool", "", [True, False, "yes"]),
    ("multiple_select", "", [["a", "b"], ["c"], "d", []]),
    ("gps", "", ["-6.2,106.8", {"lat": 1.5, "lng": 2}, {"latitude": "3", "longitude": 4.25}, [5, 6.5]]),
]


def prop(field_type: str, number_type: str, *, is_default: bool) -> FieldProperty:
    return FieldProperty("f", "F", field_type, number_type=number_type, is_default=is_default)


def contact(number: int, value: Any, *, is_default: bool) -> dict[str, Any]:
    holding = {"f": value} if is_default else {"custom_fields": [{"key": "f", "value": value, "currency_code": "IDR"}]}
    return {"_id": ObjectId(f"{number:024x}"), "company_sso_id": MINE, **holding}


def found(database: Db, field: FieldProperty, op: str, value: Any, zone: ZoneInfo = JAKARTA) -> set[int]:
    raw = {"field": field.name, "op": op, "value": value}
    node = parse_filter(raw, filter_fields([field]), read_instant=lambda text: read_instant(text, zone))
    batches = ContactReader(database, MINE).batches(Selection(mode="filter", filter=node), ["f"])
    return {int(str(each["_id"]), 16) for batch in batches for each in batch.contacts}


@pytest.mark.parametrize("is_default", [True, False], ids=["default", "custom"])
@pytest.mark.parametrize(("field_type", "number_type", "values"), STORED, ids=lambda case: str(case)[:16])
def test_a_filter_for_what_the_cell_shows_finds_its_row_alone(
    mongo_db: Db, field_type: str, number_type: str, values: list[Any], is_default: bool
) -> None:
    field = prop(field_type, number_type, is_default=is_default)
    contacts = [contact(n, value, is_default=is_default) for n, value in enumerate(values, start=1)]
    mongo_db["contacts"].insert_many([*contacts, {"_id": ObjectId(f"{99:024x}"), "company_sso_id": MINE}])
    everyone = {*range(1, len(values) + 1), 99}
    render = csv_renderer([Column(field, "F")], JAKARTA)

    for number, stored in enumerate(mongo_db["contacts"].find({"_id": {"$ne": ObjectId(f"{99:024x}")}}), start=1):
        [cell] = render(stored)
        untidy = is_default and field_type in {"date", "datetime"} and cell in {"unknown", "1990-02-30", "soon"}
        if untidy or cell in {"2024-05-04T10:00:00"}:
            continue  # A default field of dates is asked for dates only.
        assert found(mongo_db, field, "eq", cell) == {number}, (cell, values[number - 1])
        assert found(mongo_db, field, "ne", cell) == everyone - {number}
        assert found(mongo_db, field, "in", [cell, "nothing else"] if not is_default else [cell]) == {number}
        assert found(mongo_db, field, "nin", [cell, None]) == everyone - {number, 99}
    assert found(mongo_db, field, "eq", None) == {99}
    assert found(mongo_db, field, "exists", True) == everyone - {99}


@pytest.mark.parametrize("is_default", [True, False], ids=["default", "custom"])
@pytest.mark.parametrize("zone", [JAKARTA, ZoneInfo("America/New_York"), ZoneInfo("UTC")], ids=str)
def test_birthdays_are_days_in_every_zone(mongo_db: Db, zone: ZoneInfo, is_default: bool) -> None:
    field = prop("date", "", is_default=is_default)
    stored = [datetime(1990, 1, 14, tzinfo=UTC), MIDNIGHT, "1990-01-15", "1990-01-15T23:00:00-05:00", "1990-01-16", "?"]
    mongo_db["contacts"].insert_many(contact(n, value, is_default=is_default) for n, value in enumerate(stored))

    expected = {
        "eq": {1, 2, 3}, "ne": {0, 4, 5}, "gt": {4}, "gte": {1, 2, 3, 4}, "lt": {0}, "lte": {0, 1, 2, 3},
    }  # fmt: skip
    for asked in ("1990-01-15", "1990-01-15T20:00:00+07:00", MIDNIGHT, datetime(1990, 1, 15)):  # noqa: DTZ001
        assert {op: found(mongo_db, field, op, asked, zone) for op in expected} == expected
    assert found(mongo_db, field, "in", ["1990-01-14", "1990-01-16"], zone) == {0, 4}
    assert found(mongo_db, field, "nin", ["1990-01-14", "1990-01-16"], zone) == {1, 2, 3, 5}
    assert found(mongo_db, field, "lte", "9999-12-31", zone) == {0, 1, 2, 3, 4}
    assert found(mongo_db, field, "gte", "0001-01-01", zone) == {0, 1, 2, 3, 4}
    assert found(mongo_db, field, "gt", "9999-12-31", zone) == set()


@pytest.mark.parametrize("name", ["updated_at", "created_at", "f"])
def test_a_plain_date_is_a_whole_day_of_instants_in_the_zone(mongo_db: Db, name: str) -> None:
    field = replace(prop("datetime", "", is_default=True), name=name)
    instants = [
        datetime(2024, 5, 31, 16, 59, 59, 999_000, tzinfo=UTC), datetime(2024, 5, 31, 17, tzinfo=UTC),
        datetime(2024, 6, 1, 16, 59, 59, 999_000, tzinfo=UTC), datetime(2024, 6, 1, 17, tzinfo=UTC),
    ]  # fmt: skip
    mongo_db["contacts"].insert_many(
        {"_id": ObjectId(f"{n:024x}"), "company_sso_id": MINE, name: at} for n, at in enumerate(instants)
    )
    expected = {"eq": {1, 2}, "ne": {0, 3}, "gt": {3}, "gte": {1, 2, 3}, "lt": {0}, "lte": {0, 1, 2}}

    assert {op: found(mongo_db, field, op, "2024-06-01") for op in expected} == expected
    assert found(mongo_db, field, "in", ["2024-06-01", "2024-06-02"]) == {1, 2, 3}
    assert found(mongo_db, field, "nin", ["2024-06-01", "2024-06-02"]) == {0}
    assert found(mongo_db, field, "in", ["2024-06-01T00:00:00+07:00", None]) == {1}
    assert found(mongo_db, field, "lte", "9999-12-31") == {0, 1, 2, 3}


@pytest.mark.parametrize("is_default", [True, False], ids=["default", "custom"])
def test_instants_held_as_text_are_compared_as_instants(mongo_db: Db, is_default: bool) -> None:
    field = prop("datetime", "", is_default=is_default)
    stored = [NOON, "2024-05-01T23:30:00+07:00", "2024-05-02 00:00:00+0700", "2024-05-02T03:00:00Z", "later"]
    mongo_db["contacts"].insert_many(contact(n, value, is_default=is_default) for n, value in enumerate(stored))

    expected = {"eq": {0, 1}, "gt": {2, 3}, "gte": {0, 1, 2, 3}, "lt": set[int](), "lte": {0, 1}, "ne": {2, 3, 4}}
    assert {op: found(mongo_db, field, op, "2024-05-01") for op in expected} == expected
    assert found(mongo_db, field, "eq", "2024-05-01T16:30:00Z") == {1}


@pytest.mark.parametrize("is_default", [True, False], ids=["default", "custom"])
@pytest.mark.parametrize("number_type", ["number", "percentage", "currency"])
def test_numbers_are_numbers_however_they_are_stored(mongo_db: Db, number_type: str, is_default: bool) -> None:
    field = prop("number", number_type, is_default=is_default)
    stored = [0.1, Decimal128("0.10"), "0.1", "-5", 9, "10.0", Int64(10), "1e3", float("nan"), True, "a"]
    mongo_db["contacts"].insert_many(contact(n, value, is_default=is_default) for n, value in enumerate(stored))

    for asked in (0.1, "0.1", "0.100"):
        assert found(mongo_db, field, "eq", asked) == {0, 1, 2}
        assert found(mongo_db, field, "lt", asked) == {3}
        assert found(mongo_db, field, "lte", asked) == {0, 1, 2, 3}
        assert found(mongo_db, field, "gt", asked) == {4, 5, 6}
        assert found(mongo_db, field, "gte", asked) == {0, 1, 2, 4, 5, 6}
    assert found(mongo_db, field, "eq", 10) == found(mongo_db, field, "in", ["10"]) == {5, 6}
    assert found(mongo_db, field, "ne", "10.00") == {0, 1, 2, 3, 4, 7, 8, 9, 10}
    assert found(mongo_db, field, "gt", 9.5) == {5, 6}
    assert found(mongo_db, field, "lt", 2**70) == {0, 1, 2, 3, 4, 5, 6}
    assert found(mongo_db, field, "eq", 2**70) == set()


def test_money_is_found_as_its_cell_shows_it(mongo_db: Db) -> None:
    field = prop("number", "currency", is_default=False)
    mongo_db["contacts"].insert_many(contact(n, 1_000, is_default=False) for n in range(2))
    mongo_db["contacts"].update_one({"_id": ObjectId(f"{1:024x}")}, {"$set": {"custom_fields.0.currency_code": "USD"}})

    assert found(mongo_db, field, "eq", "IDR 1,000") == found(mongo_db, field, "ne", "USD 1,000") == {0}
    assert found(mongo_db, field, "eq", "1,000") == found(mongo_db, field, "eq", 1000) == {0, 1}


def test_a_filter_on_an_indexed_date_reads_the_index(migrated_db: Db) -> None:
    migrated_db["contacts"].insert_many(
        {"company_sso_id": MINE, "updated_at": NOON + timedelta(days=n), "created_at": NOON} for n in range(300)
    )
    reader = ContactReader(migrated_db, MINE)
    for op, value in (("eq", "2024-06-01"), ("lte", "2024-06-01"), ("in", ["2024-06-01T03:00:00.5Z"])):
        raw = {"field": "updated_at", "op": op, "value": value}
        node = parse_filter(raw, filter_fields([]), read_instant=lambda text: read_instant(text, JAKARTA))
        plan = migrated_db["contacts"].find(reader.query(Selection(mode="filter", filter=node))).explain()
        if plan.get("serverInfo", {}).get("host") == "secantus":
            pytest.skip("the embedded server does not say which index it reads")
        assert "idx_company_updated_at" in str(plan["queryPlanner"]["winningPlan"]), (op, plan)
