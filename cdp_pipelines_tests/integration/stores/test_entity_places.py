"""A filter finds what the cell shows: every object, every name, every place and every way to store a value.

Nothing here knows where a value lies: rows are stored in every form, the cells of the file are read, and then filters
on what the cells show must find exactly the rows that show it. Orders and figures likewise.
"""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from bson import Decimal128, Int64, ObjectId, Timestamp
from pymongo.database import Database

from cdp_pipelines.domain.entity_export.catalogue import ENTITIES
from cdp_pipelines.domain.entity_export.entities import Entity, FieldKind, Filter, ways
from cdp_pipelines.domain.entity_export.filters import filter_names
from cdp_pipelines.domain.entity_export.request import read_request
from cdp_pipelines.domain.entity_export.values import EntityRenderer
from cdp_pipelines.stores.entity_rows import EntityReader

Db = Database[dict[str, Any]]
Document = dict[str, Any]

NOW = datetime(2026, 11, 27, 4, 0, tzinfo=UTC)
AT = datetime(2024, 5, 1, 3, tzinfo=UTC)

_ID = "0123456789abcdef01234567"
# The first few are enough for a name that lies where another of its kind does, which has been tried with all of them.
TEXTS: list[Any] = [
    "gold", None, [None, "x"], 5, "Gold", "", "5", Int64(5), 5.0, 5.5, Decimal128("5.50"), "5.0", True, "true", _ID,
    ObjectId(_ID), UUID(int=7), b"\x01\x02\xff", AT, "2024-05-01T10:00:00+07:00", ["x", "y"], [], "$gold", "a.b",
    {"a": [1, None, "b"], "c": {"d": True}}, {}, 2**62, float("nan"),
]  # fmt: skip
NUMBERS: list[Any] = [
    5, None, [5, None], "1.50", 0, Int64(5), 5.0, -3, 12.5, 0.1, Decimal128("0.1"), "0.1", "5", Decimal128("1.5"),
    1e15, Decimal128("12345678901234567.5"), 2**62,
]  # fmt: skip
INSTANTS: list[Any] = [
    AT, None, [None, AT], "2024-05-01T10:00:00+07:00", AT + timedelta(milliseconds=5), "2024-05-01T03:00:00Z",
    "2024-05-01 03:00Z", "2024-05-01T03:00:00.005Z", "2024-05-01", Timestamp(int(AT.timestamp()), 1),
]  # fmt: skip
DAYS: list[Any] = [
    datetime(1990, 5, 1, tzinfo=UTC), None, [None], "1990-05-01", datetime(1990, 5, 1, 23, tzinfo=UTC),
    "1990-05-01T00:00:00Z", "1990-05-02", Timestamp(int(AT.timestamp()), 1),
]  # fmt: skip
STORED: dict[FieldKind, list[Any]] = {
    "text": TEXTS,
    "json": TEXTS,
    "any": TEXTS,
    "number": NUMBERS,
    "boolean": [True, None, [None], "true", False, "false"],
    "instant": INSTANTS,
    "day": DAYS,
}
_FEW = 4


def meant(entity: Entity, name: str) -> Filter:
    """The name's kind and places, for storing values there."""
    found = next((each for each in entity.filters if each.name == name), None)
    if found is not None:
        return found
    field = entity.field_named(name)
    assert field is not None
    return Filter.of(name, field)


def put(document: Document, keys: tuple[str, ...], value: Any) -> Document:
    *before, last = keys
    inner = document
    for key in before:
        inner = inner.setdefault(key, {})
    inner[last] = value
    return document


def rows_of(filter_: Filter, *, few: bool) -> Iterator[Document]:
    """Every form at every place; each place also behind a null, behind a list with one, and hidden by a list above."""
    places = [keys for keys in ways(filter_.places) if keys[0] != "@"]
    kind: FieldKind = filter_.kind
    plain = STORED[kind][0]
    for number, keys in enumerate(places):
        for value in STORED[kind][: _FEW if few else None]:
            yield put({}, keys, value)
        for earlier in places[:number]:
            if earlier[: len(keys)] != keys and keys[: len(earlier)] != earlier:
                yield put(put({}, keys, plain), earlier, None)
                yield put(put({}, keys, plain), earlier, [None])
        if len(keys) > 1:
            yield {keys[0]: [put({}, keys[1:], plain)]}
            yield {keys[0]: "no object"}
    yield {}


