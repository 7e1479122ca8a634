"""Ordinary values of the demo fields, each drawn from one contact's own random stream.

Belongs here: one small maker a kind of value, cheap enough for two million of them. Not here: which contact misses
which field, and what is wrong with a value (`demo_contacts.py`, `demo_mess.py`).
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final, NamedTuple, TypeVar

from cdp_pipelines.local.demo_pools import LocalePool

T = TypeVar("T")

FIRST_DAY: Final = datetime(2024, 1, 1, tzinfo=UTC)
SPAN_DAYS: Final = 730
SOURCES: Final = ("whatsapp", "instagram", "web_chat", "import", "advertisement", "email", "facebook", "telegram")

_BIRTH_FIRST: Final = datetime(1950, 1, 1, tzinfo=UTC)
_DRINKS: Final = ("Kopi tubruk", "Es teh manis", "抹茶ラテ", "قهوة عربية", "Apfelschorle", "Bandrek, jahe", "Café ☕")
_INTERESTS: Final = ("kopi", "teh", "musik", "olahraga", "旅行", "كتب", "Wandern", "film, serial", "game")
_CHANNELS: Final = ("whatsapp", "instagram", "email", "telepon")
_TAGS: Final = ("VIP", "hot lead", "perlu follow-up", "B2B", "reseller", "エリア東京")
_CODE_LETTERS: Final = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"


class Money(NamedTuple):
    """An amount and its `currency_code`; None leaves the key out."""

    value: Any
    currency_code: str | None


class Draw:
    """One contact being made: its numbers, its random stream, the pool of its locale, and its two timestamps.

    `index` is its number in the company, `crm_id` that of its person in the CRM.
    """

    __slots__ = ("created_at", "crm_id", "index", "pool", "rnd", "source", "updated_at")

    def __init__(self, index: int, crm_id: int, rnd: Callable[[], float], pool: LocalePool) -> None:
        self.index = index
        self.crm_id = crm_id
        self.rnd = rnd
        self.pool = pool
        self.source = self.pick(SOURCES)
        self.created_at = _created_at(self)
        self.updated_at = _updated_at(self)

    def pick(self, values: Sequence[T]) -> T:
        """One of the values."""
        return values[int(self.rnd() * len(values))]

    def below(self, limit: int) -> int:
        """A whole number from 0 to `limit` - 1."""
        return int(self.rnd() * limit)

    def some(self, values: Sequence[str]) -> list[str]:
        """One to three of the values, in their order, none twice."""
        first = self.below(len(values))
        return list(values[first : first + 1 + self.below(3)])


def _created_at(draw: Draw) -> datetime:
    """Imports share the instant of their file, as bulk inserts do, so that sorting has ties to break."""
    if draw.source == "import":
        return FIRST_DAY + timedelta(days=30 * draw.below(SPAN_DAYS // 30), hours=2)
    return FIRST_DAY + timedelta(milliseconds=draw.below(SPAN_DAYS * 86_400_000))


def _updated_at(draw: Draw) -> datetime:
    """Never before it was made, and never after the two years; one contact in four was not touched since."""
    if draw.rnd() < 0.25:
        return draw.created_at
    left = FIRST_DAY + timedelta(days=SPAN_DAYS) - draw.created_at
    return draw.created_at + timedelta(seconds=draw.below(max(1, int(left.total_seconds()))))


def _digits(draw: Draw, count: int) -> str:
    return f"{int(draw.rnd() * 10**count):0{count}d}"


def _phone(draw: Draw) -> object:
    """As people write them; a few are stored as a bare integer."""
    number = _digits(draw, 8)
    style = draw.rnd()
    if style < 0.6:
        return f"{draw.pool.dial_code} 8{draw.below(90) + 10}-{number[:4]}-{number[4:]}"
    if style < 0.85:
        return f"08{draw.below(90) + 10}{number}"
    if style < 0.97:
        return f"{draw.pool.dial_code}8{number}"
    return 628_000_000_000 + int(number)


def _office_phone(draw: Draw) -> str:
    return f"(0{draw.below(90) + 10}) {_digits(draw, 7)} ext. {draw.below(400)}"


def _email(draw: Draw) -> str:
    return f"pelanggan{draw.index}.{_digits(draw, 3)}@{draw.pick(('example.com', 'example.org', 'mail.example.co.id'))}"


def _address(draw: Draw) -> str:
    return f"{draw.pick(draw.pool.streets)}\n{draw.pick(draw.pool.cities)}\n{draw.pool.country}"


def _paragraph(draw: Draw) -> str:
    separator = "\r\n" if draw.rnd() < 0.2 else "\n"
    return separator.join(draw.pick(draw.pool.sentences) for _ in range(1 + draw.below(3)))


def _birthday(draw: Draw) -> object:
    """A calendar day, as a BSON date at midnight UTC or as a `YYYY-MM-DD` text."""
    day = _BIRTH_FIRST + timedelta(days=draw.below(20_000))
    return day if draw.rnd() < 0.6 else f"{day:%Y-%m-%d}"


def _day(draw: Draw) -> datetime:
    return FIRST_DAY + timedelta(days=draw.below(SPAN_DAYS))


def _day_text(draw: Draw) -> str:
    return f"{_day(draw):%Y-%m-%d}"


def _money_idr(draw: Draw) -> Money:
    amount = draw.below(20_000) * 500
    kind = draw.rnd()
    if kind < 0.9:
        return Money(amount, "IDR")
    return Money(float(amount) + 0.5, "IDR") if kind < 0.96 else Money(amount, None)


def _money_usd(draw: Draw) -> Money:
    from bson.decimal128 import Decimal128

    cents = draw.below(5_000_000)
    if draw.rnd() < 0.5:
        return Money(Decimal128(f"{cents // 100}.{cents % 100:02d}"), "USD")
    return Money(cents / 100, "USD")


def _gps(draw: Draw) -> object:
    """Latitude and longitude: mostly a text, sometimes a pair, sometimes a document."""
    latitude, longitude = round(-11 + draw.rnd() * 17, 6), round(95 + draw.rnd() * 46, 6)
    style = draw.rnd()
    if style < 0.7:
        return f"{latitude},{longitude}"
    return [latitude, longitude] if style < 0.85 else {"lat": latitude, "lng": longitude}


def _code(draw: Draw) -> str:
    return "".join(draw.pick(_CODE_LETTERS) for _ in range(6))


MAKERS: Final[Mapping[str, Callable[[Draw], Any]]] = {
    "address": _address,
    "birthday": _birthday,
    "bool": lambda draw: draw.rnd() < 0.5,
    "channels": lambda draw: draw.some(_CHANNELS),
    "city": lambda draw: draw.pick(draw.pool.cities),
    "code": _code,
    "company": lambda draw: draw.pick(draw.pool.companies),
    "count": lambda draw: draw.below(250),
    "country": lambda draw: draw.pool.country,
    "created_at": lambda draw: draw.created_at,
    "crm_data": lambda draw: {"id": str(draw.crm_id)},
    "day": _day,
    "day_text": _day_text,
    "decimal": lambda draw: round(draw.rnd() * 1_000 - 200, 3),
    "drink": lambda draw: draw.pick(_DRINKS),
    "email": _email,
    "file_url": lambda draw: f"https://files.example.com/{draw.index}/{_digits(draw, 8)}.png",
    "furigana": lambda draw: draw.pick(("ヤマダ タロウ", "スズキ ハナコ", "サトウ イチロー", "ﾀﾅｶ ﾕｷ")),
    "gender": lambda draw: draw.pick(("Laki-laki", "Perempuan", "Tidak disebut")),
    "gps": _gps,
    "instant": lambda draw: FIRST_DAY + timedelta(milliseconds=draw.below(SPAN_DAYS * 86_400_000)),
    "interests": lambda draw: draw.some(_INTERESTS),
    "job": lambda draw: draw.pick(draw.pool.jobs),
    "language": lambda draw: draw.pick(("Bahasa Indonesia", "English", "日本語", "العربية", "Deutsch", "עברית")),
    "lead_status": lambda draw: draw.pick(("Baru", "Dihubungi", "Negosiasi", "Menang", "Kalah")),
    "money_idr": _money_idr,
    "money_jpy": lambda draw: Money(draw.below(1_000_000), "JPY"),
    "money_usd": _money_usd,
    "mood": lambda draw: draw.pick(("😀", "😐", "😡", "biasa saja")),
    "name": lambda draw: draw.pick(draw.pool.names),
    "national_id": lambda draw: _digits(draw, 16),
    "nickname": lambda draw: draw.pick(draw.pool.names).split(" ")[0],
    "office_phone": _office_phone,
    "paragraph": _paragraph,
    "percentage": lambda draw: draw.below(201) / 2,
    "phone": _phone,
    "points": lambda draw: draw.below(100_000),
    "reference": lambda draw: f"REF-{draw.index:07d}",
    "score": lambda draw: 1 + draw.below(5),
    "secret_note": lambda draw: f"RAHASIA: {draw.pick(draw.pool.sentences)}",
    "segment": lambda draw: draw.pick(("Ritel", "Grosir", "Korporat", "UMKM")),
    "sentence": lambda draw: draw.pick(draw.pool.sentences),
    "size": lambda draw: f"{35 + draw.below(12)}½",
    "social_url": lambda draw: f"https://instagram.example/pelanggan.{draw.index}",
    "source": lambda draw: draw.source,
    "tags": lambda draw: draw.some(_TAGS),
    "tax_id": lambda draw: f"{_digits(draw, 2)}.{_digits(draw, 3)}.{_digits(draw, 3)}.{_digits(draw, 1)}-001.000",
    "tier": lambda draw: draw.pick(("Perunggu", "Perak", "Emas", "Platina")),
    "updated_at": lambda draw: draw.updated_at,
    "url": lambda draw: f"https://www.example.com/?id={draw.index}&lang={draw.pool.locale}",
    "zero_padded": lambda draw: _digits(draw, 9),
}
