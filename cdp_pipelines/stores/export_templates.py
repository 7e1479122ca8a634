"""`export_templates`: the saved selections of each company (SPEC 4).

{_id, company_sso_id, name, exported_object, parameters, created_by, created_at, updated_at}

A company has one template of a name: `_id` is derived from both, so two who save at once cannot make two.
"""

import hashlib
from collections.abc import Mapping
from datetime import datetime
from typing import Any, cast

from pymongo import ReturnDocument
from pymongo.database import Database
from pymongo.errors import DuplicateKeyError

from cdp_pipelines.stores.documents import as_bytes, read_each, readable_options
from cdp_pipelines.stores.errors import translating, waiting_out_outages

Document = dict[str, Any]
Documents = list[Document]


class ExportTemplates:
    """Saves, finds and removes them, of one company at a time."""

    def __init__(self, database: Database[Document]) -> None:
        self._templates = database["export_templates"]

    @waiting_out_outages
    def save(
        self,
        company_sso_id: str,
        name: str,
        *,
        exported_object: str,
        parameters: Mapping[str, Any],
        saved_by: str,
        now: datetime,
    ) -> Document:
        """Keep a template; one of the same name is replaced, and who made it first stays known."""
        update = {
            "$set": {"exported_object": exported_object, "parameters": dict(parameters), "updated_at": now},
            "$setOnInsert": {
                "_id": template_id(company_sso_id, name),
                "created_by": saved_by,
                "created_at": now,
            },
        }
        with translating("saving an export template"):
            try:
                return self._upsert(company_sso_id, name, update)
            except DuplicateKeyError:
                # Another made it in between, so now there is one to change.
                return self._upsert(company_sso_id, name, update)

    def _upsert(self, company_sso_id: str, name: str, update: Document) -> Document:
        saved = self._templates.find_one_and_update(
            {"company_sso_id": company_sso_id, "name": name},
            update,
            upsert=True,
            return_document=ReturnDocument.AFTER,
        )
        return cast(Document, saved)

    @waiting_out_outages
    def find(self, company_sso_id: str, name: str) -> Document | None:
        """The company's template of this name."""
        with translating("reading an export template"):
            return self._templates.find_one({"company_sso_id": company_sso_id, "name": name})

    @waiting_out_outages
    def list(self, company_sso_id: str, *, exported_object: str | None = None) -> Documents:
        """The company's templates by name, those of one object if it is given."""
        scope: Document = {"company_sso_id": company_sso_id}
        if exported_object is not None:
            scope["exported_object"] = exported_object
        with translating("reading export templates"):
            found = as_bytes(self._templates).find(scope).sort([("name", 1)])
            return read_each(found, readable_options(self._templates))

    def remove(self, company_sso_id: str, name: str) -> bool:
        """Remove a template; False when there was none."""
        # Looked for first: a delete that is tried again after a lost answer finds nothing any more.
        if self.find(company_sso_id, name) is None:
            return False
        self._remove(company_sso_id, name)
        return True

    @waiting_out_outages
    def _remove(self, company_sso_id: str, name: str) -> None:
        with translating("removing an export template"):
            self._templates.delete_one({"company_sso_id": company_sso_id, "name": name})


def template_id(company_sso_id: str, name: str) -> str:
    """`tpl_` and 24 hex digits, always the same for a company and a name."""
    # Lengths first, so that no two pairs run together into one text.
    identity = f"{len(company_sso_id)}:{company_sso_id}:{name}"
    return "tpl_" + hashlib.sha256(identity.encode("utf-8", "surrogatepass")).hexdigest()[:24]
