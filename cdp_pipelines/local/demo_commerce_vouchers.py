"""Demo `campaigns` and their `vouchers`, before anybody uses them.

Belongs here: kinds, codes, discounts, validity, holders. Not here: what redemptions and transactions do to a
voucher's counts and balances (`demo_commerce_redemptions.py`, `demo_commerce_ledger.py`).
"""

import base64
import hashlib
from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from cdp_pipelines.local.demo_commerce_people import referrer_count
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
from cdp_pipelines.local.demo_values import FIRST_DAY

DISCOUNT: Final = "DISCOUNT_VOUCHER"
GIFT: Final = "GIFT_VOUCHER"
LOYALTY: Final = "LOYALTY_CARD"
DISCOUNT_TYPES: Final = ("AMOUNT", "PERCENT", "UNIT", "FIXED")
EFFECTS: Final = ("APPLY_TO_ORDER", "APPLY_TO_ITEMS", "ADD_NEW_ITEMS", "ADD_MISSING_ITEMS")
CAMPAIGN_TYPES: Final = (
    "DISCOUNT_COUPONS", "DISCOUNT_COUPONS", "DISCOUNT_COUPONS", "GIFT_VOUCHERS", "LOYALTY_PROGRAM", "REFERRAL_PROGRAM",
    "PROMOTION",
)  # fmt: skip
# Of 25 vouchers one is a gift card, one a loyalty card, one a referral code: each card needs transactions of its own.
_KIND_OF: Final = {0: "GIFT_VOUCHERS", 1: "LOYALTY_PROGRAM", 2: "REFERRAL_PROGRAM"}
_TURN: Final = 25
_CATEGORIES: Final = ("Ritel", "B2B, grosir", "季節", "عروض", "=VIP", "Été")
_ODD_PREFIXES: Final = ("-10%", "+62", "=PROMO", "@kilat", "割引", "خصم", "ÉTÉ", "a,b", '"kutip"')
_QUANTITIES: Final = (None, 1, 1, 1, 3, 10, 100)
_OPTIONAL: Final = (
    "campaign_id", "category", "category_id", "start_date", "validity_timeframe", "validity_day_of_week", "assets",
    "validation_rules_id", "metadata", "additional_info", "updated_at",
)  # fmt: skip


def make_campaigns(workshop: Workshop, count: int) -> list[Document]:
    """A company's campaigns, every type by turns; the last one has nothing but its `_id`."""
    dice, head = workshop.dice("campaigns"), workshop.heads("campaigns")
    made = []
    for number in range(count - 1):
        created_at = shared_moment(dice, 0, 400)
        made.append(
            head(number)
            | {
                "name": f"{dice.pick(dice.pick(workshop.pools).companies)} {2024 + number % 3} #{number}",
                "campaign_type": CAMPAIGN_TYPES[number % len(CAMPAIGN_TYPES)],
                "type": ("AUTO_UPDATE", "STATIC")[number % 2],
                "active": not dice.chance(0.1),
                "start_date": created_at,
                "expiration_date": created_at + timedelta(days=30 + dice.below(700)),
                "metadata": metadata(dice),
                "created_at": created_at,
                "updated_at": created_at + timedelta(days=dice.below(60)),
            }
        )
    show(made, [("name", f"{text[:500]} #{number}") for number, text in enumerate(MESSY_TEXTS)], start=1)
    return [*made, bare(head(count - 1))]


def make_vouchers(
    workshop: Workshop, count: int, *, campaigns: list[Document], customers: list[Document], products: list[Document]
) -> list[Document]:
    """A company's vouchers with nothing redeemed and empty cards; the last one has nothing but its `_id`.

    Referral codes are held by the customers who brought others, by turns; loyalty cards always have a holder.
    """
    dice, head = workshop.dice("vouchers"), workshop.heads("vouchers")
    by_type: dict[str, list[Document]] = defaultdict(list)
    for campaign in campaigns[:-1]:
        by_type[campaign["campaign_type"]].append(campaign)
    holders = _Holders(dice, customers)
    made = []
    for number in range(count - 1):
        kind = _KIND_OF.get(number % _TURN, "DISCOUNT_COUPONS")
        # One coupon in ten stands alone, as those made by hand do.
        alone = kind == "DISCOUNT_COUPONS" and dice.chance(0.1)
        of_campaign = None if alone else _campaign(dice, kind, number, by_type[kind])
        document = head(number) | _voucher(dice, workshop, number, kind, of_campaign)
        document |= _worth(dice, number, kind, products)
        document["holder_id"] = holders.of(kind, number)
        if document["holder_id"] is None and dice.chance(0.5):
            del document["holder_id"]
        punch(dice, document, _OPTIONAL)
        made.append(document)
    show(made, _examples(dice), start=3 * _TURN)
    return [*made, bare(head(count - 1))]


