"""The filters of an entity export (SPEC 4): parsed and checked, never passed through.

    {"junction": "and" | "or",
     "created_at": {"conditions": {"$after": ["2024-01-01"]}},
     "metadata.tier": {"conditions": {"$in": ["gold", "silver"]}, "junction": "or"}}

A name may also stand with its value (`"status": "PAID"`) or values (`"status": ["PAID", "FULFILLED"]`). Only the parsed
form reaches a store, and it is made of these classes alone, so no raw Mongo operator can get through. Operators and
names: the public contract that the seed imitates. Turning it into a query is `stores/entity_query.py`; how values are
read is `filter_values.py`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal, TypeAlias
from zoneinfo import ZoneInfo

from cdp_pipelines.domain.entity_export.entities import METADATA, METADATA_PREFIX, Entity, Filter
from cdp_pipelines.domain.entity_export.filter_values import OPERATORS, Comparison, FilterProblem, Reader

Junction: TypeAlias = Literal["and", "or"]
JUNCTIONS: Final[tuple[Junction, ...]] = ("and", "or")
MAX_CONDITIONS: Final = 50
MAX_NAME_LENGTH: Final = 200
MAX_NAME_PARTS: Final = 10

__all__ = ["Condition", "FilterNode", "FilterProblem", "Group", "filter_names", "parse_filters"]


@dataclass(frozen=True, slots=True)
class Condition:
    """A name of the object and comparisons of which one must hold; `negated`: none may."""

    on: Filter
    any_of: tuple[Comparison, ...]
    negated: bool = False


@dataclass(frozen=True, slots=True)
class Group:
    """Conditions and groups joined by `and` or `or`; never empty."""

    junction: Junction
    members: "tuple[FilterNode, ...]"


FilterNode: TypeAlias = Condition | Group


def parse_filters(raw: object, entity: Entity, *, now: datetime, zone: ZoneInfo) -> FilterNode | None:
    """The filters in their safe form, or None for absent or empty ones.

    Args:
        raw: what the request carries under `parameters.filters`.
        entity: whose names may be used.
        now: the instant that `$is_days_ago` and the like count from, in UTC.
        zone: where a plain date is a day.

    Raises:
        FilterProblem: with the place (`filters.status.conditions.$is[0]`) and the reason.
    """
    if raw is None or raw == {} or raw == []:
        return None
    if not isinstance(raw, Mapping):
        raise FilterProblem("filters", "must be an object of names with their conditions")
    return _Parser(entity, Reader(now, zone)).filters(raw)


def filter_names(entity: Entity) -> tuple[str, ...]:
    """What an answer to an unknown filter lists."""
    stored = tuple(field.name for field in entity.fields if field.is_stored)
    named = tuple(filter_.name for filter_ in entity.filters)
    return (*dict.fromkeys((*stored, *named)), *(f"{prefix}{{key}}" for prefix in entity.filter_prefixes))


class _Parser:
    def __init__(self, entity: Entity, reader: Reader) -> None:
        self._entity = entity
        self._reader = reader
        self._conditions = 0

    def filters(self, raw: Mapping[Any, Any]) -> FilterNode | None:
        junction = _junction(raw.get("junction", "and"), "filters.junction")
        members: list[FilterNode] = []
        for name, asked in raw.items():
            if name == "junction":
                continue
            if name == METADATA and isinstance(asked, Mapping) and not _is_conditions(asked):
                members += [self._name(f"{METADATA_PREFIX}{key}", value) for key, value in asked.items()]
            else:
                members.append(self._name(name, asked))
        return _grouped(junction, members)

    def _name(self, name: object, asked: object) -> FilterNode:
        filter_ = self._resolve(name)
        where = f"filters.{filter_.name}"
        if not isinstance(asked, Mapping):
            values = asked if isinstance(asked, list | tuple) else [asked]
            return self._condition(filter_, "$in", values, where)
        extra = sorted(str(key) for key in asked if key not in {"conditions", "junction"})
        if "conditions" in asked and extra:
            raise FilterProblem(where, f"has {extra[0][:40]!r} beside `conditions` and `junction`")
        conditions = asked.get("conditions", asked)
        if not isinstance(conditions, Mapping) or not conditions:
            raise FilterProblem(where, 'must be a value, a list, or {"conditions": {"$is": [...]}}')
        junction = _junction(asked.get("junction", "and"), f"{where}.junction")
        members = [
            self._condition(filter_, operator, values, f"{where}.conditions")
            for operator, values in conditions.items()
            if operator != "junction"
        ]
        node = _grouped(junction, members)
        if node is None:
            raise FilterProblem(where, "has no condition")
        return node

    def _condition(self, filter_: Filter, operator: object, values: object, where: str) -> Condition:
        self._conditions += 1
        if self._conditions > MAX_CONDITIONS:
            raise FilterProblem(where, f"at most {MAX_CONDITIONS} conditions")
        if not isinstance(operator, str) or operator not in OPERATORS:
            shown = f"{operator!r:.40}"
            raise FilterProblem(where, f"{shown} is no operator", allowed_operators=list(OPERATORS))
        negated, any_of = self._reader.comparisons(operator, values, filter_.kind, f"{where}.{operator}")
        return Condition(filter_, any_of, negated)

    def _resolve(self, name: object) -> Filter:
        if isinstance(name, str):
            for filter_ in self._entity.filters:
                if filter_.name == name:
                    return filter_
            for field in self._entity.fields:
                if field.name == name and field.is_stored:
                    return Filter.of(name, field)
            if any(name.startswith(prefix) for prefix in self._entity.filter_prefixes) and _is_path(name):
                return Filter(name, "any")
        raise FilterProblem(
            "filters",
            f"{name!r:.60} is no filter of {self._entity.name}",
            allowed_filters=list(filter_names(self._entity)),
        )


def _is_conditions(raw: Mapping[Any, Any]) -> bool:
    return any(isinstance(key, str) and (key == "conditions" or key.startswith("$")) for key in raw)


def _is_path(name: str) -> bool:
    """Whether a name can be a path of a document: no operator in it, nothing empty, of bounded length."""
    parts = name.split(".")
    return (
        len(name) <= MAX_NAME_LENGTH
        and len(parts) <= MAX_NAME_PARTS
        and "\0" not in name
        and all(part and not part.startswith("$") for part in parts)
    )


def _junction(raw: object, where: str) -> Junction:
    lowered = raw.casefold() if isinstance(raw, str) else None
    if lowered not in JUNCTIONS:
        raise FilterProblem(where, "must be `and` or `or`")
    return lowered


def _grouped(junction: Junction, members: Sequence[FilterNode]) -> FilterNode | None:
    if not members:
        return None
    return members[0] if len(members) == 1 else Group(junction, tuple(members))