class Table:
    """One collection with one document a form, and what the cells of a name show of them."""

    def __init__(self, db: Db, entity: Entity, name: str, zone: str, *, few: bool) -> None:
        self.db, self.entity, self.name, self.zone = db, entity, name, zone
        self.filter = meant(entity, name)
        documents = list(rows_of(self.filter, few=few))
        scope = {"company_sso_id": "acme"}
        db[entity.collection].delete_many({})
        db[entity.collection].insert_many([{**document, **scope, "_id": n} for n, document in enumerate(documents)])
        self.csv = self._cells("CSV")
        self.json = self._cells("JSON")

    def request(self, **parameters: Any) -> Any:
        return read_request(
            {"id": "exp_1", "company_sso_id": "acme", "exported_object": self.entity.name, "created_at": NOW,
             "parameters": {"timezone": self.zone, **parameters}},
            webhook_problem=lambda _: None,
        )  # fmt: skip

    def _cells(self, file_format: Any) -> dict[int, Any]:
        request = self.request()
        field = self.entity.ordered_by(self.name)
        if self.entity.field_named(self.name) is not None:
            field = self.entity.field_named(self.name) or field
        stored = [
            {**document, "company_sso_id": None}
            for document in self.db.with_options(
                codec_options=self.db.codec_options.with_options(tz_aware=False)
            )[self.entity.collection].find(sort=[("_id", 1)])
        ]  # fmt: skip
        cells = EntityRenderer([field], file_format, request.zone).columns(stored)[0]
        return dict(enumerate(cells))

    def found(self, operator: str, value: Any) -> set[int]:
        request = self.request(filters={self.name: {"conditions": {operator: value}}})
        found = EntityReader(self.db, request).pages(1_000)
        return {document["_id"] for page in found for document in page}


def unguarded(text: str) -> str:
    """What stands in a cell of a CSV file without the formula guard's quote."""
    return text[1:] if text[:2] in {"'=", "'+", "'-", "'@"} else text


def wrong_of(table: Table) -> list[Any]:
    kind = table.filter.kind
    wrong: list[Any] = []
    every = set(table.csv)
    empty = {row for row, cell in table.csv.items() if cell == ""}
    if (got := table.found("$is_unknown", True)) != empty:
        wrong.append((table.name, "$is_unknown", got ^ empty))
    if (got := table.found("$has_value", True)) != every - empty:
        wrong.append((table.name, "$has_value", got ^ (every - empty)))
    for cell in sorted(set(table.csv.values()) - {""}):
        showing = {row for row, shown in table.csv.items() if shown == cell}
        asked = unguarded(cell)
        if kind in {"number", "boolean", "instant", "day"} and asked[:1] == "[":
            continue  # A list where a number belongs: what it shows is none, so it cannot be asked for.
        got, none_of = table.found("$is", asked), table.found("$is_not", asked)
        # A list is found by each of its entries too, and numbers by their value however they are written.
        more = {row for row in got - showing if not _equal(table, row, asked)}
        if showing - got or more or none_of != every - got:
            wrong.append((table.name, "$is", cell, showing - got, more, none_of ^ (every - got)))
    for value in {json.dumps(shown): shown for shown in table.json.values()}.values():
        showing = {row for row, shown in table.json.items() if _same(shown, value)}
        if isinstance(value, list | dict):
            continue
        if showing - (got := table.found("$in", [value])):
            wrong.append((table.name, "$in", value, showing - got))
    return wrong


def _same(one: Any, other: Any) -> bool:
    return type(one) is type(other) and one == other


def _equal(table: Table, row: int, asked: str) -> bool:
    shown = table.json[row]
    if isinstance(shown, list):
        return any(str(part).lower() == asked.lower() or part == asked for part in shown) or "2024" in str(shown)
    if table.filter.kind == "number":
        return Decimal(str(shown)) == Decimal(asked)
    if table.filter.kind == "instant":
        return str(shown)[:10] == asked[:10]
    return table.filter.kind == "boolean" and str(shown).lower() == asked


@pytest.mark.any_mongo
@pytest.mark.parametrize("name", list(ENTITIES))
def test_a_filter_finds_what_the_cell_shows(migrated_db: Db, name: str) -> None:
    entity = ENTITIES[name]
    names = [each for each in filter_names(entity) if not each.endswith("{key}")]
    if entity.has_metadata:
        names += ["metadata.tier", "metadata.a.b"]
    wrong: list[Any] = []
    seen: set[Any] = set()
    for asked in names:
        filter_ = meant(entity, asked)
        if filter_.related is None:
            shape = filter_.kind, [len(keys) for keys in ways(filter_.places)]
            few = str(shape) in seen
            seen.add(str(shape))
            wrong += wrong_of(Table(migrated_db, entity, asked, "Asia/Jakarta", few=few))
    assert wrong == [], "\n".join(map(str, wrong))


