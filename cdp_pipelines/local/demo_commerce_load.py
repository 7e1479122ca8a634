"""Loads demo commerce into MongoDB, the same documents every time.

Belongs here: writing one company's commerce and knowing whether it is there already. Not here: making it
(`demo_commerce.py`, `demo_commerce_chinook.py`), indexes (they belong to the migrations), requests
(`demo_export_requests.py`).
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from cdp_pipelines.domain.errors import TransientFailure
from cdp_pipelines.local.demo_commerce import COMMERCE_COMPANIES, commerce_documents, commerce_sizes
from cdp_pipelines.local.demo_contacts import DEMO_SEED
from cdp_pipelines.local.demo_data import LoadAction, OnProgress
from cdp_pipelines.local.demo_pools import pools_version

if TYPE_CHECKING:
    from pymongo.database import Database

# Raise it when any maker, size or share changes, so that a database with older commerce is loaded anew.
COMMERCE_VERSION: Final = 1
_BATCH: Final = 1_000
_MARK: Final = "demo_commerce"


@dataclass(frozen=True, slots=True)
class LoadedCommerce:
    """What commerce stands in the database of one company, by collection, and whether this load wrote it."""

    company_sso_id: str
    name: str
    counts: Mapping[str, int]
    action: LoadAction

    @property
    def documents(self) -> int:
        """Of all collections together."""
        return sum(self.counts.values())


@dataclass(frozen=True, slots=True)
class CommerceSummary:
    """The whole load; `seconds` is wall time."""

    companies: tuple[LoadedCommerce, ...]
    seconds: float

    @property
    def documents(self) -> int:
        """Of all companies together."""
        return sum(company.documents for company in self.companies)


def load_commerce(
    db: "Database[dict[str, Any]]",
    *,
    scale: float = 1.0,
    force: bool = False,
    on_progress: OnProgress | None = None,
) -> CommerceSummary:
    """Bring the commerce of the demo companies into `db`, touching no other company's documents.

    Running it again leaves the same documents. A company whose commerce is there already, from the same version and
    scale, is left as it is (`unchanged`) unless `force`. Call it after `load_demo_data`, which writes a company's
    document anew when it loads and so takes this load's mark away.

    Args:
        db: the CDP's database.
        scale: share of the documents to make, 1.0 for all (53,380).
        force: write them even if they seem to be there.
        on_progress: called with the company's name and its documents written so far.

    Raises:
        TransientFailure: the database did not take the documents (`DEMO_LOAD_FAILED`).
    """
    started = time.monotonic()
    version = f"{COMMERCE_VERSION}/{DEMO_SEED}/{pools_version()}"
    loaded = tuple(
        write_commerce(
            db,
            company.document(),
            commerce_sizes(company, scale),
            partial(commerce_documents, company, scale=scale),
            version=version,
            force=force,
            on_progress=on_progress,
        )
        for company in COMMERCE_COMPANIES
    )
    return CommerceSummary(loaded, time.monotonic() - started)


def write_commerce(
    db: "Database[dict[str, Any]]",
    company: dict[str, Any],
    counts: Mapping[str, int],
    make: Callable[[], Mapping[str, list[dict[str, Any]]]],
    *,
    version: str,
    force: bool = False,
    on_progress: OnProgress | None = None,
) -> LoadedCommerce:
    """Write one company's commerce, replacing what stands under its key; `make` is called only if it must be.

    The company's mark goes before and comes back after, so a load that was cut off is seen and done again. The
    `companies` document is made if it is not there, and otherwise keeps all but the mark.

    Raises:
        TransientFailure: the database did not take the documents (`DEMO_LOAD_FAILED`).
    """
    from pymongo.errors import PyMongoError

    mark = {"version": version, "counts": dict(counts)}
    try:
        action: LoadAction = "unchanged"
        if force or not _is_loaded(db, company["_id"], mark):
            action = "loaded"
            _write(db, company, make(), mark, on_progress)
    except PyMongoError as exc:
        raise TransientFailure(
            "DEMO_LOAD_FAILED",
            "The demo's vouchers and orders could not be written to MongoDB. "
            "See with `cdp doctor` whether it answers, then load again.",
            details={"company": company["_id"], "error": type(exc).__name__},
        ) from exc
    return LoadedCommerce(company["_id"], company["name"], dict(counts), action)


def _is_loaded(db: "Database[dict[str, Any]]", key: str, mark: dict[str, Any]) -> bool:
    """Whether the mark fits and the documents are still that many; edited documents are not noticed."""
    stored = db["companies"].find_one({"_id": key}, {_MARK: 1})
    if stored is None or stored.get(_MARK) != mark:
        return False
    return all(db[name].count_documents({"company_sso_id": key}) == count for name, count in mark["counts"].items())


def _write(
    db: "Database[dict[str, Any]]",
    company: dict[str, Any],
    documents: Mapping[str, list[dict[str, Any]]],
    mark: dict[str, Any],
    on_progress: OnProgress | None,
) -> None:
    companies, key = db["companies"], company["_id"]
    fields = {name: value for name, value in company.items() if name != "_id"}
    companies.update_one({"_id": key}, {"$setOnInsert": fields}, upsert=True)
    companies.update_one({"_id": key}, {"$unset": {_MARK: ""}})
    written = 0
    for name, rows in documents.items():
        db[name].delete_many({"company_sso_id": key})
        for first in range(0, len(rows), _BATCH):
            batch = rows[first : first + _BATCH]
            db[name].insert_many(batch, ordered=False)
            written += len(batch)
            if on_progress is not None:
                on_progress(company["name"], written)
    companies.update_one({"_id": key}, {"$set": {_MARK: mark}})
