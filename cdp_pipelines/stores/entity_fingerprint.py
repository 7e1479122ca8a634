"""Whether the data behind an export has changed: one figure over everything that the export reads.

Of each collection: how many documents the company has, the sum and the latest of the instants that every change moves,
and the last `_id`. It is read from an index alone, many times faster than the documents. A writer that changes a
document without moving `updated_at` (or `created_at`, where documents are never changed) is not noticed.
"""

import hashlib
from collections.abc import Sequence
from typing import Any

from pymongo.database import Database

from cdp_pipelines.domain.entity_export.catalogue import ENTITIES
from cdp_pipelines.domain.entity_export.entities import Entity, Field
from cdp_pipelines.domain.entity_export.filters import FilterNode, Group
from cdp_pipelines.domain.entity_export.values import brought_names
from cdp_pipelines.stores.errors import translating, waiting_out_outages

Document = dict[str, Any]


@waiting_out_outages
def fingerprint(
    database: Database[Document],
    company_sso_id: str,
    entity: Entity,
    fields: Sequence[Field],
    filters: FilterNode | None,
) -> str:
    """The same as before only if nothing that the export reads was added, removed or changed since."""
    digest = hashlib.sha256()
    with translating("looking for changes"):
        for collection in sorted(_collections(entity, fields, filters)):
            digest.update(repr((collection, _state(database, company_sso_id, collection))).encode())
    return digest.hexdigest()


def _collections(entity: Entity, fields: Sequence[Field], filters: FilterNode | None) -> set[str]:
    needed = brought_names(fields)
    joined = {join.collection for name, join in entity.joins.items() if name in needed}
    counted = {aggregate.collection for name, aggregate in entity.aggregates.items() if name in needed}
    return {entity.collection, *joined, *counted, *_related(filters)}


def _related(node: FilterNode | None) -> set[str]:
    if node is None:
        return set()
    if isinstance(node, Group):
        return {name for member in node.members for name in _related(member)}
    return {node.on.related[0]} if node.on.related is not None else set()


def _state(database: Database[Document], company_sso_id: str, collection: str) -> Any:
    entity = next((each for each in ENTITIES.values() if each.collection == collection), None)
    changed_at = entity.changed_at if entity else "updated_at"
    # A text is no instant: it counts by what it is among the latest, and its document by its place in the count.
    instant = {"$cond": [{"$eq": [{"$type": f"${changed_at}"}, "date"]}, {"$toLong": f"${changed_at}"}, 0]}
    stages: list[Document] = [
        {"$match": {"company_sso_id": company_sso_id}},
        {
            "$group": {
                "_id": None,
                "documents": {"$sum": 1},
                "instants": {"$sum": instant},
                "latest": {"$max": f"${changed_at}"},
                "last": {"$max": "$_id"},
            }
        },
    ]
    # The index that has all of it. Collections that only lend a name have none, and few documents.
    hint = f"idx_company_{changed_at}" if entity else None
    found = list(database[collection].aggregate(stages, hint=hint) if hint else database[collection].aggregate(stages))
    return [(key, repr(value)) for key, value in sorted(found[0].items())] if found else []