def exported(db: Db, entity: str, *fields: str, **parameters: Any) -> list[tuple[Any, ...]]:
    """The rows of an export as JSON values."""
    request = read_request(
        {"id": "exp_1", "company_sso_id": "acme", "exported_object": entity, "created_at": NOW,
         "parameters": {**parameters, "fields": list(fields)}},
        webhook_problem=lambda _: None,
    )  # fmt: skip
    reader, renderer = EntityReader(db, request), EntityRenderer(request.fields, "JSON", request.zone)
    rows = [row for page in reader.pages(2) for row in zip(*renderer.columns(page), strict=True)]
    assert reader.count() == reader.still_there() == len(rows)
    return rows


def add(db: Db, collection: str, *documents: Document) -> None:
    db[collection].insert_many([{"company_sso_id": "acme", **document} for document in documents])


def which(db: Db, entity: str, filters: Document) -> str:
    return "".join(sorted(row[0] for row in exported(db, entity, "id", filters=filters)))


def test_a_customers_cards_are_found_by_either_name_of_their_holder(migrated_db: Db) -> None:
    add(migrated_db, "customers", {"id": "k1"}, {"id": "k2"}, {"id": "k3"})
    add(
        migrated_db,
        "vouchers",
        {"holder_id": "k1", "loyalty_card": {"balance": 1}},
        {"customer_id": "k1", "loyalty_balance": 10},
        # Both names: the first speaks, as in the cell.
        {"customer_id": "k1", "holder_id": "k2", "loyalty_balance": 100},
        {"customer_id": None, "holder_id": "k2", "loyalty_balance": "1000"},
        {"customer_id": [None], "holder_id": "k2", "loyalty_balance": 10_000},
        {"customer_id": "", "holder_id": "k2", "loyalty_balance": 100_000},
    )
    add(migrated_db, "vouchers", {"company_sso_id": "other", "customer_id": "k1", "loyalty_balance": 7})
    shown = {row[0]: row[1] for row in exported(migrated_db, "customer", "id", "loyalty_points")}
    assert shown == {"k1": 111, "k2": 1000, "k3": 0}
    # What the rows say is what the figures add up.
    cards = exported(migrated_db, "voucher", "customer_id", "loyalty_balance")
    assert {key: sum(int(points) for holder, points in cards if holder == key) for key in shown} == shown


def test_publications_are_found_by_either_name_of_their_voucher(migrated_db: Db) -> None:
    add(migrated_db, "vouchers", *({"id": code.lower(), "code": code} for code in "ABCDE"), {"id": "f"})
    add(
        migrated_db,
        "publications",
        {"voucher_code": "A", "customer_id": "k"},
        {"code": "B", "customer_id": "k"},
        {"voucher_code": None, "code": "C", "customer_id": "k"},
        {"voucher_code": "E", "code": "D", "customer_id": "k"},
        {"customer_id": "k"},
    )
    published = {"published_for_customer_id": {"conditions": {"$is": ["k"]}}}
    assert which(migrated_db, "voucher", published) == "abce"
    assert which(migrated_db, "voucher", {"published_for_customer_id": {"conditions": {"$is_not": ["k"]}}}) == "df"
    shown = [row[0] for row in exported(migrated_db, "publication", "voucher_code")]
    assert shown == ["A", "B", "C", "E", None]
    for name in ("voucher", "voucher_code"):
        assert [len(exported(migrated_db, "publication", "code", filters={name: code})) for code in "ABCDE"] == [
            1, 1, 1, 0, 1,
        ]  # fmt: skip


def test_a_campaigns_name_is_found_where_the_cell_has_it_from(migrated_db: Db) -> None:
    add(
        migrated_db,
        "campaigns",
        {"_id": 1, "id": "c1", "name": "Summer"},
        {"_id": 2, "id": "c1", "name": "Newer of the same id"},
        {"_id": 3, "id": "c2", "name": None},
        {"_id": 4, "name": "Of no id"},
        {"_id": 5, "company_sso_id": "other", "id": "c3", "name": "Theirs"},
    )
    add(
        migrated_db,
        "vouchers",
        {"id": "a", "campaign_id": "c1"},
        {"id": "b", "campaign_id": "c1", "campaign": "Its own"},
        {"id": "c", "campaign": "Summer"},
        {"id": "d", "campaign_id": "c2"},
        {"id": "e", "campaign_id": "c3"},
        {"id": "f"},
        {"id": "g", "campaign_id": ["c1"]},
    )
    cells = {row[0]: row[1] for row in exported(migrated_db, "voucher", "id", "campaign")}
    assert cells == {"a": "Summer", "b": "Its own", "c": "Summer", "d": None, "e": None, "f": None, "g": None}
    assert which(migrated_db, "voucher", {"campaign": "Summer"}) == "ac"
    assert which(migrated_db, "voucher", {"campaign": {"conditions": {"$is_unknown": True}}}) == "defg"
    assert which(migrated_db, "voucher", {"campaign": {"conditions": {"$contains": "own"}}}) == "b"
    assert which(migrated_db, "voucher", {"campaign": {"conditions": {"$is_not": "Summer"}}}) == "bdefg"


