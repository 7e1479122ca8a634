"""Demo `voucher_transactions` and `points_expirations`: every change of a gift or loyalty card's balance.

A card's balance is the sum of its transactions, and each transaction says the balance after it. Of a card's
expirations the EXPIRED ones are those that a transaction took off; the ACTIVE ones, together, never exceed the
balance. Not here: redemptions (`demo_commerce_redemptions.py`), which post here.
"""

from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any, Final

from bson.int64 import Int64

from cdp_pipelines.local.demo_commerce_values import (
    FAR_DATES,
    LAST_DAY,
    MESSY_TEXTS,
    Document,
    Workshop,
    bare,
    metadata,
    punch,
    show,
)
from cdp_pipelines.local.demo_commerce_vouchers import LOYALTY

_CREDITS: Final = ("CREDITS_ADDITION", "CREDITS_REMOVAL")
_POINTS: Final = (
    "POINTS_ADDITION", "POINTS_ACCRUAL", "POINTS_REMOVAL", "POINTS_CANCELLATION", "POINTS_EXPIRATION",
)  # fmt: skip
_EARNING: Final = frozenset({"CREDITS_ADDITION", "POINTS_ADDITION", "POINTS_ACCRUAL", "POINTS_TRANSFER_IN"})
_REASONS: Final = ("Kompensasi", "Koreksi, manual", '"ulang tahun" 🎂', "=A1", "誕生日", None)
_SOURCES: Final = ("API", "voucherify-web-ui", "Automation", None)
_OPTIONAL: Final = ("source_id", "status", "reason", "source", "related_transaction_id", "details", "campaign_id")
_STEP: Final = timedelta(hours=7)
_HUGE_POINTS: Final = Int64(2**53 + 1)
_TRANSFERS: Final = 3


class Ledger:
    """One card while it is used: `post` changes its balance and keeps the transaction."""

    def __init__(self, books: "Books", voucher: Document) -> None:
        self._books = books
        self.voucher = voucher
        self.at: datetime = voucher["created_at"]
        self._card: Document = voucher["loyalty_card"] if self.is_loyalty else voucher["gift"]

    @property
    def is_loyalty(self) -> bool:
        """Whether it holds points rather than money."""
        return bool(self.voucher["type"] == LOYALTY)

    @property
    def balance(self) -> int:
        """Points, or money in minor units."""
        return int(self._card["balance"])

    def post(self, kind: str, amount: int, at: datetime, *, related: str | None = None, **details: Any) -> Document:
        """Add `amount` (negative: take it off) at an instant not before the last one; returns the transaction."""
        self.at = at
        self._card["balance"] += amount
        if kind in _EARNING:
            self._card["points" if self.is_loyalty else "amount"] += amount
        return self._books.enter(self.voucher, kind, amount, self._card["balance"], at, related, details)


