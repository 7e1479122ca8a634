"""Where a name's value lies, as the database reads it: the same place, by the same rule, as the cell of the file.

A cell is found by going down through objects alone; a list on the way has nothing in it. The database's own paths
would reach into lists, so every list on the way is ruled out. A key of metadata that holds points cannot be part of a
path: it is read by an expression into a field of its own before the query.

Belongs here: places, and what their values count as when they are compared. Not here: filters (`entity_query.py`).
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

from cdp_pipelines.domain.entity_export.entities import BROUGHT, FieldKind, Keys, ways

Document = dict[str, Any]

_NUMBER_TEXT: Final = r"^-?(0|[1-9][0-9]*)(\.[0-9]+)?$"
_INSTANT_TEXT: Final = (
    r"^[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,9})?)?(Z|[+-][0-9]{2}:?[0-9]{2})$"
)
_DATE_TEXT: Final = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}([T ][0-9]{2}:[0-9]{2}|$)"
_PLAIN_DATE: Final = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$"

_FIRST: Final = datetime(1, 1, 1, tzinfo=UTC)
_LAST: Final = datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)

ODD_TYPES: Final[dict[FieldKind, list[str]]] = {
    "number": ["string"],
    "instant": ["string", "timestamp"],
    "day": ["string", "timestamp"],
}
"""Types that a value of a kind may be stored as besides its own; they are converted before they are compared."""


def is_plain(keys: Keys) -> bool:
    """Whether the keys can be joined into a path of the query language."""
    return keys[0] != BROUGHT and all(key and "." not in key and not key.startswith("$") for key in keys)


def value_of(keys: Keys) -> Any:
    """An expression: the value below these keys; missing or null where the cell has none."""
    *before, last = keys
    value: Any = f"${'.'.join(keys)}" if is_plain(keys) else _got(last, before)
    for depth in range(len(before), 0, -1):
        value = {"$cond": [_is_a(f"${'.'.join(keys[:depth])}", "object"), value, None]}
    return value


def first_of(paths: Sequence[str]) -> Any:
    """An expression: the first value at these stored paths that is not null."""
    found = [value_of(keys) for keys in ways(paths) if keys[0] != BROUGHT]
    return {"$ifNull": [*found, None]}


def counted_as(kind: FieldKind, value: Any, zone: ZoneInfo | None = None) -> Any:
    """An expression: what a value is compared as, whatever it is stored as.

    A text that cells write as a number, an instant or a day is one. What is none stays what it is.
    """
    if kind == "number":
        return _converted(value, _NUMBER_TEXT, {"$convert": {"input": value, "to": "decimal", "onError": value}})
    if kind == "instant":
        instant = _converted(value, _INSTANT_TEXT, {"$convert": {"input": value, "to": "date", "onError": value}})
        if zone is not None:
            # A text of a day alone begins where the day begins in the request's zone.
            day = {"$dateFromString": {"dateString": value, "timezone": zone.key, "onError": value}}
            instant = {"$cond": [_is_text_like(value, _PLAIN_DATE), day, instant]}
        return {"$cond": [_is_a(value, "timestamp"), {"$toDate": value}, instant]}
    if kind == "day":
        text = _converted(value, _DATE_TEXT, {"$substrBytes": [value, 0, 10]})
        return {"$cond": [{"$in": [{"$type": value}, ["date", "timestamp"]]}, _day(value), text]}
    return value


def is_comparable(kind: FieldKind, value: Any) -> Any:
    """An expression: whether a value that was `counted_as` became what the kind is compared as."""
    if kind == "number":
        return {"$isNumber": value}
    return _is_a(value, "string" if kind == "day" else "date")


def _got(key: str, before: Sequence[str]) -> Document:
    return {"$getField": {"field": {"$literal": key}, "input": f"${'.'.join(before)}" if before else "$$ROOT"}}


def _is_a(value: Any, kind: str) -> Document:
    return {"$eq": [{"$type": value}, kind]}


def _is_text_like(value: Any, pattern: str) -> Document:
    # Asked in this order on both servers, so the pattern never meets what is no text.
    matches = {"$regexMatch": {"input": value, "regex": pattern}}
    return {"$cond": [_is_a(value, "string"), matches, False]}


def _converted(value: Any, pattern: str, conversion: Any) -> Document:
    return {"$cond": [_is_text_like(value, pattern), conversion, value]}


def _day(value: Any) -> Document:
    """Its day in UTC, as text; of an instant beyond the calendar, which no text of a day has, the value itself."""
    within = {"$and": [{"$gte": [{"$toDate": value}, _FIRST]}, {"$lte": [{"$toDate": value}, _LAST]}]}
    return {"$cond": [within, {"$dateToString": {"date": value, "format": "%Y-%m-%d", "timezone": "UTC"}}, value]}
