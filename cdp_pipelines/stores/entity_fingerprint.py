"""Whether the data behind an export is provably the same as before: by what every change of a document moves.

Of each collection that the export reads, the ids of the company's documents and their `updated_at` are hashed as they
stand in one index; no document is read. That proves something only where every document has such a date, and where none
is of the last minute or later: a second change in the same millisecond, or by a clock that is behind, would leave it as
it is. Where it proves nothing there is no fingerprint, and nothing is served again (decision 0027).
"""

import hashlib
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final, cast

from pymongo.collection import Collection
from pymongo.database import Database

from cdp_pipelines.domain.entity_export.entities import BROUGHT, Entity, Field, ways
from cdp_pipelines.domain.entity_export.filters import FilterNode, Group
from cdp_pipelines.domain.entity_export.values import brought_names
from cdp_pipelines.domain.values.moments import to_instant
from cdp_pipelines.stores.errors import translating, waiting_out_outages
from cdp_pipelines.stores.long_reads import long_read

Document = dict[str, Any]

CHANGED_AT: Final = "updated_at"
CHANGE_INDEX: Final = "idx_company_updated_at"
SETTLED_SECONDS: Final = 60
"""A change younger than this may still be followed by another that bears the same date."""
_KEYS_A_BATCH: Final = 10_000


@waiting_out_outages
def fingerprint(
    database: Database[Document],
    company_sso_id: str,
    entity: Entity,
    fields: Sequence[Field],
    filters: FilterNode | None,
    *,
    now: datetime,
) -> str | None:
    """The same as before only if nothing that the export reads was added, removed or changed since.

    None where dates do not prove that: a document has none, or it is too young, or lies in the future.
    """
    digest = hashlib.sha256()
    settled = now - timedelta(seconds=SETTLED_SECONDS)
    scope = {"company_sso_id": company_sso_id}
    with translating("looking for changes"), long_read():
        for collection in sorted(_collections(entity, fields, filters)):
            source = database[collection]
            if not _is_dated(source, scope, settled):
                return None
            digest.update(repr(collection).encode())
            keys = source.find_raw_batches(
                scope,
                {"_id": 1, CHANGED_AT: 1},
                sort=[(CHANGED_AT, 1), ("_id", 1)],
                hint=CHANGE_INDEX,
                batch_size=_KEYS_A_BATCH,
            )
            for batch in keys:
                digest.update(cast(bytes, batch))  # As they come over the wire: nothing is decoded.
    return digest.hexdigest()


def _is_dated(source: Collection[Document], scope: Document, settled: datetime) -> bool:
    """Whether all documents have a date, and none that is younger than `settled`.

    Values of one type stand together in an index, so if the first and the last are dates, all between them are.
    """
    ends = [
        source.find_one(scope, {"_id": 0, CHANGED_AT: 1}, sort=[(CHANGED_AT, way), ("_id", way)], hint=CHANGE_INDEX)
        for way in (1, -1)
    ]
    dates = [end.get(CHANGED_AT) for end in ends if end is not None]
    return all(isinstance(date, datetime) and to_instant(date) < settled for date in dates)  # type: ignore[operator]


def _collections(entity: Entity, fields: Sequence[Field], filters: FilterNode | None) -> set[str]:
    needed = brought_names(fields) | _joins_of(filters)
    joined = {join.collection for name, join in entity.joins.items() if name in needed}
    counted = {aggregate.collection for name, aggregate in entity.aggregates.items() if name in needed}
    return {entity.collection, *joined, *counted, *_related(filters)}


def _joins_of(node: FilterNode | None) -> set[str]:
    """Joins that filters look at."""
    if node is None:
        return set()
    if isinstance(node, Group):
        return {name for member in node.members for name in _joins_of(member)}
    return {keys[1] for keys in ways(node.on.places) if keys[0] == BROUGHT}


def _related(node: FilterNode | None) -> set[str]:
    if node is None:
        return set()
    if isinstance(node, Group):
        return {name for member in node.members for name in _related(member)}
    return {node.on.related.collection} if node.on.related is not None else set()
