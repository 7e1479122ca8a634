"""Demo `redemptions`: each voucher's history in the order of time, so that counts, balances and orders agree.

A redemption that succeeded raises its voucher's `redemption.redeemed_quantity`, takes from its card and off its
order; a rollback that succeeded undoes all three. Failures say why, and that is true of the voucher at that instant.
Not here: what a card's entries look like (`demo_commerce_ledger.py`).
"""

import heapq
from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, TypeAlias

from cdp_pipelines.local.demo_commerce_ledger import Books
from cdp_pipelines.local.demo_commerce_orders import discount_order
from cdp_pipelines.local.demo_commerce_values import (
    FAR_DATES,
    LAST_DAY,
    MESSY_TEXTS,
    Dice,
    Document,
    Workshop,
    bare,
    every_metadata,
    metadata,
    moment,
    punch,
    show,
)

_FAILURES: Final = {
    "quantity_exceeded": "voucher cannot be redeemed because its quantity was exceeded",
    "voucher_expired": "Masa berlaku habis,\nmaaf 🙏",
    "voucher_disabled": 'voucher is "disabled"',
    "gift_amount_exceeded": "=残高不足",
    "loyalty_card_points_exceeded": "-1 poin",
    "customer_rules_violated": "القواعد لا تسمح",
    "order_rules_violated": "+ au minimum 3 articles, s'il vous plaît",
    "internal_error": None,
}
_OPTIONAL: Final = ("tracking_id", "metadata", "campaign", "failure_message")
_ROLLBACK_SHARE: Final = 0.13
_ROLLBACKS_A_FAILURE: Final = 6
_CHANCE_FAILURE_SHARE: Final = 0.1
_PLANNED_SHARE: Final = 0.82
# Cards are few among vouchers but used often.
_CARD_SHARE: Final = 0.2
_POINT_WORTH: Final = 100
_Event: TypeAlias = tuple[datetime, int, "_Use"]


@dataclass(slots=True)
class _Use:
    """Something that is about to happen to a voucher; `undoes` is the redemption that a rollback is for."""

    order: Document | None
    customer_id: str | None
    undoes: Document | None = None
    taken: int = 0


def make_redemptions(
    workshop: Workshop,
    count: int,
    *,
    vouchers: list[Document],
    orders: list[Document],
    customers: list[Document],
    books: Books,
) -> list[Document]:
    """A company's redemptions and rollbacks; the last one has nothing but its `_id`.

    Changes the vouchers, orders and cards they are about.
    """
    till = _Till(workshop, books)
    plan = _plan(
        workshop.dice("redemptions"), int(count * _PLANNED_SHARE), vouchers, orders, customers, list(books.ledgers)
    )
    by_id = {voucher["id"]: voucher for voucher in vouchers[:-1]}
    for voucher_id, events in plan.items():
        till.live_through(by_id[voucher_id], events)
    till.sell_promotions(count - 1, customers)
    return till.finish(count)


def _plan(
    dice: Dice,
    count: int,
    vouchers: list[Document],
    orders: list[Document],
    customers: list[Document],
    cards: list[str],
) -> dict[str, list[_Event]]:
    """Who tries which voucher when; an order is paid with one voucher at most, and not before the voucher was made."""
    payable = (order for order in orders[6:-1] if order["amount"] > 0)
    by_id = {voucher["id"]: voucher for voucher in vouchers[:-1]}
    plan: dict[str, list[_Event]] = defaultdict(list)
    for number in range(count):
        voucher = by_id[dice.pick(cards)] if dice.chance(_CARD_SHARE) else dice.pick(vouchers[:-1])
        order = next(payable, None) if dice.chance(0.75) else None
        if order is not None and order["created_at"] >= voucher["created_at"]:
            at = order["created_at"] + timedelta(seconds=dice.below(3_600))
            customer_id = order.get("customer_id")
        else:
            order, at = None, moment(dice, voucher["created_at"], LAST_DAY)
            customer_id = voucher.get("holder_id") or (dice.pick(customers[:-1])["id"] if dice.chance(0.7) else None)
        plan[voucher["id"]].append((at, number, _Use(order, customer_id)))
    return plan


