"""Which CDP contact stands for a CRM person, by the contact's `crm_data.id`."""

from collections import OrderedDict
from collections.abc import Collection, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from pymongo.database import Database

from cdp_pipelines.domain.crm_records import ContactRef
from cdp_pipelines.stores.errors import translating, waiting_out_outages

Document = dict[str, Any]

REMEMBERED: Final = 100_000
"""Persons kept in memory a run, some 25 MB: neighbouring audits are mostly about the same people."""


class ContactLinks:
    """Looks up contacts of one company, a page of persons in one query, and remembers them for the run."""

    def __init__(self, database: Database[Document], company_sso_id: str, *, remembered: int = REMEMBERED) -> None:
        self._contacts = database["contacts"]
        self._company = company_sso_id
        self._remembered = remembered
        self._known: OrderedDict[str, ContactRef | None] = OrderedDict()

    def find(self, person_ids: Collection[str]) -> dict[str, ContactRef]:
        """The contacts of these persons; who has none is not in it.

        Of several contacts with the same person the oldest counts (by `created_at`, then `_id`).
        """
        wanted = set(person_ids)
        missing = [person for person in wanted if person not in self._known]
        if missing:
            found = self._read(missing)
            for person in missing:
                self._known[person] = found.get(person)
        answer = {}
        for person in wanted:
            contact = self._known[person]
            self._known.move_to_end(person)
            if contact is not None:
                answer[person] = contact
        while len(self._known) > self._remembered:
            self._known.popitem(last=False)
        return answer

    @waiting_out_outages
    def existing(self, person_ids: Sequence[str]) -> set[str]:
        """Which of these persons have a contact; nothing is remembered."""
        with translating("looking for contacts of CRM people"):
            cursor = self._contacts.find(self._query(person_ids), {"_id": 0, "crm_data.id": 1})
            return {str(document["crm_data"]["id"]) for document in cursor}

    @waiting_out_outages
    def _read(self, person_ids: Sequence[str]) -> dict[str, ContactRef]:
        found: dict[str, ContactRef] = {}
        with translating("looking for contacts of CRM people"):
            for document in self._contacts.find(self._query(person_ids), {"crm_data.id": 1, "created_at": 1}):
                person, contact = str(document["crm_data"]["id"]), _contact(document)
                known = found.get(person)
                if known is None or (contact.created_at, contact.customer_id) < (known.created_at, known.customer_id):
                    found[person] = contact
        return found

    def _query(self, person_ids: Sequence[str]) -> Document:
        return {"company_sso_id": self._company, "crm_data.id": {"$in": list(person_ids)}}


_BEGINNING: Final = datetime(1, 1, 1, tzinfo=UTC)


def _contact(document: Document) -> ContactRef:
    """Without a readable `created_at` nobody can say what the live feed owns; then it owns everything."""
    created = document.get("created_at")
    return ContactRef(str(document["_id"]), created if isinstance(created, datetime) else _BEGINNING)
