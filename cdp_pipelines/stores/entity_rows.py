"""Reading the rows of an entity export in pages, each document once, within one company.

Every row once, also while the collection is written to: the documents are walked by the index on (company, `_id`),
whose keys never change, so no write can move one ahead of the walk or behind it. Without an order they come out as they
are walked. With one, the database walks all of them first and sorts what the file needs, before it gives the first:
what a write changes after that is not seen. See decision 0019.

Not here: filters as queries (`entity_query.py`), joins and aggregates (`entity_brought.py`), how values are written.
"""

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any, Final

from pymongo.database import Database

from cdp_pipelines.domain.entity_export.entities import METADATA, METADATA_PREFIX, Field
from cdp_pipelines.domain.entity_export.request import EntityExportRequest
from cdp_pipelines.domain.entity_export.values import stored_paths
from cdp_pipelines.stores.entity_brought import BroughtValues
from cdp_pipelines.stores.entity_query import EntityQuery
from cdp_pipelines.stores.errors import translating, waiting_out_outages
from cdp_pipelines.stores.long_reads import long_read

Document = dict[str, Any]

COMPANY_ID_INDEX: Final = "idx_company_object_id"
_SORT_KEY: Final = "__cdp_sort"


class EntityReader:
    """The rows that one request asks for."""

    def __init__(self, database: Database[Document], request: EntityExportRequest) -> None:
        self._request = request
        # Without zones: all are UTC, and a date without one is written several times faster.
        codec = database.codec_options.with_options(tz_aware=False)
        database = database.with_options(codec_options=codec)
        self._collection = database[request.entity.collection]
        self._query = EntityQuery(request.company_sso_id, request.filters)
        self._brought = BroughtValues(database, request.company_sso_id, request.entity, request.fields)

    @waiting_out_outages
    def count(self) -> int:
        """How many rows match now."""
        with translating("counting rows"), long_read():
            if not self._query.lookups and self._request.filters is None:
                return self._collection.count_documents(self._query.match, hint=COMPANY_ID_INDEX)
            counted = list(self._collection.aggregate([*self._query.stages(), {"$count": "rows"}]))
        return int(counted[0]["rows"]) if counted else 0

    def pages(self, page_rows: int) -> Iterator[list[Document]]:
        """The rows, at most `page_rows` at once, with what joins and aggregates brought.

        Raises:
            TransientFailure: MongoDB went away; the walk cannot be picked up and has to begin anew.
        """
        for page in self._sorted(page_rows) if self._request.order else self._walked(page_rows):
            self._brought.attach(page)
            yield page

    def _walked(self, page_rows: int) -> Iterator[list[Document]]:
        last = self._last_id()
        stages = self._query.stages()
        # Right after the first match, where the index gives this order for nothing.
        stages.insert(1, {"$sort": {"_id": 1}})
        for page in self._read([*stages, {"$project": self._projection()}], page_rows):
            if not _is_beyond(page[-1]["_id"], last):
                yield page
                continue
            within = [document for document in page if not _is_beyond(document["_id"], last)]
            if within:
                yield within
            return

    def _sorted(self, page_rows: int) -> Iterator[list[Document]]:
        order = self._request.order
        assert order is not None  # noqa: S101 - the caller looked
        places = [f"${path}" for path in order.by.places]
        stages = [
            *self._query.stages(),
            {"$project": {**self._projection(), _SORT_KEY: _first_present(places)}},
            {"$sort": {_SORT_KEY: -1 if order.descending else 1, "_id": 1}},
        ]
        yield from self._read(stages, page_rows)

    def _read(self, stages: list[Document], page_rows: int) -> Iterator[list[Document]]:
        with translating("reading rows"), long_read():
            cursor = self._collection.aggregate(stages, allowDiskUse=True, batchSize=page_rows, hint=COMPANY_ID_INDEX)
        with cursor:
            while True:
                with translating("reading rows"), long_read():
                    page = list(islice(cursor, page_rows))
                if not page:
                    return
                yield page

    @waiting_out_outages
    def _last_id(self) -> object:
        """Where the walk ends: documents that are added while it goes on would else be walked too, for ever."""
        with translating("reading rows"):
            last = self._collection.find_one(self._query.scope, {"_id": 1}, sort=[("_id", -1)], hint=COMPANY_ID_INDEX)
        return None if last is None else last["_id"]

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


def _first_present(places: Sequence[str]) -> Any:
    first, *rest = places
    return {"$ifNull": [first, _first_present(rest)]} if rest else {"$ifNull": [first, None]}


def _is_beyond(document_id: object, last: object) -> bool:
    """Whether an id comes after the last one, as far as ids of one kind can be compared here."""
    try:
        return type(document_id) is type(last) and document_id > last  # type: ignore[operator]
    except TypeError:
        return False
