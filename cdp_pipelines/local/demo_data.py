"""Loads the demo companies into MongoDB, the same documents every time.

Belongs here: writing a demo company's documents and knowing whether they are there already. Not here: making them
(`demo_companies.py`, `demo_fields.py`, `demo_contacts.py`), indexes (they belong to the migrations), and the demo's
queue (`demo_requests.py`).
"""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

from cdp_pipelines.domain.errors import TransientFailure
from cdp_pipelines.local.demo_companies import COMPANIES, DemoCompany
from cdp_pipelines.local.demo_contacts import DEMO_SEED, iter_contacts
from cdp_pipelines.local.demo_fields import field_property_documents, layout_documents
from cdp_pipelines.local.demo_pools import pools_version

if TYPE_CHECKING:
    from pymongo.database import Database

LoadAction: TypeAlias = Literal["loaded", "unchanged"]
OnProgress: TypeAlias = Callable[[str, int], None]

# Raise it when any maker, field or share changes, so that a database with older demo data is loaded anew.
DEMO_VERSION: Final = 2
INSERT_BATCH: Final = 1_000


@dataclass(frozen=True, slots=True)
class CompanyDocuments:
    """Everything of one demo company; `version` says what the contacts were made from."""

    company: dict[str, Any]
    layouts: Sequence[dict[str, Any]]
    field_properties: Sequence[dict[str, Any]]
    contacts: Iterable[dict[str, Any]]
    contact_count: int
    version: str


@dataclass(frozen=True, slots=True)
class LoadedCompany:
    """What stands in the database of one company, and whether this load wrote its contacts."""

    company_sso_id: str
    name: str
    contacts: int
    layouts: int
    field_properties: int
    action: LoadAction


@dataclass(frozen=True, slots=True)
class DemoSummary:
    """The whole load; `seconds` is wall time."""

    companies: tuple[LoadedCompany, ...]
    seconds: float

    @property
    def contacts(self) -> int:
        """Contacts of all demo companies together."""
        return sum(company.contacts for company in self.companies)


def load_demo_data(
    db: "Database[dict[str, Any]]",
    *,
    scale: float = 1.0,
    force: bool = False,
    on_progress: OnProgress | None = None,
) -> DemoSummary:
    """Bring the demo companies into `db`, touching no other company's documents.

    Running it again leaves the same documents. A company whose contacts are there already, from the same version
    and scale, is left as it is (`unchanged`) unless `force`; otherwise its contacts are deleted and written anew.

    Args:
        db: the CDP's database.
        scale: share of the contacts to make, 1.0 for all (35,550); small companies keep up to 50.
        force: write the contacts even if they seem to be there.
        on_progress: called with the company's name and its contacts written so far.

    Raises:
        TransientFailure: the database did not take the documents (`DEMO_LOAD_FAILED`).
    """
    started = time.monotonic()
    loaded = tuple(
        write_company(db, demo_company_documents(company, scale=scale), force=force, on_progress=on_progress)
        for company in COMPANIES
    )
    return DemoSummary(companies=loaded, seconds=time.monotonic() - started)


def demo_company_documents(company: DemoCompany, *, scale: float = 1.0, seed: int = DEMO_SEED) -> CompanyDocuments:
    """The documents of one demo company; its contacts are made while they are read."""
    count = company.contact_count(scale)
    return CompanyDocuments(
        company=company.document(),
        layouts=layout_documents(company.slug, company.company_sso_id),
        field_properties=list(field_property_documents(company.slug, company.company_sso_id)),
        contacts=iter_contacts(company, count, seed=seed),
        contact_count=count,
        version=f"{DEMO_VERSION}/{seed}/{pools_version()}",
    )


def write_company(
    db: "Database[dict[str, Any]]",
    documents: CompanyDocuments,
    *,
    force: bool = False,
    on_progress: OnProgress | None = None,
) -> LoadedCompany:
    """Write one company's documents, replacing what stands under its key.

    The company's own document goes first without and last with its `demo` mark, so a load that was cut off is seen
    and done again.

    Raises:
        TransientFailure: the database did not take the documents (`DEMO_LOAD_FAILED`).
    """
    from pymongo.errors import PyMongoError

    try:
        return _write_company(db, documents, force=force, on_progress=on_progress)
    except PyMongoError as exc:
        raise TransientFailure(
            "DEMO_LOAD_FAILED",
            "The demo data could not be written to MongoDB. See with `cdp doctor` whether it answers, then load again.",
            details={"company": documents.company["_id"], "error": type(exc).__name__},
        ) from exc


def _write_company(
    db: "Database[dict[str, Any]]", documents: CompanyDocuments, *, force: bool, on_progress: OnProgress | None
) -> LoadedCompany:
    key = documents.company["_id"]
    mark = {"version": documents.version, "contacts": documents.contact_count}
    action: LoadAction = "unchanged"
    if force or not _is_loaded(db, key, mark):
        action = "loaded"
        _put_company(db, documents.company)
        _replace(db, "layouts", key, documents.layouts)
        _replace(db, "field_properties", key, documents.field_properties)
        _replace_contacts(db, documents, on_progress)
        _put_company(db, {**documents.company, "demo": mark})
    return LoadedCompany(
        company_sso_id=key,
        name=documents.company["name"],
        contacts=documents.contact_count,
        layouts=len(documents.layouts),
        field_properties=len(documents.field_properties),
        action=action,
    )


def _is_loaded(db: "Database[dict[str, Any]]", key: str, mark: dict[str, Any]) -> bool:
    """Whether the mark fits and the contacts are still that many; edited contacts are not noticed."""
    stored = db["companies"].find_one({"_id": key}, {"demo": 1})
    if stored is None or stored.get("demo") != mark:
        return False
    return bool(db["contacts"].count_documents({"company_sso_id": key}) == mark["contacts"])


def _put_company(db: "Database[dict[str, Any]]", document: dict[str, Any]) -> None:
    db["companies"].replace_one({"_id": document["_id"]}, document, upsert=True)


def _replace(db: "Database[dict[str, Any]]", collection: str, key: str, documents: Sequence[dict[str, Any]]) -> None:
    db[collection].delete_many({"company_sso_id": key})
    if documents:
        db[collection].insert_many(documents, ordered=False)


def _replace_contacts(
    db: "Database[dict[str, Any]]", documents: CompanyDocuments, on_progress: OnProgress | None
) -> None:
    contacts = db["contacts"]
    if contacts.find_one({"company_sso_id": documents.company["_id"]}, {"_id": 1}) is not None:
        contacts.delete_many({"company_sso_id": documents.company["_id"]})
    written = 0
    for batch in _batches(documents.contacts, INSERT_BATCH):
        contacts.insert_many(batch, ordered=False)
        written += len(batch)
        if on_progress is not None:
            on_progress(documents.company["name"], written)


def _batches(documents: Iterable[dict[str, Any]], size: int) -> Iterator[list[dict[str, Any]]]:
    stream = iter(documents)
    while batch := list(islice(stream, size)):
        yield batch
