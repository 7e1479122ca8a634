"""Reading the rows of an entity export in pages, each document once, within one company.

Every row once, also while the collection is written to: the documents are walked by the index on (company, `_id`),
whose keys never change, so no write can move one ahead of the walk or behind it. Without an order they come out as they
are walked. With one, the database walks all of them first and sorts what the file needs, before it gives the first:
what a write changes after that is not seen. See decision 0019.

Not here: filters as queries (`entity_query.py`), joins and aggregates (`entity_brought.py`), how values are written.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final

from pymongo.database import Database

from cdp_pipelines.domain.entity_export.entities import METADATA, METADATA_PREFIX, Field
from cdp_pipelines.domain.entity_export.request import EntityExportRequest
from cdp_pipelines.domain.entity_export.values import stored_paths
from cdp_pipelines.stores.documents import decoded, readable_options
from cdp_pipelines.stores.entity_brought import BroughtValues
from cdp_pipelines.stores.entity_places import counted_as, first_of
from cdp_pipelines.stores.entity_query import EntityQuery
from cdp_pipelines.stores.errors import translating, waiting_out_outages
from cdp_pipelines.stores.long_reads import long_read

Document = dict[str, Any]

COMPANY_ID_INDEX: Final = "idx_company_object_id"
_SORT_KEY: Final = "__cdp_sort"


@dataclass(frozen=True, slots=True)
class _End:
    """The last id of a walk, which may be null."""

    document_id: object

    def condition(self) -> Document:
        """Ids up to it, in the order of the index: a plain `$lte` would leave out the ids of all other types."""
        return {"$expr": {"$lte": ["$_id", {"$literal": self.document_id}]}}


class EntityReader:
    """The rows that one request asks for."""

    def __init__(self, database: Database[Document], request: EntityExportRequest) -> None:
        self._request = request
        # Without zones: all are UTC, and a date without one is written several times faster.
        codec = database.codec_options.with_options(tz_aware=False)
        database = database.with_options(codec_options=codec)
        self._collection = database[request.entity.collection]
        self._query = EntityQuery(
            request.company_sso_id, request.filters, zone=request.zone, joins=request.entity.joins
        )
        self._end: _End | None = None
        self._brought = BroughtValues(database, request.company_sso_id, request.entity, request.fields)

    @waiting_out_outages
    def count(self) -> int:
        """How many rows match now."""
        with translating("counting rows"), long_read():
            if self._request.filters is None:
                return self._collection.count_documents(self._query.match, hint=COMPANY_ID_INDEX)
            return self._counted(self._query.stages())

    @waiting_out_outages
    def still_there(self) -> int:
        """How many of the rows that the walk was to give match now: those up to where it ended."""
        end = self._walks_to()
        if end is None:
            return 0
        with translating("counting rows"), long_read():
            return self._counted(self._query.stages(end.condition()))

    def _counted(self, stages: list[Document]) -> int:
        counted = list(self._collection.aggregate([*stages, {"$count": "rows"}], hint=COMPANY_ID_INDEX))
        return int(counted[0]["rows"]) if counted else 0

    def pages(self, page_rows: int) -> Iterator[list[Document]]:
        """The rows, at most `page_rows` at once, with what joins and aggregates brought.

        Raises:
            TransientFailure: MongoDB went away; the walk cannot be picked up and has to begin anew.
        """
        end = self._walks_to()
        if end is None:
            return
        for page in self._sorted(page_rows) if self._request.order else self._walked(page_rows, end):
            self._brought.attach(page)
            yield page

    def _walked(self, page_rows: int, end: "_End") -> Iterator[list[Document]]:
        # The database says what comes after the last id: ids of all types are ordered by its rules, not by Python's.
        stages = self._query.stages(end.condition())
        # Right after the first match, where the index gives this order for nothing.
        stages.insert(1, {"$sort": {"_id": 1}})
        yield from self._read([*stages, {"$project": self._projection()}], page_rows)

    def _sorted(self, page_rows: int) -> Iterator[list[Document]]:
        order = self._request.order
        assert order is not None  # noqa: S101 - the caller looked
        key = counted_as(order.by.kind, "$$value", self._request.zone)
        if key != "$$value":
            key = {"$let": {"vars": {"value": first_of(order.by.places)}, "in": key}}
        else:
            key = first_of(order.by.places)
        stages = [
            *self._query.stages(),
            {"$project": {**self._projection(), _SORT_KEY: key}},
            {"$sort": {_SORT_KEY: -1 if order.descending else 1, "_id": 1}},
        ]
        yield from self._read(stages, page_rows)

    def _read(self, stages: list[Document], page_rows: int) -> Iterator[list[Document]]:
        with translating("reading rows"), long_read():
            cursor = self._collection.aggregate_raw_batches(
                stages, allowDiskUse=True, batchSize=page_rows, hint=COMPANY_ID_INDEX
            )
        with cursor:
            rows = decoded(cursor, readable_options(self._collection))
            while True:
                with translating("reading rows"), long_read():
                    page = list(islice(rows, page_rows))
                if not page:
                    return
                yield page

    @waiting_out_outages
    def _walks_to(self) -> "_End | None":
        """Where the walk ends, None if there is nothing to walk: what is added meanwhile would else be walked for ever.

        It is looked up once, by the first who asks.
        """
        if self._end is None:
            with translating("reading rows"):
                last = self._collection.find_one(
                    self._query.scope, {"_id": 1}, sort=[("_id", -1)], hint=COMPANY_ID_INDEX
                )
            self._end = None if last is None else _End(last["_id"])
        return self._end

    def _projection(self) -> Document:
        paths = [*stored_paths_of(self._request.fields), *self._brought.local_paths]
        return {"_id": 1, **dict.fromkeys(without_nested(paths), 1)}


def stored_paths_of(fields: Sequence[Field]) -> list[str]:
    """What has to be read for the fields. Keys of metadata that cannot be part of a path need all of it."""
    return [METADATA if _is_odd_key(path) else path for path in stored_paths(fields)]


def without_nested(paths: Sequence[str]) -> list[str]:
    """The paths without those that lie in another of them, which no projection may name beside it."""
    unique = dict.fromkeys(paths)
    return [path for path in unique if not any(path.startswith(f"{other}.") for other in unique)]


def _is_odd_key(path: str) -> bool:
    key = path.removeprefix(METADATA_PREFIX)
    return path.startswith(METADATA_PREFIX) and ("." in key or "$" in key or "\0" in key)
