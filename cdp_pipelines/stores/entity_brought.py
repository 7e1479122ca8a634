"""What rows of an entity export bring along: values joined from other collections, and figures over many documents.

One query for each join and one aggregation for each aggregate, a page of rows at a time and by index; never one a row.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final
from uuid import UUID

from bson import Decimal128, ObjectId
from pymongo.database import Database

from cdp_pipelines.domain.entity_export.entities import BROUGHT, Aggregate, Entity, Field, Join, Measure
from cdp_pipelines.domain.entity_export.values import brought_names, first_present
from cdp_pipelines.domain.values.numbers import exact_sum
from cdp_pipelines.stores.entity_places import counted_as, first_of
from cdp_pipelines.stores.errors import translating

Document = dict[str, Any]

ROW_KEY: Final = "id"
"""What documents of other collections call a row by."""
_KEY_KINDS: Final = (str, int, float, bytes, ObjectId, UUID)
"""Of anything else a document may hold where an id belongs, nothing of another document is brought."""
_OF_DECIMALS: Final = "__decimals"
_NOTHING: Final[Mapping[str, int | None]] = {"count": 0, "sum": 0, "average": None, "latest": None}


class BroughtValues:
    """Attaches to each document of a page what the fields asked for need, under `BROUGHT`."""

    def __init__(
        self, database: Database[Document], company_sso_id: str, entity: Entity, fields: Sequence[Field]
    ) -> None:
        self._database = database
        self._company_sso_id = company_sso_id
        needed = brought_names(fields)
        self._joins = {name: (join, _paths_of(name, fields)) for name, join in entity.joins.items() if name in needed}
        self._aggregates = {name: aggregate for name, aggregate in entity.aggregates.items() if name in needed}

    @property
    def local_paths(self) -> list[str]:
        """What a document must hold for it."""
        return [path for join, _ in self._joins.values() for path in join.local] + [ROW_KEY] * bool(self._aggregates)

    def attach(self, page: Sequence[Document]) -> None:
        """One round trip for each join and aggregate, whatever the page's length."""
        if not self._joins and not self._aggregates:
            return
        for document in page:
            document[BROUGHT] = {}
        for name, (join, paths) in self._joins.items():
            self._join(name, join, paths, page)
        for name, aggregate in self._aggregates.items():
            self._aggregate(name, aggregate, page)

    def _join(self, name: str, join: Join, paths: Sequence[str], page: Sequence[Document]) -> None:
        keys = first_present(join.local)(page)
        query = {"company_sso_id": self._company_sso_id, join.foreign: {"$in": _distinct(keys)}}
        projection = {"_id": 0, join.foreign: 1, **dict.fromkeys(paths, 1)}
        with translating("reading joined values"):
            # Of documents that share an id, which none should, the oldest counts.
            found = list(self._database[join.collection].find(query, projection).sort([("_id", -1)]))
        by_key = {_hashable(other.get(join.foreign)): other for other in found}
        for document, key in zip(page, keys, strict=True):
            document[BROUGHT][name] = by_key.get(_hashable(key), {}) if key is not None else {}

    def _aggregate(self, name: str, aggregate: Aggregate, page: Sequence[Document]) -> None:
        keys = [document.get(ROW_KEY) for document in page]
        # An index leads to each place; whom a document names is its first place that is not null.
        named = [{path: {"$in": _distinct(keys)}} for path in aggregate.by]
        match = (
            {"company_sso_id": self._company_sso_id, "$or": named}
            if len(named) > 1
            else {"company_sso_id": self._company_sso_id, **named[0]}
        )
        group = {name: sums for measure in aggregate.measures for name, sums in _accumulators(measure).items()}
        with translating("computing figures"):
            stages = [{"$match": match}, {"$group": {"_id": first_of(aggregate.by), **group}}]
            found = list(self._database[aggregate.collection].aggregate(stages, allowDiskUse=True))
        figures = {_hashable(row["_id"]): _figures(aggregate, row) for row in found}
        nothing = {measure.name: _NOTHING[measure.do] for measure in aggregate.measures}
        for document, key in zip(page, keys, strict=True):
            document[BROUGHT][name] = figures.get(_hashable(key), nothing) if key is not None else nothing


def _paths_of(name: str, fields: Sequence[Field]) -> list[str]:
    start = f"@{name}."
    return [path.removeprefix(start) for field in fields for path in field.places if path.startswith(start)]


def _distinct(keys: Iterable[Any]) -> list[Any]:
    """What may be asked for with `$in`, which takes an object for an operator and an expression for a pattern."""
    return list({_hashable(key): key for key in keys if isinstance(key, _KEY_KINDS)}.values())


def _hashable(key: Any) -> Any:
    if isinstance(key, bool):
        return repr(key)  # To the database, true is not 1.
    try:
        hash(key)
    except TypeError:
        return repr(key)
    return key


def _accumulators(measure: Measure) -> Document:
    value = first_of(measure.paths) if measure.paths else None
    if measure.do == "count":
        return {measure.name: {"$sum": _where(measure, 1, 0)}}
    if measure.do == "sum":
        # Apart: added to decimals, a double is one with all its binary digits, and 12.6 becomes 12.6000000000000005.
        return {
            measure.name: {"$sum": _where(measure, _if_decimal(value, 0, "$$number"), 0)},
            measure.name + _OF_DECIMALS: {"$sum": _where(measure, _if_decimal(value, "$$number", 0), 0)},
        }
    if measure.do == "average":
        return {measure.name: {"$avg": _where(measure, counted_as("number", value), None)}}
    # The greatest by instant, then by `_id`: documents compare field by field in this order.
    latest = {"at": counted_as("instant", f"${measure.at}"), "id": "$_id", "value": value}
    return {measure.name: {"$max": _where(measure, latest, None)}}


def _if_decimal(value: Any, then: Any, otherwise: Any) -> Document:
    is_decimal = {"$eq": [{"$type": "$$number"}, "decimal"]}
    return {"$let": {"vars": {"number": counted_as("number", value)}, "in": {"$cond": [is_decimal, then, otherwise]}}}


def _figures(aggregate: Aggregate, row: Mapping[str, Any]) -> dict[str, Any]:
    return {measure.name: _figure(measure, row) for measure in aggregate.measures}


def _figure(measure: Measure, row: Mapping[str, Any]) -> Any:
    value = row[measure.name]
    if measure.do == "latest":
        return _latest(measure, value)
    if measure.do == "sum":
        return exact_sum(value, row[measure.name + _OF_DECIMALS])
    # An average has no exact digits to keep; as a double it reads the same whatever was averaged.
    return float(value.to_decimal()) if isinstance(value, Decimal128) else value


def _latest(measure: Measure, newest: Mapping[str, Any] | None) -> Any:
    if newest is None:
        return None
    return newest.get("value") if measure.paths else newest.get("at")


def _where(measure: Measure, then: Any, otherwise: Any) -> Any:
    if not measure.where:
        return then
    conditions = [{"$eq": [f"${path}", value]} for path, value in measure.where]
    return {"$cond": [{"$and": conditions}, then, otherwise]}
