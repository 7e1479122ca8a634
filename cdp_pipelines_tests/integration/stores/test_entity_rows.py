"""Rows of entity exports from real servers: filters, orders, joins, figures, and every row once while others write."""

import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, Self
from uuid import UUID

import pytest
from bson import Binary, Decimal128, Int64, MaxKey, MinKey, ObjectId, Timestamp
from pymongo import MongoClient, monitoring
from pymongo.database import Database
from pymongo.errors import NetworkTimeout

from cdp_pipelines.domain.entity_export.catalogue import ENTITIES
from cdp_pipelines.domain.entity_export.request import order_names, read_request
from cdp_pipelines.domain.entity_export.values import EntityRenderer
from cdp_pipelines.stores.entity_fingerprint import fingerprint
from cdp_pipelines.stores.entity_rows import COMPANY_ID_INDEX, EntityReader

Db = Database[dict[str, Any]]
NOW = datetime(2026, 11, 27, 4, 0, tzinfo=UTC)
START = datetime(2024, 1, 1, tzinfo=UTC)
MOST_WRITES = 200


@pytest.fixture
def db(migrated_db: Db) -> Db:
    return migrated_db


def reader(db: Db, entity: str, *, company: str = "acme", **parameters: Any) -> EntityReader:
    request = read_request(
        {"id": "exp_1", "company_sso_id": company, "exported_object": entity, "parameters": parameters,
         "created_at": NOW},
        webhook_problem=lambda _: None,
    )  # fmt: skip
    return EntityReader(db, request)


def rows(db: Db, entity: str, *fields: str, page_rows: int = 3, **parameters: Any) -> list[tuple[Any, ...]]:
    """The exported rows as JSON values."""
    asked = {**parameters, "fields": list(fields)}
    found = reader(db, entity, **asked)
    request = found._request
    renderer = EntityRenderer(request.fields, "JSON", request.zone)
    pages = [renderer.columns(page) for page in found.pages(page_rows)]
    assert all(len(page[0]) <= page_rows for page in pages)
    got = [row for page in pages for row in zip(*page, strict=True)]
    assert found.count() == len(got)
    return got


def ids(db: Db, entity: str, filters: dict[str, Any]) -> str:
    """The last letters of the ids of the rows that filters let through, sorted."""
    return "".join(sorted(str(row[0])[-1] for row in rows(db, entity, "id", filters=filters)))


VOUCHERS: list[dict[str, Any]] = [
    {"id": "v_a", "code": "ALPHA-1", "type": "GIFT_VOUCHER", "active": True, "campaign_id": "c_1", "holder_id": "k_1",
     "redemption": {"quantity": 5, "redeemed_quantity": 0}, "validity_day_of_week": [1, 2, 3],
     "metadata": {"tier": "gold", "n": 5, "since": "2024-05-01", "tags": ["x", "y"]},
     "created_at": START, "expiration_date": datetime(2026, 11, 26, 12, tzinfo=UTC)},
    {"id": "v_b", "code": "alpha-2", "voucher_type": "LOYALTY_CARD", "active": False, "campaign_id": "c_2",
     "category_id": "cat", "redemption": {"quantity": None, "redeemed_quantity": 7}, "validity_day_of_week": [],
     "metadata": {"tier": "silver", "n": 15, "since": datetime(2024, 6, 1, tzinfo=UTC)},
     "created_at": START + timedelta(days=1), "expiration_date": datetime(2026, 11, 28, 12, tzinfo=UTC)},
    {"id": "v_c", "code": "Beta.(1)", "type": "DISCOUNT_VOUCHER", "active": None, "customer_id": "k_2",
     "redemption": {"quantity": 1, "redeemed_quantity": 1}, "metadata": {"tier": None, "a.b": 1},
     "created_at": START + timedelta(days=2), "is_referral_code": True},
    {"id": "v_d", "code": "ALPHA-1", "metadata": {}, "created_at": START + timedelta(days=3, hours=5)},
]  # fmt: skip


@pytest.fixture
def vouchers(db: Db) -> Db:
    db["vouchers"].insert_many([{"company_sso_id": "acme", **voucher} for voucher in VOUCHERS])
    db["vouchers"].insert_many([{"company_sso_id": "other", **voucher} for voucher in VOUCHERS])
    db["publications"].insert_many(
        [
            {"company_sso_id": "acme", "voucher_code": "alpha-2", "customer_id": "k_9"},
            {"company_sso_id": "other", "voucher_code": "Beta.(1)", "customer_id": "k_9"},
        ]
    )
    return db


