"""Chinook as commerce, checked against sums over the raw file; skipped where the file is not."""

import json
import re
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import bson
import pytest

from cdp_pipelines.domain.errors import ConfigurationError
from cdp_pipelines.local.demo_chinook import chinook_file
from cdp_pipelines.local.demo_commerce_chinook import chinook_commerce

CHINOOK = chinook_file()
needs_chinook = pytest.mark.skipif(CHINOOK is None, reason="shared/corpora/chinook.json is not here")


@pytest.fixture(scope="module")
def documents() -> dict[str, list[dict[str, Any]]]:
    assert CHINOOK is not None
    return chinook_commerce(CHINOOK)


@pytest.fixture(scope="module")
def raw() -> Iterator[sqlite3.Connection]:
    """The raw tables in SQLite, amounts as cents made from the file's own digits: another way than the loader's."""
    assert CHINOOK is not None
    tables = json.loads(CHINOOK.read_text(encoding="utf-8"), parse_float=_cents)
    connection = sqlite3.connect(":memory:")
    for name, rows in tables.items():
        columns = list(rows[0])
        connection.execute(f"CREATE TABLE {name} ({', '.join(columns)})")
        places = ", ".join("?" for _ in columns)
        connection.executemany(f"INSERT INTO {name} VALUES ({places})", [[row[key] for key in columns] for row in rows])
    yield connection
    connection.close()


def _cents(digits: str) -> int:
    whole, fraction = re.fullmatch(r"(\d+)\.(\d{1,2})", digits).groups()  # type: ignore[union-attr]
    return int(whole) * 100 + int(fraction.ljust(2, "0"))


@needs_chinook
def test_there_are_as_many_as_rows(documents: dict[str, list[dict[str, Any]]], raw: sqlite3.Connection) -> None:
    tables = {"customers": "Customer", "orders": "Invoice", "products": "Album", "skus": "Track"}
    for name, table in tables.items():
        [(count,)] = raw.execute(f"SELECT count(*) FROM {table}")
        assert len(documents[name]) == len({row["id"] for row in documents[name]}) == count


@needs_chinook
def test_customers_spent_what_their_invoices_say(
    documents: dict[str, list[dict[str, Any]]], raw: sqlite3.Connection
) -> None:
    numbers = {row["id"]: row["source_id"] for row in documents["customers"]}
    found: dict[str, tuple[int, int]] = {}
    for order in documents["orders"]:
        number = numbers[order["customer_id"]]
        count, total = found.get(number, (0, 0))
        found[number] = (count + 1, total + order["total_amount"])
    spent = raw.execute("SELECT CustomerId, count(*), sum(Total) FROM Invoice GROUP BY CustomerId")
    assert found == {str(number): (count, total) for number, count, total in spent}
    assert sum(total for _, total in found.values()) == 232_860


@needs_chinook
def test_lines_add_up_to_their_invoice(documents: dict[str, list[dict[str, Any]]], raw: sqlite3.Connection) -> None:
    query = "SELECT InvoiceId, count(*), sum(UnitPrice * Quantity) FROM InvoiceLine GROUP BY InvoiceId"
    lines = {str(number): (count, total) for number, count, total in raw.execute(query)}
    for order in documents["orders"]:
        count, total = lines[order["source_id"]]
        assert order["metadata"]["lines"] == len(order["items"]) == count
        assert order["amount"] == order["total_amount"] == total == sum(item["amount"] for item in order["items"])


@needs_chinook
def test_tracks_stand_under_their_album_and_are_what_was_sold(
    documents: dict[str, list[dict[str, Any]]], raw: sqlite3.Connection
) -> None:
    albums = {row["id"]: row["name"] for row in documents["products"]}
    found = {(row["source_id"], row["sku"], albums[row["product_id"]], row["price"]) for row in documents["skus"]}
    query = "SELECT TrackId, Name, Title, UnitPrice FROM Track JOIN Album USING (AlbumId)"
    assert found == {(str(number), *rest) for number, *rest in raw.execute(query)}
    skus = {row["id"]: row for row in documents["skus"]}
    for order in documents["orders"]:
        for item in order["items"]:
            assert skus[item["sku_id"]]["product_id"] == item["product_id"]


@needs_chinook
def test_accents_commas_and_gaps_are_kept(documents: dict[str, list[dict[str, Any]]]) -> None:
    first = documents["customers"][0]
    assert (first["name"], first["address"]["line_1"]) == ("Luís Gonçalves", "Av. Brigadeiro Faria Lima, 2170")
    assert any("state" not in row["address"] for row in documents["customers"])
    assert any("composer" not in row["attributes"] for row in documents["skus"])
    assert all(bson.encode(row) for rows in documents.values() for row in rows)


@needs_chinook
def test_two_companies_share_no_id(documents: dict[str, list[dict[str, Any]]]) -> None:
    assert CHINOOK is not None
    other = chinook_commerce(CHINOOK, company_sso_id="somebody-else")
    for name, rows in documents.items():
        for key in ("_id", "id"):
            assert not {row[key] for row in rows} & {row[key] for row in other[name]}


TRACK = {"TrackId": 1, "Name": "x", "AlbumId": 1, "MediaTypeId": 1, "GenreId": 1, "Composer": None, "Bytes": 1}


@pytest.mark.parametrize(
    ("tables", "why"),
    [
        ({}, "no table Customer"),
        ({"Track": [{"TrackId": 1}]}, "lacks a column"),
        ({"Track": [{**TRACK, "Milliseconds": 1, "UnitPrice": 0.999}]}, "holds something else"),
    ],
    ids=["no-tables", "no-column", "fraction-of-a-cent"],
)
def test_a_file_that_is_not_chinook_is_refused(tables: dict[str, Any], why: str, tmp_path: Path) -> None:
    names = ("Customer", "Employee", "Invoice", "InvoiceLine", "Genre", "Album", "Artist", "MediaType", "Track")
    path = tmp_path / "other.json"
    path.write_text(json.dumps((dict.fromkeys(names, ()) if tables else {}) | tables), encoding="utf-8")
    with pytest.raises(ConfigurationError, match=why):
        chinook_commerce(path)
