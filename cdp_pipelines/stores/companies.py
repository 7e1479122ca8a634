"""`companies`, `layouts` and `field_properties`: what a company is and which fields its contacts have."""

from typing import Any, Final

from pymongo.database import Database

from cdp_pipelines.domain.companies import Company, company_from_document, is_partition_key
from cdp_pipelines.domain.contact_export.fields import FieldProperty
from cdp_pipelines.domain.contact_export.filter_fields import filter_fields
from cdp_pipelines.domain.contact_export.filters import FilterField
from cdp_pipelines.stores.documents import as_bytes, read_each, readable_options
from cdp_pipelines.stores.errors import translating, waiting_out_outages

Document = dict[str, Any]

MOST_COMPANIES: Final = 100_000
"""Dagster holds at most this many dynamic partitions an asset; see docs/scaling.md."""


class CompanyStore:
    """Reads of the three collections; each is scoped by the company, but for the list of companies itself."""

    def __init__(self, database: Database[Document]) -> None:
        self._companies = database["companies"]
        self._layouts = database["layouts"]
        self._fields = database["field_properties"]

    @waiting_out_outages
    def find(self, company_sso_id: object) -> Company | None:
        """The company, or None; what can be no company's key is never put into a query."""
        if not isinstance(company_sso_id, str) or not is_partition_key(company_sso_id):
            return None
        with translating("reading a company"):
            document = self._companies.find_one({"_id": company_sso_id})
        return company_from_document(document) if document else None

    @waiting_out_outages
    def keys(self) -> list[object]:
        """All companies' keys."""
        with translating("listing companies"):
            return [document["_id"] for document in self._companies.find({}, {"_id": 1}).limit(MOST_COMPANIES + 1)]

    @waiting_out_outages
    def default_layout_id(self, company_sso_id: str) -> str | None:
        """The layout taken when a request names none."""
        with translating("reading the default layout"):
            document = self._layouts.find_one(
                {"company_sso_id": company_sso_id, "is_default": True}, {"_id": 1}, sort=[("_id", 1)]
            )
        return str(document["_id"]) if document else None

    @waiting_out_outages
    def has_layout(self, company_sso_id: str, layout_id: str) -> bool:
        """Whether the layout is this company's."""
        with translating("reading a layout"):
            return self._layouts.find_one({"_id": layout_id, "company_sso_id": company_sso_id}, {"_id": 1}) is not None

    @waiting_out_outages
    def layout_fields(self, company_sso_id: str, layout_id: str) -> list[FieldProperty]:
        """The field properties of one layout, hidden ones included, in the order of their position."""
        with translating("reading field properties"):
            documents = self._readable({"company_sso_id": company_sso_id, "layout_id": layout_id})
        found = [field for document in documents if (field := FieldProperty.from_document(document)) is not None]
        return sorted(found, key=lambda field: (field.position, field.name))

    @waiting_out_outages
    def filter_fields(self, company_sso_id: str) -> dict[str, FilterField]:
        """What a filter or a sort of this company may name: every field that is hidden in no layout."""
        with translating("reading field properties"):
            documents = self._readable({"company_sso_id": company_sso_id})
        return filter_fields(
            [field for document in documents if (field := FieldProperty.from_document(document)) is not None]
        )

    def _readable(self, query: Document) -> list[Document]:
        """Field properties, without any that cannot be read: the others are still fields."""
        return read_each(as_bytes(self._fields).find(query), readable_options(self._fields))