def test_each_operator_finds_its_rows(vouchers: Db) -> None:
    def found(name: str, operator: str, value: Any) -> str:
        return ids(vouchers, "voucher", {name: {"conditions": {operator: value}}})

    expected: list[tuple[Any, ...]] = [
        ("code", "$is", ["ALPHA-1"], "ad"),
        ("code", "$is_not", ["ALPHA-1"], "bc"),
        ("code", "$in", ["ALPHA-1", "alpha-2"], "abd"),
        ("code", "$not_in", ["ALPHA-1", "alpha-2"], "c"),
        ("code", "$contains", ["ALPHA"], "abd"),
        ("code", "$contains", [".(1"], "c"),
        ("code", "$not_contain", ["alpha"], "c"),
        ("code", "$starts_with", ["be"], "c"),
        ("code", "$ends_with", ["-1"], "ad"),
        # The first place that is not null counts: `voucher_type`, then `type`.
        ("voucher_type", "$is", ["LOYALTY_CARD"], "b"),
        ("voucher_type", "$in", ["LOYALTY_CARD", "GIFT_VOUCHER"], "ab"),
        ("voucher_type", "$is_not", ["LOYALTY_CARD"], "acd"),
        ("voucher_type", "$has_value", True, "abc"),
        ("voucher_type", "$is_unknown", True, "d"),
        ("active", "$is", [True], "a"),
        ("active", "$is_not", ["true"], "bcd"),
        ("active", "$has_value", "", "ab"),
        ("active", "$is_unknown", "", "cd"),
        ("redemption_count", "$more_than", [1], "b"),
        ("redemption_count", "$more_than_equal", ["1"], "bc"),
        ("redemption_count", "$less_than", [1], "a"),
        ("redemption_count", "$less_than_equal", [1], "ac"),
        ("redemption.quantity", "$is", [5], "a"),
        ("created_at", "$after", ["2024-01-02"], "cd"),
        ("created_at", "$before", ["2024-01-02"], "a"),
        ("created_at", "$is", ["2024-01-04"], "d"),
        ("created_date", "$more_than_equal", ["2024-01-02"], "bcd"),
        ("created_at", "$less_than_equal", ["2024-01-02T00:00:00Z"], "ab"),
        ("expiration_date", "$is_days_ago", [1], "a"),
        ("expiration_date", "$is_days_in_future", [1], "b"),
        ("expiration_date", "$more_than_ago", [0], "a"),
        ("expiration_date", "$less_than_ago", [1], "a"),
        ("expiration_date", "$less_than_future", [2], "b"),
        ("created_at", "$more_than_ago", [700], "abcd"),
        ("expiration_date", "$more_than_future", [1], "b"),
        ("validity_day_of_week", "$contains", [2], "a"),
        ("validity_day_of_week", "$count", [0], "bcd"),
        ("validity_day_of_week", "$count", [3], "a"),
        ("validity_day_of_week", "$count_more", [2], "a"),
        ("validity_day_of_week", "$count_less", [1], "bcd"),
        ("metadata.tier", "$is", ["gold"], "a"),
        ("metadata.tier", "$has_value", True, "ab"),
        ("metadata.n", "$more_than", [5], "b"),
        ("metadata.since", "$before", ["2024-06-01"], "a"),
        ("metadata.since", "$after", ["2024-04-30"], "ab"),
        ("metadata.tags", "$is", ["y"], "a"),
        ("holder_id", "$in", ["k_1", "k_2"], "ac"),
        ("is_referral_code", "$is", True, "c"),
        ("category_ids", "$in", ["cat"], "b"),
        ("vouchers", "$in", ["Beta.(1)"], "c"),
        ("published_for_customer_id", "$is", ["k_9"], "b"),
        ("published_for_customer_id", "$is_not", ["k_9"], "acd"),
    ]
    wrong = [(*case, got) for *case, want in expected if (got := found(*case)) != want]
    assert wrong == []


def test_junctions_campaigns_and_metadata_together(vouchers: Db) -> None:
    either = {"junction": "or", "metadata": {"tier": "silver"}, "active": True}
    assert ids(vouchers, "voucher", either) == "ab"
    assert ids(vouchers, "voucher", {**either, "junction": "and"}) == ""
    assert [row[0] for row in rows(vouchers, "voucher", "id", filters=either, campaign_ids=["c_2"])] == ["v_b"]
    related = {"junction": "or", "published_for_customer_id": "k_9", "code": "Beta.(1)"}
    assert ids(vouchers, "voucher", related) == "bc"