class Books:
    """All cards of one company, their transactions and expirations."""

    def __init__(self, workshop: Workshop, vouchers: list[Document]) -> None:
        self._workshop = workshop
        self._dice = workshop.dice("voucher_transactions")
        self._head = workshop.heads("voucher_transactions")
        self._expiration_head = workshop.heads("points_expirations")
        self.transactions: list[Document] = []
        self.expirations: list[Document] = []
        self.ledgers = {
            voucher["id"]: Ledger(self, voucher)
            for voucher in vouchers[:-1]
            if "gift" in voucher or "loyalty_card" in voucher
        }
        for ledger in self.ledgers.values():
            kind = "POINTS_ACCRUAL" if ledger.is_loyalty else "CREDITS_ADDITION"
            # Some loyalty cards have so little that they are soon empty.
            little = ledger.is_loyalty and self._dice.chance(0.3)
            amount = 1 + self._dice.below(50) if little else 500 * (1 + self._dice.below(1_000))
            ledger.post(kind, amount, ledger.at, reason="Saldo awal")

    def enter(
        self,
        voucher: Document,
        kind: str,
        amount: int,
        balance: int,
        at: datetime,
        related: str | None,
        details: Document,
    ) -> Document:
        """Keep one transaction of a voucher."""
        dice, number = self._dice, len(self.transactions)
        document = self._head(number) | {
            "source_id": f"tx-{number:07d}",
            "voucher_id": voucher["id"],
            "campaign_id": voucher.get("campaign_id"),
            "type": kind,
            "status": "COMPLETED",
            "reason": details.pop("reason", None) or dice.pick(_REASONS),
            "source": dice.pick(_SOURCES),
            "balance": balance,
            "amount": amount,
            "related_transaction_id": related,
            "details": {"balance": {"type": kind.partition("_")[0].lower(), "balance": balance}, **details},
            "created_at": at,
        }
        self.transactions.append(document)
        return document

    def close(self, *, transactions: int, expirations: int) -> None:
        """Post until there are that many transactions, note expirations, and leave gaps; one bare document each."""
        dice, cards = self._dice, list(self.ledgers.values())
        loyalty = [card for card in cards if card.is_loyalty]
        loyalty[0].post("POINTS_ADDITION", _HUGE_POINTS, loyalty[0].at + _STEP)
        self._transfer(loyalty)
        while len(self.transactions) < transactions - 1:
            self._adjust(dice.pick(cards))
        self._expire_later(loyalty, expirations - 1)
        gaps = self._workshop.dice("voucher_transactions:gaps")
        for document in self.transactions:
            punch(gaps, document, _OPTIONAL)
        show(
            self.transactions,
            [*(("reason", text) for text in MESSY_TEXTS), ("details", metadata(gaps)), ("details", "teks")],
        )
        self.transactions.append(bare(self._head(len(self.transactions))))
        self.expirations.append(bare(self._expiration_head(len(self.expirations))))

    def _adjust(self, card: Ledger) -> None:
        """What a clerk does to a card: more, less, or points that expire; never below nothing."""
        dice = self._dice
        kind = dice.pick(_POINTS if card.is_loyalty else _CREDITS)
        at = card.at + _STEP
        if kind in _EARNING:
            card.post(kind, 100 * dice.below(500), at)
            return
        # An empty card is taken nothing: an amount of zero.
        amount = dice.below(min(card.balance, 20_000) + 1)
        entry = card.post(kind, -amount, at)
        if kind == "POINTS_EXPIRATION":
            self._note_expiration(card, "EXPIRED", amount, entry["created_at"])

    def _transfer(self, loyalty: list[Ledger]) -> None:
        """Points that move from one card to the next; each side names the other."""
        for giver, taker in list(pairwise(loyalty[1:]))[:_TRANSFERS]:
            at, amount = max(giver.at, taker.at) + _STEP, giver.balance // 2
            out = giver.post("POINTS_TRANSFER_OUT", -amount, at)
            taken = taker.post("POINTS_TRANSFER_IN", amount, at, related=out["id"])
            out["related_transaction_id"] = taken["id"]

    def _expire_later(self, loyalty: list[Ledger], count: int) -> None:
        dice, left = self._dice, {card.voucher["id"]: card.balance for card in loyalty}
        dates = list(FAR_DATES[-3:])
        while len(self.expirations) < count:
            card = dice.pick(loyalty)
            points = min(left[card.voucher["id"]], dice.below(5_000))
            left[card.voucher["id"]] -= points
            at = dates.pop() if dates else LAST_DAY + timedelta(days=dice.below(800))
            self._note_expiration(card, "ACTIVE", points, at)

    def _note_expiration(self, card: Ledger, status: str, points: int, expires_at: datetime) -> None:
        number = len(self.expirations)
        self.expirations.append(
            self._expiration_head(number)
            | {
                "campaign_id": card.voucher.get("campaign_id"),
                "voucher_id": card.voucher["id"],
                "status": status,
                "expires_at": expires_at,
                "points": points,
                "created_at": card.at,
            }
        )
