"""Demo commerce: the same bytes every time, its parts agreeing, and every kind of value in it."""

import random
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import bson
import pytest

from cdp_pipelines.local.demo_commerce import (
    COMMERCE_COLLECTIONS,
    COMMERCE_COMPANIES,
    commerce_documents,
    commerce_sizes,
)
from cdp_pipelines.local.demo_commerce_values import MESSY_TEXTS
from cdp_pipelines.local.demo_companies import BIG, EMPTY, MEDIUM, RHEINLAND
from cdp_pipelines.local.demo_export_fields import SEED_FIELDS
from cdp_pipelines.local.demo_pools import locale_pool

Documents = dict[str, list[dict[str, Any]]]
PLURALS = {name: f"{name}s" for name in SEED_FIELDS} | {"voucher_transactions": "voucher_transactions"}


@pytest.fixture(scope="module")
def shop() -> Documents:
    return commerce_documents(BIG, scale=0.1)


@pytest.fixture(scope="module")
def small() -> Documents:
    return commerce_documents(RHEINLAND)


@pytest.fixture(params=["shop", "small"])
def either(request: pytest.FixtureRequest) -> Documents:
    documents: Documents = request.getfixturevalue(request.param)
    return documents


def _bytes(documents: Documents) -> bytes:
    return b"".join(bson.encode(document) for rows in documents.values() for document in rows)


def test_two_runs_give_the_same_bytes(small: Documents) -> None:
    locale_pool.cache_clear()
    random.seed(99)
    assert _bytes(commerce_documents(RHEINLAND)) == _bytes(small)


@pytest.mark.parametrize("scale", [0.0, 0.1])
def test_there_are_as_many_as_the_sizes_say(scale: float) -> None:
    for company in (*COMMERCE_COMPANIES, EMPTY):
        documents = commerce_documents(company, scale=scale)
        assert {name: len(rows) for name, rows in documents.items()} == commerce_sizes(company, scale)
    assert not any(commerce_sizes(EMPTY).values())


def test_no_id_and_no_code_comes_twice_not_even_in_two_companies(shop: Documents) -> None:
    both = [shop, commerce_documents(MEDIUM, scale=0)]
    for name in COMMERCE_COLLECTIONS:
        rows = [document for documents in both for document in documents[name]]
        assert len({document["_id"] for document in rows}) == len(rows)
        ids = [document["id"] for document in rows if "id" in document]
        assert len(set(ids)) == len(ids) == len(rows) - 2
    codes = [voucher["code"] for voucher in shop["vouchers"][:-1]]
    assert len(set(codes)) == len(codes)


def _successes(rows: list[dict[str, Any]], kind: str) -> Iterator[dict[str, Any]]:
    return (row for row in rows if row.get("object") == kind and row["result"] == "SUCCESS")


def test_a_voucher_was_redeemed_as_often_as_its_redemptions_say(either: Documents) -> None:
    counted: Counter[str] = Counter(row["voucher_id"] for row in _successes(either["redemptions"], "redemption"))
    counted.subtract(row["voucher_id"] for row in _successes(either["redemptions"], "redemption_rollback"))
    for voucher in either["vouchers"][:-1]:
        redemption = voucher["redemption"]
        assert redemption["redeemed_quantity"] == counted[voucher["id"]]
        assert redemption["quantity"] is None or redemption["redeemed_quantity"] <= redemption["quantity"]


def test_a_rollback_undoes_one_redemption_of_the_same_voucher_and_customer_later(either: Documents) -> None:
    succeeded = {row["id"]: row for row in _successes(either["redemptions"], "redemption")}
    rollbacks = [row for row in either["redemptions"] if row.get("object") == "redemption_rollback"]
    assert {row["result"] for row in rollbacks} == {"SUCCESS", "FAILURE"}
    assert len({row["redemption_id"] for row in rollbacks}) == len(rollbacks)
    for row in rollbacks:
        undone = succeeded[row["redemption_id"]]
        assert row["created_at"] > undone["created_at"]
        for key in ("voucher_id", "voucher_code", "order_id", "order_amount"):
            assert row.get(key) == undone.get(key)
        assert row.get("customer_id") == undone.get("customer_id")
        if row["result"] == "SUCCESS":
            for key in ("gift_amount", "loyalty_points"):
                assert row.get(key, 0) == -undone.get(key, 0)