def test_no_filter_reaches_another_company(vouchers: Db) -> None:
    for filters in ({}, {"junction": "or", "code": "x", "active": {"conditions": {"$is_unknown": True}}}):
        found = reader(vouchers, "voucher", filters=filters, fields=["id"])
        assert {vouchers["vouchers"].find_one({"_id": d["_id"]}, {"company_sso_id": 1})["company_sso_id"]  # type: ignore[index]
                for page in found.pages(10) for d in page} == {"acme"}  # fmt: skip


@pytest.mark.parametrize("entity", list(ENTITIES))
def test_every_order_both_ways_over_equal_values_at_page_boundaries(db: Db, entity: str) -> None:
    """33 rows that are equal in everything but `_id`, and four that differ; pages of 11."""
    keys = order_names(ENTITIES[entity])
    described = {field.name: field for field in ENTITIES[entity].fields}

    def value(name: str, rank: int) -> Any:
        kind = described[name].kind if name in described else ("instant" if name.endswith("_at") else "text")
        if kind == "boolean":
            return rank > 1
        return {"instant": START + timedelta(days=rank), "number": rank, "day": f"2024-01-0{rank + 1}"}.get(
            kind, f"{'abcde'[rank]}"
        )

    ranks = [0, 1, *([2] * 33), 3, 4]
    documents = [
        {"_id": ObjectId(f"{i:024x}"), "company_sso_id": "acme", **{name: value(name, rank) for name in keys}}
        for i, rank in enumerate(ranks)
    ]
    db[ENTITIES[entity].collection].insert_many([documents[(i * 7) % 37] for i in range(37)])
    for key in keys:
        up = [d["_id"] for page in reader(db, entity, order=key).pages(11) for d in page]
        down = [d["_id"] for page in reader(db, entity, order=f"-{key}").pages(11) for d in page]
        same = [d["_id"] for d in documents]
        assert sorted(up) == sorted(down) == same, key
        if key in described and described[key].kind == "boolean":
            continue
        assert up == same, key
        assert down == [*same[:34:-1], *same[2:35], *same[1::-1]], key


def test_without_an_order_rows_come_by_id_and_nothing_found_is_nothing(db: Db) -> None:
    assert rows(db, "order", "id") == []
    db["orders"].insert_many([{"_id": n, "company_sso_id": "acme", "id": str(n)} for n in (3, 1, 2)])
    assert rows(db, "order", "id") == [("1",), ("2",), ("3",)]


IDS: list[list[Any]] = [
    # Binary ids of different lengths: the database orders them by length first, Python by their bytes.
    [b"\xff", b"\x00\x01\x02", b"\x80\x00"],
    [Binary(b"\xff\xff", 5), UUID(int=1), Binary(b"\xff", 128), b"\x00\x00\x00", Binary(bytes(16), 3)],
    [2, 1.5, Decimal128("1.75"), Int64(3), float("nan"), -0.5, 2**40],
    ["b", "B", "a\u0000c", "\U0001f600", "\uffff"],
    [None],
    [
        7, "7", None, {"a": 1}, {"a": {"b": 1}}, {}, b"7", UUID(int=7), ObjectId(f"{7:024x}"), True, False, START,
        Timestamp(7, 7), MinKey(), MaxKey(), Decimal128("7.5"),
    ],
]  # fmt: skip


@pytest.mark.parametrize("document_ids", IDS, ids=["binary", "subtypes", "numbers", "texts", "null", "mixed"])
def test_rows_of_whatever_ids_are_all_walked_a_row_at_a_time(db: Db, document_ids: list[Any]) -> None:
    stored = [{"_id": each, "company_sso_id": "acme", "id": str(n)} for n, each in enumerate(document_ids)]
    db["orders"].insert_many(stored)
    every = {str(n) for n in range(len(document_ids))}
    in_order = [document["id"] for document in db["orders"].find(sort=[("_id", 1)])]
    filters = {"id": {"conditions": {"$has_value": True}}}
    for page_rows in (1, 2, 100):
        assert [row[0] for row in rows(db, "order", "id", page_rows=page_rows)] == in_order
        assert {row[0] for row in rows(db, "order", "id", page_rows=page_rows, order="-status")} == every
        assert {row[0] for row in rows(db, "order", "id", page_rows=page_rows, filters=filters)} == every
    assert reader(db, "order", fields=["id"]).still_there() == len(document_ids)