class _Till:
    """Where vouchers are redeemed."""

    def __init__(self, workshop: Workshop, books: Books) -> None:
        self._workshop = workshop
        self._books = books
        self._dice = workshop.dice("redemptions:till")
        self._head = workshop.heads("redemptions")
        self._made: list[Document] = []
        self._rollbacks = 0

    def live_through(self, voucher: Document, events: list[_Event]) -> None:
        """All that happens to one voucher, in the order of time; rollbacks come up on the way."""
        heapq.heapify(events)
        while events:
            at, number, use = heapq.heappop(events)
            if use.undoes is not None:
                self._roll_back(voucher, use, at)
                continue
            failure = self._failure(voucher, at)
            redeemed = self._redeem(voucher, use, at) if failure is None else self._fail(voucher, use, at, failure)
            if failure is None and self._dice.chance(_ROLLBACK_SHARE):
                later = at + timedelta(minutes=1 + self._dice.below(20_000))
                heapq.heappush(events, (later, number, _Use(use.order, use.customer_id, redeemed, use.taken)))

    def sell_promotions(self, upto: int, customers: list[Document]) -> None:
        """Redemptions of promotion tiers, which have no voucher, until there are `upto` in all."""
        dice = self._dice
        while len(self._made) < upto:
            document = self._entry(None, _Use(None, dice.pick(customers[:-1])["id"]), moment(dice), "SUCCESS")
            document["promotion_tier_id"] = f"promo_{dice.below(12):04d}"

    def finish(self, count: int) -> list[Document]:
        """Gaps and odd values; returns all of them."""
        dice = self._workshop.dice("redemptions:gaps")
        for document in self._made:
            punch(dice, document, _OPTIONAL)
        show(self._made, _examples(dice))
        return [*self._made, bare(self._head(max(count - 1, len(self._made))))]

    def _failure(self, voucher: Document, at: datetime) -> str | None:
        """Why this voucher cannot be redeemed now, None if it can."""
        expires, quantity = voucher.get("expiration_date"), voucher["redemption"]["quantity"]
        if not voucher["active"]:
            return "voucher_disabled"
        if expires is not None and at >= expires:
            return "voucher_expired"
        if quantity is not None and voucher["redemption"]["redeemed_quantity"] >= quantity:
            return "quantity_exceeded"
        ledger = self._books.ledgers.get(voucher["id"])
        if ledger is not None and ledger.balance == 0:
            return "loyalty_card_points_exceeded" if ledger.is_loyalty else "gift_amount_exceeded"
        if self._dice.chance(_CHANCE_FAILURE_SHARE):
            return self._dice.pick(("customer_rules_violated", "order_rules_violated", "internal_error"))
        return None

    def _fail(self, voucher: Document, use: _Use, at: datetime, code: str) -> Document:
        document = self._entry(voucher, use, at, "FAILURE")
        document |= {"failure_code": code, "failure_message": _FAILURES[code]}
        return document

    def _redeem(self, voucher: Document, use: _Use, at: datetime) -> Document:
        document = self._entry(voucher, use, at, "SUCCESS")
        voucher["redemption"]["redeemed_quantity"] += 1
        voucher["updated_at"] = max(voucher.get("updated_at") or at, at)
        ledger = self._books.ledgers.get(voucher["id"])
        if ledger is None:
            use.taken = _taken_off(voucher["discount"], use.order)
        elif ledger.is_loyalty:
            points = min(ledger.balance, 1 + self._dice.below(2_000))
            use.taken = 0 if use.order is None else min(points * _POINT_WORTH, use.order["total_amount"])
            document["loyalty_points"] = points
            ledger.post("POINTS_REDEMPTION", -points, at, redemption_id=document["id"])
        else:
            most = use.order["total_amount"] if use.order is not None else 100 * (1 + self._dice.below(500))
            use.taken = min(ledger.balance, most)
            document["gift_amount"] = use.taken
            ledger.post("CREDITS_REDEMPTION", -use.taken, at, redemption_id=document["id"])
        self._charge(voucher, use, at, use.taken)
        return document

    def _roll_back(self, voucher: Document, use: _Use, at: datetime) -> None:
        redeemed = use.undoes or {}
        self._rollbacks += 1
        failed = self._rollbacks % _ROLLBACKS_A_FAILURE == 2
        document = self._entry(voucher, use, at, "FAILURE" if failed else "SUCCESS")
        document |= {
            "id": f"r{document['id']}",
            "object": "redemption_rollback",
            "redemption_id": redeemed["id"],
            "tracking_id": redeemed["tracking_id"],
        }
        if failed:
            document |= {"failure_code": "internal_error", "failure_message": "rollback failed"}
            return
        voucher["redemption"]["redeemed_quantity"] -= 1
        ledger = self._books.ledgers.get(voucher["id"])
        if ledger is not None:
            key = "loyalty_points" if ledger.is_loyalty else "gift_amount"
            document[key] = -redeemed[key]
            kind = "POINTS_REFUND" if ledger.is_loyalty else "CREDITS_REFUND"
            ledger.post(kind, redeemed[key], at, redemption_id=redeemed["id"])
        self._charge(voucher, use, at, -use.taken)

    def _charge(self, voucher: Document, use: _Use, at: datetime, amount: int) -> None:
        if use.order is not None:
            of_items = voucher.get("discount", {}).get("effect") == "APPLY_TO_ITEMS"
            discount_order(use.order, amount, of_items=of_items)
            use.order["updated_at"] = max(use.order["updated_at"], at)

    def _entry(self, voucher: Document | None, use: _Use, at: datetime, result: str) -> Document:
        number = len(self._made)
        document = self._head(number) | {
            "object": "redemption",
            "date": at,
            "voucher_id": voucher and voucher["id"],
            "voucher_code": voucher and voucher["code"],
            "campaign": voucher and voucher["campaign"],
            "customer_id": use.customer_id,
            "tracking_id": f"track_{number:07d}",
            "result": result,
            "metadata": metadata(self._dice),
            "created_at": at,
        }
        if use.order is not None:
            document |= {"order_id": use.order["id"], "order_amount": use.order["amount"]}
        if use.customer_id is None and self._dice.chance(0.5):
            del document["customer_id"]
        self._made.append(document)
        return document


def _taken_off(discount: Document, order: Document | None) -> int:
    """What a discount takes off an order, in minor units; units for free take nothing off."""
    if order is None:
        return 0
    left: int = order["total_amount"]
    if discount["type"] == "AMOUNT":
        return int(min(left, discount["amount_off"]))
    if discount["type"] == "PERCENT":
        share = int(left * discount["percent_off"] // 100)
        return int(min(share, discount.get("amount_limit", share)))
    if discount["type"] == "FIXED":
        return int(max(0, left - discount["fixed_amount"]))
    return 0


def _examples(dice: Dice) -> list[tuple[str, Any]]:
    """`date` differs from `created_at` here: another system may tell it late, or wrongly."""
    return [
        *(("date", date) for date in FAR_DATES),
        *(("tracking_id", text) for text in MESSY_TEXTS),
        ("metadata", every_metadata(dice)),
        ("metadata", "bukan objek"),
    ]
