"""What the values of a contact filter mean: the same as in the file (SPEC 3.1).

A calendar date is a day and never shifted; a plain date compared with instants is that whole day in the request's zone;
a number held as text is a number, and `12.5%` and `IDR 1,000` are what their cells show. Not here: which fields there
are (`filter_fields.py`), and finding the values in documents (`stores/contact_query.py`).
"""

import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Final, Literal, TypeAlias

from cdp_pipelines.domain.values.instants import LATEST, PLAIN_DATE, to_utc
from cdp_pipelines.domain.values.moments import to_date
from cdp_pipelines.domain.values.numbers import to_number

MAX_TEXT_LENGTH: Final = 1_000

Operator: TypeAlias = Literal["eq", "ne", "in", "nin", "gt", "gte", "lt", "lte", "contains", "starts_with", "exists"]
FilterKind: TypeAlias = Literal["", "text", "number", "percentage", "currency", "date", "instant", "place"]
InstantReader: TypeAlias = Callable[[str], datetime]

_NUMBERS: Final = frozenset({"number", "percentage", "currency"})
_LARGEST: Final = sys.float_info.max
_MONEY: Final = re.compile(r"(?:([A-Za-z]{2,5}) )?(-?(?:[0-9]+|[0-9]{1,3}(?:,[0-9]{3})+)(?:\.[0-9]+)?)")


@dataclass(frozen=True, slots=True)
class Span:
    """From `start` up to but without `end`, in UTC: a day that a plain date names."""

    start: datetime
    end: datetime


@dataclass(frozen=True, slots=True)
class Money:
    """An amount in one currency, as its cell shows it."""

    amount: int | float
    code: str


Scalar: TypeAlias = str | int | float | bool | datetime | date | Span | Money | None


@dataclass(frozen=True, slots=True)
class FilterField:
    """What the parser needs to know of a field: where it lives, and what its values are.

    `is_instant` says that they are BSON dates and nothing else, so that an index serves them.
    """

    name: str
    custom: bool
    is_instant: bool = False
    kind: FilterKind = ""


class FilterProblem(ValueError):
    """The filter cannot be used; the message says where (`filter.and[1].op`) and why."""


class ValueReader:
    """Reads the values of one request's filter."""

    def __init__(self, read_instant: InstantReader) -> None:
        self._read_instant = read_instant

    def equal(self, raw: object, field: FilterField, where: str) -> Scalar:
        """A value that a stored one may equal; what a custom field could hold as untidy text is compared as text."""
        found = self._typed(raw, field)
        if found is not None:
            return found
        if field.is_instant or (field.kind in {"date", "instant"} and not field.custom):
            if raw is None:
                return None
            raise FilterProblem(f"{where}: must be an RFC 3339 instant or a date")
        return self._scalar(raw, where)

    def ordered(self, raw: object, field: FilterField, where: str) -> Scalar:
        """A value that a stored one may be more or less than."""
        found = self._typed(raw, field)
        if isinstance(found, Money):
            raise FilterProblem(f"{where}: must be a number without its currency, to be compared by more and less")
        if found is not None:
            return found
        if field.is_instant or field.kind in {"date", "instant"}:
            raise FilterProblem(f"{where}: must be an RFC 3339 instant or a date")
        if field.kind in _NUMBERS:
            raise FilterProblem(f"{where}: must be a number")
        return self._scalar(raw, where)

    def _typed(self, raw: object, field: FilterField) -> Scalar:
        """The value as the field's kind has it; None where it is no such value, or the kind is none."""
        if field.is_instant or field.kind == "instant":
            return self._instant(raw)
        if field.kind == "date":
            return _day(raw)
        return _number(raw, field.kind) if field.kind in _NUMBERS else None

    def _instant(self, raw: object) -> datetime | Span | None:
        if isinstance(raw, datetime):
            return to_utc(raw)
        if not isinstance(raw, str):
            return None
        text = raw.strip()
        try:
            start = self._read_instant(text)
            if not PLAIN_DATE.fullmatch(text):
                return start
            day = date.fromisoformat(text)
            return Span(start, LATEST if day == date.max else self._read_instant(_after(day).isoformat()))
        except ValueError:
            return None

    def _scalar(self, raw: object, where: str) -> Scalar:
        if isinstance(raw, str):
            return self.text(raw, where)
        if isinstance(raw, int) and not -(2**63) <= raw < 2**63:
            raise FilterProblem(f"{where}: is beyond the 64 bits that a stored number has")
        if raw is None or isinstance(raw, bool | int | datetime):
            return raw
        if isinstance(raw, float) and raw == raw and raw not in {float("inf"), float("-inf")}:
            return raw
        raise FilterProblem(f"{where}: must be a text, a number, true, false, null or an instant")

    @staticmethod
    def text(raw: str, where: str) -> str:
        """A text as short as a filter needs, which a database can take."""
        if len(raw) > MAX_TEXT_LENGTH or "\0" in raw:
            raise FilterProblem(f"{where}: at most {MAX_TEXT_LENGTH} characters, and no NUL")
        try:
            raw.encode()
        except UnicodeEncodeError:
            raise FilterProblem(f"{where}: holds half a character, which no stored text can") from None
        return raw


def beside_span(op: Operator, span: Span) -> tuple[Operator, datetime]:
    """What more or less than a whole day means: after its end, from its beginning, before it, up to its end."""
    beside: dict[Operator, tuple[Operator, datetime]] = {
        "gt": ("gte", span.end),
        "gte": ("gte", span.start),
        "lt": ("lt", span.start),
        "lte": ("lt", span.end),
    }
    return beside[op]


def _after(day: date) -> date:
    return day + timedelta(days=1)


def _day(raw: object) -> date | None:
    """The day as a date cell shows it: of a datetime its day in UTC, of a text its leading date."""
    if isinstance(raw, datetime):
        return to_utc(raw).astimezone(UTC).date()
    return to_date(raw.strip()) if isinstance(raw, str) else None


def _number(raw: object, kind: FilterKind) -> int | float | Money | None:
    if not isinstance(raw, str):
        return raw if isinstance(raw, int | float) and type(raw) is not bool and abs(raw) <= _LARGEST else None
    text = raw.strip()
    if kind == "currency":
        written = _MONEY.fullmatch(text)
        if written is None:
            return None
        amount = _from_text(written[2].replace(",", ""))
        return amount if amount is None or not written[1] else Money(amount, written[1])
    return _from_text(text.removesuffix("%").rstrip() if kind == "percentage" else text)


def _from_text(text: str) -> int | float | None:
    number = to_number(text)
    if isinstance(number, Decimal):
        # A double holds it exactly, or it would be none.
        return int(number) if number == number.to_integral_value() else float(number)
    return None
