"""A contact filter as a MongoDB query: each value found however it is stored, by what its cell in a file says.

A calendar date may be a BSON date or a text, a number an integer, a double, a decimal or a text, an instant a BSON date
or a text with an offset. Every part of the query is made here, none is taken from the request as it came. Not here:
what a filter may say and what its values mean (`domain/contact_export/filters.py`, `filter_values.py`).
"""

import json
import re
from collections.abc import Callable, Iterable
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal, localcontext
from typing import Any, Final

from bson import Decimal128, ObjectId, Regex
from bson.decimal128 import create_decimal128_context

from cdp_pipelines.domain.contact_export.filter_values import Money, Scalar, Span
from cdp_pipelines.domain.contact_export.filters import Condition, FilterNode, Group
from cdp_pipelines.domain.values.instants import LATEST
from cdp_pipelines.domain.values.moments import to_instant
from cdp_pipelines.domain.values.numbers import plain, to_number

Document = dict[str, Any]

_ORDERED: Final = {"gt": "$gt", "gte": "$gte", "lt": "$lt", "lte": "$lte"}
_EQUALS: Final = frozenset({"eq", "ne", "in", "nin"})
# At the end: `$` would also match before a last line break.
_END: Final = r"(?![\s\S])"
_DATE_TEXT: Final = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}(?:[T ][0-9]{2}:[0-9]{2}[\s\S]*)?" + _END
_NUMBER_TEXT: Final = r"^-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?" + _END
_INSTANT_TEXT: Final = (
    r"^[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]{1,9})?)?(?:Z|[+-][0-9]{2}:?[0-9]{2})"
    + _END
)
_PLACE: Final = re.compile(r" *([+-]?[0-9]{1,3}(?:\.[0-9]+)?) *, *([+-]?[0-9]{1,3}(?:\.[0-9]+)?) *")
_PLACE_PARTS: Final = (
    ("lat", "lng"), ("latitude", "longitude"), ("lat", "lon"), ("lat", "long"), ("0", "1"),
    ("coordinates.1", "coordinates.0"),
)  # fmt: skip
_NOT_A_NUMBER: Final = {"NaN": "nan", "Infinity": "inf", "-Infinity": "-inf"}
_NUMBERS: Final = frozenset({"number", "percentage", "currency"})


def filter_query(node: FilterNode) -> Document:
    """The query that finds what the filter lets through, to be joined with the company's own."""
    if isinstance(node, Group):
        return {f"${node.junction}": [filter_query(member) for member in node.members]}
    place = _Place(node)
    if node.op == "exists":
        # A field that holds null is an empty cell to a user, so it does not "exist".
        return place.present() if node.value else place.absent()
    if node.op in {"contains", "starts_with"}:
        pattern = re.escape(str(node.value))
        return place.holds([{"$regex": f"^{pattern}" if node.op == "starts_with" else pattern, "$options": "i"}])
    if node.op not in _EQUALS:
        return _ordered(place, node)
    values = node.value if isinstance(node.value, tuple) else (node.value,)
    positive = _any_of([*_equal(place, node, [value for value in values if value is not None])])
    if None in values:
        positive = _any_of([place.absent(), *([positive] if len(values) > 1 else [])])
    # A negation over a list of custom fields must mean "no entry with this key equals v", not "some entry differs".
    return {"$nor": [positive]} if node.op in {"ne", "nin"} else positive


