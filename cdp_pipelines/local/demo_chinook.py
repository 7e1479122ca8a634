"""Real data for the demo: the customers of the Chinook sample database as contacts of one company.

Belongs here: reading that one JSON file and shaping it as SPEC 1.1 has it. Not here: writing (`demo_data.py`).
"""

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from bson.decimal128 import Decimal128
from bson.objectid import ObjectId

from cdp_pipelines.domain.errors import ConfigurationError
from cdp_pipelines.local.demo_companies import company_key, contact_hex_id
from cdp_pipelines.local.demo_data import CompanyDocuments, LoadAction, write_company
from cdp_pipelines.local.demo_fields import DemoField, field_property, layout_id

if TYPE_CHECKING:
    from pymongo.database import Database

CHINOOK_SLUG: Final = "chinook"
CHINOOK_COMPANY_SSO_ID: Final = company_key(CHINOOK_SLUG)
CHINOOK_CID: Final = 2001

_INFO: Final = "customer_info"
_CUSTOM: Final = "custom"
_TABLES: Final = ("Customer", "Employee", "Invoice", "InvoiceLine", "Track", "Genre")

CHINOOK_FIELDS: Final[tuple[DemoField, ...]] = (
    DemoField("name", "Name", "single_line_text", _INFO, "", 1),
    DemoField("email", "Email", "email", _INFO, "", 1),
    DemoField("phone", "Phone", "phone", _INFO, "", 1),
    DemoField("company_name", "Company", "single_line_text", _INFO, "", 1),
    DemoField("address", "Address", "text_area", _INFO, "", 1),
    DemoField("city", "City", "single_line_text", _INFO, "", 1),
    DemoField("country", "Country", "dropdown_select", _INFO, "", 1),
    DemoField("source", "Source", "dropdown_select", "default", "", 1),
    DemoField("created_at", "Created at", "date", "default", "", 1),
    DemoField("updated_at", "Updated at", "date", "default", "", 1),
    DemoField("state", "State", "single_line_text", _CUSTOM, "", 1),
    DemoField("postal_code", "Postal code", "single_line_text", _CUSTOM, "", 1),
    DemoField("fax", "Fax", "phone", _CUSTOM, "", 1),
    DemoField("support_rep", "Support representative", "single_line_text", _CUSTOM, "", 1),
    DemoField("invoice_count", "Invoices", "number", _CUSTOM, "", 1, "number"),
    DemoField("total_spent", "Total spent", "number", _CUSTOM, "", 1, "currency"),
    DemoField("last_invoice_date", "Last invoice", "date", _CUSTOM, "", 1),
    DemoField("genres", "Genres bought", "multiple_select", _CUSTOM, "", 1),
    DemoField("support_rep_email", "Support representative's email", "email", _CUSTOM, "", 1, hidden=True),
)

_Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ChinookSummary:
    """What of Chinook stands in the database, and whether this load wrote it."""

    company_sso_id: str
    contacts: int
    fields: int
    action: LoadAction


def load_chinook(
    db: "Database[dict[str, Any]]",
    path: Path,
    *,
    company_sso_id: str = CHINOOK_COMPANY_SSO_ID,
    cid: int = CHINOOK_CID,
    force: bool = False,
) -> ChinookSummary:
    """Bring the Chinook customers into `db` as contacts of one company, with every switch on.

    Raises:
        ConfigurationError: the file is not there or is not Chinook (`CHINOOK_FILE_UNUSABLE`).
        TransientFailure: the database did not take the documents (`DEMO_LOAD_FAILED`).
    """
    loaded = write_company(db, chinook_documents(path, company_sso_id=company_sso_id, cid=cid), force=force)
    return ChinookSummary(company_sso_id, loaded.contacts, loaded.field_properties, loaded.action)


def chinook_documents(
    path: Path, *, company_sso_id: str = CHINOOK_COMPANY_SSO_ID, cid: int = CHINOOK_CID
) -> CompanyDocuments:
    """The documents of the Chinook company, contacts in the order of their customer numbers.

    Amounts are summed as decimals, never as floats; an empty text of the source is a missing value.

    Raises:
        ConfigurationError: the file is not there or is not Chinook (`CHINOOK_FILE_UNUSABLE`).
    """
    tables = read_chinook(path, _TABLES)
    with reading_rows():
        contacts = list(_contacts(tables, company_sso_id))
    # Ids hold the company's key, so that two companies can hold Chinook side by side.
    layout = layout_id(company_sso_id, "default")
    return CompanyDocuments(
        company=chinook_company(company_sso_id, cid),
        layouts=[{"_id": layout, "company_sso_id": company_sso_id, "name": "Default view", "is_default": True}],
        field_properties=[
            field_property(
                field, company_sso_id=company_sso_id, layout=layout, position=position, is_hidden=field.hidden
            )
            for position, field in enumerate(CHINOOK_FIELDS, start=1)
        ],
        contacts=contacts,
        contact_count=len(contacts),
        version="chinook/1",
    )


def chinook_file() -> Path | None:
    """The sample database in the folder of shared inputs beside the project, None where it is not there."""
    path = Path(__file__).resolve().parents[3] / "shared" / "corpora" / "chinook.json"
    return path if path.is_file() else None


