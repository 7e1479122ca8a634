"""Checked filters of an entity export as a MongoDB query; every part of it is made here, none comes from the request.

A name may have several places (`voucher_type`, `type`): the first that is not null counts, in a query as in a file.
"""

import re
from collections.abc import Sequence
from typing import Any, Final

from cdp_pipelines.domain.entity_export.filter_values import Comparison
from cdp_pipelines.domain.entity_export.filters import Condition, FilterNode, Group

Document = dict[str, Any]

_ORDERED: Final = {"gt": "$gt", "gte": "$gte", "lt": "$lt", "lte": "$lte"}
# At the end: `$` would also match before a last line break.
_PATTERNS: Final = {"contains": "{}", "starts_with": "^{}", "ends_with": r"{}(?![\s\S])"}


class EntityQuery:
    """A company's documents that filters let through.

    `match` is the query. Where filters are on documents of other collections, `lookups` bring at most one of each, in
    the same company, before `match` can be asked; `scope` alone holds before them.
    """

    def __init__(self, company_sso_id: str, filters: FilterNode | None) -> None:
        self.scope: Document = {"company_sso_id": company_sso_id}
        self.lookups: list[Document] = []
        self.match = self.scope if filters is None else {"$and": [self.scope, self._node(filters)]}

    def stages(self) -> list[Document]:
        """The query as the first stages of an aggregation."""
        if not self.lookups:
            return [{"$match": self.match}]
        return [{"$match": self.scope}, *self.lookups, {"$match": self.match}]

    def _node(self, node: FilterNode) -> Document:
        if isinstance(node, Group):
            return {f"${node.junction}": [self._node(member) for member in node.members]}
        if node.on.related is not None:
            return self._related(node, *node.on.related)
        positive = _at_places(node.on.places, node.any_of)
        return {"$nor": [positive]} if node.negated else positive

    def _related(self, condition: Condition, collection: str, foreign: str, local: str) -> Document:
        found = f"__related_{len(self.lookups)}"
        match = {"$and": [self.scope, _at_places(condition.on.places, condition.any_of)]}
        self.lookups.append(
            {
                "$lookup": {
                    "from": collection,
                    "localField": local,
                    "foreignField": foreign,
                    "pipeline": [{"$match": match}, {"$limit": 1}, {"$project": {"_id": 1}}],
                    "as": found,
                }
            }
        )
        return {f"{found}.0": {"$exists": not condition.negated}}


def _at_places(places: Sequence[str], comparisons: Sequence[Comparison]) -> Document:
    """The first place that is not null is compared."""
    first, *rest = places
    here = _alternatives(first, comparisons)
    if not rest:
        return here
    return {"$or": [here, {"$and": [{first: None}, _at_places(rest, comparisons)]}]}


def _alternatives(path: str, comparisons: Sequence[Comparison]) -> Document:
    equal = [comparison.value for comparison in comparisons if comparison.relation == "eq"]
    others = [_comparison(path, comparison) for comparison in comparisons if comparison.relation != "eq"]
    if equal:
        others.append({path: equal[0] if len(equal) == 1 else {"$in": equal}})
    return others[0] if len(others) == 1 else {"$or": others}


def _comparison(path: str, comparison: Comparison) -> Document:
    relation, value = comparison.relation, comparison.value
    if relation in _ORDERED:
        return {path: {_ORDERED[relation]: value}}
    if relation in _PATTERNS:
        return {path: {"$regex": _PATTERNS[relation].format(re.escape(str(value))), "$options": "i"}}
    if relation == "within":
        return {path: {"$gte": value, "$lt": comparison.end}}
    if relation == "present":
        # A field that holds null is an empty cell to a user, so it has no value.
        return {path: {"$ne": None}}
    return _counted(path, relation, int(str(value)))


def _counted(path: str, relation: str, count: int) -> Document:
    """How many entries a list has; what is missing has none."""
    if relation == "longer":
        return {f"{path}.{count}": {"$exists": True}}
    if relation == "shorter":
        return {f"{path}.{count - 1}": {"$exists": False}} if count else {"_id": {"$in": []}}
    return {path: {"$size": count}} if count else {f"{path}.0": {"$exists": False}}
