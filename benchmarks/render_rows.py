"""The rows of the rendering benchmark: contacts of 60 mixed fields, and the sources they may come from.

A source is a function `rows -> (columns, open)`, where `open()` gives an iterable of batches of contact documents; add
one to `SOURCES` to measure another way in.
"""

import os
import random
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from bson import ObjectId
from pymongo import MongoClient

from cdp_pipelines.domain.contact_export.fields import Column, FieldProperty, choose_columns, projection
from cdp_pipelines.domain.contact_export.request import Selection
from cdp_pipelines.resources.cdp_mongo import connect
from cdp_pipelines.stores.contacts import ContactReader

BATCH_ROWS = 500
DATABASE = "cdp_bench"

Contact = dict[str, Any]
Batches = Callable[[], Iterable[Sequence[Contact]]]
Source = Callable[[int], tuple[tuple[Column, ...], Batches]]

# Twelve fields on the contact itself, then 48 custom ones: (type, number type, how many).
_DEFAULT = (
    ("name", "single_line_text"), ("email", "email"), ("phone", "phone"), ("source", "dropdown_select"),
    ("address", "text_area"), ("city", "dropdown_select"), ("company", "single_line_text"), ("birthday", "date"),
    ("is_subscribed", "bool"), ("website", "url"), ("created_at", "datetime"), ("updated_at", "datetime"),
)  # fmt: skip
_CUSTOM = (
    ("single_line_text", "", 12), ("dropdown_select", "", 8), ("text_area", "", 3), ("url", "", 2), ("upload", "", 1),
    ("number", "number", 6), ("number", "percentage", 3), ("number", "currency", 4), ("date", "", 4),
    ("multiple_select", "", 3), ("gps", "", 1), ("signature", "", 1),
)  # fmt: skip

_NAMES = [
    "Budi",
    "Siti",
    "Zoë",
    "José",
    "Ayu",
    "Wayan",
    "Agus",
    "Dewi",
    "Renée",
    "Miku",
    "Øyvind",
    "Putri",
    "Rizky",
    "O'Brien",
    "Anne-Marie",
    "Nguyễn",
]
_WORDS = [
    "pelanggan",
    "baru",
    "menunggu",
    "kabar",
    "dari",
    "toko",
    "kami,",
    "sudah",
    "ditelepon;",
    "kirim",
    "ulang",
    "brosur",
    "besok",
    "pagi",
    "café",
]
_CITIES = ("Jakarta", "Surabaya", "Bandung", "Medan", "Denpasar", "Kota Yogyakarta", "Makassar")


def fields() -> list[FieldProperty]:
    made = [
        FieldProperty(name=name, alias=name.replace("_", " ").title(), field_type=kind, is_default=True, position=place)
        for place, (name, kind) in enumerate(_DEFAULT)
    ]
    for kind, number_type, count in _CUSTOM:
        for number in range(count):
            name = f"{number_type or kind}_{number}"
            made.append(
                FieldProperty(name=name, alias=name, field_type=kind, number_type=number_type, position=len(made))
            )
    return made


def contacts(rows: int) -> list[Contact]:
    dice = random.Random(20240501)
    custom = [field for field in fields() if not field.is_default]
    return [_contact(dice, number, custom) for number in range(rows)]


def from_memory(rows: int) -> tuple[tuple[Column, ...], Batches]:
    everyone = contacts(rows)
    batches = [everyone[start : start + BATCH_ROWS] for start in range(0, rows, BATCH_ROWS)]
    return choose_columns(fields(), None).columns, lambda: batches


def load_into_mongo(uri: str, rows: int) -> None:
    """Put the same contacts into MongoDB, with the index that the sort uses."""
    with MongoClient[Contact](uri) as client:
        collection = client[DATABASE]["contacts"]
        collection.drop()
        collection.create_index([("company_sso_id", 1), ("created_at", -1), ("_id", 1)])
        for batch in from_memory(rows)[1]():
            collection.insert_many([{**contact, "_id": ObjectId(contact["_id"])} for contact in batch])


def from_mongo(rows: int) -> tuple[tuple[Column, ...], Batches]:
    """The first 10,000 in the order of `created_at`, through the cursor that an export uses."""
    columns = choose_columns(fields(), None).columns
    client = connect(os.environ["CDP_MONGO_URI"])
    reader = ContactReader(client[DATABASE], "demo")
    selection = Selection(mode="first_10k_sorted")
    if reader.count(selection) != rows:
        raise SystemExit(f"MongoDB does not hold {rows} contacts; run the benchmark without --candidate")
    return columns, lambda: (batch.contacts for batch in reader.batches(selection, projection(columns)))


SOURCES: dict[str, Source] = {"memory": from_memory, "mongo": from_mongo}


def _contact(dice: random.Random, number: int, custom: list[FieldProperty]) -> Contact:
    name = f"{dice.choice(_NAMES)} {dice.choice(_NAMES)} {number}"
    contact: Contact = {
        "_id": f"{number:024x}", "company_sso_id": "demo", "name": name, "email": f"user{number}@example.com",
        "phone": f"+62 812-{dice.randint(1000, 9999)}-{number:05d}", "source": dice.choice(("email", "import", "web")),
        "address": f"Jl. Merdeka No. {number}, RT 0{number % 9}\n{dice.choice(_CITIES)}", "city": dice.choice(_CITIES),
        "company": f"PT {dice.choice(_NAMES)} Jaya", "birthday": _moment(dice, 1950, 20_000).replace(hour=0, minute=0),
        "is_subscribed": dice.random() < 0.5, "website": f"https://example.com/{number}",
        "created_at": _moment(dice, 2015, 3_000), "updated_at": _moment(dice, 2023, 500),
    }  # fmt: skip
    contact["custom_fields"] = [_entry(dice, field) for field in custom if dice.random() > 0.1]
    return contact


def _entry(dice: random.Random, field: FieldProperty) -> Contact:
    entry: Contact = {"key": field.name, "value": _value(dice, field)}
    if field.number_type == "currency":
        entry["currency_code"] = "IDR"
    return entry


def _value(dice: random.Random, field: FieldProperty) -> Any:
    number = dice.randint(0, 10**7)
    made: dict[str, Callable[[], Any]] = {
        "single_line_text": lambda: f"{dice.choice(_WORDS)} {dice.choice(_WORDS)} {number}",
        "dropdown_select": lambda: dice.choice(_CITIES),
        "text_area": lambda: " ".join(dice.choices(_WORDS, k=10)) + "\nbaris kedua",
        "url": lambda: f"https://example.com/p/{number}?ref=crm",
        "upload": lambda: f"https://files.example.com/{number}.pdf",
        "number": lambda: _number(dice, field.number_type, number),
        "date": lambda: _moment(dice, 1990, 12_000).replace(hour=0, minute=0, second=0),
        "multiple_select": lambda: dice.sample(_CITIES, 2),
        "gps": lambda: {"lat": -6.2 + dice.random(), "lng": 106.8 + dice.random()},
        "signature": lambda: f"https://files.example.com/sign/{number}.png",
    }
    return made[field.field_type]()


def _number(dice: random.Random, number_type: str, number: int) -> int | float:
    if number_type == "percentage":
        return round(dice.random() * 100, 1)
    if number_type == "currency":
        return number * 100
    return number if dice.random() < 0.5 else number / 100


def _moment(dice: random.Random, year: int, days: int) -> datetime:
    start = datetime(year, 1, 1, tzinfo=UTC)
    moment = start + timedelta(days=dice.randint(0, days), seconds=dice.randint(0, 86_399))
    # Drivers give naive UTC by default.
    return moment.replace(tzinfo=None)