def test_a_balance_is_the_sum_of_its_transactions_and_each_says_the_balance_after_it(either: Documents) -> None:
    posted: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for entry in either["voucher_transactions"][:-1]:
        posted[entry["voucher_id"]].append(entry)
    cards: dict[str, dict[str, int]] = {
        voucher["id"]: voucher["gift"] if "gift" in voucher else voucher["loyalty_card"]
        for voucher in either["vouchers"][:-1]
        if voucher["type"] != "DISCOUNT_VOUCHER"
    }
    assert posted.keys() == cards.keys()
    for voucher_id, card in cards.items():
        balance = 0
        for entry in sorted(posted[voucher_id], key=lambda entry: (entry["created_at"], entry["_id"])):
            balance += entry["amount"]
            assert entry["balance"] == balance >= 0
        assert card["balance"] == balance
        earned = sum(entry["amount"] for entry in posted[voucher_id] if entry["amount"] > 0)
        refunded = sum(entry["amount"] for entry in posted[voucher_id] if entry["type"].endswith("_REFUND"))
        assert (card["points"] if "points" in card else card["amount"]) == earned - refunded


def test_expirations_never_exceed_the_balance_or_what_expired(either: Documents) -> None:
    by_status: dict[str, Counter[str]] = {"ACTIVE": Counter(), "EXPIRED": Counter()}
    for row in either["points_expirations"][:-1]:
        by_status[row["status"]][row["voucher_id"]] += row["points"]
    expired: Counter[str] = Counter()
    for entry in either["voucher_transactions"][:-1]:
        if entry["type"] == "POINTS_EXPIRATION":
            expired[entry["voucher_id"]] -= entry["amount"]
    assert by_status["EXPIRED"] == expired
    vouchers = {voucher["id"]: voucher for voucher in either["vouchers"][:-1]}
    for voucher_id, points in by_status["ACTIVE"].items():
        assert points <= vouchers[voucher_id]["loyalty_card"]["balance"]


def test_the_totals_of_an_order_add_up(either: Documents) -> None:
    standing = {row["id"]: row for row in _successes(either["redemptions"], "redemption") if "order_id" in row}
    for row in _successes(either["redemptions"], "redemption_rollback"):
        standing.pop(row["redemption_id"], None)
    paid_with = {row["order_id"]: row for row in standing.values()}
    assert len(paid_with) == len(standing)
    for order in either["orders"][:-1]:
        discount = order["amount"] - order["total_amount"]
        parts: list[Any] = [order.get(f"{part}discount_amount") for part in ("", "items_", "total_")]
        if all(part is not None for part in parts):
            assert sum(parts) == 2 * discount == 2 * parts[2]
        if order["items"]:
            assert order["amount"] == sum(item["quantity"] * item["price"] for item in order["items"])
        redemption = paid_with.get(order["id"])
        if redemption is None:
            assert discount == 0
            continue
        assert redemption["order_amount"] == order["amount"]
        assert 0 <= discount <= order["amount"]
        assert discount == redemption.get("gift_amount", discount)


def test_whatever_is_named_exists(either: Documents) -> None:
    ids = {name: {row["id"] for row in rows[:-1]} for name, rows in either.items()}
    codes = {voucher["code"]: voucher for voucher in either["vouchers"][:-1]}
    names = {campaign["name"] for campaign in either["campaigns"][:-1]}
    named = {
        "customer_id": "customers", "holder_id": "customers", "referrer_id": "customers", "voucher_id": "vouchers",
        "campaign_id": "campaigns", "order_id": "orders", "product_id": "products", "redemption_id": "redemptions",
        "related_transaction_id": "voucher_transactions",
    }  # fmt: skip
    for rows in either.values():
        for row in rows[:-1]:
            for key, collection in named.items():
                assert row.get(key) is None or row[key] in ids[collection], key
            assert row.get("campaign") is None or row["campaign"] in names
            assert row.get("voucher_code") is None or row["voucher_code"] in codes
    for order in either["orders"][:-1]:
        for item in order["items"]:
            assert item["product_id"] in ids["products"]
            assert item["sku_id"] is None or item["sku_id"] in ids["skus"]


