from datetime import UTC, datetime
from typing import Any

import pytest
from bson import ObjectId
from pymongo.database import Database

from cdp_pipelines.domain.contact_export.filters import Condition, FilterNode, Group
from cdp_pipelines.domain.contact_export.period import Period
from cdp_pipelines.domain.contact_export.request import Selection
from cdp_pipelines.stores.contacts import ContactReader

Db = Database[dict[str, Any]]
MINE, OTHER = "company-a", "company-b"


def oid(number: int) -> ObjectId:
    return ObjectId(f"{number:024x}")


def day(number: int) -> datetime:
    return datetime(2024, 5, number, tzinfo=UTC)


@pytest.fixture
def reader(mongo_db: Db) -> ContactReader:
    bogor, nowhere = {"key": "city", "value": "Bogor"}, {"key": "city", "value": None}
    contacts: list[dict[str, Any]] = [
        {"name": "Ann", "source": "web", "custom_fields": [bogor, {"key": "age", "value": 30}]},
        {"name": "ben (x)", "source": "email", "custom_fields": [nowhere, {"key": "age", "value": 40}]},
        {"name": None, "custom_fields": None},
        {"name": "Åsa", "source": "web", "custom_fields": [{"key": "age", "value": "40"}, {**bogor, "key": "nick"}]},
    ]
    created = [day(1), day(1), day(2), day(3)]
    mongo_db["contacts"].insert_many(
        {"_id": oid(n), "company_sso_id": MINE, "updated_at": day(n), "created_at": created[n - 1], **contact}
        for n, contact in enumerate(contacts, start=1)
    )
    foreign = {"_id": oid(5), "company_sso_id": OTHER, "name": "Ann", "source": "web", "custom_fields": [bogor]}
    mongo_db["contacts"].insert_one({**foreign, "updated_at": day(2), "created_at": day(9)})
    return ContactReader(mongo_db, MINE)


def found(reader: ContactReader, selection: Selection) -> list[int]:
    return [int(str(c["_id"]), 16) for batch in reader.batches(selection, ["name"]) for c in batch.contacts]


def by_filter(node: FilterNode) -> Selection:
    return Selection(mode="filter", filter=node, order_by="name", descending=False)


def custom(field: str, op: Any, value: Any) -> Condition:
    return Condition(field, op, value, custom=True)


def top(field: str, op: Any, value: Any) -> Condition:
    return Condition(field, op, value, custom=False)


@pytest.mark.parametrize(
    ("node", "expected"),
    [
        (top("name", "eq", "Ann"), {1}),
        (top("name", "ne", "Ann"), {2, 3, 4}),
        (top("name", "in", ("Ann", "Åsa")), {1, 4}),
        (top("name", "nin", ("Ann", "Åsa")), {2, 3}),
        (top("updated_at", "gt", day(2)), {3, 4}),
        (top("updated_at", "gte", day(2)), {2, 3, 4}),
        (top("updated_at", "lt", day(2)), {1}),
        (top("updated_at", "lte", day(2)), {1, 2}),
        (top("name", "contains", "N"), {1, 2}),
        (top("name", "contains", "(x)"), {2}),
        (top("name", "contains", ".*"), set()),
        (top("name", "starts_with", "a"), {1}),
        (top("name", "exists", True), {1, 2, 4}),
        (top("name", "exists", False), {3}),
        (top("source", "exists", False), {3}),
        (custom("city", "eq", "Bogor"), {1}),
        (custom("city", "ne", "Bogor"), {2, 3, 4}),
        (custom("age", "in", (30, "40")), {1, 4}),
        (custom("age", "nin", (30, "40")), {2, 3}),
        (custom("age", "gt", 30), {2}),
        (custom("age", "gte", 30), {1, 2}),
        (custom("age", "lt", 40), {1}),
        (custom("city", "contains", "OGO"), {1}),
        (custom("city", "starts_with", "bo"), {1}),
        (custom("city", "exists", True), {1}),
        (custom("city", "exists", False), {2, 3, 4}),
        (Group("or", (top("name", "eq", "Ann"), custom("age", "eq", 40))), {1, 2}),
        (Group("and", (top("source", "eq", "web"), Group("or", (custom("age", "eq", "40"),)))), {4}),
    ],
)
def test_each_operator_on_default_and_custom_fields(
    reader: ContactReader, node: FilterNode, expected: set[int]
) -> None:
    selection = by_filter(node)
    assert set(found(reader, selection)) == expected
    assert reader.count(selection) == len(expected)


def test_period_includes_its_start_and_not_its_end(reader: ContactReader) -> None:
    assert set(found(reader, Selection(mode="filter", period=Period(day(2), day(4))))) == {2, 3}
    assert set(found(reader, Selection(mode="filter", period=Period(None, day(2))))) == {1}
    assert set(found(reader, Selection(mode="filter", period=Period(day(3), None)))) == {3, 4}


def test_sources(reader: ContactReader) -> None:
    assert set(found(reader, Selection(mode="filter", sources=("web", "nowhere")))) == {1, 4}
    assert reader.known_sources(["web", "email", "nowhere"]) == {"web", "email"}


def test_equal_sort_values_come_in_the_order_of_ids(reader: ContactReader) -> None:
    assert found(reader, Selection(mode="first_10k_sorted")) == [4, 3, 1, 2]
    assert found(reader, Selection(mode="first_10k_sorted", descending=False)) == [1, 2, 3, 4]


def test_sorting_by_a_custom_field(reader: ContactReader) -> None:
    selection = Selection(mode="first_10k_sorted", order_by="age", order_by_custom=True, descending=False)
    assert found(reader, selection) == [3, 1, 2, 4]


def test_ids_keep_the_order_asked_and_foreign_ones_are_missing(reader: ContactReader) -> None:
    ids = tuple(str(oid(n)) for n in (4, 5, 1, 99, 2))
    batches = list(reader.batches(Selection(mode="contact_ids", contact_ids=ids), ["name"]))
    assert [int(str(c["_id"]), 16) for b in batches for c in b.contacts] == [4, 1, 2]
    assert [value for b in batches for value in b.missing] == [str(oid(5)), str(oid(99))]


def test_only_the_fields_asked_leave_the_server(reader: ContactReader) -> None:
    (batch,) = reader.batches(Selection(mode="contact_ids", contact_ids=(str(oid(1)),)), ["name"])
    assert batch.contacts == [{"_id": oid(1), "name": "Ann"}]


def test_batches_are_bounded_and_nothing_is_lost_between_them(mongo_db: Db) -> None:
    mongo_db["contacts"].insert_many(
        [{"_id": oid(n), "company_sso_id": MINE, "created_at": day(1 + n % 3), "n": n} for n in range(1, 1102)]
    )
    reader = ContactReader(mongo_db, MINE)
    batches = list(reader.batches(Selection(mode="first_10k_sorted"), ["n"]))
    assert [len(batch.contacts) for batch in batches] == [500, 500, 101]
    expected = sorted(range(1, 1102), key=lambda n: (-(1 + n % 3), n))
    assert [c["n"] for batch in batches for c in batch.contacts] == expected
