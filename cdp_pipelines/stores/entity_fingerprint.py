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
from cdp_pipelines.stores.long_reads import long_read

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
    with translating("looking for changes"), long_read():
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
    scope, source = {"company_sso_id": company_sso_id}, database[collection]
    # A text is no instant: it counts by being among the documents, and by being the latest.
    instant = {"$cond": [{"$eq": [{"$type": f"${changed_at}"}, "date"]}, {"$toLong": f"${changed_at}"}, 0]}
    stages: list[Document] = [
        {"$match": scope},
        {"$group": {"_id": None, "documents": {"$sum": 1}, "instants": {"$sum": instant}}},
    ]
    # Collections that only lend a name have no such index, and few documents.
    hint = f"idx_company_{changed_at}" if entity else None
    counted = list(source.aggregate(stages, hint=hint) if hint else source.aggregate(stages))
    # The last ones are at the end of an index; in the aggregation they would cost as much as the rest of it.
    last = [source.find_one(scope, {name: 1}, sort=[(name, -1)]) for name in (changed_at, "_id")]
    return counted, last
