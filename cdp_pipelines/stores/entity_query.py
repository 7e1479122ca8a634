"""Checked filters of an entity export as a MongoDB query; every part of it is made here, none comes from the request.

A name may have several places (`voucher_type`, `type`): the first that is not null counts, in a query as in a file, and
what is compared is what the cell shows, whatever it is stored as (`entity_places.py`, `entity_forms.py`).
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from zoneinfo import ZoneInfo

from cdp_pipelines.domain.entity_export.entities import BROUGHT, FieldKind, Join, Keys, ways
from cdp_pipelines.domain.entity_export.filter_values import Comparison
from cdp_pipelines.domain.entity_export.filters import Condition, FilterNode, Group
from cdp_pipelines.stores.entity_forms import decimal_of, forms, same_json, stored
from cdp_pipelines.stores.entity_places import ODD_TYPES, counted_as, first_of, is_comparable, is_plain, value_of

Document = dict[str, Any]

_ORDERED: Final = {"gt": "$gt", "gte": "$gte", "lt": "$lt", "lte": "$lte"}
# At the end: `$` would also match before a last line break.
_PATTERNS: Final = {"contains": "{}", "starts_with": "^{}", "ends_with": r"{}(?![\s\S])"}
# What is searched as the text that its cell shows.
_SHOWN_AS_TEXT: Final = ["int", "long", "double", "objectId"]
# Of anything else a document may hold where an id belongs, nothing of another document is brought.
_KEY_TYPES: Final = ["string", "int", "long", "double", "binData", "objectId"]


@dataclass(frozen=True, slots=True)
class _Spot:
    """A place that can be asked for. `above` are paths over it that must not be lists."""

    path: str
    above: tuple[str, ...] = ()

    def holds(self, condition: Document) -> Document:
        """The condition, where nothing above the value is a list."""
        return {"$and": [*({path: {"$not": {"$type": "array"}}} for path in self.above), condition]}

    def present(self, *, empty_text: bool = True) -> Document:
        """There is a value. A list is one, whatever is in it; an empty text may not be."""
        nothing = [None] if empty_text else [None, ""]
        value = {self.path: {"$nin": nothing}}
        return self.holds({"$or": [value, {self.path: {"$type": "array"}}]})


class EntityQuery:
    """A company's documents that filters let through.

    `match` is the query. Where filters are on what a path cannot name, or on documents of other collections, `prepared`
    stages must come before it; `scope` alone holds before them.
    """

    def __init__(
        self,
        company_sso_id: str,
        filters: FilterNode | None,
        *,
        zone: ZoneInfo | None = None,
        joins: Mapping[str, Join] | None = None,
    ) -> None:
        self.scope: Document = {"company_sso_id": company_sso_id}
        self.prepared: list[Document] = []
        self._zone = zone
        self._joins = joins or {}
        self._made: dict[Keys, str] = {}
        self.match = self.scope if filters is None else {"$and": [self.scope, self._node(filters)]}

    def stages(self, *within: Document) -> list[Document]:
        """The query as the first stages of an aggregation; `within` are further conditions on `_id` and the like."""
        scope = {"$and": [self.scope, *within]} if within else self.scope
        if not self.prepared:
            return [{"$match": {"$and": [self.match, *within]} if within else self.match}]
        return [{"$match": scope}, *self.prepared, {"$match": self.match}]

    def _node(self, node: FilterNode) -> Document:
        if isinstance(node, Group):
            return {f"${node.junction}": [self._node(member) for member in node.members]}
        own = node.on.related is None
        positive = self._at(self._spots(node.on.places), node) if own else self._related(node)
        return {"$nor": [positive]} if node.negated else positive

    def _spots(self, paths: Sequence[str]) -> list[_Spot]:
        return [self._spot(keys) for keys in ways(paths)]

    def _spot(self, keys: Keys) -> _Spot:
        if is_plain(keys):
            return _Spot(".".join(keys), tuple(".".join(keys[:depth]) for depth in range(1, len(keys))))
        if keys not in self._made:
            value = self._joined(keys) if keys[0] == BROUGHT else value_of(keys)
            self._made[keys] = self._prepare(value)
        return _Spot(self._made[keys])

    def _prepare(self, value: Any) -> str:
        name = f"__cdp_{len(self.prepared)}"
        self.prepared.append({"$addFields": {name: value}})
        return name

    def _joined(self, keys: Keys) -> Any:
        """The value of a join, as its cell brings it: of documents that share an id, the oldest counts."""
        join = self._joins[keys[1]]
        local = self._prepare(first_of(join.local))
        found = f"__cdp_{len(self.prepared)}"
        oldest: list[Document] = [{"$match": self.scope}, {"$sort": {"_id": 1}}, {"$limit": 1}]
        self.prepared.append(_lookup(join.collection, local, join.foreign, oldest, found))
        other = {"$arrayElemAt": [f"${found}", 0]}
        is_key = {"$in": [{"$type": f"${local}"}, _KEY_TYPES]}
        document = self._prepare({"$cond": [is_key, other, None]})
        return value_of((document, *keys[2:]))

    def _related(self, condition: Condition) -> Document:
        related = condition.on.related
        assert related is not None  # noqa: S101 - the caller looked
        local = self._spot(ways([related.local])[0])
        query = EntityQuery(self.scope["company_sso_id"], None, zone=self._zone)
        compared = query._at(query._spots(condition.on.places), condition)
        foreign, found = query._spots(related.foreign), []
        for place, spot in enumerate(foreign):
            # An index leads to the documents of each place; those that an earlier place speaks for are left out.
            earlier = [{"$nor": [before.present()]} for before in foreign[:place]]
            match = {"$and": [self.scope, *earlier, compared]}
            name = f"__cdp_{len(self.prepared)}"
            pipeline: list[Document] = [*query.prepared, {"$match": match}, {"$limit": 1}, {"$project": {"_id": 1}}]
            self.prepared.append(_lookup(related.collection, local.path, spot.path, pipeline, name))
            found.append({f"{name}.0": {"$exists": True}})
        return {"$and": [local.present(), {"$or": found}]}

    def _at(self, spots: Sequence[_Spot], condition: Condition) -> Document:
        """The first place that is not null is compared; null and an empty text are what all of them may come to."""
        first, *rest = spots
        found = [first.holds(self._compared(first, condition))]
        if rest:
            found.append({"$and": [{"$nor": [first.present()]}, self._at(rest, condition)]})
        elif any(each.relation == "eq" and each.value in (None, "") for each in condition.any_of):
            found.append({"$nor": [first.present()]})
        return found[0] if len(found) == 1 else {"$or": found}

    def _compared(self, spot: _Spot, condition: Condition) -> Document:
        kind = condition.on.kind
        equal = [c.value for c in condition.any_of if c.relation == "eq" and c.value is not None]
        found = [made for c in condition.any_of if c.relation != "eq" for made in self._native(spot, c, kind)]
        if equal:
            found.append({spot.path: {"$in": [form for value in equal for form in forms(value, kind)]}})
            if kind in {"any", "text"}:
                found += [made for value in equal if (made := same_json(spot.path, value)) is not None]
        if kind in ODD_TYPES and (odd := self._odd(spot, condition.any_of, kind)) is not None:
            found.append(odd)
        return found[0] if len(found) == 1 else {"$or": found} if found else _NEVER

    def _native(self, spot: _Spot, comparison: Comparison, kind: FieldKind) -> list[Document]:
        relation, value, path = comparison.relation, comparison.value, spot.path
        if relation == "present":
            # A field that holds null or an empty text is an empty cell to a user, so it has no value.
            return [spot.present(empty_text=False)]
        if relation in _PATTERNS:
            pattern = _PATTERNS[relation].format(re.escape(str(value)))
            shown = {"$convert": {"input": f"${path}", "to": "string", "onError": "", "onNull": ""}}
            as_text = {"$regexMatch": {"input": shown, "regex": pattern, "options": "i"}}
            is_shown = {"$in": [{"$type": f"${path}"}, _SHOWN_AS_TEXT]}
            return [
                {path: {"$regex": pattern, "$options": "i"}},
                {"$and": [{path: {"$type": _SHOWN_AS_TEXT}}, {"$expr": {"$cond": [is_shown, as_text, False]}}]},
            ]
        if kind == "day" and isinstance(value, str):
            return []  # Texts are compared as the days that they begin with.
        if relation in _ORDERED:
            return [{path: {_ORDERED[relation]: stored(value)}}]
        if relation == "within":
            return [{path: {"$gte": value, "$lt": comparison.end}}]
        return [_counted(path, relation, int(str(value)))]

    def _odd(self, spot: _Spot, comparisons: Sequence[Comparison], kind: FieldKind) -> Document | None:
        """Values that are not stored as their kind, compared as the cell writes them."""
        value = counted_as(kind, f"${spot.path}", self._zone)
        asked = [made for each in comparisons if (made := _expression("$$counted", each, kind)) is not None]
        if not asked:
            return None
        compared = {"$cond": [is_comparable(kind, "$$counted"), {"$or": asked}, False]}
        expression = {"$let": {"vars": {"counted": value}, "in": compared}}
        return {"$and": [{spot.path: {"$type": ODD_TYPES[kind]}}, {"$expr": expression}]}


_NEVER: Final[Document] = {"_id": {"$in": []}}


def _lookup(collection: str, local: str, foreign: str, pipeline: list[Document], name: str) -> Document:
    return {
        "$lookup": {
            "from": collection,
            "localField": local,
            "foreignField": foreign,
            "pipeline": pipeline,
            "as": name,
        }
    }


def _expression(value: str, comparison: Comparison, kind: FieldKind) -> Document | None:
    """A comparison as an expression on a value that counts as its kind; None where it is of another type."""
    relation, asked = comparison.relation, comparison.value
    if relation not in {"eq", "within", *_ORDERED} or asked is None or isinstance(asked, str) is not (kind == "day"):
        return None
    if kind == "number":
        asked = decimal_of(asked)  # type: ignore[assignment]
    literal: Document = {"$literal": asked}
    if relation == "within":
        return {"$and": [{"$gte": [value, literal]}, {"$lt": [value, {"$literal": comparison.end}]}]}
    return {_ORDERED.get(relation, "$eq"): [value, literal]}


def _counted(path: str, relation: str, count: int) -> Document:
    """How many entries a list has; what is missing, and what is no list, has none."""
    is_list = {path: {"$type": "array"}}
    if relation == "longer":
        return {"$and": [is_list, {f"{path}.{count}": {"$exists": True}}]}
    if relation == "shorter":
        return {"$nor": [{"$and": [is_list, {f"{path}.{count - 1}": {"$exists": True}}]}]} if count else _NEVER
    return {path: {"$size": count}} if count else {"$nor": [{"$and": [is_list, {f"{path}.0": {"$exists": True}}]}]}
