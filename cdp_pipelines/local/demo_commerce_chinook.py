"""Real commerce for the demo: the Chinook sample database as customers, orders, products and SKUs of one company.

An album is a product and a track is one of its SKUs: an invoice line names a track, at a price that the track has and
the album has not, and a track belongs to one album as a variant does to its product. An invoice is an order, paid and
without discount. There are no vouchers in Chinook, so there are no redemptions either.
Not here: Chinook's customers as contacts and reading the file (`demo_chinook.py`), writing (`demo_commerce_load.py`).
"""

import hashlib
from collections import defaultdict
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from bson.objectid import ObjectId

from cdp_pipelines.local.demo_chinook import (
    CHINOOK_CID,
    CHINOOK_COMPANY_SSO_ID,
    chinook_company,
    read_chinook,
    reading_rows,
)
from cdp_pipelines.local.demo_commerce_load import LoadedCommerce, write_commerce
from cdp_pipelines.local.demo_commerce_values import ID_PREFIXES, Document

if TYPE_CHECKING:
    from pymongo.database import Database

CHINOOK_COMMERCE_VERSION: Final = "chinook-commerce/1"

_TABLES: Final = ("Customer", "Employee", "Invoice", "InvoiceLine", "Track", "Genre", "Album", "Artist", "MediaType")
_CURRENCY: Final = "USD"
_CATALOGUE_DATE: Final = datetime(2021, 1, 1, tzinfo=UTC)
_Row = Mapping[str, Any]
_Tables = Mapping[str, list[_Row]]


def load_chinook_commerce(
    db: "Database[dict[str, Any]]",
    path: Path,
    *,
    company_sso_id: str = CHINOOK_COMPANY_SSO_ID,
    cid: int = CHINOOK_CID,
    force: bool = False,
) -> LoadedCommerce:
    """Bring Chinook's customers, orders, products and SKUs into `db`, beside its contacts (`load_chinook`).

    Raises:
        ConfigurationError: the file is not there or is not Chinook (`CHINOOK_FILE_UNUSABLE`).
        TransientFailure: the database did not take the documents (`DEMO_LOAD_FAILED`).
    """
    documents = chinook_commerce(path, company_sso_id=company_sso_id)
    return write_commerce(
        db,
        chinook_company(company_sso_id, cid),
        {name: len(rows) for name, rows in documents.items()},
        lambda: documents,
        version=CHINOOK_COMMERCE_VERSION,
        force=force,
    )


def chinook_commerce(path: Path, *, company_sso_id: str = CHINOOK_COMPANY_SSO_ID) -> dict[str, list[Document]]:
    """The documents by collection, in the order of Chinook's own numbers, which are their `source_id`s.

    Money is in minor units, reckoned with decimals; an empty text of the source is a missing value.

    Raises:
        ConfigurationError: the file is not there or is not Chinook (`CHINOOK_FILE_UNUSABLE`).
    """
    tables = read_chinook(path, _TABLES)
    shop = _Shop(company_sso_id)
    with reading_rows():
        return {
            "customers": list(shop.customers(tables)),
            "products": list(shop.products(tables)),
            "skus": list(shop.skus(tables)),
            "orders": list(shop.orders(tables)),
        }


