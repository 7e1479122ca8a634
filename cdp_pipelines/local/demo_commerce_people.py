"""Demo customers (`customers`): who buys, where they live, and who brought whom.

Not here: what they bought (`demo_commerce_orders.py`) and which vouchers they hold (`demo_commerce_vouchers.py`).
"""

from datetime import UTC, datetime, timedelta
from typing import Any, Final

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
from cdp_pipelines.local.demo_pools import LocalePool

_OPTIONAL: Final = (
    "source_id", "name", "email", "description", "phone", "address", "birthdate", "birthday", "metadata", "updated_at",
)  # fmt: skip
_ADDRESS_PARTS: Final = ("city", "state", "line_1", "line_2", "country", "postal_code")
_STATES: Final = ("Jawa Barat", "Nordrhein-Westfalen", "東京都", "دبي", "N/A", "-")
_REFERRED_SHARE: Final = 0.12
_FIRST_BIRTH: Final = datetime(1950, 1, 1, tzinfo=UTC)


def referrer_count(customers: int) -> int:
    """How many of the customers bring others: the first ones, few enough that each can hold a referral code."""
    return max(1, customers // 100)


def make_customers(workshop: Workshop, count: int) -> list[Document]:
    """A company's customers; the last one has nothing but its `_id`."""
    dice, head = workshop.dice("customers"), workshop.heads("customers")
    referrers = referrer_count(count)
    made: list[Document] = []
    for number in range(count - 1):
        document = head(number) | _person(dice, dice.pick(workshop.pools), number)
        if number > referrers and dice.chance(_REFERRED_SHARE):
            document["referrer_id"] = made[dice.below(referrers)]["id"]
        punch(dice, document, _OPTIONAL)
        made.append(document)
    show(made, _examples(dice), start=1)
    return [*made, bare(head(count - 1))]


def _person(dice: Dice, pool: LocalePool, number: int) -> Document:
    created_at = shared_moment(dice, 0, 700)
    birth = _FIRST_BIRTH + timedelta(days=dice.below(20_000))
    return {
        "source_id": _source_id(dice, number),
        "name": dice.pick(MESSY_TEXTS[:-1]) if dice.chance(0.01) else dice.pick(pool.names),
        "email": f"pembeli{number}@{dice.pick(('example.com', 'example.org', 'mail.example.co.id'))}",
        "description": dice.pick(pool.sentences),
        "phone": f"{pool.dial_code} 8{dice.below(90) + 10}-{dice.below(10**4):04d}-{dice.below(10**4):04d}",
        "address": _address(dice, pool),
        # Both forms are about: the day as a text and the day as a date at midnight UTC.
        "birthdate": f"{birth:%Y-%m-%d}" if dice.chance(0.7) else birth,
        "birthday": birth,
        "metadata": metadata(dice),
        "created_at": created_at,
        "updated_at": created_at if dice.chance(0.4) else created_at + timedelta(seconds=dice.below(2_000_000)),
    }


def _source_id(dice: Dice, number: int) -> str:
    """The shop's own key: a number, an address, or a phone number that looks like a formula."""
    kind = number % 3
    if kind == 0:
        return f"{number:08d}"
    return f"crm/{number}@toko.example" if kind == 1 else f"+62812{dice.below(10**6):06d}{number % 1000:03d}"


def _address(dice: Dice, pool: LocalePool) -> Document:
    address: Document = {
        "city": dice.pick(pool.cities),
        "state": dice.pick(_STATES),
        "line_1": dice.pick(pool.streets),
        "line_2": f"Blok {dice.below(20)}, lantai {dice.below(9)}",
        "country": pool.country,
        "postal_code": f"{dice.below(100_000):05d}",
    }
    punch(dice, address, _ADDRESS_PARTS)
    return address


def _examples(dice: Dice) -> list[tuple[str, Any]]:
    return [
        *(("name", text) for text in MESSY_TEXTS),
        *(("birthday", date) for date in FAR_DATES),
        ("birthdate", "1899-12-31"),
        ("birthdate", "1752-09-14"),
        ("birthdate", "29/02/1980"),
        ("birthdate", ""),
        ("metadata", every_metadata(dice)),
        ("metadata", {}),
        ("metadata", []),
        ("address", None),
        ("address", {}),
        ("address", "Jl. Merdeka 1, Jakarta"),
        # A flat field of the export's own name wins over the nested one.
        ("address_city", "Kota datar, bukan yang bersarang"),
        ("phone", 6281234567890),
        ("description", MESSY_TEXTS[-1]),
    ]
