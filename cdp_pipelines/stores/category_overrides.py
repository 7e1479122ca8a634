"""`crm_category_overrides`: what differs from the table of categories for one company (SPEC 5.2, OQ-12).

{_id: company_sso_id, kinds?, joins?, refinements?, labels?}      in the form of `categories.yaml`
"""

from typing import Any

from pymongo.database import Database

from cdp_pipelines.stores.errors import translating, waiting_out_outages

Document = dict[str, Any]


class CategoryOverrides:
    """Reads them."""

    def __init__(self, database: Database[Document]) -> None:
        self._overrides = database["crm_category_overrides"]

    @waiting_out_outages
    def find(self, company_sso_id: str) -> Document | None:
        """The company's, if it has any."""
        with translating("reading a company's categories"):
            return self._overrides.find_one({"_id": company_sso_id})