class _Place:
    """Where a condition's values are: at the top of the contact, or in the custom fields by their key."""

    def __init__(self, condition: Condition) -> None:
        self._field = condition.field
        self._custom = condition.custom

    def holds(self, alternatives: Iterable[Any], **beside: Any) -> Document:
        """Contacts whose value is one of these; of a custom field its entry may be asked for more."""
        matches = list(alternatives)
        if not self._custom:
            return _any_of([{self._field: match} for match in matches])
        return self._entry(_any_of([{"value": match} for match in matches]), **beside)

    def holds_parts(self, alternatives: Iterable[Document]) -> Document:
        """Contacts whose value is an object or a list with these parts."""
        prefix = "value" if self._custom else self._field
        asked = _any_of([{f"{prefix}.{part}": match for part, match in each.items()} for each in alternatives])
        return self._entry(asked) if self._custom else asked

    def computes(self, stored_as: str, test: Callable[[Any], Document]) -> Document:
        """Contacts whose value is stored as this type and passes a test that is an expression of the value."""
        if not self._custom:
            return {self._field: {"$type": stored_as}, "$expr": test(f"${self._field}")}
        entries = {
            "$filter": {
                "input": {"$cond": [{"$isArray": "$custom_fields"}, "$custom_fields", []]},
                "as": "entry",
                "cond": {"$eq": ["$$entry.key", {"$literal": self._field}]},
            }
        }
        passed = {"$anyElementTrue": [{"$map": {"input": entries, "as": "entry", "in": test("$$entry.value")}}]}
        return {**self._entry({"value": {"$type": stored_as}}), "$expr": passed}

    def present(self) -> Document:
        return self.holds([{"$ne": None}])

    def absent(self) -> Document:
        return {"$nor": [self.present()]} if self._custom else {self._field: None}

    def _entry(self, asked: Document, **beside: Any) -> Document:
        return {"custom_fields": {"$elemMatch": {"key": self._field, **asked, **beside}}}


def _equal(place: _Place, condition: Condition, values: list[Scalar]) -> Iterable[Document]:
    """The ways in which a stored value can equal one of these; none if there is no value."""
    exact: list[Any] = []
    ranges: list[Document] = []
    for value in values:
        if isinstance(value, Span):
            ranges.append({"$gte": value.start, "$lt": value.end})
        elif isinstance(value, Money):
            yield place.holds([{"$in": _numbers(value.amount)}], currency_code=value.code)
        elif isinstance(value, date) and not isinstance(value, datetime):
            start, end = _day(value)
            ranges.append({"$gte": start, "$lt": end})
            exact.append(Regex(f"^{value.isoformat()}(?:[T ][0-9]{{2}}:[0-9]{{2}}[\\s\\S]*)?{_END}"))
        else:
            exact += _stored_forms(value, condition.kind)
        if condition.kind == "place" and isinstance(value, str) and (written := _PLACE.fullmatch(value)):
            yield place.holds_parts(_parts(written[1], written[2]))
    if exact or not ranges:
        # A single value is asked for plainly, which every index serves.
        ranges.insert(0, {"$eq": exact[0]} if len(exact) == 1 and not isinstance(exact[0], Regex) else {"$in": exact})
    yield place.holds(ranges)
    if condition.kind == "instant" and any(isinstance(value, Span | datetime) for value in values):
        yield place.computes("string", lambda text: _instant_test(text, values))


def _stored_forms(value: Scalar, kind: str) -> list[Any]:
    """How a value that is compared for being equal may be stored."""
    if not kind or kind == "instant" or isinstance(value, datetime):
        return [value]
    if isinstance(value, bool):
        return [value, "true" if value else "false"]
    if isinstance(value, int | float):
        return _numbers(value) if kind in _NUMBERS else [*_numbers(value)[:-1], plain(value)]
    return [value, *_forms_of_text(str(value))]


def _forms_of_text(text: str) -> list[Any]:
    """What else than this text reads like it in a cell."""
    forms: list[Any] = []
    number = to_number(text)
    if number is not None and plain(number) == text:
        forms += _numbers(int(number) if "." not in text else float(number))[:-1]
    if text in {"true", "false"}:
        forms.append(text == "true")
    if text in _NOT_A_NUMBER:
        forms += [float(_NOT_A_NUMBER[text]), Decimal128(text)]
    if len(text) == 24 and ObjectId.is_valid(text):
        forms.append(ObjectId(text))
    instant = to_instant(text)
    if instant is not None:
        forms.append(instant)
    if text[:1] in {"[", "{"}:
        with suppress(ValueError, RecursionError):
            forms.append(json.loads(text))
    return forms


def _numbers(number: float) -> list[Any]:
    """Integer, double and decimal of this value, and at the end the texts that say it."""
    forms: list[Any] = []
    if type(number) is float or -(2**63) <= number < 2**63:
        forms.append(number)
    elif float(number) == number:
        forms.append(float(number))
    decimal = _decimal(number)
    if decimal is not None and decimal.to_decimal() != number:
        forms.append(decimal)
    digits = plain(number)
    whole, _, decimals = digits.partition(".")
    sign = "-?" if digits == "0" else ""
    behind = rf"\.{decimals}0*" if decimals else r"(?:\.0+)?"
    return [*forms, Regex(f"^{sign}{whole}{behind}{_END}")]