class _Shop:
    """Chinook in one company; ids hold the company's key, so that two companies can hold it side by side."""

    def __init__(self, company_sso_id: str) -> None:
        self._company_sso_id = company_sso_id

    def customers(self, tables: _Tables) -> Iterator[Document]:
        invoiced: dict[int, list[datetime]] = defaultdict(list)
        for invoice in tables["Invoice"]:
            invoiced[invoice["CustomerId"]].append(_instant(invoice["InvoiceDate"]))
        reps = {row["EmployeeId"]: f"{row['FirstName']} {row['LastName']}" for row in tables["Employee"]}
        for row in _in_order(tables, "Customer"):
            # Chinook does not say when a customer was made: the first and last invoice are the nearest it knows.
            dates = invoiced[row["CustomerId"]] or [_CATALOGUE_DATE]
            extra = {"company": row["Company"], "fax": row["Fax"], "support_rep": reps.get(row["SupportRepId"])}
            yield self._head("customers", row["CustomerId"]) | {
                "source_id": str(row["CustomerId"]),
                "name": " ".join(part for part in (row["FirstName"], row["LastName"]) if part),
                "email": row["Email"] or None,
                "phone": row["Phone"] or None,
                "address": _filled(
                    {
                        "city": row["City"],
                        "state": row["State"],
                        "line_1": row["Address"],
                        "country": row["Country"],
                        "postal_code": row["PostalCode"],
                    }
                ),
                "metadata": _filled(extra),
                "created_at": min(dates),
                "updated_at": max(dates),
            }

    def products(self, tables: _Tables) -> Iterator[Document]:
        artists = {row["ArtistId"]: row["Name"] for row in tables["Artist"]}
        for row in _in_order(tables, "Album"):
            yield self._head("products", row["AlbumId"]) | {
                "source_id": str(row["AlbumId"]),
                "name": row["Title"],
                "attributes": ["genre", "media_type", "composer", "milliseconds"],
                "metadata": _filled({"artist": artists.get(row["ArtistId"])}),
                "created_at": _CATALOGUE_DATE,
                "updated_at": _CATALOGUE_DATE,
            }

    def skus(self, tables: _Tables) -> Iterator[Document]:
        genres = {row["GenreId"]: row["Name"] for row in tables["Genre"]}
        media = {row["MediaTypeId"]: row["Name"] for row in tables["MediaType"]}
        for row in _in_order(tables, "Track"):
            attributes = {
                "genre": genres.get(row["GenreId"]),
                "media_type": media.get(row["MediaTypeId"]),
                "composer": row["Composer"],
                "milliseconds": row["Milliseconds"],
            }
            yield self._head("skus", row["TrackId"]) | {
                "source_id": str(row["TrackId"]),
                "sku": row["Name"],
                "product_id": self._id("products", row["AlbumId"]),
                "currency": _CURRENCY,
                "price": _minor_units(row["UnitPrice"]),
                "attributes": _filled(attributes),
                "metadata": {"bytes": row["Bytes"]},
                "created_at": _CATALOGUE_DATE,
                "updated_at": _CATALOGUE_DATE,
            }

    def orders(self, tables: _Tables) -> Iterator[Document]:
        lines: dict[int, list[_Row]] = defaultdict(list)
        for line in tables["InvoiceLine"]:
            lines[line["InvoiceId"]].append(line)
        albums = {row["TrackId"]: row["AlbumId"] for row in tables["Track"]}
        for row in _in_order(tables, "Invoice"):
            items = [self._item(line, albums[line["TrackId"]]) for line in lines[row["InvoiceId"]]]
            total, date = _minor_units(row["Total"]), _instant(row["InvoiceDate"])
            billing = {
                "address": row["BillingAddress"],
                "city": row["BillingCity"],
                "state": row["BillingState"],
                "country": row["BillingCountry"],
                "postal_code": row["BillingPostalCode"],
            }
            yield self._head("orders", row["InvoiceId"]) | {
                "source_id": str(row["InvoiceId"]),
                "status": "PAID",
                "amount": total,
                "discount_amount": 0,
                "items_discount_amount": 0,
                "total_discount_amount": 0,
                "total_amount": total,
                "customer_id": self._id("customers", row["CustomerId"]),
                "items": items,
                "metadata": {
                    "currency": _CURRENCY,
                    "country": row["BillingCountry"],
                    "lines": len(items),
                    "billing": _filled(billing),
                },
                "created_at": date,
                "updated_at": date,
            }

    def _item(self, line: _Row, album: int) -> Document:
        price = _minor_units(line["UnitPrice"])
        return {
            "product_id": self._id("products", album),
            "sku_id": self._id("skus", line["TrackId"]),
            "quantity": line["Quantity"],
            "price": price,
            "amount": price * int(line["Quantity"]),
        }

    def _head(self, collection: str, number: int) -> Document:
        place = hashlib.blake2b(f"chinook:{self._company_sso_id}:{collection}".encode(), digest_size=8).hexdigest()
        return {
            "_id": ObjectId(f"{place}{number:08x}"),
            "company_sso_id": self._company_sso_id,
            "id": self._id(collection, number),
        }

    def _id(self, collection: str, number: int) -> str:
        key = f"chinook:{self._company_sso_id}:{collection}:{number}"
        return ID_PREFIXES[collection] + hashlib.blake2b(key.encode(), digest_size=12).hexdigest()


def _in_order(tables: _Tables, table: str) -> list[_Row]:
    return sorted(tables[table], key=lambda row: int(row[f"{table}Id"]))


def _filled(values: Mapping[str, Any]) -> Document:
    return {key: value for key, value in values.items() if value not in ("", None)}


def _minor_units(amount: object) -> int:
    """1.98 is 198; a fraction of a cent is not rounded away but refused (ValueError)."""
    cents = Decimal(str(amount)) * 100
    if cents != int(cents):
        raise ValueError("an amount has more than two decimal places")
    return int(cents)


def _instant(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)
