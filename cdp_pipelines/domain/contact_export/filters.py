"""The filter language of a contact export (SPEC 1.1 and 3.1): parsed and checked, never passed through.

A condition is `{"field": name, "op": operator, "value": v}`, a group is `{"and": [...]}` or `{"or": [...]}`; at most
5 groups deep and 50 conditions. Only the parsed form reaches a store, and it is made of these classes alone, so no
raw Mongo operator can get through. What a value means is in `filter_values.py`, turning it into a query in
`stores/contact_query.py`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeAlias

from cdp_pipelines.domain.contact_export.filter_values import (
    FilterField,
    FilterKind,
    FilterProblem,
    InstantReader,
    Operator,
    Scalar,
    Span,
    ValueReader,
    beside_span,
)

__all__ = ["Condition", "FilterField", "FilterNode", "FilterProblem", "Group", "Operator", "Span", "parse_filter"]

OPERATORS: Final[tuple[Operator, ...]] = (
    "eq", "ne", "in", "nin", "gt", "gte", "lt", "lte", "contains", "starts_with", "exists",
)  # fmt: skip
MAX_DEPTH: Final = 5
MAX_CONDITIONS: Final = 50
MAX_LIST_VALUES: Final = 1_000


@dataclass(frozen=True, slots=True)
class Condition:
    """One comparison. `custom` says that `field` is the key of a custom field, not a top-level name.

    `kind` is what the field's values are in a file; without one they are compared as they are stored.
    """

    field: str
    op: Operator
    value: Scalar | tuple[Scalar, ...]
    custom: bool
    kind: FilterKind = ""


@dataclass(frozen=True, slots=True)
class Group:
    """Conditions and groups joined by `and` or `or`; never empty."""

    junction: Literal["and", "or"]
    members: "tuple[FilterNode, ...]"


FilterNode: TypeAlias = Condition | Group


class _Parser:
    def __init__(self, fields: Mapping[str, FilterField], read_instant: InstantReader) -> None:
        self._fields = fields
        self._values = ValueReader(read_instant)
        self._conditions = 0

    def node(self, raw: object, where: str, depth: int) -> FilterNode:
        if not isinstance(raw, Mapping):
            raise FilterProblem(f"{where}: must be a condition {{field, op, value}} or a group {{and|or: [...]}}")
        junctions = [key for key in ("and", "or") if key in raw]
        if junctions:
            return self._group(raw, where, depth, junctions)
        return self._condition(raw, where)

    def _group(self, raw: Mapping[str, Any], where: str, depth: int, junctions: list[str]) -> Group:
        if depth > MAX_DEPTH:
            raise FilterProblem(f"{where}: groups may be at most {MAX_DEPTH} deep")
        if len(raw) != 1:
            raise FilterProblem(f"{where}: a group has exactly one key, `and` or `or`")
        junction: Literal["and", "or"] = "and" if junctions[0] == "and" else "or"
        members = raw[junction]
        if not isinstance(members, Sequence) or isinstance(members, str | bytes) or not members:
            raise FilterProblem(f"{where}.{junction}: must be a list of at least one condition or group")
        return Group(
            junction,
            tuple(self.node(member, f"{where}.{junction}[{i}]", depth + 1) for i, member in enumerate(members)),
        )

    def _condition(self, raw: Mapping[str, Any], where: str) -> Condition:
        self._conditions += 1
        if self._conditions > MAX_CONDITIONS:
            raise FilterProblem(f"{where}: at most {MAX_CONDITIONS} conditions")
        unknown = sorted(str(key) for key in raw if key not in {"field", "op", "value"})
        if unknown:
            raise FilterProblem(f"{where}: unknown key {unknown[0][:40]!r}; a condition has field, op and value")
        name, op = raw.get("field"), raw.get("op")
        field = self._fields.get(name) if isinstance(name, str) else None
        if field is None:
            raise FilterProblem(f"{where}.field: not a field of this company")
        if op not in OPERATORS:
            raise FilterProblem(f"{where}.op: must be one of {', '.join(OPERATORS)}")
        operator: Operator = op
        if operator != "exists" and "value" not in raw:
            raise FilterProblem(f"{where}.value: is missing")
        value = self._value(operator, raw.get("value", True), field, f"{where}.value")
        if isinstance(value, Span) and operator in {"gt", "gte", "lt", "lte"}:
            operator, value = beside_span(operator, value)
        return Condition(field.name, operator, value, field.custom, field.kind)

    def _value(self, op: Operator, raw: object, field: FilterField, where: str) -> Scalar | tuple[Scalar, ...]:
        if op == "exists":
            if not isinstance(raw, bool):
                raise FilterProblem(f"{where}: `exists` takes true or false")
            return raw
        if op in {"in", "nin"}:
            if not isinstance(raw, list | tuple):
                raise FilterProblem(f"{where}: `{op}` takes a list")
            if len(raw) > MAX_LIST_VALUES:
                raise FilterProblem(f"{where}: at most {MAX_LIST_VALUES} values")
            return tuple(self._values.equal(value, field, f"{where}[{i}]") for i, value in enumerate(raw))
        if op in {"contains", "starts_with"}:
            if not isinstance(raw, str) or not raw:
                raise FilterProblem(f"{where}: `{op}` takes a text that is not empty")
            return self._values.text(raw, where)
        if op in {"gt", "gte", "lt", "lte"}:
            if raw is None or isinstance(raw, bool):
                raise FilterProblem(f"{where}: `{op}` takes a number, a text or an instant")
            return self._values.ordered(raw, field, where)
        return self._values.equal(raw, field, where)


def parse_filter(raw: object, fields: Mapping[str, FilterField], *, read_instant: InstantReader) -> FilterNode | None:
    """The filter in its safe form, or None for an absent or empty one.

    Args:
        raw: what the request carries under `filter`.
        fields: the company's usable fields by name; a name outside it is an error.
        read_instant: turns a text compared with an instant field into a UTC datetime (ValueError if it cannot).

    Raises:
        FilterProblem: with the place and the reason.
    """
    if raw is None or raw == {} or raw == []:
        return None
    return _Parser(fields, read_instant).node(raw, "filter", 1)
