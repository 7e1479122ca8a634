"""What all makers of demo commerce documents draw from: dice, ids, moments, free texts and metadata.

Belongs here: values that no single object owns, and gaps. Not here: the objects themselves (`demo_commerce_*.py`).
"""

import hashlib
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final, TypeAlias, TypeVar

from bson.decimal128 import Decimal128
from bson.int64 import Int64
from bson.objectid import ObjectId

from cdp_pipelines.local.demo_companies import DemoCompany
from cdp_pipelines.local.demo_mess import HOSTILE_TEXTS
from cdp_pipelines.local.demo_pools import LocalePool, locale_pool
from cdp_pipelines.local.demo_values import FIRST_DAY, SPAN_DAYS

T = TypeVar("T")
Document: TypeAlias = dict[str, Any]

LAST_DAY: Final = FIRST_DAY + timedelta(days=SPAN_DAYS)
CHANNELS: Final = ("whatsapp", "email", "kasir", "web", "API")
ID_PREFIXES: Final[Mapping[str, str]] = {
    "campaigns": "camp_",
    "customers": "cust_",
    "products": "prod_",
    "skus": "sku_",
    "vouchers": "v_",
    "orders": "ord_",
    "redemptions": "r_",
    "publications": "pub_",
    "points_expirations": "lopb_",
    "voucher_transactions": "vtx_",
}
"""The source collections, in the order in which they are made and loaded, and how the ids in each begin."""

MESSY_TEXTS: Final[tuple[str, ...]] = (
    *HOSTILE_TEXTS,
    "Crème brûlée à l'érable — ½ prix",
    "Übergröße, Łódź, Żółć, Ångström",
    "春の大感謝祭、最大50%オフ",
    "خصم رمضان ١٠٪ لكل العائلة",
    "מבצע חורף",
    "🎉 Promo Lebaran 👩‍👩‍👧‍👦 🇮🇩",
    "Zoe\u0308 Ma\u0301rquez",
    'Katanya "hemat", ya, tapi; mahal',
    "Baris satu\nbaris dua\r\nbaris tiga\rakhir",
    "+62 812-3456-7890",
    "+6281234567890",
    "-10%",
    "@diskon",
    "＋10%",
    "bel\u0007 hapus\u007f escape\u001b[31m",
    "sebelum\u0000sesudah",
    "akhir\ufffe\uffff",
    "kode\u202efdp.exe",
    "00012345",
    "1e5",
    "TRUE",
    "2024-02-30",
    "   ",
    "",
    "Teks yang panjang sekali. 🙂 " * 1_500,
)
"""Free texts that a file must hold unharmed; the last one is longer than a spreadsheet's cell may be."""

FAR_DATES: Final[tuple[datetime, ...]] = (
    datetime(1, 1, 1, tzinfo=UTC),
    datetime(1815, 12, 10, tzinfo=UTC),
    datetime(1899, 12, 30, tzinfo=UTC),
    datetime(1900, 2, 28, 23, 59, 59, 999_000, tzinfo=UTC),
    datetime(2038, 1, 19, 3, 14, 8, tzinfo=UTC),
    datetime(2999, 6, 30, 12, tzinfo=UTC),
    datetime(9999, 12, 31, 23, 59, 59, 999_000, tzinfo=UTC),
)


class Dice:
    """A random stream that depends on its key alone; it calls `random()` only, which no Python release changes."""

    __slots__ = ("rnd",)

    def __init__(self, *key: object) -> None:
        digest = hashlib.blake2b(":".join(map(str, key)).encode(), digest_size=8).digest()
        self.rnd = random.Random(int.from_bytes(digest, "big")).random  # noqa: S311 made-up shops, not a secret

    def pick(self, values: Sequence[T]) -> T:
        """One of the values."""
        return values[int(self.rnd() * len(values))]

    def below(self, limit: int) -> int:
        """A whole number from 0 to `limit` - 1."""
        return int(self.rnd() * limit)

    def chance(self, share: float) -> bool:
        """True in that share of the calls."""
        return self.rnd() < share


