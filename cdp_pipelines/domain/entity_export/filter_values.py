"""What the operators of a filter mean, and how their values are read (SPEC 4).

Values come as a list or alone. A plain date is that whole day in the request's zone (SPEC 1.1): `$after` a day is after
its end, `$before` it before its beginning. Relative operators count days from now.
"""

import math
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any, Final, Literal, TypeAlias
from zoneinfo import ZoneInfo

from cdp_pipelines.domain.entity_export.entities import FieldKind
from cdp_pipelines.domain.values.instants import PLAIN_DATE, read_instant, to_utc

MAX_VALUES: Final = 1_000
MAX_TEXT_LENGTH: Final = 1_000
MAX_DAYS: Final = 36_500
MAX_COUNT: Final = 10_000
_LONGEST_NUMBER: Final = 40
_DECIMAL_DIGITS: Final = 34
"""Of a BSON decimal."""

Scalar: TypeAlias = str | int | float | Decimal | bool | datetime | None
Relation: TypeAlias = Literal[
    "eq", "gt", "gte", "lt", "lte", "contains", "starts_with", "ends_with",
    "present", "size", "longer", "shorter", "within",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Comparison:
    """One comparison of a stored value. `within` is from `value` up to but without `end`."""

    relation: Relation
    value: Scalar = None
    end: Scalar = None


class FilterProblem(ValueError):
    """The filters cannot be used: `where`, why, and in `allowed` what could be used instead."""

    def __init__(self, where: str, problem: str, **allowed: Any) -> None:
        super().__init__(f"{where}: {problem}")
        self.where = where
        self.problem = problem
        self.allowed = allowed


# Operator -> (relation, negated), by what kind of values it takes.
_EQUAL: Final = {"$is": False, "$in": False, "$is_not": True, "$not_in": True}
_ORDERED: Final[dict[str, Relation]] = {
    "$before": "lt", "$after": "gt", "$less_than": "lt", "$more_than": "gt",
    "$less_than_equal": "lte", "$more_than_equal": "gte",
}  # fmt: skip
_IN_TEXT: Final[dict[str, tuple[Relation, bool]]] = {
    "$contains": ("contains", False),
    "$not_contain": ("contains", True),
    "$starts_with": ("starts_with", False),
    "$ends_with": ("ends_with", False),
}
_PRESENCE: Final = {"$has_value": False, "$is_unknown": True}
_COUNTING: Final[dict[str, Relation]] = {"$count": "size", "$count_less": "shorter", "$count_more": "longer"}
_RELATIVE: Final = (
    "$is_days_ago",
    "$more_than_ago",
    "$less_than_ago",
    "$is_days_in_future",
    "$more_than_future",
    "$less_than_future",
)
OPERATORS: Final = (*_EQUAL, *_IN_TEXT, *_PRESENCE, *_ORDERED, *_COUNTING, *_RELATIVE)


class Reader:
    """Reads the values of one request's filters."""

    def __init__(self, now: datetime, zone: ZoneInfo) -> None:
        self._now = now
        self._zone = zone

    def comparisons(
        self, operator: str, raw: object, kind: FieldKind, where: str
    ) -> tuple[bool, tuple[Comparison, ...]]:
        """Whether the condition is negated, and the comparisons of which one must hold (or none).

        Raises:
            FilterProblem: the values do not fit the operator or the kind of field.
        """
        if operator in _PRESENCE:
            return _PRESENCE[operator] ^ (_asked_presence(raw, where) is False), (Comparison("present"),)
        values = _values(raw, where)
        if operator in _COUNTING:
            return False, (_count(_COUNTING[operator], _single(values, where), where),)
        if operator in _RELATIVE:
            return False, self._relative(operator, _single(values, where), kind, where)
        if operator in _IN_TEXT:
            relation, negated = _IN_TEXT[operator]
            return negated, tuple(
                comparison
                for i, value in enumerate(values)
                for comparison in _in_text(relation, value, kind, f"{where}[{i}]")
            )
        if operator in _EQUAL:
            found = [c for i, value in enumerate(values) for c in self._equal(value, kind, f"{where}[{i}]")]
            return _EQUAL[operator], tuple(found)
        return False, self._ordered(_ORDERED[operator], _single(values, where), kind, where)

    def _equal(self, raw: object, kind: FieldKind, where: str) -> list[Comparison]:
        if raw is None:
            return [Comparison("eq", None)]
        if kind in {"instant", "day"}:
            return self._on_days(self._day_or_instant(raw, where), kind)
        return [Comparison("eq", _scalar(raw, kind, where))]

    def _ordered(self, relation: Relation, raw: object, kind: FieldKind, where: str) -> tuple[Comparison, ...]:
        if raw is None or isinstance(raw, bool) or kind == "boolean":
            raise FilterProblem(where, "takes a number, a text or an instant of a field that can be more or less")
        if kind in {"instant", "day"}:
            return tuple(self._beside(relation, self._day_or_instant(raw, where), kind))
        compared = [Comparison(relation, _scalar(raw, kind, where))]
        if kind == "any" and isinstance(raw, str):
            # Metadata may hold the same date as an instant or as a text; the database compares only like with like.
            with suppress(FilterProblem):
                compared += self._beside(relation, self._day_or_instant(raw, where), "instant")
        return tuple(compared)

    def _relative(self, operator: str, raw: object, kind: FieldKind, where: str) -> tuple[Comparison, ...]:
        if kind not in {"instant", "day", "any"}:
            raise FilterProblem(where, "is for dates and instants")
        days = _whole(raw, MAX_DAYS, where)
        now, sign = self._now, -1 if operator.endswith("_ago") else 1
        if operator in {"$is_days_ago", "$is_days_in_future"}:
            found = self._on_days(self._now.astimezone(self._zone).date() + timedelta(days=sign * days), kind)
            return tuple(found)
        edge = now + timedelta(days=sign * days)
        if operator in {"$less_than_ago", "$less_than_future"}:
            spans = Comparison("within", min(now, edge), max(now, edge))
            return (spans, *([_as_day_text(spans)] if kind == "day" else []))
        bound = Comparison("lt" if sign < 0 else "gt", edge)
        return (bound, *([_as_day_text(bound)] if kind == "day" else []))

    def _day_or_instant(self, raw: object, where: str) -> date | datetime:
        if isinstance(raw, datetime):
            return to_utc(raw)
        if isinstance(raw, str):
            text = raw.strip()
            try:
                if PLAIN_DATE.fullmatch(text):
                    return date.fromisoformat(text)
                return read_instant(text, self._zone)
            except ValueError:
                pass
        raise FilterProblem(where, "must be a date (2024-05-01) or an RFC 3339 instant")

    def _on_days(self, at: date | datetime, kind: FieldKind) -> list[Comparison]:
        if isinstance(at, datetime):
            exact = Comparison("eq", at)
            return [exact, Comparison("eq", at.date().isoformat())] if kind == "day" else [exact]
        if kind == "day":
            # A calendar date is the same day everywhere (SPEC 3.3); as a BSON date it is midnight in UTC.
            start = datetime(at.year, at.month, at.day, tzinfo=UTC)
            return [Comparison("eq", at.isoformat()), Comparison("within", start, _day_later(start))]
        return [Comparison("within", self._start(at), self._start(at, days=1))]

    def _beside(self, relation: Relation, at: date | datetime, kind: FieldKind) -> list[Comparison]:
        if isinstance(at, datetime):
            compared = [Comparison(relation, at)]
            return [*compared, Comparison(relation, at.date().isoformat())] if kind == "day" else compared
        edge = 1 if relation in {"gt", "lte"} else 0
        bounded: Relation = "gte" if relation in {"gt", "gte"} else "lt"
        if kind == "day":
            start = datetime(at.year, at.month, at.day, tzinfo=UTC)
            return [
                Comparison(relation, at.isoformat()),
                Comparison(bounded, _day_later(start) if edge else start),
            ]
        return [Comparison(bounded, self._start(at, days=edge))]

    def _start(self, day: date, *, days: int = 0) -> datetime:
        return read_instant(day.isoformat(), self._zone, whole_day_end=bool(days))


def _day_later(start: datetime) -> datetime:
    try:
        return start + timedelta(days=1)
    except OverflowError:
        return datetime.max.replace(tzinfo=UTC)


def _as_day_text(comparison: Comparison) -> Comparison:
    def text(value: Scalar) -> Scalar:
        return value.date().isoformat() if isinstance(value, datetime) else value

    return Comparison(comparison.relation, text(comparison.value), text(comparison.end))


def _values(raw: object, where: str) -> list[Any]:
    values = list(raw) if isinstance(raw, list | tuple) else [raw]
    if not values:
        raise FilterProblem(where, "has no value")
    if len(values) > MAX_VALUES:
        raise FilterProblem(where, f"at most {MAX_VALUES:,} values")
    return values


def _single(values: list[Any], where: str) -> object:
    if len(values) != 1:
        raise FilterProblem(where, "takes one value")
    return values[0]


def _asked_presence(raw: object, where: str) -> bool:
    """The public contract sends an empty text; true and false say it better. A list is its only value."""
    if isinstance(raw, list | tuple) and len(raw) < 2:
        raw = raw[0] if raw else True
    if raw in (None, "", True, "true"):
        return True
    if raw in (False, "false"):
        return False
    raise FilterProblem(where, "takes true or false, or nothing")


def _count(relation: Relation, raw: object, where: str) -> Comparison:
    return Comparison(relation, _whole(raw, MAX_COUNT, where))


def _whole(raw: object, most: int, where: str) -> int:
    if isinstance(raw, str) and raw.strip().isdecimal() and raw.isascii() and len(raw.strip()) <= 6:
        raw = int(raw)
    if isinstance(raw, bool) or not isinstance(raw, int) or not 0 <= raw <= most:
        raise FilterProblem(where, f"takes a whole number from 0 to {most:,}")
    return raw


def _in_text(relation: Relation, raw: object, kind: FieldKind, where: str) -> list[Comparison]:
    if kind in {"instant", "number", "boolean"}:
        raise FilterProblem(where, "is for texts and lists")
    if kind == "any" and relation == "contains" and isinstance(raw, int | float):
        # A list of numbers contains one that equals it.
        return [Comparison("eq", _scalar(raw, kind, where))]
    if not isinstance(raw, str) or not raw:
        raise FilterProblem(where, "takes texts that are not empty")
    found = [Comparison(relation, _text(raw, where))]
    if kind == "any" and relation == "contains" and _number(raw) is not None:
        found.append(Comparison("eq", _number(raw)))
    return found


def _scalar(raw: object, kind: FieldKind, where: str) -> Scalar:
    if kind == "boolean":
        truth = {"true": True, "false": False}.get(raw.strip().casefold()) if isinstance(raw, str) else raw
        if not isinstance(truth, bool):
            raise FilterProblem(where, "takes true or false")
        return truth
    if kind == "number":
        number = _number(raw) if isinstance(raw, str) else raw
        if isinstance(number, bool) or not isinstance(number, int | float | Decimal) or not math.isfinite(number):
            raise FilterProblem(where, "takes a number")
        return _bounded(number, where)
    if isinstance(raw, str):
        return _text(raw, where)
    if isinstance(raw, bool | datetime):
        return raw
    if isinstance(raw, int | float) and math.isfinite(raw):
        return _bounded(raw, where)
    raise FilterProblem(where, "must be a text, a number, true, false, null or an instant")


def _bounded(number: float | Decimal, where: str) -> int | float | Decimal:
    if isinstance(number, int) and not -(2**63) <= number < 2**63:
        raise FilterProblem(where, "is beyond the 64 bits that a stored number has")
    return number


def _number(text: str) -> int | float | Decimal | None:
    try:
        return int(text) if len(text) <= 20 else None
    except ValueError:
        pass
    try:
        number = float(text)
    except ValueError:
        return None
    if not math.isfinite(number) or len(text) > _LONGEST_NUMBER:
        return None
    exact = Decimal(text.strip())
    # More digits than a double has are kept: a stored decimal has them, and its cell shows them.
    return number if exact == Decimal(repr(number)) or len(exact.as_tuple().digits) > _DECIMAL_DIGITS else exact


def _text(raw: str, where: str) -> str:
    if len(raw) > MAX_TEXT_LENGTH or "\0" in raw:
        raise FilterProblem(where, f"at most {MAX_TEXT_LENGTH:,} characters, and no NUL")
    try:
        raw.encode()
    except UnicodeEncodeError:
        raise FilterProblem(where, "holds half a character, which no stored text can") from None
    return raw