def test_a_publication_that_succeeded_names_the_holder(either: Documents) -> None:
    holders = {voucher["code"]: voucher.get("holder_id") for voucher in either["vouchers"][:-1]}
    results: Counter[str] = Counter()
    for row in either["publications"][:-1]:
        results[row["result"]] += 1
        if row["result"] == "SUCCESS":
            assert row["customer_id"] == holders[row["voucher_code"]] is not None
        else:
            assert row["voucher_code"] is None
            assert row["failure_code"]
    assert min(results["SUCCESS"], results["FAILURE"]) > 0


def test_who_brings_others_holds_a_referral_code(either: Documents) -> None:
    codes = {voucher["holder_id"] for voucher in either["vouchers"][:-1] if voucher.get("is_referral_code") is True}
    referrers = {row["referrer_id"] for row in either["customers"][:-1] if row.get("referrer_id")}
    assert referrers <= codes
    assert referrers
    assert not any(row.get("referrer_id") == row["id"] for row in either["customers"][:-1])


NESTED = {
    "voucher_type": "type", "discount_type": "discount.type", "discount_amount_limit": "discount.amount_limit",
    "discount_unit_type": "discount.unit_type", "discount_unit_effect": "discount.effect",
    "gift_balance": "gift.balance", "loyalty_balance": "loyalty_card.balance",
    "redemption_quantity": "redemption.quantity", "redemption_count": "redemption.redeemed_quantity",
    "validity_timeframe_interval": "validity_timeframe.interval",
    "validity_timeframe_duration": "validity_timeframe.duration", "qr_code": "assets.qr.url",
    "bar_code": "assets.bar.url", "value": "discount.percent_off",
}  # fmt: skip


def _path(exported: str, field: str) -> str:
    if exported == "voucher":
        return "holder_id" if field.startswith("customer_") else NESTED.get(field, field)
    if field.startswith("address_"):
        return f"address.{field.removeprefix('address_')}"
    if field.startswith("customer_"):
        return "customer_id"
    return "voucher_code" if field == "code" else field


def _value(document: Any, path: str) -> Any:
    for part in path.split("."):
        document = document.get(part) if isinstance(document, dict) else None
    return document


AGGREGATES = ("redemptions_", "orders_", "loyalty_")


@pytest.mark.parametrize("exported", list(SEED_FIELDS))
def test_every_field_is_filled_here_and_missing_there(exported: str, shop: Documents, small: Documents) -> None:
    for documents in (shop, small):
        rows = documents[PLURALS[exported]]
        for field in SEED_FIELDS[exported]:
            if field.startswith(AGGREGATES) and exported == "customer":
                continue
            values = [_value(row, _path(exported, field)) for row in rows]
            assert any(value is not None for value in values), field
            assert any(value is None for value in values), field


def test_some_customers_have_everything_to_add_up_and_some_have_nothing(shop: Documents) -> None:
    everyone = {row["id"] for row in shop["customers"][:-1]}
    with_orders = {row.get("customer_id") for row in shop["orders"]}
    with_redemptions = {row.get("customer_id") for row in shop["redemptions"]}
    with_cards = {row.get("holder_id") for row in shop["vouchers"] if row.get("type") == "LOYALTY_CARD"}
    bringing = {row.get("referrer_id") for row in shop["customers"]}
    assert None in with_orders & with_redemptions & bringing
    for having in (with_orders, with_redemptions, with_cards, bringing):
        assert having & everyone
        assert everyone - having
    assert everyone & with_orders & with_redemptions & with_cards & bringing