@dataclass(frozen=True, slots=True)
class Workshop:
    """One company's making: whose documents these are, and the dice and ids for each collection."""

    slug: str
    company_sso_id: str
    seed: int
    pools: tuple[LocalePool, ...]

    @classmethod
    def of(cls, company: DemoCompany, seed: int) -> "Workshop":
        """The workshop of a demo company; each locale's pool is there as often as its share."""
        pools = tuple(locale_pool(locale, seed) for locale, share in company.locales for _ in range(share))
        return cls(company.slug, company.company_sso_id, seed, pools)

    def dice(self, what: str) -> Dice:
        """Dice for one purpose; what another purpose draws does not move them."""
        return Dice(self.seed, self.slug, what)

    def heads(self, collection: str) -> Callable[[int], Document]:
        """Makes `{_id, company_sso_id, id}` of document number n (from 0) of a collection.

        `_id` rises with the number; `id` does not, so that sorting by it is no accident.
        """
        place = hashlib.blake2b(f"{self.slug}:{collection}".encode(), digest_size=8).hexdigest()
        prefix = ID_PREFIXES[collection]

        def head(number: int) -> Document:
            digest = hashlib.blake2b(f"{place}:{number}".encode(), digest_size=12).hexdigest()
            return {
                "_id": ObjectId(f"{place}{number:08x}"),
                "company_sso_id": self.company_sso_id,
                "id": f"{prefix}{digest}",
            }

        return head


def moment(dice: Dice, first: datetime = FIRST_DAY, last: datetime = LAST_DAY) -> datetime:
    """An instant from `first` to `last`, on the millisecond as BSON keeps it."""
    return first + timedelta(milliseconds=int(dice.rnd() * ((last - first) // timedelta(milliseconds=1))))


def shared_moment(dice: Dice, first_day: int, days: int) -> datetime:
    """One in three falls on the hour of a nightly import, so that many documents share it and sorting has ties."""
    if dice.chance(1 / 3):
        return FIRST_DAY + timedelta(days=first_day + 30 * dice.below(max(1, days // 30)), hours=2)
    return FIRST_DAY + timedelta(days=first_day, milliseconds=dice.below(days * 86_400_000))


_EXTRAS: Final[tuple[tuple[str, Callable[[Dice], Any]], ...]] = (
    ("vip", lambda dice: dice.chance(0.5)),
    ("score", lambda dice: dice.below(2_000) / 16 - 20),
    ("tags", lambda dice: [dice.pick(("ritel", "grosir", "日本", "ramadan, 2025")) for _ in range(dice.below(4))]),
    ("store", lambda dice: {"city": dice.pick(("Jakarta", "Zürich", "京都", "دبي")), "floor": dice.below(9) - 2}),
    ("since", moment),
    ("note", lambda _: None),
    ("comment", lambda dice: dice.pick(MESSY_TEXTS[:-1])),
    ("lokasi.kota", lambda dice: dice.pick(("Bandung", "Medan"))),
    ("$price", lambda dice: dice.below(90_000) - 1_000),
    ("名前", lambda dice: dice.pick(("花子", "太郎"))),
    ("مفتاح", lambda dice: dice.below(10)),
    ("phone", lambda dice: f"+62812{dice.below(10**7):07d}"),
    ("big", lambda dice: Int64(2**53 + 1 + dice.below(1_000))),
    ("rate", lambda dice: Decimal128(f"{dice.below(100)}.{dice.below(100):02d}")),
    ("levels", lambda dice: [{"level": 1, "items": [[], {}, None, [dice.below(3)]]}]),
    ("with space", lambda _: " x "),
)


def metadata(dice: Dice) -> Document:
    """What a company may hang on a document: `channel` and `priority`, and up to three keys of every kind."""
    made: Document = {"channel": dice.pick(CHANNELS), "priority": dice.below(5)}
    for _ in range(dice.below(4)):
        key, make = dice.pick(_EXTRAS)
        made[key] = make(dice)
    return made


def every_metadata(dice: Dice) -> Document:
    """All kinds of metadata at once, for a collection's showcase."""
    return {"channel": "whatsapp", "priority": 0} | {key: make(dice) for key, make in _EXTRAS}


_GAPPY_SHARE: Final = 0.3


def punch(dice: Dice, document: Document, names: Sequence[str]) -> None:
    """Take one or two of the named fields away from some documents, half of them leaving a null behind."""
    if not dice.chance(_GAPPY_SHARE):
        return
    for _ in range(1 + dice.below(2)):
        name = dice.pick(names)
        if dice.chance(0.5):
            document[name] = None
        else:
            document.pop(name, None)


def show(documents: Sequence[Document], examples: Sequence[tuple[str, Any]], *, start: int = 0) -> None:
    """Put example number i into document number `start` + i, in place of what its field held."""
    for document, (field, value) in zip(documents[start:], examples, strict=False):
        document[field] = value


def bare(head: Document) -> Document:
    """A document that has nothing at all, not even an id of its own."""
    return {"_id": head["_id"], "company_sso_id": head["company_sso_id"]}