def _campaign(dice: Dice, kind: str, number: int, campaigns: Sequence[Document]) -> Document:
    """One of the campaigns: coupons crowd into the first ones, cards and referral codes go by turns."""
    if kind == "DISCOUNT_COUPONS":
        return campaigns[int(dice.rnd() ** 2 * len(campaigns))]
    return campaigns[number // _TURN % len(campaigns)]


class _Holders:
    """Who holds a voucher."""

    def __init__(self, dice: Dice, customers: Sequence[Document]) -> None:
        self._dice = dice
        self._ids: list[str] = [customer["id"] for customer in customers[:-1]]
        self._referrers = self._ids[: referrer_count(len(customers))]

    def of(self, kind: str, number: int) -> str | None:
        # Who brings others often has a card as well.
        if kind == "REFERRAL_PROGRAM" or (kind == "LOYALTY_PROGRAM" and number // _TURN % 4 == 0):
            return self._referrers[number // _TURN % len(self._referrers)]
        if kind == "LOYALTY_PROGRAM" or self._dice.chance(0.12):
            return self._dice.pick(self._ids)
        return None


def _voucher(dice: Dice, workshop: Workshop, number: int, kind: str, campaign: Document | None) -> Document:
    # A campaign's vouchers are made at once, so they share its instant.
    created_at: datetime = shared_moment(dice, 0, 500) if campaign is None else campaign["created_at"]
    category = dice.below(len(_CATEGORIES))
    document: Document = {
        "code": _code(dice, workshop.slug, number),
        "campaign": campaign and campaign["name"],
        "campaign_id": campaign and campaign["id"],
        "category": _CATEGORIES[category],
        "category_id": f"cat_{category:04d}",
        "redemption": {"quantity": dice.pick(_QUANTITIES), "redeemed_quantity": 0},
        "start_date": created_at,
        "expiration_date": created_at + timedelta(days=20 + dice.below(900)) if dice.chance(0.5) else None,
        "active": not dice.chance(0.06),
        "is_referral_code": kind == "REFERRAL_PROGRAM",
        "assets": {
            name: {"id": f"a{number}", "url": f"https://dl.example.com/{name}/{number}"} for name in ("qr", "bar")
        },
        "validation_rules_id": f"val_{dice.below(50):04d}",
        "metadata": metadata(dice),
        "created_at": created_at,
        "updated_at": created_at,
    }
    if dice.chance(0.15):
        document["validity_timeframe"] = {
            "interval": dice.pick(("P1D", "P7D")),
            "duration": dice.pick(("PT1H", "PT8H")),
        }
        document["validity_day_of_week"] = [day for day in range(7) if dice.chance(0.5)]
        document["additional_info"] = dice.pick(MESSY_TEXTS[:-1])
    return document


def _code(dice: Dice, slug: str, number: int) -> str:
    prefix = dice.pick(_ODD_PREFIXES) if dice.chance(0.05) else slug[:4].upper()
    digest = hashlib.blake2b(f"{slug}:{number}".encode(), digest_size=10).digest()
    return f"{prefix}-{base64.b32encode(digest).decode()[:10]}"


def _worth(dice: Dice, number: int, kind: str, products: Sequence[Document]) -> Document:
    """What the voucher gives: `type` and one of `discount`, `gift`, `loyalty_card`; money in minor units."""
    if kind == "GIFT_VOUCHERS":
        return {"type": GIFT, "gift": {"amount": 0, "balance": 0}}
    if kind == "LOYALTY_PROGRAM":
        return {"type": LOYALTY, "loyalty_card": {"points": 0, "balance": 0}}
    discount_type = DISCOUNT_TYPES[number // 2 % len(DISCOUNT_TYPES)]
    discount: Document = {"type": discount_type, "effect": EFFECTS[number % 2]}
    if discount_type == "AMOUNT":
        discount["amount_off"] = 500 * (1 + dice.below(200))
    elif discount_type == "PERCENT":
        discount["percent_off"] = dice.pick((5, 10, 12.5, 33, 100))
        if dice.chance(0.5):
            discount["amount_limit"] = 1_000 * (1 + dice.below(50))
    elif discount_type == "UNIT":
        discount |= {
            "unit_off": 1 + dice.below(3),
            "unit_type": dice.pick(products[:-1])["id"],
            "effect": EFFECTS[2 + number % 2],
        }
    else:
        discount["fixed_amount"] = 1_000 * dice.below(100)
    return {"type": DISCOUNT, "discount": discount}


def _examples(dice: Dice) -> list[tuple[str, Any]]:
    """Nothing that counts or balances rest on."""
    return [
        *(("code", f"{text[:300]}#{number}") for number, text in enumerate(MESSY_TEXTS)),
        *(("start_date", date) for date in FAR_DATES),
        *(("expiration_date", date) for date in FAR_DATES),
        *(("created_at", date) for date in (FIRST_DAY, FAR_DATES[2])),
        ("additional_info", MESSY_TEXTS[-1]),
        ("metadata", every_metadata(dice)),
        ("metadata", None),
        ("validity_day_of_week", []),
        ("validity_day_of_week", list(range(7))),
        # A flat field of the export's own name wins over the nested one.
        ("qr_code", "https://dl.example.com/datar"),
        ("active", None),
        ("is_referral_code", None),
    ]
