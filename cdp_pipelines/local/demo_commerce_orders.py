"""Demo `orders`: what customers bought, before any voucher takes something off.

Money is in minor units. Not here: discounts (`demo_commerce_redemptions.py`), though `discount_order` writes them.
"""

from typing import Any, Final

from bson.int64 import Int64

from cdp_pipelines.local.demo_commerce_values import (
    FAR_DATES,
    MESSY_TEXTS,
    Dice,
    Document,
    Workshop,
    bare,
    every_metadata,
    metadata,
    punch,
    shared_moment,
    show,
)

STATUSES: Final = ("CREATED", "PAID", "CANCELED", "FULFILLED")
_OPTIONAL: Final = (
    "source_id", "status", "referrer_id", "metadata", "discount_amount", "items_discount_amount",
    "total_discount_amount", "updated_at",
)  # fmt: skip
_ANONYMOUS_SHARE: Final = 0.15
_REFUND_SHARE: Final = 0.01
# Beyond what a double holds, and as large as the sum of a customer's orders may be in a signed 64-bit integer.
_HUGE_AMOUNTS: Final = (Int64(2**53 + 1), Int64(2**53 + 3), Int64(2**60 + 1))


def make_orders(
    workshop: Workshop, count: int, *, customers: list[Document], products: list[Document], skus: list[Document]
) -> list[Document]:
    """A company's orders without discounts; `items` add up to `amount`. The last one has nothing but its `_id`.

    The first ones have amounts that are huge, zero or negative, and no item that would explain them.
    """
    dice, head = workshop.dice("orders"), workshop.heads("orders")
    # What has no ordinary price is not for sale.
    goods = [document for document in (*products, *skus) if _ordinary(document.get("price"))]
    made = []
    for number in range(count - 1):
        created_at = shared_moment(dice, 60, 660)
        customer = None if dice.chance(_ANONYMOUS_SHARE) else dice.pick(customers[:-1])
        items = [_item(dice, dice.pick(goods)) for _ in range(1 + dice.below(3))]
        amount = sum(item["amount"] for item in items)
        if dice.chance(_REFUND_SHARE):
            amount = -amount
            for item in items:
                item |= {"quantity": -item["quantity"], "amount": -item["amount"]}
        document = head(number) | {
            "source_id": f"INV/{2024 + number % 2}/{number:06d}",
            "status": STATUSES[number % len(STATUSES)],
            **_amounts(amount),
            "customer_id": customer and customer["id"],
            "referrer_id": customer and customer.get("referrer_id"),
            "items": items,
            "metadata": metadata(dice),
            "created_at": created_at,
            "updated_at": created_at,
        }
        if customer is None and dice.chance(0.5):
            del document["customer_id"]
        made.append(document)
    for document, amount in zip(made, (*_HUGE_AMOUNTS, 0, 0, -1), strict=False):
        document |= {**_amounts(amount), "items": []}
    return [*made, bare(head(count - 1))]


def finish_orders(workshop: Workshop, orders: list[Document]) -> None:
    """Gaps and odd values, once every discount is known."""
    dice = workshop.dice("orders:gaps")
    for document in orders[:-1]:
        punch(dice, document, _OPTIONAL)
    show(orders[:-1], _examples(dice), start=6)


def discount_order(order: Document, amount: int, *, of_items: bool) -> None:
    """Take `amount` off an order, or give it back if negative; its total follows."""
    order["items_discount_amount" if of_items else "discount_amount"] += amount
    order["total_discount_amount"] += amount
    order["total_amount"] -= amount


def _amounts(amount: int) -> Document:
    return {
        "amount": amount,
        "discount_amount": 0,
        "items_discount_amount": 0,
        "total_discount_amount": 0,
        "total_amount": amount,
    }


def _ordinary(price: object) -> bool:
    return type(price) is int and 0 < price < 10**9


def _item(dice: Dice, good: Document) -> Document:
    quantity = 1 + dice.below(4)
    return {
        "product_id": good.get("product_id", good["id"]),
        "sku_id": good["id"] if "product_id" in good else None,
        "quantity": quantity,
        "price": good["price"],
        "amount": quantity * good["price"],
    }


def _examples(dice: Dice) -> list[tuple[str, Any]]:
    return [
        *(("source_id", text) for text in MESSY_TEXTS),
        *(("updated_at", date) for date in FAR_DATES),
        ("metadata", every_metadata(dice)),
        ("metadata", {"a": {"b": {"c": {"d": ["dalam", {"e": None}]}}}}),
        ("status", "DIKEMBALIKAN"),
    ]