ENUMS: list[tuple[str, str, set[Any]]] = [
    ("vouchers", "type", {"DISCOUNT_VOUCHER", "GIFT_VOUCHER", "LOYALTY_CARD"}),
    ("vouchers", "discount.type", {"AMOUNT", "PERCENT", "UNIT", "FIXED"}),
    (
        "vouchers",
        "discount.effect",
        {"APPLY_TO_ORDER", "APPLY_TO_ITEMS", "ADD_NEW_ITEMS", "ADD_MISSING_ITEMS"},
    ),
    ("orders", "status", {"CREATED", "PAID", "CANCELED", "FULFILLED"}),
    ("redemptions", "object", {"redemption", "redemption_rollback"}),
    ("redemptions", "result", {"SUCCESS", "FAILURE"}),
    ("points_expirations", "status", {"ACTIVE", "EXPIRED"}),
    (
        "voucher_transactions",
        "type",
        {
            "CREDITS_REMOVAL", "CREDITS_ADDITION", "CREDITS_REFUND", "CREDITS_REDEMPTION", "POINTS_EXPIRATION",
            "POINTS_ADDITION", "POINTS_REMOVAL", "POINTS_ACCRUAL", "POINTS_CANCELLATION", "POINTS_REDEMPTION",
            "POINTS_REFUND", "POINTS_TRANSFER_IN", "POINTS_TRANSFER_OUT",
        },
    ),
    (
        "redemptions",
        "failure_code",
        {
            "quantity_exceeded", "voucher_expired", "voucher_disabled", "gift_amount_exceeded", "internal_error",
            "loyalty_card_points_exceeded", "customer_rules_violated", "order_rules_violated",
        },
    ),
]  # fmt: skip


@pytest.mark.parametrize(("collection", "path", "values"), ENUMS, ids=[f"{name}-{path}" for name, path, _ in ENUMS])
def test_every_value_of_a_vocabulary_is_there(collection: str, path: str, values: set[str], shop: Documents) -> None:
    assert values <= {_value(row, path) for row in shop[collection]}


def _leaves(value: Any) -> Iterator[Any]:
    if isinstance(value, dict):
        for key, part in value.items():
            yield key
            yield from _leaves(part)
    elif isinstance(value, list):
        for part in value:
            yield from _leaves(part)
    else:
        yield value


def _number(test: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, int) and not isinstance(value, bool) and test(value)


def _date(test: Callable[[datetime], bool]) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, datetime) and test(value)


KINDS: dict[str, Callable[[Any], bool]] = {
    "beyond_double": _number(lambda value: value > 2**53 and value % 2 == 1),
    "zero": _number(lambda value: value == 0),
    "negative": _number(lambda value: value < 0),
    "fraction": lambda value: isinstance(value, float),
    "before_1900": _date(lambda date: date < datetime(1900, 1, 1, tzinfo=UTC)),
    "far_future": _date(lambda date: date.year > 2900),
    "newline": lambda value: isinstance(value, str) and "\n" in value,
    "formula": lambda value: isinstance(value, str) and value.startswith("=HYPERLINK("),
    "phone": lambda value: isinstance(value, str) and value.startswith("+62"),
    "percent": lambda value: isinstance(value, str) and value.startswith("-10%"),
    "very_long": lambda value: isinstance(value, str) and len(value) > 32_767,
    "dotted_key": lambda value: value == "lokasi.kota",
    "dollar_key": lambda value: value == "$price",
    "unicode_key": lambda value: value == "名前",
}


@pytest.mark.parametrize("kind", list(KINDS))
def test_every_kind_of_value_is_there(kind: str, small: Documents) -> None:
    assert any(KINDS[kind](leaf) for rows in small.values() for row in rows for leaf in _leaves(row))


@pytest.mark.parametrize(
    ("collection", "field"),
    [
        ("customers", "name"),
        ("products", "name"),
        ("skus", "sku"),
        ("orders", "source_id"),
        ("publications", "channel"),
    ],
)
def test_messy_texts_stand_in_every_object(collection: str, field: str, small: Documents) -> None:
    assert set(MESSY_TEXTS) <= {row.get(field) for row in small[collection] if isinstance(row.get(field), str)}


def test_hundreds_share_an_instant(shop: Documents) -> None:
    created = Counter(voucher.get("created_at") for voucher in shop["vouchers"])
    assert created.most_common(1)[0][1] >= 200
    assert Counter(order.get("created_at") for order in shop["orders"]).most_common(1)[0][1] >= 10


def test_a_cards_entries_rise_in_time_as_they_rise_in_id(small: Documents) -> None:
    last: dict[str, datetime] = {}
    for entry in small["voucher_transactions"][:-1]:
        assert entry["created_at"] >= last.get(entry["voucher_id"], entry["created_at"])
        last[entry["voucher_id"]] = entry["created_at"]