def test_equal_and_missing_keys_of_all_types_keep_every_row(db: Db) -> None:
    keys: list[Any] = [
        None, 1, 1.0, Decimal128("1"), "1", float("nan"), Decimal128("NaN"), [], [1, None], {}, {"a": 1}, True, START,
        ObjectId(f"{1:024x}"), b"1", MinKey(), MaxKey(), "", "1.0",
    ]  # fmt: skip
    db["orders"].insert_many([{"company_sso_id": "acme", "id": str(n), "amount": key} for n, key in enumerate(keys)])
    db["orders"].insert_one({"company_sso_id": "acme", "id": "missing"})
    for order in ("amount", "-amount"):
        for page_rows in (1, 3):
            seen = [row[0] for row in rows(db, "order", "id", page_rows=page_rows, order=order)]
            assert (len(seen), set(seen)) == (20, {*map(str, range(19)), "missing"})


def test_joined_values_and_which_win(db: Db) -> None:
    db["customers"].insert_many(
        [
            {"company_sso_id": "acme", "id": "k_1", "source_id": "s-1", "name": "Ani"},
            {"company_sso_id": "other", "id": "k_2", "source_id": "theirs", "name": "Not yours"},
        ]
    )
    db["campaigns"].insert_one({"company_sso_id": "acme", "id": "c_1", "name": "Summer"})
    for name, fields in {
        "redemptions": {"id": "r"},
        "publications": {"code": "p"},
        "vouchers": {"code": "v", "campaign_id": "c_1"},
    }.items():
        db[name].insert_many(
            [{"company_sso_id": "acme", "customer_id": key, **fields} for key in ("k_1", "k_2", None, ["k"], 5)]
        )
    assert rows(db, "redemption", "customer_source_id", "customer_name") == [("s-1", "Ani"), *[(None, None)] * 4]
    assert rows(db, "publication", "customer_source_id") == [("s-1",), *[(None,)] * 4]
    assert rows(db, "voucher", "customer_source_id", "campaign") == [("s-1", "Summer"), *[(None, "Summer")] * 4]


def test_only_what_is_asked_for_is_read(db: Db) -> None:
    db["vouchers"].insert_one({"company_sso_id": "acme", **VOUCHERS[0], "secret": "not asked for"})
    for fields in (["code", "metadata.tier"], ["metadata", "metadata.tier"], ["metadata.a.b", "metadata.$x", "value"]):
        (page,) = list(reader(db, "voucher", fields=fields).pages(10))
        assert "secret" not in page[0]
        assert "type" not in page[0]


class Writer(threading.Thread):
    """Writes beside a walk until it is told to stop: inserts, deletes, and moves rows in every order."""

    def __init__(self, write: Callable[[int], None]) -> None:
        super().__init__(daemon=True)
        self._write = write
        self._over = threading.Event()

    def run(self) -> None:
        # Bounded: one of the servers gets slower with every document, and the walk with it.
        for number in range(MOST_WRITES):
            if self._over.is_set():
                return
            self._write(number)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self.join()


@pytest.mark.parametrize("order", ["", "updated_at"])
def test_every_row_once_while_rows_are_inserted_deleted_and_moved(db: Db, order: str) -> None:
    orders = db["orders"]
    stays = [{"company_sso_id": "acme", "id": f"stays-{i}", "status": "B", "updated_at": START} for i in range(400)]
    goes = [{"company_sso_id": "acme", "id": f"goes-{i}", "status": "B", "updated_at": START} for i in range(100)]
    orders.insert_many(stays)
    orders.insert_many(goes)

    def write(number: int) -> None:
        at = START + timedelta(days=number % 7 - 3, seconds=number)
        orders.update_one(
            {"company_sso_id": "acme", "id": f"stays-{number * 37 % 400}"},
            {"$set": {"updated_at": at, "status": "ABC"[number % 3]}},
        )
        orders.insert_one({"company_sso_id": "acme", "id": f"new-{number}", "status": "A", "updated_at": at})
        orders.delete_one({"company_sso_id": "acme", "id": f"goes-{number % 100}"})

    with Writer(write):
        seen = [d["id"] for page in reader(db, "order", order=order, fields=["id"]).pages(20) for d in page]
    assert len(seen) == len(set(seen))
    assert {row["id"] for row in stays} <= set(seen)


class Commands(monitoring.CommandListener):
    """Every aggregation that was asked for, as it went to the server."""

    def __init__(self) -> None:
        self.aggregations: list[dict[str, Any]] = []

    def started(self, event: monitoring.CommandStartedEvent) -> None:
        if event.command_name == "aggregate":
            self.aggregations.append(dict(event.command))

    def succeeded(self, event: monitoring.CommandSucceededEvent) -> None:
        """Not needed."""

    def failed(self, event: monitoring.CommandFailedEvent) -> None:
        """Not needed."""