def chinook_company(company_sso_id: str = CHINOOK_COMPANY_SSO_ID, cid: int = CHINOOK_CID) -> dict[str, Any]:
    """The `companies` document of Chinook, every switch on."""
    return {
        "_id": company_sso_id,
        "cid": cid,
        "name": "Chinook Records",
        "features": {
            "cdp_export_customer_enabled": True,
            "crm_activity_logs_migration_enabled": True,
            "crm_notes_migration_enabled": True,
            "entity_exports_enabled": True,
        },
    }


@contextmanager
def reading_rows() -> Iterator[None]:
    """Says plainly that the file is not Chinook if a row of it is not as it should be (`CHINOOK_FILE_UNUSABLE`)."""
    try:
        yield
    except (KeyError, TypeError, ValueError, ArithmeticError) as exc:
        raise _unusable("a row of it lacks a column or holds something else in it") from exc


def read_chinook(path: Path, tables: Iterable[str]) -> dict[str, list[_Row]]:
    """The tables of the file, of which the named ones must be there; numbers with a fraction are decimals.

    Raises:
        ConfigurationError: the file is not there or is not Chinook (`CHINOOK_FILE_UNUSABLE`).
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"), parse_float=Decimal)
    except (OSError, ValueError) as exc:
        raise _unusable("it cannot be read as JSON") from exc
    if not isinstance(content, dict):
        raise _unusable("it is not an object of tables")
    missing = [table for table in tables if not isinstance(content.get(table), list)]
    if missing:
        raise _unusable(f"it has no table {missing[0]}")
    return content


def _unusable(why: str) -> ConfigurationError:
    return ConfigurationError(
        "CHINOOK_FILE_UNUSABLE",
        f"The Chinook file cannot be used: {why}. Give the path of the sample database as one JSON object of tables.",
    )


def _contacts(tables: Mapping[str, list[_Row]], company_sso_id: str) -> Iterator[dict[str, Any]]:
    invoices: dict[int, list[_Row]] = defaultdict(list)
    for invoice in tables["Invoice"]:
        invoices[invoice["CustomerId"]].append(invoice)
    employees = {employee["EmployeeId"]: employee for employee in tables["Employee"]}
    genres = _genres_by_customer(tables)
    for customer in sorted(tables["Customer"], key=lambda row: int(row["CustomerId"])):
        number = customer["CustomerId"]
        yield _contact(
            customer,
            invoices=invoices[number],
            support_rep=employees.get(customer["SupportRepId"], {}),
            genres=genres[number],
            company_sso_id=company_sso_id,
        )


def _contact(
    customer: _Row, *, invoices: list[_Row], support_rep: _Row, genres: list[str], company_sso_id: str
) -> dict[str, Any]:
    dates = sorted(_instant(invoice["InvoiceDate"]) for invoice in invoices)
    # Chinook does not say when a customer was made: the first and last invoice are the nearest it knows.
    created_at, updated_at = (dates[0], dates[-1]) if dates else (_instant("2021-01-01"), _instant("2021-01-01"))
    total = sum((Decimal(invoice["Total"]) for invoice in invoices), Decimal("0.00"))
    custom: dict[str, Any] = {
        "state": customer["State"],
        "postal_code": customer["PostalCode"],
        "fax": customer["Fax"],
        "support_rep": _full_name(support_rep),
        "support_rep_email": support_rep.get("Email"),
        "invoice_count": len(invoices),
        "last_invoice_date": dates[-1] if dates else None,
        "genres": genres,
    }
    entries = [{"key": key, "value": value} for key, value in custom.items() if value not in ("", None)]
    return {
        "_id": _contact_id(company_sso_id, customer["CustomerId"]),
        "company_sso_id": company_sso_id,
        "name": _full_name(customer),
        "email": customer["Email"] or None,
        "phone": customer["Phone"] or None,
        "company_name": customer["Company"] or None,
        "address": _address(customer),
        "city": customer["City"] or None,
        "country": customer["Country"] or None,
        "source": "import",
        "crm_data": {"id": str(customer["CustomerId"])},
        "created_at": created_at,
        "updated_at": updated_at,
        "custom_fields": [*entries, {"key": "total_spent", "value": Decimal128(total), "currency_code": "USD"}],
    }


def _contact_id(company_sso_id: str, customer_id: int) -> ObjectId:
    return ObjectId(contact_hex_id(f"{CHINOOK_SLUG}:{company_sso_id}", customer_id))


def _full_name(person: _Row) -> str:
    return " ".join(part for part in (person.get("FirstName"), person.get("LastName")) if part)


def _address(customer: _Row) -> str:
    town = " ".join(part for part in (customer["PostalCode"], customer["City"]) if part)
    return "\n".join(line for line in (customer["Address"], town, customer["Country"]) if line)


def _instant(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def _genres_by_customer(tables: Mapping[str, list[_Row]]) -> dict[int, list[str]]:
    """For each customer the genres bought, most bought first, then by name."""
    names = {genre["GenreId"]: genre["Name"] for genre in tables["Genre"]}
    of_track = {track["TrackId"]: names.get(track["GenreId"]) for track in tables["Track"]}
    of_invoice = {invoice["InvoiceId"]: invoice["CustomerId"] for invoice in tables["Invoice"]}
    bought: dict[int, Counter[str]] = defaultdict(Counter)
    for line in tables["InvoiceLine"]:
        genre = of_track.get(line["TrackId"])
        if genre is not None:
            bought[of_invoice[line["InvoiceId"]]][genre] += 1
    ranked = {customer: sorted(counts, key=lambda name: (-counts[name], name)) for customer, counts in bought.items()}
    return defaultdict(list, ranked)
