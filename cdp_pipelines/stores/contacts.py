"""Reading contacts: by ids in the order asked, or by a criterion, always within one company.

Belongs here: turning a checked `Selection` into queries, and streaming documents in bounded batches. Not here: what a
filter may say and how it is asked (`domain/contact_export/filters.py`, `contact_query.py`).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import pymongo
from bson import ObjectId
from pymongo.database import Database

from cdp_pipelines.domain.contact_export.request import MAX_EXPORT_ROWS, Selection
from cdp_pipelines.stores.contact_query import filter_query
from cdp_pipelines.stores.documents import decoded, readable_options
from cdp_pipelines.stores.errors import translating

BATCH_ROWS: Final = 500
COUNT_SECONDS: Final = 1.0
"""For a number that is only told, in a tick that others wait for."""
Document = dict[str, Any]

_SORT_KEY: Final = "__cdp_sort"


@dataclass(frozen=True, slots=True)
class Batch:
    """Contacts of one round trip in their final order, and the ids of this round trip that were not found."""

    contacts: list[Document]
    missing: list[str]


class ContactReader:
    """The contacts of one company; no method can reach another's."""

    def __init__(self, database: Database[Document], company_sso_id: str) -> None:
        self._collection = database["contacts"]
        self._options = readable_options(self._collection)
        self._company_sso_id = company_sso_id

    def batches(self, selection: Selection, fields: Sequence[str]) -> Iterator[Batch]:
        """Stream what the selection asks, at most 10,000 contacts, `BATCH_ROWS` a batch, only the fields named."""
        if selection.mode == "contact_ids":
            return self._by_ids(selection.contact_ids, fields)
        return self._by_criterion(selection, fields)

    def count(self, selection: Selection) -> int:
        """How many contacts the selection matches (ids: how many were asked), before the cap of 10,000."""
        if selection.mode == "contact_ids":
            return len(selection.contact_ids)
        with translating("counting contacts"):
            return self._collection.count_documents(self.query(selection))

    def count_soon(self, selection: Selection) -> int:
        """As `count`, for a second at most.

        Raises:
            CdpError: it takes longer.
        """
        with pymongo.timeout(COUNT_SECONDS):
            return self.count(selection)

    def known_sources(self, sources: Sequence[str]) -> set[str]:
        """Which of these sources the company's contacts hold."""
        with translating("reading sources"):
            found = self._collection.distinct(
                "source", {"company_sso_id": self._company_sso_id, "source": {"$in": list(sources)}}
            )
        return {value for value in found if isinstance(value, str)}

    def query(self, selection: Selection) -> Document:
        """The criterion as a query; every part of it is made here, none is taken from the request as it came."""
        parts: list[Document] = [{"company_sso_id": self._company_sso_id}]
        if selection.filter is not None:
            parts.append(filter_query(selection.filter))
        if selection.period is not None:
            bounds = {"$gte": selection.period.start, "$lt": selection.period.end}
            parts.append({"updated_at": {op: at for op, at in bounds.items() if at is not None}})
        if selection.sources:
            parts.append({"source": {"$in": list(selection.sources)}})
        return parts[0] if len(parts) == 1 else {"$and": parts}

    def _by_ids(self, ids: Sequence[str], fields: Sequence[str]) -> Iterator[Batch]:
        projection = _projection(fields)
        for start in range(0, len(ids), BATCH_ROWS):
            asked = ids[start : start + BATCH_ROWS]
            with translating("reading contacts"):
                cursor = self._collection.find_raw_batches(
                    # `_id` first: MongoDB does not care, SecantusDB picks its index by it.
                    {"_id": {"$in": [ObjectId(value) for value in asked]}, "company_sso_id": self._company_sso_id},
                    projection,
                    batch_size=BATCH_ROWS,
                )
                found = {str(contact["_id"]): contact for contact in decoded(cursor, self._options)}
            yield Batch(
                contacts=[found[value] for value in asked if value in found],
                missing=[value for value in asked if value not in found],
            )

    def _by_criterion(self, selection: Selection, fields: Sequence[str]) -> Iterator[Batch]:
        direction = -1 if selection.descending else 1
        if selection.order_by_custom:
            cursor: Any = self._sorted_by_custom_field(selection, fields, direction)
        else:
            # `_id` last: equal sort values always come in the same order, so the same data gives the same 10,000.
            order = {selection.order_by: direction, "_id": 1}
            cursor = (
                self._collection.find_raw_batches(
                    self.query(selection), _projection(fields), batch_size=BATCH_ROWS, allow_disk_use=True
                )
                .sort(list(order.items()))
                .limit(MAX_EXPORT_ROWS)
            )
        with cursor:
            batch: list[Document] = []
            contacts = decoded(cursor, self._options)
            while True:
                with translating("reading contacts"):
                    contact = next(contacts, None)
                if contact is not None:
                    batch.append(contact)
                if batch and (contact is None or len(batch) == BATCH_ROWS):
                    yield Batch(contacts=batch, missing=[])
                    batch = []
                if contact is None:
                    return

    def _sorted_by_custom_field(self, selection: Selection, fields: Sequence[str], direction: int) -> Any:
        entry = {
            "$first": {
                "$filter": {
                    "input": {"$cond": [{"$isArray": "$custom_fields"}, "$custom_fields", []]},
                    "cond": {"$eq": ["$$this.key", {"$literal": selection.order_by}]},
                }
            }
        }
        stages: list[Document] = [
            {"$match": self.query(selection)},
            {"$set": {_SORT_KEY: entry}},
            {"$sort": {f"{_SORT_KEY}.value": direction, "_id": 1}},
            {"$limit": MAX_EXPORT_ROWS},
            {"$project": _projection(fields)},
        ]
        with translating("reading contacts"):
            return self._collection.aggregate_raw_batches(stages, allowDiskUse=True, batchSize=BATCH_ROWS)


def _projection(fields: Sequence[str]) -> Document:
    return {"_id": 1, **dict.fromkeys(fields, 1)}