def _decimal(number: float) -> Decimal128 | None:
    with localcontext(create_decimal128_context()) as context:
        found = context.create_decimal(plain(number))
        return Decimal128(found) if found == Decimal(plain(number)) else None


def _ordered(place: _Place, condition: Condition) -> Document:
    value, operator = condition.value, _ORDERED[condition.op]
    if isinstance(value, date) and not isinstance(value, datetime):
        return _beside_day(place, condition.op, value)
    if condition.kind in _NUMBERS and isinstance(value, int | float):
        # NaN is less than every number to the database, and no number in a file.
        below = {"$gte": float("-inf")} if condition.op in {"lt", "lte"} else {}
        native = place.holds([{operator: _edge(condition.op, value), **below}])
        return _any_of([native, place.computes("string", lambda text: _number_test(text, operator, value))])
    native = place.holds([{operator: value}])
    if condition.kind == "instant" and isinstance(value, datetime):
        tests = [{operator: value}]
        return _any_of([native, place.computes("string", lambda text: _converted(text, _INSTANT_TEXT, "date", tests))])
    return native


def _edge(op: str, number: float) -> Any:
    """The bound as double or decimal, whichever takes in, or leaves out, what either of them calls this number.

    0.1 is a little more as a double than as a decimal; a file shows both as 0.1.
    """
    decimal = _decimal(number) if isinstance(number, float) else None
    if decimal is None:
        return number if type(number) is float or -(2**63) <= number < 2**63 else float(number)
    lower = op in {"gte", "lt"}
    return decimal if (decimal.to_decimal() < Decimal(number)) == lower else number


def _beside_day(place: _Place, op: str, day: date) -> Document:
    start, end = _day(day)
    bound = {"gt": {"$gte": end}, "gte": {"$gte": start}, "lt": {"$lt": start}, "lte": {"$lt": end}}[op]
    # Behind every text that begins with this day, and before every one that begins with the next.
    past = day.isoformat() + "~"
    text = {"gt": {"$gt": past}, "gte": {"$gte": past[:-1]}, "lt": {"$lt": past[:-1]}, "lte": {"$lt": past}}[op]
    if end == LATEST and op in {"gt", "lte"}:
        bound = {"gt": {"$gt": LATEST}, "lte": {"$lte": LATEST}}[op]
    return place.holds([bound, {**text, "$regex": _DATE_TEXT}])


def _day(day: date) -> tuple[datetime, datetime]:
    start = datetime(day.year, day.month, day.day, tzinfo=UTC)
    return start, LATEST if day == date.max else start + timedelta(days=1)


def _instant_test(text: Any, values: list[Scalar]) -> Document:
    tests = [
        {"$gte": value.start, "$lt": value.end} if isinstance(value, Span) else {"$eq": value}
        for value in values
        if isinstance(value, Span | datetime)
    ]
    return _converted(text, _INSTANT_TEXT, "date", tests)


def _number_test(text: Any, operator: str, number: float) -> Document:
    return _converted(text, _NUMBER_TEXT, "double", [{operator: float(number)}])


def _converted(value: Any, pattern: str, to: str, tests: list[dict[str, Any]]) -> Document:
    """Whether a text of this pattern, converted, passes one of the tests; what cannot be converted passes none."""
    text = {"$cond": [{"$eq": [{"$type": value}, "string"]}, value, None]}
    readable = {"$cond": [{"$regexMatch": {"input": text, "regex": pattern}}, text, None]}
    found = {"$convert": {"input": readable, "to": to, "onError": None, "onNull": None}}
    passes = [{"$and": [{operator: ["$$found", bound]} for operator, bound in test.items()]} for test in tests]
    return {"$let": {"vars": {"found": found}, "in": {"$and": [{"$ne": ["$$found", None]}, {"$or": passes}]}}}


def _parts(latitude: str, longitude: str) -> list[Document]:
    def forms(text: str) -> dict[str, Any]:
        number = to_number(text.removeprefix("+"))
        found = [text] if number is None else [text, *_numbers(float(number))]
        return {"$in": found}

    return [{first: forms(latitude), second: forms(longitude)} for first, second in _PLACE_PARTS]


def _any_of(alternatives: list[Document]) -> Document:
    return alternatives[0] if len(alternatives) == 1 else {"$or": alternatives}