def test_rows_are_walked_by_an_index_that_no_write_moves(vouchers: Db, stack_env: dict[str, str]) -> None:
    """Whatever index a filter or an order would invite to: in it a row could move ahead of the walk, or behind it."""
    keys = list(vouchers["vouchers"].index_information()[COMPANY_ID_INDEX]["key"])
    assert keys == [("company_sso_id", 1), ("_id", 1)]
    commands = Commands()
    client: MongoClient[dict[str, Any]]
    with MongoClient(stack_env["CDP_MONGO_URI"], tz_aware=True, event_listeners=[commands]) as client:
        for parameters in (
            {},
            {"order": "-updated_at"},
            {"campaign_ids": ["c_1"]},
            {"campaign_ids": ["c_1"], "order": "created_at"},
            {"filters": {"updated_at": {"conditions": {"$after": "2020-01-01"}}}},
            {"filters": {"published_for_customer_id": "k_9"}, "order": "code"},
        ):
            list(reader(client[vouchers.name], "voucher", fields=["code"], **parameters).pages(10))
    assert [command["hint"] for command in commands.aggregations] == [COMPANY_ID_INDEX] * 6


@pytest.mark.any_mongo
def test_an_order_may_take_longer_than_the_driver_waits_for_an_answer(db: Db, stack_env: dict[str, str]) -> None:
    documents = [{"company_sso_id": "acme", "id": str(n), "updated_at": START, "metadata": {"k": "x" * 200}}
                 for n in range(60_000)]  # fmt: skip
    db["orders"].insert_many(documents)
    impatient: MongoClient[dict[str, Any]]
    with MongoClient(stack_env["CDP_MONGO_URI"], socketTimeoutMS=20, retryReads=False) as impatient:
        hasty: Db = impatient[db.name]
        fields = ["id", "metadata"]
        with pytest.raises(NetworkTimeout):
            hasty["orders"].aggregate([{"$sort": {"metadata": 1, "id": 1}}], allowDiskUse=True).next()
        assert sum(len(page) for page in reader(hasty, "order", order="-id", fields=fields).pages(1_000)) == 60_000
        assert fingerprint(hasty, "acme", ENTITIES["order"], (), None, now=NOW)


def test_a_walk_ends_though_rows_are_added_faster_than_it_goes(db: Db) -> None:
    db["orders"].insert_many([{"company_sso_id": "acme", "id": str(i)} for i in range(100)])

    def slowly() -> Iterator[dict[str, Any]]:
        for page in reader(db, "order", fields=["id"]).pages(10):
            db["orders"].insert_many([{"company_sso_id": "acme", "id": "new"} for _ in range(20)])
            yield from page

    assert [row["id"] for row in slowly()] == [str(i) for i in range(100)]


@pytest.mark.parametrize("file_format", ["CSV", "XLSX", "JSON"])
def test_figures_over_doubles_and_decimals_have_the_digits_that_were_written(db: Db, file_format: Any) -> None:
    amounts: dict[str, list[Any]] = {
        "k_mixed": [12.1, Decimal128("0.50"), "x"], "k_doubles": [0.5, 1, 2.25], "k_thirds": [Decimal128("10"), 0, 0],
        "k_decimals": [Decimal128("0.10"), Decimal128("12345678901234567890.10")], "k_none": [],
    }  # fmt: skip
    db["customers"].insert_many({"company_sso_id": "acme", "id": key} for key in amounts)
    db["orders"].insert_many(
        {"company_sso_id": "acme", "customer_id": key, "amount": amount}
        for key, listed in amounts.items()
        for amount in listed
    )
    fields = ["id", "orders_total_amount", "orders_average_amount"]
    found = reader(db, "customer", fields=fields, order="id")
    renderer = EntityRenderer(found._request.fields, file_format, found._request.zone)
    table = {row[0]: row[1:] for page in found.pages(10) for row in zip(*renderer.columns(page), strict=True)}

    assert [str(table[key][0]) for key in ("k_mixed", "k_doubles", "k_decimals")] == [
        "12.6", "3.75", "12345678901234567890.2",
    ]  # fmt: skip
    assert [str(table[key][1]) for key in ("k_mixed", "k_doubles", "k_thirds")] == ["6.3", "1.25", "3.3333333333333335"]
