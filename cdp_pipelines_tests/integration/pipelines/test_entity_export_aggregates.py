"""Figures of customers against the same figures computed by pandas, over random data, in pages of a few rows."""

import json
import random
from datetime import UTC, datetime, timedelta
from typing import Any

import pandas as pd

from cdp_pipelines.domain.entity_export.catalogue import ENTITIES
from cdp_pipelines_tests.integration.pipelines.entity_harness import Document, EntityExportsOf

DAY = datetime(2024, 5, 1, tzinfo=UTC)
CUSTOMERS = 400
SEED = 20_240_501

FIGURES = [
    field.name for field in ENTITIES["customer"].fields if field.name.startswith(("redemptions", "orders", "loyalty"))
]


class Shop:
    """Random documents as other services leave them: without ids, without amounts, with equal instants."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.ids = [f"cust_{n}" for n in range(CUSTOMERS)]
        self.customers = [
            {"name": f"n-{n}", "id": customer, "referrer_id": self.someone()} for n, customer in enumerate(self.ids)
        ]
        for nobody in ({}, {"id": None}, {"id": ""}):
            self.customers += [{"name": f"without-{len(self.customers) + n}", **nobody} for n in range(3)]
        self.random.shuffle(self.customers)
        self.orders = [self.order() for _ in range(4_000)]
        self.redemptions = [
            {
                "object": self.random.choice(["redemption", "redemption", "redemption_rollback", "other"]),
                "result": self.random.choice(["SUCCESS", "SUCCESS", "FAILURE", None]),
                "customer_id": self.someone(),
            }
            for _ in range(4_000)
        ]
        self.vouchers = [self.voucher(n) for n in range(1_500)]

    def someone(self) -> str | None:
        # Customers at the end of the list have nothing.
        return self.random.choice([None, *self.ids[: CUSTOMERS - 20], "gone", "gone"])

    def order(self) -> Document:
        amounts: Document = {
            "amount": self.random.choice([None, self.random.randrange(1, 2**40)]),
            "total_amount": self.random.choice([None, self.random.randrange(1, 10_000)]),
        }
        order = {key: value for key, value in amounts.items() if value is not None or self.random.random() < 0.5}
        # Few instants, so that many customers' last order is one of several.
        order["created_at"] = DAY + timedelta(hours=self.random.randrange(12))
        return self.random.choice([order, order, order | {"created_at": DAY}]) | {"customer_id": self.someone()}

    def voucher(self, number: int) -> Document:
        card = {"type": "LOYALTY_CARD", "loyalty_card": {"points": 9, "balance": self.random.randrange(500)}}
        kind = self.random.choice([card, card, {"type": "GIFT_VOUCHER", "gift": {"balance": 5}}])
        return {"code": f"c-{number}", "holder_id": self.someone(), **kind}


def expected_figures(db: Any, company: str) -> dict[str, dict[str, Any]]:
    """By name of the customer; from the documents as they are stored, since `_id` decides between equal instants."""
    frames = {
        name: pd.DataFrame(list(db[name].find({"company_sso_id": company}).sort("_id", 1)), dtype=object)
        for name in ("customers", "orders", "redemptions", "vouchers")
    }
    orders = frames["orders"]
    orders["spent"] = [
        total if pd.notna(total) else amount if pd.notna(amount) else None
        for total, amount in zip(orders["total_amount"], orders["amount"], strict=True)
    ]
    by_customer = {name: dict(list(frames[name].groupby("customer_id"))) for name in ("orders", "redemptions")}
    held = dict(list(frames["vouchers"].groupby("holder_id")))
    referred = frames["customers"].groupby("referrer_id").size().to_dict()
    nothing = {name: frame.head(0) for name, frame in frames.items()}
    expected = {}
    for customer in frames["customers"].itertuples():
        key = customer.id if isinstance(customer.id, str) else None
        expected[customer.name] = {
            **_redeemed(by_customer["redemptions"].get(key, nothing["redemptions"])),
            **_ordered(by_customer["orders"].get(key, nothing["orders"])),
            "loyalty_points": _points(held.get(key, nothing["vouchers"])),
            "loyalty_referred_customers": referred.get(key, 0),
        }
    return expected


def _redeemed(mine: pd.DataFrame) -> dict[str, int]:
    redeemed, back = mine[mine["object"] == "redemption"], mine[mine["object"] == "redemption_rollback"]
    return {
        "redemptions_total_redeemed": len(redeemed),
        "redemptions_total_failed": int((redeemed["result"] == "FAILURE").sum()),
        "redemptions_total_succeeded": int((redeemed["result"] == "SUCCESS").sum()),
        "redemptions_total_rolled_back": len(back),
        "redemptions_total_rollback_failed": int((back["result"] == "FAILURE").sum()),
        "redemptions_total_rollback_succeeded": int((back["result"] == "SUCCESS").sum()),
    }


def _ordered(mine: pd.DataFrame) -> dict[str, Any]:
    spent = [int(value) for value in mine["spent"] if pd.notna(value)]
    # In the order of `_id`, and the sort is stable: the last of the newest.
    last = mine.sort_values("created_at", kind="stable").iloc[-1] if len(mine) else None
    return {
        "orders_total_amount": sum(spent),
        "orders_total_count": len(mine),
        "orders_average_amount": sum(spent) / len(spent) if spent else None,
        "orders_last_order_amount": None if last is None or pd.isna(last["spent"]) else last["spent"],
        "orders_last_order_date": None if last is None else f"{last['created_at']:%Y-%m-%dT%H:%M:%S+00:00}",
    }


def _points(mine: pd.DataFrame) -> int:
    return sum(card["balance"] for card in mine["loyalty_card"] if isinstance(card, dict))


def test_every_figure_of_every_customer(make_entities: Any) -> None:
    """Also: a customer without an id has nothing, and not what belongs to nobody."""
    entities: EntityExportsOf = make_entities(page_rows=37)
    shop = Shop(SEED)
    entities.add("customers", *shop.customers)
    entities.add("orders", *shop.orders)
    entities.add("redemptions", *shop.redemptions)
    entities.add("vouchers", *shop.vouchers)
    parameters = {"fields": ["name", *FIGURES], "format": "NDJSON", "order": "-name"}
    document = entities.export("customer", parameters=parameters)
    assert document["status"] == "DONE", document.get("error")
    rows = [json.loads(line) for line in entities.content(document).splitlines()]
    assert len(rows) == len(shop.customers)
    expected = expected_figures(entities.db, entities.company)
    for row in rows:
        wanted = expected.pop(row.pop("name"))
        average, wanted_average = row.pop("orders_average_amount"), wanted.pop("orders_average_amount")
        assert row == wanted
        assert average == wanted_average or abs(average - wanted_average) <= 1e-9 * wanted_average
    assert expected == {}
