"""Chinook customers as contacts; what needs the real file is skipped where it is not."""

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import bson
import pytest

from cdp_pipelines.domain.errors import ConfigurationError
from cdp_pipelines.local.demo_chinook import CHINOOK_FIELDS, chinook_documents

CHINOOK = Path(__file__).resolve().parents[4] / "shared" / "corpora" / "chinook.json"
needs_chinook = pytest.mark.skipif(not CHINOOK.is_file(), reason="shared/corpora/chinook.json is not here")

TINY: dict[str, list[dict[str, Any]]] = {
    "Customer": [
        {
            "CustomerId": 7, "FirstName": "Astrid", "LastName": "Gruber", "Company": "", "Address": "Rotenturmstraße 4",
            "City": "Vienne", "State": "", "Country": "Austria", "PostalCode": "01010", "Phone": "+43 01 5134505",
            "Fax": "", "Email": "astrid@example.com", "SupportRepId": 5,
        },
        {
            "CustomerId": 8, "FirstName": "Daan", "LastName": "", "Company": "", "Address": "", "City": "", "State": "",
            "Country": "", "PostalCode": "", "Phone": "", "Fax": "", "Email": "", "SupportRepId": None,
        },
    ],
    "Employee": [{"EmployeeId": 5, "FirstName": "Steve", "LastName": "Johnson", "Email": "steve@example.com"}],
    "Invoice": [
        {"InvoiceId": 1, "CustomerId": 7, "InvoiceDate": "2021-03-04T00:00:00", "Total": 0.1},
        {"InvoiceId": 2, "CustomerId": 7, "InvoiceDate": "2022-03-04T00:00:00", "Total": 0.2},
    ],
    "InvoiceLine": [{"InvoiceId": 1, "TrackId": 1}, {"InvoiceId": 2, "TrackId": 2}, {"InvoiceId": 2, "TrackId": 2}],
    "Track": [{"TrackId": 1, "GenreId": 1}, {"TrackId": 2, "GenreId": 2}],
    "Genre": [{"GenreId": 1, "Name": "Rock"}, {"GenreId": 2, "Name": "Alternative & Punk"}],
}  # fmt: skip


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    path = tmp_path / "chinook.json"
    path.write_text(json.dumps(TINY), encoding="utf-8")
    return path


def _custom(contact: dict[str, Any]) -> dict[str, Any]:
    return {entry["key"]: entry for entry in contact["custom_fields"]}


def test_a_customer_becomes_a_contact(tiny: Path) -> None:
    contact = next(iter(chinook_documents(tiny).contacts))
    custom = _custom(contact)
    assert (contact["name"], contact["company_name"]) == ("Astrid Gruber", None)
    assert contact["address"] == "Rotenturmstraße 4\n01010 Vienne\nAustria"
    assert contact["crm_data"] == {"id": "7"}
    assert (contact["created_at"].year, contact["updated_at"].year) == (2021, 2022)
    assert custom["total_spent"]["value"].to_decimal() == Decimal("0.30")
    assert custom["total_spent"]["currency_code"] == "USD"
    assert custom["invoice_count"]["value"] == 2
    assert custom["postal_code"]["value"] == "01010"
    assert custom["support_rep"]["value"] == "Steve Johnson"
    assert custom["genres"]["value"] == ["Alternative & Punk", "Rock"]
    assert "state" not in custom


def test_a_customer_without_anything_is_a_contact_too(tiny: Path) -> None:
    contact = list(chinook_documents(tiny).contacts)[1]
    assert contact["name"] == "Daan"
    assert contact["email"] is None
    assert _custom(contact)["total_spent"]["value"].to_decimal() == 0


def test_two_companies_share_no_id(tiny: Path) -> None:
    one, two = (chinook_documents(tiny, company_sso_id=key) for key in ("company-1", "company-2"))
    for kind in ("contacts", "layouts", "field_properties"):
        ids = [{document["_id"] for document in getattr(documents, kind)} for documents in (one, two)]
        assert not ids[0] & ids[1]
    assert {contact["company_sso_id"] for contact in one.contacts} == {"company-1"}


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ("{", "JSON"),
        ("[]", "object of tables"),
        ('{"Customer": []}', "no table Employee"),
        (json.dumps({**TINY, "Customer": [{"CustomerId": 1}]}), "lacks a column"),
    ],
)
def test_a_file_that_is_not_chinook_is_refused(content: str, why: str, tmp_path: Path) -> None:
    path = tmp_path / "other.json"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(ConfigurationError, match=why):
        chinook_documents(path)


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="Give the path"):
        chinook_documents(tmp_path / "nowhere.json")


@needs_chinook
def test_the_real_file_has_its_59_customers() -> None:
    documents = chinook_documents(CHINOOK)
    contacts = list(documents.contacts)
    assert len(contacts) == documents.contact_count == 59
    spent = sum(_custom(contact)["total_spent"]["value"].to_decimal() for contact in contacts)
    assert spent == Decimal("2328.60")
    assert sum(_custom(contact)["invoice_count"]["value"] for contact in contacts) == 412
    assert contacts[0]["name"] == "Luís Gonçalves"
    assert b"".join(map(bson.encode, contacts)) == b"".join(map(bson.encode, chinook_documents(CHINOOK).contacts))


@needs_chinook
def test_every_field_is_described_and_filled() -> None:
    documents = chinook_documents(CHINOOK)
    filled: set[str] = set()
    for contact in documents.contacts:
        filled |= {key for key, value in contact.items() if value is not None} | _custom(contact).keys()
    described = {field.name for field in CHINOOK_FIELDS}
    assert described <= filled
    assert filled - described == {"_id", "company_sso_id", "crm_data", "custom_fields"}
    assert [layout["is_default"] for layout in documents.layouts] == [True]
