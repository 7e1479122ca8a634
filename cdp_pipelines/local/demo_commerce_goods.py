"""Demo goods: `products`, and the `skus` that are their variants.

Not here: what was sold of them (`demo_commerce_orders.py`).
"""

from datetime import timedelta
from itertools import islice, product
from typing import Any, Final

from bson.decimal128 import Decimal128
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

CURRENCIES: Final = ("IDR", "USD", "JPY", "EUR", "AED")
_NOUNS: Final = (
    "Kopi tubruk",
    "Teh melati",
    "抹茶セット",
    "قهوة عربية",
    "Apfelschorle",
    "Crème de cassis",
    "Kaos ½ lengan",
)
_VARIANTS: Final = {
    "ukuran": ("S", "M", "L", "XL½"),
    "warna": ("merah", "hijau, tua", "藍", "أزرق"),
    "kemasan": ("sachet", '12" kaleng', "1 kg"),
}
_OPTIONAL_PRODUCT: Final = ("source_id", "name", "image_url", "attributes", "metadata", "updated_at")
_OPTIONAL_SKU: Final = ("source_id", "sku", "currency", "price", "image_url", "attributes", "metadata", "updated_at")


def make_products(workshop: Workshop, count: int) -> list[Document]:
    """A company's products, prices in minor units; the last one has nothing but its `_id`."""
    dice, head = workshop.dice("products"), workshop.heads("products")
    made = []
    for number in range(count - 1):
        created_at = shared_moment(dice, 0, 400)
        document = head(number) | {
            "source_id": f"P-{number:05d}",
            "name": f"{dice.pick(_NOUNS)} no. {number}",
            "price": 500 * (1 + dice.below(4_000)),
            "image_url": f"https://img.example.com/p/{number}.png?size=1,2",
            "attributes": list(_VARIANTS)[: dice.below(4)],
            "metadata": metadata(dice),
            "created_at": created_at,
            "updated_at": created_at + timedelta(hours=dice.below(4_000)),
        }
        punch(dice, document, _OPTIONAL_PRODUCT)
        made.append(document)
    show(made, _product_examples(dice))
    return [*made, bare(head(count - 1))]


def make_skus(workshop: Workshop, count: int, products: list[Document]) -> list[Document]:
    """Variants of the products, by turns; an attribute of a variant is always one that its product names.

    A price of its own may be missing, then its product's holds. The last one has nothing but its `_id`.
    """
    dice, head = workshop.dice("skus"), workshop.heads("skus")
    made = []
    # Every eighth product has no variants.
    parents = [document for number, document in enumerate(products) if "id" in document and number % 8 != 7]
    turns = islice(product(range(-(-count // len(parents))), parents), count - 1)
    for number, (turn, parent) in enumerate(turns):
        created_at = shared_moment(dice, 30, 500)
        names = parent.get("attributes") if isinstance(parent.get("attributes"), list) else []
        document = head(number) | {
            "source_id": f"SKU/{number:06d}",
            "sku": f"{parent.get('name') or 'tanpa nama'} / {turn + 1}",
            "product_id": parent["id"],
            "currency": CURRENCIES[number % len(CURRENCIES)],
            "price": 500 * (1 + dice.below(4_000)),
            "image_url": f"https://img.example.com/s/{number}.webp",
            "attributes": {name: dice.pick(_VARIANTS[name]) for name in names or ()},
            "metadata": metadata(dice),
            "created_at": created_at,
            "updated_at": created_at + timedelta(hours=dice.below(4_000)),
        }
        punch(dice, document, _OPTIONAL_SKU)
        made.append(document)
    show(made, _sku_examples(dice))
    return [*made, bare(head(count - 1))]


def _product_examples(dice: Dice) -> list[tuple[str, Any]]:
    """Prices first: a few products must not be for sale at such prices, so orders take none of these."""
    return [
        ("price", 0),
        ("price", -500),
        ("price", None),
        ("price", Int64(2**53 + 1)),
        ("price", 19.99),
        ("price", Decimal128("12345678901234567890.25")),
        ("price", "12.500"),
        ("attributes", []),
        ("attributes", None),
        ("metadata", every_metadata(dice)),
        ("metadata", {"nested": {"a.b": {"$c": [1, None, {"d": True}]}}}),
        *(("created_at", date) for date in FAR_DATES),
        ("created_at", "2024-02-30"),
        *(("name", text) for text in MESSY_TEXTS),
    ]


def _sku_examples(dice: Dice) -> list[tuple[str, Any]]:
    return [
        ("price", 0),
        ("price", -1),
        ("price", Int64(2**63 - 1)),
        ("price", float("nan")),
        ("attributes", {}),
        ("attributes", "merah"),
        ("metadata", every_metadata(dice)),
        *(("sku", text) for text in MESSY_TEXTS),
        ("currency", "=A1"),
    ]