def test_keys_of_metadata_with_points_and_lists_that_hold_nulls(migrated_db: Db) -> None:
    metadata: list[Any] = [
        {"a.b": "x"}, {"a": {"b": "x"}}, {"a.b": None, "a": {"b": "y"}}, {"a.b": [None, "z"], "a": {"b": "x"}},
        [{"a.b": "x"}], "text", None, {"a": [{"b": "x"}]}, {"a.b.c": "x"}, {"a.b": ""},
    ]  # fmt: skip
    add(migrated_db, "orders", *({"id": "abcdefghij"[n], "metadata": each} for n, each in enumerate(metadata)))
    cells = {row[0]: row[1] for row in exported(migrated_db, "order", "id", "metadata.a.b")}
    assert {key: shown for key, shown in cells.items() if shown is not None} == {
        "a": "x", "b": "x", "c": "y", "d": [None, "z"], "j": "",
    }  # fmt: skip
    asked: list[tuple[str, Any, str]] = [
        ("$is", "x", "ab"), ("$is", "y", "c"), ("$contains", "z", "d"), ("$is", '[null,"z"]', "d"),
        ("$has_value", True, "abcd"), ("$is_unknown", True, "efghij"), ("$count", 2, "d"), ("$is_not", "x", "cdefghij"),
        ("$starts_with", "Y", "c"), ("$in", ["x", "y"], "abc"), ("$not_in", ["x", "y"], "defghij"),
    ]  # fmt: skip
    wrong = [
        (operator, value, want, got)
        for operator, value, want in asked
        if (got := which(migrated_db, "order", {"metadata.a.b": {"conditions": {operator: value}}})) != want
    ]
    assert wrong == []


def test_orders_agree_with_the_cells(migrated_db: Db) -> None:
    amounts: list[Any] = [100, "9", Decimal128("20.5"), "1.5", 3.25, "-4"]
    dates: list[Any] = [
        AT, "2024-05-01T09:59:00+07:00", AT + timedelta(days=1), "2024-04-30", "2024-05-01T03:00:00.001Z",
        "2023-01-01T00:00Z",
    ]  # fmt: skip
    add(
        migrated_db,
        "orders",
        *({"amount": a, "created_at": d} for a, d in zip(amounts, dates, strict=True)),
        {"amount": None},
        {},
    )
    numbers = [row[0] for row in exported(migrated_db, "order", "amount", order="amount")]
    assert [None if n is None else Decimal(str(n)) for n in numbers] == [
        None, None, *map(Decimal, ("-4", "1.5", "3.25", "9", "20.5", "100")),
    ]  # fmt: skip
    shown = [row[0] for row in exported(migrated_db, "order", "created_at", order="-created_at")]
    assert [str(text)[:10] for text in shown if text] == [
        "2024-05-02", "2024-05-01", "2024-05-01", "2024-05-01", "2024-04-30", "2023-01-01",
    ]  # fmt: skip
    add(
        migrated_db, "vouchers", {"id": "a", "gift": [{"balance": 1}]}, {"id": "b", "gift": {"balance": 5}}, {"id": "c"}
    )
    # A list on the way has nothing in it, for the order as for the cell: a and c are equal, and come by `_id`.
    assert exported(migrated_db, "voucher", "id", "gift_balance", order="gift_balance") == [
        ("a", None), ("c", None), ("b", 5),
    ]  # fmt: skip


def test_figures_agree_with_the_rows(migrated_db: Db) -> None:
    add(migrated_db, "customers", {"id": "k"})
    add(
        migrated_db,
        "orders",
        {"customer_id": "k", "total_amount": 5, "created_at": AT},
        {"customer_id": "k", "total_amount": None, "amount": "7", "created_at": "2024-05-02T00:00:00Z"},
        {"customer_id": "k", "amount": 3, "created_at": AT - timedelta(days=1)},
        {"customer_id": ["k"], "amount": 1_000},
    )
    figures = ("orders_total_count", "orders_total_amount", "orders_average_amount", "orders_last_order_amount")
    ((count, total, average, last),) = exported(migrated_db, "customer", *figures)
    assert (count, float(total), float(average), str(last)) == (3, 15.0, 5.0, "7")
